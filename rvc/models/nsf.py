"""The neural source-filter generator: HiFi-GAN excited by a sine at the pitch of the voice.

Wang et al., Neural source-filter-based waveform model (2019), with the fundamental only, as RVC trains it. The phase is summed
in float64, so that long recordings stay in tune and a recording made in chunks has the phase of one made at once.

Dimensions: B batch, T frames, N = T·hop samples.
"""

import math

import torch
from torch import Tensor, nn

from rvc.models.config import ModelConfig
from rvc.models.draws import SOURCE, ItemDraws
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
    cycles = (_where_float64_is(f0_hz).double() * frame_seconds).remainder(1.0)
    start = torch.zeros_like(cycles[:, 0]) if phase is None else phase.to(cycles)
    return torch.cat([start[:, None], cycles], dim=1).cumsum(dim=1)


def sine(f0_hz: Tensor, *, hop_length: int, sample_rate: int, phase: Tensor | None = None) -> Tensor:
    """A sine of amplitude 1 at ``f0_hz``, constant within a frame. (B, T) -> (B, N) float32; frames of 0 Hz hold the phase."""
    device, f0_hz = f0_hz.device, _where_float64_is(f0_hz)
    starts = _frame_starts(f0_hz, hop_length / sample_rate, phase)[:, :-1]
    steps = torch.arange(1, hop_length + 1, dtype=torch.float64, device=f0_hz.device) / sample_rate
    cycles = starts[..., None] + f0_hz.double()[..., None] * steps  # (B, T, hop)
    return torch.sin(2 * math.pi * cycles.remainder(1.0).float()).flatten(1).to(device)


def _where_float64_is(x: Tensor) -> Tensor:
    """MPS has none; a sum over frames is nothing for the CPU."""
    return x.cpu() if x.device.type == "mps" else x


class SineSource(nn.Module):
    """Excitation of the filter: a sine where voiced, noise where not (``m_source`` in files)."""

    def __init__(self, *, hop_length: int, sample_rate: int) -> None:
        super().__init__()
        self.hop_length = hop_length
        self.sample_rate = sample_rate
        self.l_linear = nn.Linear(1, 1)  # one harmonic in, one source out

    def forward(
        self, f0_hz: Tensor, phase: Tensor | None = None, noise: Tensor | None = None, draws: ItemDraws | None = None
    ) -> Tensor:
        """f0 (B, T), initial phase (B,) in cycles, standard normal noise (B, N, 1) -> (B, 1, N) float32, whatever autocast says

        Without ``noise`` it comes from ``draws``, and without those from the global generator.
        """
        with torch.autocast(f0_hz.device.type, enabled=False):
            excitation = self._excitation(f0_hz.float(), phase, noise, draws)
            return torch.tanh(self.l_linear(excitation)).mT

    @torch.no_grad()
    def _excitation(self, f0_hz: Tensor, phase: Tensor | None, noise: Tensor | None, draws: ItemDraws | None) -> Tensor:
        voiced = (f0_hz > 0).float().repeat_interleave(self.hop_length, dim=1).unsqueeze(-1)  # (B, N, 1)
        if noise is None:
            noise = _drawn_noise(voiced) if draws is None else draws.normal(SOURCE, *voiced.shape[1:])
        waves = sine(f0_hz, hop_length=self.hop_length, sample_rate=self.sample_rate, phase=phase).unsqueeze(-1)
        spread = voiced * _VOICED_NOISE + (1 - voiced) * _UNVOICED_NOISE
        return _AMPLITUDE * waves * voiced + spread * noise.to(waves)


def _drawn_noise(like: Tensor) -> Tensor:
    """RVC draws a random phase for the fundamental and discards it. Drawing it too keeps equal seeds equal between the programs."""
    torch.rand(1, 1, 1, device=like.device)
    return torch.randn(like.shape, device=like.device)


class NSFHiFiGAN(Generator):
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

    def forward(
        self,
        z: Tensor,
        g: Tensor,
        f0_hz: Tensor,
        *,
        phase: Tensor | None = None,
        source_noise: Tensor | None = None,
        draws: ItemDraws | None = None,
    ) -> Tensor:
        """z (B, Z, T), speaker g (B, G, 1), f0 (B, T) -> (B, 1, N)"""
        source = laid_out(self.m_source(f0_hz, phase, source_noise, draws))
        return self.waveform(z, g, (applied(conv, source) for conv in self.noise_convs))


def noise_convs(config: ModelConfig) -> nn.ModuleList:
    """For every stage a convolution that brings the source down to the stage's rate."""
    layers = nn.ModuleList()
    for stage, channels in enumerate(stage_channels(config)):
        stride = math.prod(config.upsample_rates[stage + 1 :])
        kernel = 2 * stride - stride % 2
        layers.append(nn.Conv1d(1, channels, kernel, stride, padding=(kernel - stride) // 2))
    return layers
