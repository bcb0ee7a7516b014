"""RefineGAN (Xu et al., 2022) as Applio trains it: a sine at the pitch is taken down to the frame rate and back up, joined by the latents.

On the way down every stage leaves a copy that the stage of the same rate reads on the way up. Noise is added in every residual block,
also when it infers.

Dimensions: B batch, Z latent channels, T frames, G speaker channels, N = T·hop samples, C = ``upsample_initial_channel``. Applio's own
class knows C = 512 and G = 256 only; narrower networks are read by this program alone.
"""

import math
from collections.abc import Sequence
from functools import lru_cache, partial

import torch
from torch import Tensor, nn
from torch.nn.functional import conv1d, leaky_relu, pad
from torch.nn.utils.parametrizations import weight_norm

from rvc.models.config import ModelConfig
from rvc.models.draws import BLOCKS, NOTHING, SOURCE, Draws, Given
from rvc.models.hifigan import ResBlock, applied, laid_out, mean_of
from rvc.models.layers import Recomputing
from rvc.models.nsf import Source, excitation, interpolated, sine_of

_SLOPE = 0.2
_NOISE_START = 1e-4  # how loud the noise in the blocks is before training
_INPUT_SPREAD = 0.01  # of the blocks' first convolutions before training
# The low-pass filter of the way down: torchaudio's "sinc_interp_kaiser" with the numbers of resampy's best one.
_LOWPASS_WIDTH, _ROLLOFF, _BETA = 64, 0.9475937167399596, 14.769656459379492


class InterpolatedSource(Source):
    """A sine whose pitch glides between the middles of the frames."""

    def __init__(self, *, hop_length: int, sample_rate: int) -> None:
        super().__init__(hop_length=hop_length, sample_rate=sample_rate)
        self.merge = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Tanh())

    def waves(self, f0_hz: Tensor, given: Given) -> Tensor:
        hz = interpolated(f0_hz, self.hop_length)  # (B, T, hop)
        voiced = (hz > 0).float().flatten(1).unsqueeze(-1).to(f0_hz.device)  # (B, N, 1)
        noise = given.source if given.source is not None else _drawn_noise(voiced, given.draws)
        waves = sine_of(hz, self.sample_rate, given.phase).to(f0_hz.device).unsqueeze(-1)
        return excitation(waves, voiced, noise)


def _drawn_noise(like: Tensor, draws: Draws | None) -> Tensor:
    """From the global generator Applio draws a phase for every item too, and discards it."""
    if draws is not None:
        return draws.normal(SOURCE, *like.shape[1:])
    torch.rand(len(like), 1, device=like.device)
    return torch.randn(like.shape, device=like.device)


class Noise(nn.Module):
    """Adds noise as loud as each channel has learned. ``use``: which of an item's numbers."""

    def __init__(self, channels: int, use: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((channels,), _NOISE_START))
        self.use = use

    def forward(self, x: Tensor, draws: Draws | None) -> Tensor:
        shape = x.shape[0], x.shape[1], x.shape[-1]
        noise = torch.randn(shape, device=x.device) if draws is None else draws.normal(self.use, *shape[1:])
        noise = noise.to(x.dtype).reshape(x.shape)
        weight = self.weight.to(x.dtype).reshape(-1, *[1] * (x.dim() - 2))
        return leaky_relu(x + noise * weight, _SLOPE)


class Branch(nn.Sequential):
    """Noise, a residual block, noise."""

    def __init__(self, channels: int, kernel_size: int, dilations: Sequence[int], use: int) -> None:
        super().__init__(Noise(channels, use), ResBlock(channels, kernel_size, dilations, _SLOPE), Noise(channels, use + 1))

    def forward(self, x: Tensor, draws: Draws | None) -> Tensor:
        before, block, after = self
        return after(block(before(x, draws)), draws)


class ParallelBlock(nn.Module):
    """The mean of branches that see differently far."""

    def __init__(self, channels: int, out: int, config: ModelConfig, use: int) -> None:
        super().__init__()
        self.input_conv = nn.Conv1d(channels, out, 7, padding=3)
        nn.init.normal_(self.input_conv.weight, 0.0, _INPUT_SPREAD)
        shapes = zip(config.resblock_kernel_sizes, config.resblock_dilation_sizes, strict=True)
        self.blocks = nn.ModuleList(Branch(out, *shape, use + 2 * branch) for branch, shape in enumerate(shapes))

    def forward(self, x: Tensor, draws: Draws | None) -> Tensor:
        return mean_of([partial(block, draws=draws) for block in self.blocks], applied(self.input_conv, x))


class RefineGAN(Recomputing):
    """``dec`` in files whose vocoder is "RefineGAN"."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.rates = config.upsample_rates
        widest, narrowest = config.upsample_initial_channel // 2, config.upsample_initial_channel >> (len(self.rates) + 1)
        self.m_source = InterpolatedSource(hop_length=config.hop_length, sample_rate=config.sample_rate)
        self.pre_conv = _conv7(1, narrowest)
        self.downsample_blocks = nn.ModuleList(_conv7(narrowest << i, narrowest << (i + 1)) for i in range(len(self.rates)))
        self.mel_conv = _conv7(config.inter_channels, widest)
        self.cond = nn.Conv1d(config.gin_channels, widest, 1)
        uses = 2 * len(config.resblock_kernel_sizes)  # of noise, in every stage
        self.upsample_conv_blocks = nn.ModuleList()
        for stage in range(len(self.rates)):
            channels = config.upsample_initial_channel >> stage
            self.upsample_conv_blocks.append(ParallelBlock(channels + channels // 4, channels // 2, config, BLOCKS + uses * stage))
        self.conv_post = weight_norm(nn.Conv1d(narrowest * 2, 1, 7, padding=3, bias=False))

    def forward(self, z: Tensor, g: Tensor, f0_hz: Tensor, given: Given = NOTHING) -> Tensor:
        """z (B, Z, T), speaker g (B, G, 1), f0 (B, T) -> (B, 1, N)"""
        down, copies = self._taken_down(laid_out(self.m_source(f0_hz, given)))
        x = torch.cat([applied(self.mel_conv, laid_out(z)) + applied(self.cond, laid_out(g)), down], dim=1)  # (B, C, T)
        for rate, copy, block in zip(self.rates, reversed(copies), self.upsample_conv_blocks, strict=True):
            x = torch.cat([stretched(leaky_relu(x, _SLOPE), rate), copy], dim=1)
            x = self.part(partial(block, draws=given.draws), x, redraws=given.draws is None)
        return torch.tanh(applied(self.conv_post, leaky_relu(x, _SLOPE)).float()).flatten(2)

    def _taken_down(self, source: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The source (B, 1, N) at frame rate (B, C / 2, T), and what it was before each step down."""
        x, copies = applied(self.pre_conv, source), []
        for rate, conv in zip(reversed(self.rates), self.downsample_blocks, strict=True):
            x = leaky_relu(x, _SLOPE)
            copies.append(x)
            x = applied(conv, decimated(x, rate))
        return x, copies


def decimated(x: Tensor, factor: int) -> Tensor:
    """Every ``factor``-th sample of x (B, C, n) or (B, C, 1, n), n a multiple of it, after the low-pass filter that this needs."""
    kernel = _lowpass(factor, x.device)
    reach = (kernel.shape[-1] - factor) // 2
    rows = pad(x.reshape(-1, 1, x.shape[-1]), (reach, reach + factor))  # one filter for all channels
    out = conv1d(rows, kernel, stride=factor)[..., : x.shape[-1] // factor]
    return laid_out(out.reshape(*x.shape[:2], -1))


@lru_cache(maxsize=32)
def _lowpass(factor: int, device: torch.device) -> Tensor:
    """A sinc under a Kaiser window, (1, 1, taps). The formula is that of torchaudio's resampling from ``factor`` to 1."""
    reach = math.ceil(_LOWPASS_WIDTH * factor / _ROLLOFF)
    samples = torch.arange(-reach, reach + factor, dtype=torch.float64)
    t = (samples / factor * _ROLLOFF).clamp(-_LOWPASS_WIDTH, _LOWPASS_WIDTH)
    window = torch.i0(_BETA * (1 - (t / _LOWPASS_WIDTH).square()).sqrt()) / torch.i0(torch.tensor(_BETA, dtype=torch.float64))
    with torch.inference_mode(False):  # kept for the training step too, whoever asks first
        return (torch.sinc(t) * window * (_ROLLOFF / factor)).float()[None, None].to(device)


def stretched(x: Tensor, rate: int) -> Tensor:
    """Linear interpolation to ``rate`` times as many samples, of either layout.

    torch's own reckons places in float32, which a few seconds into a row are so coarse that windows would not meet.
    """
    if x.dim() == 3:
        return _between(x, rate, dim=2)
    return _between(x.squeeze(2).mT, rate, dim=1).mT.unsqueeze(2)  # channels stay last in memory


def _between(x: Tensor, rate: int, dim: int) -> Tensor:
    before, after = (torch.cat(parts, dim) for parts in (
        (x.narrow(dim, 0, 1), x.narrow(dim, 0, x.shape[dim] - 1)), (x.narrow(dim, 1, x.shape[dim] - 1), x.narrow(dim, -1, 1))))
    place = (torch.arange(rate, device=x.device) + 0.5) / rate - 0.5  # from the sample itself
    place = place.to(x.dtype).reshape(-1, *[1] * (x.dim() - 1 - dim))
    x, before, after = (one.unsqueeze(dim + 1) for one in (x, before, after))
    halves = torch.lerp(x, before, -place[: rate // 2]), torch.lerp(x, after, place[rate // 2 :])
    return torch.cat(halves, dim + 1).flatten(dim, dim + 1)


def _conv7(channels: int, out: int) -> nn.Module:
    return weight_norm(nn.Conv1d(channels, out, 7, padding=3))
