"""HiFi-GAN (Kong et al., 2020): latent frames to a waveform by transposed convolutions and multi-receptive-field residual blocks.

``HiFiGAN`` is the plain generator of voices without pitch guidance; its parts also build the source-filter ones in ``nsf`` and ``mrf``.

Dimensions: B batch, Z latent channels, T frames, G speaker channels, N = T·hop samples.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import repeat

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d, leaky_relu
from torch.nn.utils.parametrizations import weight_norm

from rvc.models.config import ModelConfig
from rvc.models.layers import LEAKY_SLOPE, Recomputing

_LAST_SLOPE = 0.01  # the published weights were trained with torch's default slope before the last convolution


def laid_out(x: Tensor) -> Tensor:
    """(B, C, T) as the layers here compute it fastest: when the CPU infers, as (B, C, 1, T) with the channels last in memory.

    oneDNN's convolutions are 1.4 times as fast that way (full-size decoder, AVX2). Their gradients are slower, so training does without.
    """
    if x.device.type != "cpu" or torch.is_grad_enabled():
        return x
    return x.unsqueeze(2).contiguous(memory_format=torch.channels_last)


def applied(conv: nn.Module, x: Tensor) -> Tensor:
    """``conv``, a one-dimensional one, on either layout."""
    if x.dim() == 3:
        return conv(x)
    weight, stride, padding = conv.weight.unsqueeze(2), (1, *conv.stride), (0, *conv.padding)
    if isinstance(conv, nn.ConvTranspose1d):
        return conv_transpose2d(x, weight, conv.bias, stride, padding, (0, *conv.output_padding))
    return conv2d(x, weight, conv.bias, stride, padding, (1, *conv.dilation))


class ResBlock(nn.Module):
    """Residual pairs of convolutions, the first of each pair dilated."""

    def __init__(self, channels: int, kernel_size: int, dilations: Sequence[int], slope: float = LEAKY_SLOPE) -> None:
        super().__init__()
        self.slope = slope
        self.convs1 = nn.ModuleList(same_conv(channels, kernel_size, dilation) for dilation in dilations)
        self.convs2 = nn.ModuleList(same_conv(channels, kernel_size, 1) for _ in dilations)

    def forward(self, x: Tensor) -> Tensor:
        for dilated, plain in zip(self.convs1, self.convs2, strict=True):
            x = x + applied(plain, leaky_relu(applied(dilated, leaky_relu(x, self.slope)), self.slope))
        return x


def mean_of(blocks: Sequence[Callable[[Tensor], Tensor]], x: Tensor) -> Tensor:
    return sum(block(x) for block in blocks) / len(blocks)


class Generator(Recomputing):
    """The way from latent frames to samples that the generators of HiFi-GAN's kind share.

    Subclasses make the layers, each in the order of its file format: optimizer states are positional.
    """

    conv_pre: nn.Conv1d
    ups: nn.ModuleList
    resblocks: nn.ModuleList
    conv_post: nn.Conv1d
    cond: nn.Conv1d

    def stages(self) -> Iterator[tuple[nn.Module, Sequence[nn.Module]]]:
        """The convolution of every stage that upsamples, and the residual blocks after it."""
        n_blocks = len(self.resblocks) // len(self.ups)
        for stage, up in enumerate(self.ups):
            yield up, self.resblocks[stage * n_blocks : (stage + 1) * n_blocks]

    def waveform(self, z: Tensor, g: Tensor, excitations: Iterable[Tensor] | None = None) -> Tensor:
        """z (B, Z, T), speaker g (B, G, 1), for every stage what is added to its input -> (B, 1, N) within ±1, float32

        ``excitations`` are taken one by one, so a generator of them never holds more than one in memory.
        """
        x = applied(self.conv_pre, laid_out(z)) + applied(self.cond, laid_out(g))
        added = iter(excitations) if excitations is not None else repeat(None)
        for (up, blocks), excitation in zip(self.stages(), added, strict=False):
            x = applied(up, leaky_relu(x, LEAKY_SLOPE))
            if excitation is not None:
                x = x + excitation
            x = self.part(partial(mean_of, blocks), x)
        return torch.tanh(applied(self.conv_post, leaky_relu(x, _LAST_SLOPE)).float()).flatten(2)


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


def output_conv(config: ModelConfig, *, bias: bool = False) -> nn.Conv1d:
    return nn.Conv1d(stage_channels(config)[-1], 1, 7, padding=3, bias=bias)


def same_conv(channels: int, kernel_size: int, dilation: int) -> nn.Module:
    return weight_norm(nn.Conv1d(channels, channels, kernel_size, dilation=dilation, padding=dilation * (kernel_size - 1) // 2))
