"""Synthetic sound for the tests: a voice-like tone whose pitch glides, in syllables with pauses between them."""

from pathlib import Path

import numpy as np
import soundfile


def singing(seconds: float, sample_rate: int = 24_000, *, low_hz: float = 140.0, seed: int = 0) -> np.ndarray:
    """float32 samples with a peak of 0.5: harmonics of a gliding fundamental, in syllables of about a quarter second."""
    random = np.random.default_rng(seed)
    time = np.arange(round(seconds * sample_rate)) / sample_rate
    f0_hz = low_hz * 2 ** (0.4 * np.sin(2 * np.pi * 0.7 * time + random.uniform(0, 6)))
    phase = 2 * np.pi * np.cumsum(f0_hz) / sample_rate
    tone = sum(np.sin(h * phase) / h for h in range(1, 9) if h * low_hz * 1.4 < sample_rate / 2)
    syllables = np.clip(np.sin(2 * np.pi * 2.0 * time) + 0.6, 0, 1)
    samples = tone * syllables + 0.003 * random.standard_normal(len(time))
    return (0.5 * samples / np.abs(samples).max()).astype(np.float32)


def write_dataset(folder: Path, *, files: int = 2, seconds: float = 4.0, sample_rate: int = 24_000) -> Path:
    """``files`` recordings of ``seconds`` each."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(files):
        soundfile.write(folder / f"take {i}.wav", singing(seconds, sample_rate, seed=i), sample_rate)
    return folder
