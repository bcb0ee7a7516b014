"""A recording as the conversion reads it: 16 kHz, without rumble, of any length, a window at a time.

Its samples lie in a temporary file, so that an hour needs no more memory than a minute.
"""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from rvc import audio
from rvc.audio import Audio, AudioInfo
from rvc.audio_samples import SampleFile
from rvc.errors import AudioError
from rvc.events import Progress

SAMPLE_RATE = 16_000  # of everything that listens: embedders and pitch detectors
SHORTEST_SECONDS = 0.01  # one frame
_LOUDEST = 0.95  # RVC brings louder recordings down to this peak before anything else
_FILTER_CONTEXT = SAMPLE_RATE  # after one second the 48 Hz high-pass has forgotten everything: its slowest pole decays 93 nepers a second


@dataclass(frozen=True, eq=False)
class Recording:
    """``samples`` at 16 kHz as decoded; ``gain`` and the high-pass are applied when a window is read."""

    samples: SampleFile
    gain: float
    source_samples: int
    source_rate: int

    @property
    def seconds(self) -> float:
        return self.source_samples / self.source_rate

    def __len__(self) -> int:
        return len(self.samples)

    def length_at(self, sample_rate: int) -> int:
        """How many samples at ``sample_rate`` last as long as the recording."""
        return round(Fraction(self.source_samples * sample_rate, self.source_rate))

    def read(self, start: int, stop: int) -> np.ndarray:
        """Samples ``start`` to ``stop``, clipped to what is there, high-passed as if the whole recording had been."""
        start, stop = max(start, 0), min(stop, len(self))
        first = max(start - _FILTER_CONTEXT, 0)
        around = self.samples.read(first, stop + _FILTER_CONTEXT)
        filtered = Audio(around, SAMPLE_RATE).scaled(self.gain).high_passed_zero_phase()
        return filtered.samples[start - first:stop - first]

    def window(self, start: int, stop: int) -> np.ndarray:
        """Samples ``start`` to ``stop``, which may lie outside: the recording goes on as its own mirror image."""
        if start >= 0 and stop <= len(self):
            return self.read(start, stop)
        index = _mirrored(np.arange(start, stop), len(self))
        first = int(index.min())
        return self.read(first, int(index.max()) + 1)[index - first]


def decoded(path: Path, info: AudioInfo, samples: SampleFile) -> Generator[Progress, None, Recording]:
    """Decode ``path``, which ``audio.probe`` found to be ``info``, into ``samples``. Yields progress; returns the recording.

    ``AudioError`` as ``audio.load``, and for what is shorter than a frame.
    """
    total, count, peak = max(1, round(info.seconds)), 0, 0.0

    def counted() -> Iterator[np.ndarray]:
        nonlocal count
        for block in audio.blocks(path, info.sample_rate):
            count += len(block)
            yield block

    for block in audio.resampled_blocks(counted(), info.sample_rate, SAMPLE_RATE):
        samples.append(block)
        peak = max(peak, float(np.abs(block).max(initial=0.0)))
        done = min(round(count / info.sample_rate), total)
        yield Progress(stage="load", done=done, total=total, unit="seconds")
    if count / info.sample_rate < SHORTEST_SECONDS or not len(samples):
        raise AudioError(f"{path.name} is only {1000 * count / info.sample_rate:.1f} ms long: there is nothing to convert.",
                         fix=f"At least {1000 * SHORTEST_SECONDS:.0f} ms are needed.")
    return Recording(samples, min(1.0, _LOUDEST / peak) if peak else 1.0, count, info.sample_rate)


def _mirrored(index: np.ndarray, length: int) -> np.ndarray:
    """Indices within 0..length-1 for indices anywhere, reflected at the first and the last sample as often as needed."""
    period = max(2 * (length - 1), 1)
    folded = index % period
    return np.minimum(folded, period - folded) if length > 1 else np.zeros_like(index)
