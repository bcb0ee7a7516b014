"""Noise that belongs to a place in the recording: a piece converted alone has the noise that it has within the whole.

Every second has its own generator, seeded by (seed, kind of noise, second). It is drawn on the CPU, so devices agree too.
"""

from enum import IntEnum

import numpy as np

_FRAMES = 100  # frames of a second: drawn together
_FIRST_SECOND = 1 << 20  # the context before a recording's start has negative seconds; seeds have no sign


class Noise(IntEnum):
    LATENT = 0
    SOURCE = 1


def noise_at(kind: Noise, seed: int, start: int, stop: int, width: int) -> np.ndarray:
    """Standard normal float32 [stop - start, width] for frames ``start`` to ``stop``; the same for a frame whatever is asked with it."""
    first, last = start // _FRAMES, (stop - 1) // _FRAMES
    seconds = [_second(kind, seed, second, width) for second in range(first, last + 1)]
    return np.concatenate(seconds)[start - first * _FRAMES:stop - first * _FRAMES]


def _second(kind: Noise, seed: int, second: int, width: int) -> np.ndarray:
    random = np.random.default_rng([seed, kind, second + _FIRST_SECOND])
    return random.standard_normal((_FRAMES, width), dtype=np.float32)
