"""The vocoders by name: which network each is, what it is trained with, and what tells its files from others. No torch here.

A further vocoder is a file with its network, and a row here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

    from rvc.models.config import ModelConfig

HIFI_GAN = "HiFi-GAN"
MRF_HIFI_GAN = "MRF HiFi-GAN"
REFINEGAN = "RefineGAN"


@dataclass(frozen=True, kw_only=True)
class Vocoder:
    """Names of tensors are those in files, after ``dec.``, weight norm in the old spelling."""

    name: str  # as voice files say it
    build: Callable[["ModelConfig"], "nn.Module"]
    # -- what it exists for
    versions: tuple[str, ...] = ("v2",)
    without_pitch: bool = False
    sample_rates: tuple[int, ...] | None = None  # in Hz, that anybody trains; ``None``: all that the version has
    # -- what it is trained and run with
    harmonics: int = 1  # sines in its source
    discriminator: str | None = None  # ``None``: that of the version
    multiscale_mel: bool = False  # the mel distance is taken at seven resolutions instead of one
    # That it must see on either side of a window to make the samples it makes of the whole. 12 were enough for a difference of 2e-7.
    context_frames: int = 24
    # -- what its files look like
    mark: str  # only with it names of tensors begin so
    entrance: str  # the convolution that reads the latent frames
    entrance_share: int = 1  # its outputs are ``upsample_initial_channel`` divided by this
    upsampler: str | None  # by number of the stage; ``None``: it interpolates
    block: str  # a convolution of the first stage, by number of the residual block


def _hifigan(config: "ModelConfig") -> "nn.Module":
    from rvc.models.hifigan import HiFiGAN
    from rvc.models.nsf import NSFHiFiGAN

    return NSFHiFiGAN(config) if config.pitch_guidance else HiFiGAN(config)


def _mrf(config: "ModelConfig") -> "nn.Module":
    from rvc.models.mrf import MRFHiFiGAN

    return MRFHiFiGAN(config)


def _refinegan(config: "ModelConfig") -> "nn.Module":
    from rvc.models.refinegan import RefineGAN

    return RefineGAN(config)


VOCODERS = {one.name: one for one in (
    Vocoder(name=HIFI_GAN, build=_hifigan, versions=("v1", "v2"), without_pitch=True,
            mark="ups.", entrance="conv_pre.weight", upsampler="ups.{}.weight_v", block="resblocks.{}.convs1.0.weight_v"),
    Vocoder(name=MRF_HIFI_GAN, build=_mrf, harmonics=9,
            mark="upsamples.", entrance="conv_pre.weight_v", upsampler="upsamples.{}.weight_v", block="mrfs.0.{}.layers.0.conv1.weight_v"),
    # Its filters on the way down reach 75 frames, with hardly any weight there: more than 40 changed nothing beyond 1e-6.
    Vocoder(name=REFINEGAN, build=_refinegan, sample_rates=(24000, 32000), discriminator="v3", multiscale_mel=True, context_frames=48,
            mark="mel_conv.", entrance="mel_conv.weight_v", entrance_share=2, upsampler=None,
            block="upsample_conv_blocks.0.blocks.{}.1.convs1.0.weight_v"),
)}
