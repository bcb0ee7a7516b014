"""Samples to frames: HuBERT's count, and long sound in windows as in one look."""

import numpy as np
import pytest

from rvc.embedders.frames import frame_count, padded, windowed


@pytest.mark.parametrize(("n_samples", "frames"), [(0, 1), (1, 1), (399, 1), (400, 1), (719, 1), (720, 2), (6400, 19), (48_000, 149)])
def test_the_count_is_huberts_and_at_least_one(n_samples, frames):
    assert frame_count(n_samples) == frames


@pytest.mark.parametrize("n_samples", [0, 160, 399, 400, 1000])
def test_short_sound_is_filled_up_to_one_field_of_view_and_longer_sound_is_left(n_samples):
    samples = np.ones((2, n_samples), np.float32)
    filled = padded(samples)
    assert filled.shape == (2, max(400, n_samples))
    assert (filled[:, :n_samples] == 1).all()
    assert not filled[:, n_samples:].any()


class LocalMeans:
    """Features of frames that depend on their own 400 samples only."""

    def __init__(self) -> None:
        self.longest = 0

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        self.longest = max(self.longest, samples.shape[1])
        return np.lib.stride_tricks.sliding_window_view(padded(samples), 400, axis=1)[:, ::320].mean(axis=2)[..., None]


@pytest.mark.parametrize("n_samples", [160, 48_000, 48_080, 48_400, 64_000, 100_001])
def test_windows_join_without_a_gap_or_a_repeat(n_samples):
    samples = np.random.default_rng(0).standard_normal((2, n_samples)).astype(np.float32)
    extract = LocalMeans()
    found = windowed(samples, extract, 1.0, 1.0)
    assert np.array_equal(found, LocalMeans()(samples))
    assert found.shape[1] == frame_count(n_samples)
    assert extract.longest <= 3 * 16_000 + 80
