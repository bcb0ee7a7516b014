"""Where a long recording is cut, and how the converted pieces are joined again.

Pieces are converted with context on both sides and overlap a little; where they overlap, one fades into the other. Cuts lie in
quiet places, so that what is left of a seam is hidden where there is least to hear.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

FRAME_SAMPLES = 160  # at 16 kHz: the 10 ms grid of pitch and of the synthesizer
GRID_SAMPLES = 2 * FRAME_SAMPLES  # of the embedders: pieces that start on it see the same content frames as the whole
FADE_FRAMES = 2  # on either side of a cut
_LARGEST_SEARCH_SECONDS = 6.0
_SAMPLE_RATE = 16_000


@dataclass(frozen=True)
class Piece:
    """Frames ``start`` to ``stop`` of a recording."""

    start: int
    stop: int


def pieces(read: Callable[[int, int], np.ndarray], n_samples: int, n_frames: int, chunk_seconds: float) -> list[Piece]:
    """A recording in pieces of about ``chunk_seconds``, cut at quiet points.

    ``read(start, stop)`` gives 16 kHz samples, of which there are ``n_samples``; together the pieces are ``n_frames`` long. A
    recording of less than one and a half chunks stays whole.
    """
    chunk = round(chunk_seconds * _SAMPLE_RATE)
    search = min(chunk // 4, round(_LARGEST_SEARCH_SECONDS * _SAMPLE_RATE))
    targets = range(chunk, n_samples - chunk // 2, chunk)
    cuts = [quiet_point(read, target, search) // FRAME_SAMPLES for target in targets]
    edges = [0, *cuts, n_frames]
    return [Piece(start, stop) for start, stop in pairwise(edges)]


def quiet_point(read: Callable[[int, int], np.ndarray], target: int, search: int) -> int:
    """The sample near ``target`` around which a fade's length of |x| sums to the least: a multiple of ``GRID_SAMPLES``.

    At most ``search`` samples away; of equally quiet points the one nearest to ``target``.
    """
    half = FADE_FRAMES * FRAME_SAMPLES
    points = np.arange(-(-(target - search) // GRID_SAMPLES), (target + search) // GRID_SAMPLES + 1) * GRID_SAMPLES
    first = int(points[0]) - half
    sums = np.concatenate([[0.0], np.cumsum(np.abs(read(first, int(points[-1]) + half)), dtype=np.float64)])
    loudness = sums[points + half - first] - sums[points - half - first]
    quietest = points[loudness <= loudness.min() + 1e-9]
    return int(quietest[np.abs(quietest - target).argmin()])


class Joiner:
    """Puts pieces together that overlap by ``2 · fade`` samples."""

    def __init__(self, fade: int) -> None:
        self._rise = (np.arange(2 * fade, dtype=np.float32) + 0.5) / (2 * fade)
        self._tail = np.zeros(0, np.float32)

    def joined(self, piece: np.ndarray, *, last: bool) -> np.ndarray:
        """What is certain once ``piece`` is there. The pieces are of the same sound, so amplitudes are faded, not powers."""
        overlap = len(self._tail)
        piece = piece.copy()
        piece[:overlap] = self._tail * self._rise[::-1][:overlap] + piece[:overlap] * self._rise[:overlap]
        keep = len(piece) - (0 if last else len(self._rise))
        self._tail = piece[keep:]
        return piece[:keep]
