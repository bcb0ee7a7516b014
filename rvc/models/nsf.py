"""The neural source-filter generator: HiFi-GAN excited by a sine at the pitch of the voice.

Wang et al., Neural source-filter-based waveform model (2019), with the fundamental only, as RVC trains it. The phase is summed
in float64, so that long recordings stay in tune and a recording made in chunks has the phase of one made at once.

Dimensions: B batch, Z latent channels, G speaker channels, T frames, N = T·hop samples, H harmonics.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from rvc.models.config import ModelConfig
from rvc.models.draws import NOTHING, PHASE, SOURCE, Given, ItemDraws
from rvc.models.hifigan import (
    Generator,
    applied,
    input_conv,
    laid_out,
    output_conv,
    residual_blocks,
    speaker_conv,
    stage_channels,
    upsamplers,
)

_AMPLITUDE = 0.1
_VOICED_NOISE = 0.003  # beside the sine
_UNVOICED_NOISE = _AMPLITUDE / 3  # instead of it


def phase_after(f0_hz: Tensor, *, hop_length: int, sample_rate: int, phase: Tensor | None = None) -> Tensor:
    """Where the sine stands after frames ``f0_hz`` (B, T): cycles modulo 1, float64 (B,). Pass it on as the next chunk's ``phase``.

    The number itself may exceed 1, so that the chunks' sums are those of the whole, to the last bit.
    """
    return _frame_starts(f0_hz, hop_length / sample_rate, phase)[:, -1]


def _frame_starts(f0_hz: Tensor, frame_seconds: float, phase: Tensor | None) -> Tensor:
    """Cycles, but for whole ones, at the beginning of every frame and at the end of the last. (B, T) -> float64 (B, T + 1)

    Each frame adds only its fraction of a cycle: the smaller the sum, the finer its last bit.
    """
    return _running((_where_float64_is(f0_hz).double() * frame_seconds).remainder(1.0), phase)


def _running(cycles: Tensor, phase: Tensor | None) -> Tensor:
    """Sums from ``phase`` (B,) or 0 on: of none, one, ... all frames of ``cycles`` (B, T). -> (B, T + 1)"""
    start = torch.zeros_like(cycles[:, 0]) if phase is None else phase.to(cycles)
    return torch.cat([start[:, None], cycles], dim=1).cumsum(dim=1)


def sine(f0_hz: Tensor, *, hop_length: int, sample_rate: int, phase: Tensor | None = None) -> Tensor:
    """A sine of amplitude 1 at ``f0_hz``, constant within a frame. (B, T) -> (B, N) float32; frames of 0 Hz hold the phase."""
    return _wave(_cycles(f0_hz, hop_length, sample_rate, phase)).to(f0_hz.device)


def sine_of(hz: Tensor, sample_rate: int, phase: Tensor | None = None) -> Tensor:
    """A sine of amplitude 1 whose pitch is ``hz`` at every sample of every frame. float64 (B, T, hop) -> (B, N) float32"""
    within = hz.cumsum(dim=-1) / sample_rate  # cycles since the frame began
    starts = _running(within[..., -1].remainder(1.0), phase)[:, :-1]
    return _wave((starts[..., None] + within).flatten(1))


def interpolated(f0_hz: Tensor, hop_length: int) -> Tensor:
    """f0 (B, T) at every sample, in straight lines between the middles of the frames: float64 (B, T, hop).

    From the middle of one frame to that of another it sums to what frames of constant pitch sum to: so ``phase_after`` is right for
    it too, and a chunk that begins with it is off only until the middle of its first frame, where it does not know the one before.
    """
    hz = _where_float64_is(f0_hz).double()
    before, after = torch.cat([hz[:, :1], hz[:, :-1]], dim=1), torch.cat([hz[:, 1:], hz[:, -1:]], dim=1)
    place = (torch.arange(hop_length, dtype=torch.float64, device=hz.device) + 0.5) / hop_length - 0.5  # in frames from the middle
    return torch.where(place < 0, torch.lerp(hz[..., None], before[..., None], -place), torch.lerp(hz[..., None], after[..., None], place))


def _cycles(f0_hz: Tensor, hop_length: int, sample_rate: int, phase: Tensor | None) -> Tensor:
    """The phase at every sample of constant frames, in cycles, but for whole ones at the frames' beginnings. (B, T) -> float64 (B, N)"""
    f0_hz = _where_float64_is(f0_hz)
    starts = _frame_starts(f0_hz, hop_length / sample_rate, phase)[:, :-1]
    steps = torch.arange(1, hop_length + 1, dtype=torch.float64, device=f0_hz.device) / sample_rate
    return (starts[..., None] + f0_hz.double()[..., None] * steps).flatten(1)


def _wave(cycles: Tensor) -> Tensor:
    return torch.sin(2 * math.pi * cycles.remainder(1.0).float())


def _where_float64_is(x: Tensor) -> Tensor:
    """MPS has none; a sum over frames is nothing for the CPU."""
    return x.cpu() if x.device.type == "mps" else x


def excitation(waves: Tensor, voiced: Tensor, noise: Tensor) -> Tensor:
    """Sines (B, N, H) where ``voiced`` (B, N, 1) with little noise (B, N, H), and noise alone where not."""
    spread = voiced * _VOICED_NOISE + (1 - voiced) * _UNVOICED_NOISE
    return _AMPLITUDE * waves * voiced + spread * noise.to(waves)


class Source(nn.Module):
    """What excites the filter: waves at the pitch where voiced, noise where not (``m_source`` in files)."""

    waves: Callable[[Tensor, Given], Tensor]  # f0 (B, T) to H waves (B, N, H)
    merge: Callable[[Tensor], Tensor]  # these to one (B, N, 1), within ±1: all that it learns

    def __init__(self, *, hop_length: int, sample_rate: int) -> None:
        super().__init__()
        self.hop_length = hop_length
        self.sample_rate = sample_rate

    def forward(self, f0_hz: Tensor, given: Given = NOTHING) -> Tensor:
        """f0 (B, T) -> (B, 1, N) float32, whatever autocast says"""
        with torch.autocast(f0_hz.device.type, enabled=False):
            with torch.no_grad():
                waves = self.waves(f0_hz.float(), given)
            return self.merge(waves).mT


class SineSource(Source):
    """Sines of a pitch that is constant within a frame.

    With more than one harmonic the overtones are sines too, at whole multiples of the fundamental's phase. Where the noise is drawn
    they begin at random places, as in training; where it is given they begin with the fundamental, so that chunks go on.
    """

    def __init__(self, *, hop_length: int, sample_rate: int, harmonics: int = 1) -> None:
        super().__init__(hop_length=hop_length, sample_rate=sample_rate)
        self.harmonics = harmonics
        self.l_linear = nn.Linear(harmonics, 1)

    def merge(self, waves: Tensor) -> Tensor:
        return torch.tanh(self.l_linear(waves))

    def waves(self, f0_hz: Tensor, given: Given) -> Tensor:
        voiced = (f0_hz > 0).float().repeat_interleave(self.hop_length, dim=1).unsqueeze(-1)  # (B, N, 1)
        begins, noise = (None, given.source) if given.source is not None else self._drawn(voiced, given.draws)
        cycles = _cycles(f0_hz, self.hop_length, self.sample_rate, given.phase)  # (B, N)
        return excitation(self._sines(cycles, begins).to(f0_hz.device), voiced, noise)

    def _sines(self, cycles: Tensor, begins: Tensor | None) -> Tensor:
        """Sines (B, N, H) of the fundamental's ``cycles`` (B, N); ``begins`` (B or 1, H): where each stands when that is at 0."""
        cycles = cycles.unsqueeze(-1) * torch.arange(1, self.harmonics + 1, device=cycles.device)
        return _wave(cycles if begins is None else cycles + begins[:, None].to(cycles))

    def _drawn(self, voiced: Tensor, draws: ItemDraws | None) -> tuple[Tensor, Tensor]:
        """Where the overtones begin, and noise. RVC draws the fundamental's phase too and discards it: so equal seeds stay equal."""
        n_samples, harmonics = voiced.shape[1], self.harmonics
        if draws is not None:
            begins, noise = draws.uniform(PHASE, harmonics), draws.normal(SOURCE, n_samples, harmonics)
        else:
            begins = torch.rand(len(voiced) if harmonics > 1 else 1, harmonics, device=voiced.device)
            noise = torch.randn(len(voiced), n_samples, harmonics, device=voiced.device)
        begins[:, 0] = 0.0
        return begins, noise


class SourceFilter(Generator):
    """A generator every stage of which is joined by its source. Subclasses make that too, in the order of their file format."""

    m_source: SineSource
    noise_convs: nn.ModuleList

    def forward(self, z: Tensor, g: Tensor, f0_hz: Tensor, given: Given = NOTHING) -> Tensor:
        """z (B, Z, T), speaker g (B, G, 1), f0 (B, T) -> (B, 1, N)"""
        source = laid_out(self.m_source(f0_hz, given))
        return self.waveform(z, g, (applied(conv, source) for conv in self.noise_convs))


class NSFHiFiGAN(SourceFilter):
    """The generator of voices with pitch guidance (``dec`` in files)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.m_source = SineSource(hop_length=config.hop_length, sample_rate=config.sample_rate)
        mainline_order = config.version == "v1"  # only RVC trains v1, and it makes the noise convolutions first
        if mainline_order:
            self.noise_convs = noise_convs(config)
        self.conv_pre = input_conv(config)
        self.ups = upsamplers(config)
        if not mainline_order:
            self.noise_convs = noise_convs(config)
        self.resblocks = residual_blocks(config)
        self.conv_post = output_conv(config)
        self.cond = speaker_conv(config)


def noise_convs(config: ModelConfig) -> nn.ModuleList:
    """For every stage a convolution that brings the source down to the stage's rate."""
    layers = nn.ModuleList()
    for stage, channels in enumerate(stage_channels(config)):
        stride = math.prod(config.upsample_rates[stage + 1 :])
        kernel = 2 * stride - stride % 2
        layers.append(nn.Conv1d(1, channels, kernel, stride, padding=(kernel - stride) // 2))
    return layers
