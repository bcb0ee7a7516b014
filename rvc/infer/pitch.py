"""The pitch of a whole recording, found before anything is converted, so that every piece continues the one before it."""

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np

from rvc.events import Progress
from rvc.f0.registry import Detector
from rvc.f0.track import F0Track
from rvc.infer.recording import Recording
from rvc.infer.segments import FRAME_SAMPLES

CONTEXT_FRAMES = 100  # 1 s of mirror image on either side of a recording, and of context on either side of a piece
# Detectors look at blocks of 32 frames (RMVPE pools five times by two): windows begin on that grid, as the whole would.
_WINDOW_FRAMES = 128 * 32
_WINDOW_CONTEXT = 8 * 32


@dataclass(frozen=True, eq=False)
class Pitch:
    """Pitch as the synthesizer takes it, from ``CONTEXT_FRAMES`` before the recording to as many after it."""

    hz: np.ndarray  # float32, 0 where unvoiced
    coarse: np.ndarray  # int64
    cycles: np.ndarray  # float64: of the sine source, at the start of each frame

    @classmethod
    def of(cls, track: F0Track, frame_seconds: float) -> "Pitch":
        """``frame_seconds``: a frame's length as the synthesizer reckons it, hop_length / sample_rate."""
        hz = np.asarray(track.hz, np.float32)
        steps = hz.astype(np.float64) * frame_seconds
        return cls(hz, track.coarse(), np.concatenate([[0.0], np.cumsum(steps)[:-1]]))

    def between(self, start: int, stop: int) -> "Pitch":
        """Frames ``start`` to ``stop`` of the recording; from ``-CONTEXT_FRAMES`` on."""
        cut = slice(start + CONTEXT_FRAMES, stop + CONTEXT_FRAMES)
        return Pitch(self.hz[cut], self.coarse[cut], self.cycles[cut])


def detected(recording: Recording, detector: Detector, n_frames: int) -> Generator[Progress, None, F0Track]:
    """Yields progress; returns the track of frames ``-CONTEXT_FRAMES`` to ``n_frames + CONTEXT_FRAMES``.

    In windows with context on both sides; of each only the middle is kept.
    """
    first, last = -CONTEXT_FRAMES, n_frames + CONTEXT_FRAMES
    found: list[np.ndarray] = []
    for start in range(first, last, _WINDOW_FRAMES):
        stop = min(start + _WINDOW_FRAMES, last)
        begin, end = max(start - _WINDOW_CONTEXT, first), min(stop + _WINDOW_CONTEXT, last)
        track = detector.detect(recording.window(begin * FRAME_SAMPLES, end * FRAME_SAMPLES - 1))  # n samples have n // 160 + 1 frames
        found.append(track.hz[start - begin:stop - begin])
        yield Progress(stage="f0", done=max(min(stop, n_frames), 0) // 100, total=max(n_frames // 100, 1), unit="seconds")
    return F0Track(np.concatenate(found))
