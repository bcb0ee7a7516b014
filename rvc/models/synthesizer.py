"""The whole voice: a conditional VAE whose decoder is a vocoder (Kim et al., VITS, 2021, with content features instead of text).

Attribute names are the file format: ``enc_p`` encodes content and pitch, ``enc_q`` the recording (training only), ``flow`` joins
their latent frames, ``dec`` makes the waveform, ``emb_g`` is the table of speakers.

Dimensions: B batch, T frames (100 a second), F content channels, S spectrogram bins, Z latent channels, N = T·hop samples.
"""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from rvc.models.config import ModelConfig
from rvc.models.draws import NOTHING, POSTERIOR, SLICE, Given, ItemDraws
from rvc.models.encoders import ContentEncoder, Gaussian, PosteriorEncoder, standard_normal
from rvc.models.flow import Flow
from rvc.models.nsf import phase_after
from rvc.models.speech import Speech
from rvc.models.vocoders import VOCODERS

NOISE_SCALE = 0.66666  # spread of the latent noise that RVC infers with


@dataclass(frozen=True)
class SynthesizerOutput:
    """One training pass. ``audio`` (B, 1, segment_samples) belongs to the frames from ``slice_starts`` (B,) on; the rest is (B, ·, T)."""

    audio: Tensor
    slice_starts: Tensor
    content_mask: Tensor
    spec_mask: Tensor
    z: Tensor
    z_p: Tensor
    mean_p: Tensor
    log_std_p: Tensor
    mean_q: Tensor
    log_std_q: Tensor


class Synthesizer(nn.Module):
    """``posterior=False`` leaves out ``enc_q``: what exported voices hold."""

    def __init__(self, config: ModelConfig, *, posterior: bool = True) -> None:
        super().__init__()
        self.config = config
        self.enc_p = ContentEncoder(config)
        self.dec = VOCODERS[config.vocoder].build(config)
        if posterior:
            self.enc_q = PosteriorEncoder(config)
        self.flow = Flow(config)
        self.emb_g = nn.Embedding(config.n_speakers, config.gin_channels)

    def forward(self, speech: Speech, spec: Tensor, draws: ItemDraws | None = None) -> SynthesizerOutput:
        """A training pass: encode the recording of ``speech``, and decode a random slice of it.

        spec (B, S, T) are linear magnitudes. T is at least ``config.segment_frames``: shorter clips are padded by the caller. What is
        random comes from ``draws``, or without them from the device's global generator in RVC's order.
        """
        g = self._speaker(speech)
        prior = self._prior(speech)
        posterior = self.enc_q(spec, speech.lengths, g)
        noise = standard_normal(posterior.mean) if draws is None else draws.normal_frames(POSTERIOR, *posterior.mean.shape[1:])
        z = posterior.sample(noise)
        z_p = self.flow(z, posterior.mask, g)
        starts = _random_starts(speech.lengths, self.config.segment_frames, draws)
        z_slice = frames_from(z, starts, self.config.segment_frames)
        f0_slice = None if speech.f0_hz is None else frames_from(speech.f0_hz, starts, self.config.segment_frames)
        return SynthesizerOutput(
            audio=self._decoded(z_slice, g, f0_slice, Given(draws=draws)),
            slice_starts=starts,
            content_mask=prior.mask,
            spec_mask=posterior.mask,
            z=z,
            z_p=z_p,
            mean_p=prior.mean,
            log_std_p=prior.log_std,
            mean_q=posterior.mean,
            log_std_q=posterior.log_std,
        )

    @torch.no_grad()
    def infer(self, speech: Speech, given: Given = NOTHING, *, noise_scale: float = NOISE_SCALE) -> Tensor:
        """Content and pitch to audio (B, 1, N), float32 within ±1. ``noise_scale`` is the spread of the latent noise."""
        assert given.draws is None or given.source is not None, "draws are for the noise besides the source's, inside the vocoder"
        g = self._speaker(speech)
        prior = self._prior(speech)
        noise = standard_normal(prior.mean) if given.latent is None else given.latent.to(prior.mean)
        assert noise.shape == prior.mean.shape, f"noise {tuple(noise.shape)} for latents {tuple(prior.mean.shape)}"
        z_p = prior.sample(noise * noise_scale)
        z = self.flow.reverse(z_p, prior.mask, g)
        return self._decoded(z * prior.mask, g, speech.f0_hz, given)

    def phase_after(self, f0_hz: Tensor, phase: Tensor | None = None) -> Tensor:
        """The phase (B,) in cycles with which a chunk that follows ``f0_hz`` (B, T) goes on."""
        return phase_after(f0_hz, hop_length=self.config.hop_length, sample_rate=self.config.sample_rate, phase=phase)

    def for_inference(self) -> Self:
        """This network, changed for good: without ``enc_q``, weight norm folded into plain weights, in eval mode, no gradients."""
        if hasattr(self, "enc_q"):
            del self.enc_q
        for module in self.modules():
            if parametrize.is_parametrized(module, "weight"):
                _fold(module)
        return self.eval().requires_grad_(False)

    def _speaker(self, speech: Speech) -> Tensor:
        return self.emb_g(speech.speaker_id).unsqueeze(-1)  # (B, G, 1)

    def _prior(self, speech: Speech) -> Gaussian:
        assert (speech.coarse is not None) == self.config.pitch_guidance, "pitch is given exactly to the networks that are guided by it"
        return self.enc_p(speech.content, speech.lengths, speech.coarse)

    def _decoded(self, z: Tensor, g: Tensor, f0_hz: Tensor | None, given: Given) -> Tensor:
        return self.dec(z, g, f0_hz, given) if self.config.pitch_guidance else self.dec(z, g)


def frames_from(x: Tensor, starts: Tensor, n_frames: int) -> Tensor:
    """``n_frames`` of each item of x (B, ..., T) from its own start (B,) on. -> (B, ..., n_frames)"""
    index = starts[:, None] + torch.arange(n_frames, device=x.device)  # (B, n_frames)
    index = index.reshape(len(x), *[1] * (x.dim() - 2), n_frames)
    return x.gather(-1, index.expand(*x.shape[:-1], n_frames))


def _fold(module: nn.Module) -> None:
    """A plain weight instead of a parametrized one.

    ``parametrize.remove_parametrizations`` would do it by changing the module's class, which copies of the module share: it breaks
    the network that a deepcopy was made of.
    """
    weight = module.weight.detach()
    plain = parametrize.type_before_parametrizations(module)
    del module.parametrizations
    module.__class__ = plain
    module.weight = nn.Parameter(weight)


def _random_starts(lengths: Tensor, n_frames: int, draws: ItemDraws | None) -> Tensor:
    choices = (lengths - n_frames + 1).clamp(min=1)
    drawn = torch.rand(len(lengths), device=lengths.device) if draws is None else draws.uniform(SLICE)
    return (drawn * choices).long()
