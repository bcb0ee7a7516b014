"""MRF HiFi-GAN: the source-filter generator with eight overtones beside the fundamental, as Applio trains it.

The way from frames to samples is HiFi-GAN's (Kong et al., 2020); attribute names differ, the first and last convolutions have weight
norm, and the last one a bias.
"""

from collections.abc import Iterator, Sequence

from torch import Tensor, nn
from torch.nn.functional import leaky_relu
from torch.nn.utils.parametrizations import weight_norm

from rvc.models.config import ModelConfig
from rvc.models.hifigan import applied, input_conv, output_conv, same_conv, speaker_conv, stage_channels, upsamplers
from rvc.models.layers import LEAKY_SLOPE
from rvc.models.nsf import SineSource, SourceFilter, noise_convs


class Pair(nn.Module):
    """A residual pair of convolutions, the first one dilated."""

    def __init__(self, channels: int, kernel_size: int, dilation: int) -> None:
        super().__init__()
        self.conv1 = same_conv(channels, kernel_size, dilation)
        self.conv2 = same_conv(channels, kernel_size, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + applied(self.conv2, leaky_relu(applied(self.conv1, leaky_relu(x, LEAKY_SLOPE)), LEAKY_SLOPE))


class Block(nn.Module):
    """Pairs of growing dilation."""

    def __init__(self, channels: int, kernel_size: int, dilations: Sequence[int]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Pair(channels, kernel_size, dilation) for dilation in dilations)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


class MRFHiFiGAN(SourceFilter):
    """``dec`` in files whose vocoder is "MRF HiFi-GAN"."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.m_source = SineSource(hop_length=config.hop_length, sample_rate=config.sample_rate, harmonics=config.harmonics)
        self.conv_pre = weight_norm(input_conv(config))
        self.upsamples = upsamplers(config)
        self.noise_convs = noise_convs(config)
        shapes = list(zip(config.resblock_kernel_sizes, config.resblock_dilation_sizes, strict=True))
        self.mrfs = nn.ModuleList(
            nn.ModuleList(Block(channels, kernel, dilations) for kernel, dilations in shapes) for channels in stage_channels(config)
        )
        self.conv_post = weight_norm(output_conv(config, bias=True))
        self.cond = speaker_conv(config)

    def stages(self) -> Iterator[tuple[nn.Module, Sequence[nn.Module]]]:
        yield from zip(self.upsamples, self.mrfs, strict=True)
