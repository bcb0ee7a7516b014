"""HiFi-GAN (Kong et al., 2020): latent frames to a waveform by transposed convolutions and multi-receptive-field residual blocks.

``HiFiGAN`` is the plain generator of voices without pitch guidance; its parts also build the source-filter one in ``nsf``.

Dimensions: B batch, Z latent channels, T frames, G speaker channels, N = T·hop samples.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu
from torch.nn.utils.parametrizations import weight_norm

from rvc.models.config import ModelConfig
from rvc.models.layers import LEAKY_SLOPE

_LAST_SLOPE = 0.01  # the published weights were trained with torch's default slope before the last convolution


class ResBlock(nn.Module):
    """Residual pairs of convolutions, the first of each pair dilated."""

    def __init__(self, channels: int, kernel_size: int, dilations: Sequence[int]) -> None:
        super().__init__()
        self.convs1 = nn.ModuleList(_same_conv(channels, kernel_size, dilation) for dilation in dilations)
        self.convs2 = nn.ModuleList(_same_conv(channels, kernel_size, 1) for _ in dilations)

    def forward(self, x: Tensor) -> Tensor:
        for dilated, plain in zip(self.convs1, self.convs2, strict=True):
            x = x + plain(leaky_relu(dilated(leaky_relu(x, LEAKY_SLOPE)), LEAKY_SLOPE))
        return x


class Generator(nn.Module):
    """The way from latent frames to samples that all generators share.

    Subclasses make the layers, each in the order of its file format: optimizer states are positional.
    """

    conv_pre: nn.Conv1d
    ups: nn.ModuleList
    resblocks: nn.ModuleList
    conv_post: nn.Conv1d
    cond: nn.Conv1d

    def waveform(self, z: Tensor, g: Tensor, excitations: Sequence[Tensor] | None = None) -> Tensor:
        """z (B, Z, T), speaker g (B, G, 1), for every stage what is added to its input -> (B, 1, N) within ±1, float32"""
        x = self.conv_pre(z) + self.cond(g)
        blocks_per_stage = len(self.resblocks) // len(self.ups)
        for stage, up in enumerate(self.ups):
            x = up(leaky_relu(x, LEAKY_SLOPE))
            if excitations is not None:
                x = x + excitations[stage]
            blocks = self.resblocks[stage * blocks_per_stage : (stage + 1) * blocks_per_stage]
            x = sum(block(x) for block in blocks) / blocks_per_stage
        return torch.tanh(self.conv_post(leaky_relu(x, _LAST_SLOPE)).float())


class HiFiGAN(Generator):
    """The generator of voices without pitch guidance (``dec`` in files)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.conv_pre = input_conv(config)
        self.ups = upsamplers(config)
        self.resblocks = residual_blocks(config)
        self.conv_post = output_conv(config)
        self.cond = speaker_conv(config)

    def forward(self, z: Tensor, g: Tensor) -> Tensor:
        """z (B, Z, T), g (B, G, 1) -> (B, 1, N)"""
        return self.waveform(z, g)


def stage_channels(config: ModelConfig) -> list[int]:
    """Output channels of every upsampling stage: half of those before."""
    return [config.upsample_initial_channel >> (stage + 1) for stage in range(len(config.upsample_rates))]


def input_conv(config: ModelConfig) -> nn.Conv1d:
    return nn.Conv1d(config.inter_channels, config.upsample_initial_channel, 7, padding=3)


def speaker_conv(config: ModelConfig) -> nn.Conv1d:
    return nn.Conv1d(config.gin_channels, config.upsample_initial_channel, 1)


def upsamplers(config: ModelConfig) -> nn.ModuleList:
    layers = nn.ModuleList()
    for channels, rate, kernel in zip(stage_channels(config), config.upsample_rates, config.upsample_kernel_sizes, strict=True):
        overhang = kernel - rate  # cut off so that every frame becomes exactly ``rate`` of the next stage, also when it is odd
        up = nn.ConvTranspose1d(2 * channels, channels, kernel, rate, padding=(overhang + 1) // 2, output_padding=overhang % 2)
        layers.append(weight_norm(up))
    return layers


def residual_blocks(config: ModelConfig) -> nn.ModuleList:
    shapes = list(zip(config.resblock_kernel_sizes, config.resblock_dilation_sizes, strict=True))
    return nn.ModuleList(ResBlock(channels, kernel, dilations) for channels in stage_channels(config) for kernel, dilations in shapes)


def output_conv(config: ModelConfig) -> nn.Conv1d:
    return nn.Conv1d(stage_channels(config)[-1], 1, 7, padding=3, bias=False)


def _same_conv(channels: int, kernel_size: int, dilation: int) -> nn.Module:
    return weight_norm(nn.Conv1d(channels, channels, kernel_size, dilation=dilation, padding=dilation * (kernel_size - 1) // 2))
