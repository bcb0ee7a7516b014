"""The loudness of a result: mixed with that of the input (RVC's rms_mix_rate), and kept below full scale.

Everything runs over samples on disk in blocks; what is kept in memory is one number per half second.
"""

from collections.abc import Callable, Iterator

import numpy as np

from rvc.audio_samples import SampleFile
from rvc.infer.recording import SAMPLE_RATE, Recording

CEILING = 0.99  # of full scale: louder results are brought down to it
_QUIETEST = 1e-6  # RMS below which a result counts as silent
_BLOCK_HALVES = 20  # half seconds that are in memory at once


def mix_loudness(result: SampleFile, sample_rate: int, recording: Recording, rms_mix_rate: float) -> None:
    """Change ``result`` in place: 1 keeps its loudness, 0 gives it that of ``recording``.

    out · rms_in^(1-r) · rms_out^(r-1), the curves sampled every half second over one second and interpolated linearly.
    """
    if rms_mix_rate == 1:
        return
    wanted = rms_curve(recording.read, len(recording), SAMPLE_RATE)
    given = np.maximum(rms_curve(result.read, len(result), sample_rate), _QUIETEST)
    for start, block in result.blocks(_BLOCK_HALVES * sample_rate // 2):
        index = np.arange(start, start + len(block))
        gain = (_stretched(wanted, index, len(result)) ** (1 - rms_mix_rate)
                * _stretched(given, index, len(result)) ** (rms_mix_rate - 1))
        result.replace(start, block * gain)


def rms_curve(read: Callable[[int, int], np.ndarray], length: int, sample_rate: int) -> np.ndarray:
    """RMS over one second, every half second, zeros beyond the ends: float64 [length // half + 1] (librosa's centred frames)."""
    half = sample_rate // 2
    sums = [0.0]  # before the start
    for start in range(0, length, _BLOCK_HALVES * half):
        block = read(start, min(start + _BLOCK_HALVES * half, length)).astype(np.float64)
        sums += np.add.reduceat(block**2, np.arange(0, len(block), half)).tolist()
    energies = np.array([*sums, 0.0, 0.0])
    frames = length // half + 1
    return np.sqrt((energies[:frames] + energies[1:frames + 1]) / (2 * half))


def ceiling_gain(result: SampleFile, sample_rate: int) -> float:
    """What brings the peak of ``result`` down to the ceiling; 1 when it is not above."""
    peak = max((float(np.abs(block).max()) for _, block in result.blocks(_BLOCK_HALVES * sample_rate // 2)), default=0.0)
    return min(1.0, CEILING / peak) if peak else 1.0


def scaled_blocks(result: SampleFile, sample_rate: int, gain: float) -> Iterator[np.ndarray]:
    for _, block in result.blocks(_BLOCK_HALVES * sample_rate // 2):
        yield block * np.float32(gain)


def _stretched(curve: np.ndarray, index: np.ndarray, length: int) -> np.ndarray:
    """``curve`` at samples ``index`` when it is stretched over ``length``: linear, the middles of its points aligned."""
    return np.interp((index + 0.5) * (len(curve) / length) - 0.5, np.arange(len(curve)), curve)
