"""What every pitch detector promises, whatever network is inside. No torch here.

Mono sound at 16 kHz goes in and one frequency for every 10 ms comes out: frame i is centred on sample 160 i, so n samples make
n // 160 + 1 frames. Long sound is looked at in windows that share context, so memory does not grow with it.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from rvc.errors import AudioError
from rvc.f0.track import MAX_HZ, MIN_HZ, F0Track

SAMPLE_RATE = 16_000
HOP = 160
_SHORTEST_SAMPLES = 2048  # shorter ones get zeros at their end: networks and mirrors need something to work with
# Some networks hear voices in digital silence (CREPE is sure of one). Below -80 dBFS there is nothing to sing from.
SILENCE_PEAK = 1e-4


@dataclass(frozen=True)
class _Window:
    """Frames ``first`` to ``last`` are looked at; those from ``start`` to ``stop`` are kept."""

    first: int
    start: int
    stop: int
    last: int


class Detector(ABC):
    """Finds the fundamental between 50 and 1100 Hz; outside that range, and in silence, frames are unvoiced."""

    name: str
    # RMVPE halves its time axis five times: windows that begin on a multiple of 32 frames see the same grid as the whole would.
    core_frames = 128 * 32
    context_frames = 8 * 32

    def detect(self, samples: np.ndarray) -> F0Track:
        """samples: [n] at 16 kHz. -> n // 160 + 1 frames"""
        return self.detect_batch(np.asarray(samples)[None])[0]

    def detect_batch(self, samples: np.ndarray | Sequence[np.ndarray]) -> list[F0Track]:
        """samples: [B, n], or B vectors of one length. A track does not depend on which others it was found with."""
        batch = np.asarray(samples, np.float32)
        if batch.ndim != 2:
            raise ValueError(f"expected samples [B, n], got shape {batch.shape}")
        if not np.isfinite(batch).all():
            raise AudioError("There are samples that are not numbers in the sound whose pitch is asked for.")
        n_frames = batch.shape[1] // HOP + 1
        if batch.shape[1] < _SHORTEST_SAMPLES:
            batch = np.pad(batch, ((0, 0), (0, _SHORTEST_SAMPLES - batch.shape[1])))
        rows = max(1, self._at_once_frames // n_frames)
        found = [self._in_windows(batch[i : i + rows])[:, :n_frames] for i in range(0, len(batch), rows)]
        return [F0Track(hz) for hz in (np.concatenate(found) if found else [])]

    @abstractmethod
    def _frequencies(self, batch: np.ndarray) -> np.ndarray:
        """batch: [B, n], 2048 samples to 46 s. -> Hz, 0 where unvoiced: [B, n // 160 + 1]"""

    @property
    def _at_once_frames(self) -> int:
        """How much is looked at in one go: 46 s."""
        return self.core_frames + 2 * self.context_frames

    def _in_windows(self, batch: np.ndarray) -> np.ndarray:
        """[B, n] -> Hz [B, n // 160 + 1]"""
        n_frames = batch.shape[1] // HOP + 1
        parts = []
        for window in self._windows(n_frames):
            end = batch.shape[1] if window.last == n_frames else window.last * HOP - 1  # so many samples make just these frames
            part = batch[:, window.first * HOP : end]
            hz = self._frequencies(part)
            heard = (hz >= MIN_HZ) & (hz <= MAX_HZ) & (_peaks(part) >= SILENCE_PEAK)
            parts.append(np.where(heard, hz, 0)[:, window.start - window.first : window.stop - window.first])
        return np.concatenate(parts, axis=1)

    def _windows(self, n_frames: int) -> Iterator[_Window]:
        """One for everything that fits; else cores with context on both sides."""
        if n_frames <= self._at_once_frames:
            yield _Window(0, 0, n_frames, n_frames)
            return
        for start in range(0, n_frames, self.core_frames):
            stop = min(start + self.core_frames, n_frames)
            yield _Window(max(0, start - self.context_frames), start, stop, min(stop + self.context_frames, n_frames))


def _peaks(batch: np.ndarray) -> np.ndarray:
    """The largest magnitude in the 80 ms around every frame. [B, n] -> [B, n // 160 + 1]"""
    n_frames = batch.shape[1] // HOP + 1
    blocks = np.pad(np.abs(batch), ((0, 0), (0, n_frames * HOP - batch.shape[1]))).reshape(len(batch), n_frames, HOP).max(axis=2)
    around = np.pad(blocks, ((0, 0), (4, 3)))  # frame i is centred on the start of block i
    return np.lib.stride_tricks.sliding_window_view(around, 8, axis=1).max(axis=2)
