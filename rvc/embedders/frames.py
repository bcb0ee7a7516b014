"""How samples at 16 kHz become frames at 50 Hz, the same for every embedder, and how long sound is looked at in windows."""

from collections.abc import Callable

import numpy as np

SAMPLE_RATE = 16_000
FRAME_STEP, FRAME_FIELD = 320, 400  # samples: HuBERT's convolutions step by the one and see the other


def frame_count(n_samples: int) -> int:
    """HuBERT's own count; sound shorter than one field of view still makes one frame."""
    return max(1, (n_samples - FRAME_FIELD) // FRAME_STEP + 1)


def padded(samples: np.ndarray) -> np.ndarray:
    """At least one field of view: zeros at the end of what is shorter. [B, n]"""
    return np.pad(samples, ((0, 0), (0, max(0, FRAME_FIELD - samples.shape[1])))).astype(np.float32, copy=False)


def windowed(samples: np.ndarray, extract: Callable[[np.ndarray], np.ndarray], window_seconds: float, context_seconds: float) -> np.ndarray:
    """``extract`` over all of ``samples`` [B, n], in windows that share ``context_seconds`` on either side when it is longer than one."""
    total = frame_count(samples.shape[1])
    core, context = (round(seconds * SAMPLE_RATE / FRAME_STEP) for seconds in (window_seconds, context_seconds))
    if total <= core + 2 * context:
        return extract(samples)
    parts = []
    for start in range(0, total, core):
        stop = min(start + core, total)
        first, last = max(0, start - context), min(total, stop + context)
        features = extract(samples[:, first * FRAME_STEP : (last - 1) * FRAME_STEP + FRAME_FIELD])
        parts.append(features[:, start - first : stop - first])
    return np.concatenate(parts, axis=1)
