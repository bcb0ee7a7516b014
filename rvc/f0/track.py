"""Pitch over time as a value: the only place where it is edited, and the only place where coarse pitch is made.

Every edit returns a new track and touches voiced frames only: 0 Hz stays 0 Hz. So edits compose, in any number.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

MIN_HZ, MAX_HZ = 50.0, 1100.0  # the range that coarse pitch divides, and that detectors listen to
COARSE_BINS = 255  # bins 1 to 255; RVC keeps 0 for the padding of batches

# G1 to C6 in equal temperament with A4 = 440 Hz. Two decimals, as in Applio, whose results these are compared with.
NOTES_HZ = np.round(440.0 * 2.0 ** ((np.arange(31, 85) - 69) / 12), 2)


@dataclass(frozen=True, eq=False)
class F0Track:
    """``hz``: the fundamental in every frame, 0 where unvoiced; a read-only float32 vector."""

    hz: np.ndarray
    frames_per_second: float = 100.0

    def __post_init__(self) -> None:
        hz = np.array(self.hz, np.float32)  # a copy: what was given stays free to change
        if hz.ndim != 1:
            raise ValueError(f"a pitch track is a vector; an array of shape {hz.shape} was given")
        if not np.isfinite(hz).all() or (hz < 0).any():
            raise ValueError("a pitch track holds finite frequencies, and 0 Hz where nothing is voiced")
        hz.flags.writeable = False
        object.__setattr__(self, "hz", hz)

    def __len__(self) -> int:
        return len(self.hz)

    @property
    def voiced(self) -> np.ndarray:
        """bool [n_frames]"""
        return self.hz > 0

    @property
    def median_hz(self) -> float:
        """Of the voiced frames; 0 when there are none."""
        return float(np.median(self.hz[self.voiced])) if self.voiced.any() else 0.0

    def shifted(self, semitones: float) -> "F0Track":
        """Higher by ``semitones``; lower when negative."""
        return self._with_voiced(lambda hz: hz * 2.0 ** (semitones / 12))

    def autotuned(self, strength: float) -> "F0Track":
        """Drawn towards the nearest note, in Hz, from G1 to C6. ``strength``: 0 leaves it, 1 lands on the note."""
        if not 0 <= strength <= 1:
            raise ValueError(f"the strength of autotune is between 0 and 1; {strength} is not")
        middles = (NOTES_HZ[1:] + NOTES_HZ[:-1]) / 2
        return self._with_voiced(lambda hz: hz + (NOTES_HZ[np.searchsorted(middles, hz)] - hz) * strength)

    def filled(self) -> "F0Track":
        """Gaps bridged by straight lines, both ends held. A track without a voiced frame stays as it is."""
        if not self.voiced.any():
            return self
        frames = np.arange(len(self.hz))
        return self._with(np.interp(frames, frames[self.voiced], self.hz[self.voiced]))

    def fitted(self, n_frames: int) -> "F0Track":
        """Cut at the end, or continued there by unvoiced frames, to ``n_frames``."""
        kept = self.hz[:n_frames]
        return self._with(np.pad(kept, (0, n_frames - len(kept))))

    def coarse(self) -> np.ndarray:
        """The mel-spaced bin of every frame, 1 to 255, as RVC's networks embed it: int64 [n_frames]. Unvoiced frames are in bin 1."""
        low, high = _mel(np.array([MIN_HZ, MAX_HZ]))
        scaled = (_mel(self.hz.astype(np.float64)) - low) * (COARSE_BINS - 1) / (high - low) + 1
        return np.rint(np.clip(scaled, 1, COARSE_BINS)).astype(np.int64)

    def _with_voiced(self, edit: Callable[[np.ndarray], np.ndarray]) -> "F0Track":
        hz = self.hz.astype(np.float64)
        hz[self.voiced] = edit(hz[self.voiced])
        return self._with(hz)

    def _with(self, hz: np.ndarray) -> "F0Track":
        return F0Track(hz, self.frames_per_second)


def _mel(hz: np.ndarray) -> np.ndarray:
    """O'Shaughnessy's formula with the constant that RVC uses."""
    return 1127.0 * np.log(1.0 + hz / 700.0)
