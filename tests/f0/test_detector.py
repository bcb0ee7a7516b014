"""What all detectors share, shown on one without a network: windows, batches, lengths, silence and the range of pitch."""

import tracemalloc

import numpy as np
import pytest

from rvc.errors import AudioError
from rvc.f0.detector import Detector


class Loudest(Detector):
    """The "pitch" of a frame is 1000 times the mean magnitude of the 10 ms around it: it depends on nothing far away."""

    name = "loudest"
    core_frames, context_frames = 64, 32

    def __init__(self) -> None:
        self.looked_at: list[tuple[int, ...]] = []

    def _frequencies(self, batch: np.ndarray) -> np.ndarray:
        self.looked_at.append(batch.shape)
        around = np.pad(np.abs(batch), ((0, 0), (80, 80)))
        return 1000 * np.lib.stride_tricks.sliding_window_view(around, 160, axis=1)[:, ::160].mean(axis=2)


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, shape).astype(np.float32)


@pytest.mark.parametrize("n", [0, 1, 159, 160, 161, 1600, 2048, 16_000, 20_479, 20_480, 20_481, 50_007])
def test_n_samples_make_n_over_160_plus_1_frames(n):
    assert len(Loudest().detect(noise(n))) == n // 160 + 1


@pytest.mark.parametrize("n", [20_481, 30_720, 33_333, 160_000])
def test_sound_longer_than_a_window_gives_the_same_as_in_one_look(n):
    samples, whole = noise(n), Loudest()
    whole.core_frames = 10_000
    in_windows = Loudest()
    assert np.allclose(in_windows.detect(samples).hz, whole.detect(samples).hz)
    assert len(whole.looked_at) == 1
    assert len(in_windows.looked_at) > 1


def test_windows_begin_on_a_multiple_of_32_frames_and_hold_a_bounded_number_of_them():
    detector = Loudest()
    detector.detect(noise(160_000))
    assert max(n // 160 + 1 for _, n in detector.looked_at) <= 64 + 2 * 32
    assert Detector.core_frames % 32 == Detector.context_frames % 32 == 0


def test_memory_does_not_grow_with_the_length_beyond_what_the_sound_itself_takes():
    def taken(seconds: int) -> float:
        samples = noise(seconds * 16_000)
        tracemalloc.start()
        Loudest().detect(samples)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak / samples.nbytes

    assert taken(240) < 0.5


def test_a_batch_is_split_so_that_it_is_no_larger_than_one_long_sound():
    detector = Loudest()
    detector.detect_batch(noise(50, 4800))
    assert max(rows * (n // 160 + 1) for rows, n in detector.looked_at) <= 128


@pytest.mark.parametrize("n", [160, 4800, 40_000])
def test_a_batch_gives_what_each_sound_gives_alone(n):
    batch = noise(5, n)
    together = Loudest().detect_batch(batch)
    assert len(together) == 5
    for row, track in zip(batch, together, strict=True):
        assert np.array_equal(track.hz, Loudest().detect(row).hz)


def test_the_samples_are_not_changed():
    samples = noise(30_000)
    before = samples.copy()
    Loudest().detect(samples)
    assert np.array_equal(samples, before)


def test_silence_is_unvoiced_whatever_the_network_hears_in_it():
    class Certain(Loudest):
        def _frequencies(self, batch):
            return np.full((len(batch), batch.shape[1] // 160 + 1), 200.0)

    samples = noise(48_000)
    samples[16_000:32_000] *= 1e-4
    voiced = Certain().detect(samples).voiced
    assert not voiced[104:197].any()
    assert voiced[:100].all()
    assert voiced[201:].all()


def test_pitch_outside_50_to_1100_hz_is_unvoiced():
    class Wide(Loudest):
        def _frequencies(self, batch):
            return np.resize([49.0, 50.0, 1100.0, 1101.0], (len(batch), batch.shape[1] // 160 + 1))

    assert Wide().detect(noise(3200)).hz[:4].tolist() == [0, 50, 1100, 0]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_samples_that_are_no_numbers_are_refused(bad):
    samples = noise(1600)
    samples[7] = bad
    with pytest.raises(AudioError):
        Loudest().detect(samples)


def test_a_batch_must_have_two_axes():
    with pytest.raises(ValueError, match=r"\[B, n\]"):
        Loudest().detect_batch(noise(1600))
