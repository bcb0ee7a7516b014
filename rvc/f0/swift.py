"""SwiftF0 (Nieradzik, "SwiftF0: Fast and Accurate Monophonic Pitch Detection", 2025) through its own package.

It runs in onnxruntime on the CPU, whatever the device: 14 thousand parameters gain nothing from a GPU. Its frames are 16 ms apart;
ours, 10 ms apart, are read off between them.
"""

import numpy as np
from swift_f0 import FRAME_PERIOD, SwiftF0

from rvc.f0.detector import HOP, SAMPLE_RATE, Detector
from rvc.f0.track import MAX_HZ, MIN_HZ

_VOICED = 0.5  # of its confidence: the package calibrates it so (releases before 0.3 needed about 0.9)


class Swift(Detector):
    """SwiftF0 as a detector."""

    name = "swift"

    def __init__(self) -> None:
        self._model = SwiftF0(spin=False)  # idle threads sleep: others compute beside it

    def _frequencies(self, batch: np.ndarray) -> np.ndarray:
        return np.stack([self._one(samples) for samples in batch])

    def _one(self, samples: np.ndarray) -> np.ndarray:
        found = self._model.detect(samples, SAMPLE_RATE, fmin=MIN_HZ, fmax=MAX_HZ)
        return _read_off(found.pitch_hz, found.confidence >= _VOICED, len(samples) // HOP + 1)


def _read_off(hz: np.ndarray, voiced: np.ndarray, n_frames: int) -> np.ndarray:
    """Pitch every 10 ms from pitch every 16 ms: voiced where the nearest frame is; between two voiced ones, along a line in log Hz."""
    if not voiced.any():
        return np.zeros(n_frames)
    position = np.minimum(np.arange(n_frames) * (HOP / SAMPLE_RATE / FRAME_PERIOD), len(hz) - 1)
    nearest = np.rint(position).astype(int)
    known = np.flatnonzero(voiced)
    line = np.exp(np.interp(position, known, np.log(hz[known])))
    inside = voiced[np.floor(position).astype(int)] & voiced[np.ceil(position).astype(int)]
    return np.where(voiced[nearest], np.where(inside, line, hz[nearest]), 0)
