"""The vocoder of a loaded voice, run a few seconds at a time.

Its convolutions see about a tenth of a second, RefineGAN's filters most of one, so windows with that much context give the same samples,
in a fraction of the memory and, on a CPU whose caches then hold what is worked on, in less time. The content encoder needs the whole
piece and gets it.
"""

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor, nn

from rvc.models.config import ModelConfig
from rvc.models.draws import NOTHING, Given
from rvc.models.nsf import phase_after
from rvc.models.synthesizer import Synthesizer
from rvc.models.vocoders import VOCODERS

WINDOW_FRAMES = 200  # 2 s; 1 to 3 s were equally fast on a CPU, 6 s a fifth slower
_LEAST_SHARE = 5  # a window is at least so many times as long as its context on one side


class WindowedVocoder(nn.Module):
    """Stands in for ``dec`` and is called like it."""

    def __init__(self, vocoder: nn.Module, config: ModelConfig) -> None:
        super().__init__()
        self.vocoder = vocoder
        self.config = config
        self.context = VOCODERS[config.vocoder].context_frames
        self.window = max(WINDOW_FRAMES, _LEAST_SHARE * self.context)

    def forward(self, z: Tensor, g: Tensor, f0_hz: Tensor | None = None, given: Given = NOTHING) -> Tensor:
        """z (B, Z, T), speaker g (B, G, 1), f0 (B, T) with pitch guidance -> (B, 1, N). What is given to draw from is a ``BlockNoise``."""
        assert (f0_hz is None) == (given.source is None), "noise drawn window by window would repeat where windows overlap"
        hop = self.config.hop_length
        parts = []
        for first, start, stop, last in _windows(z.shape[-1], self.window, self.context):
            source = () if f0_hz is None else (f0_hz[:, first:last], self._within(given, f0_hz, first, last))
            audio = self.vocoder(z[..., first:last], g, *source)
            parts.append(audio[..., (start - first) * hop:(stop - first) * hop])
        return torch.cat(parts, dim=-1)

    def _within(self, given: Given, f0_hz: Tensor, first: int, last: int) -> Given:
        """What is given to frames ``first`` to ``last`` of ``f0_hz``."""
        hop, phase = self.config.hop_length, given.phase
        if first:
            phase = phase_after(f0_hz[:, :first].cpu(), hop_length=hop, sample_rate=self.config.sample_rate, phase=phase)
        draws = given.draws.between(first, last) if given.draws else None
        return replace(given, phase=phase, source=given.source[:, first * hop:last * hop], draws=draws)


def in_windows(network: Synthesizer) -> Synthesizer:
    """``network``, changed for good: its vocoder runs in windows."""
    network.dec = WindowedVocoder(network.dec, network.config)
    return network


def _windows(n_frames: int, window: int, context: int) -> Iterator[tuple[int, int, int, int]]:
    """Where context begins, where what is kept begins and ends, where context ends.

    The last window is as wide as the others, with more context: oneDNN keeps code for every shape it meets.
    """
    for start in range(0, n_frames, window):
        stop = min(start + window, n_frames)
        first = min(start, n_frames - window) - context
        yield max(first, 0), start, stop, min(stop + context, n_frames)
