"""Loudness against stored output of another implementation, librosa, and closed forms."""

from pathlib import Path

import librosa
import numpy as np
import pytest

from rvc.audio_samples import SampleFile
from rvc.infer.loudness import ceiling_gain, mix_loudness, rms_curve, scaled_blocks
from rvc.infer.recording import Recording

GOLDEN = Path(__file__).parent.parent / "data" / "infer" / "change_rms.npz"


def on_disk(samples, folder) -> SampleFile:
    file = SampleFile(folder / "out.wav")
    file.append(samples)
    return file


class Unfiltered(Recording):
    """The golden values were made without the high-pass."""

    def read(self, start, stop):
        return self.samples.read(start, stop)


def mixed(source, target, rate, folder, sample_rate=40_000):
    result = on_disk(target, folder)
    mix_loudness(result, sample_rate, Unfiltered(on_disk(source, folder), 1.0, len(source), 16_000), rate)
    return result.read(0, len(result))


def test_the_mix_equals_applios(tmp_path):
    with np.load(GOLDEN) as golden:
        ours = mixed(golden["source"], golden["target"], float(golden["rate"]), tmp_path)
        np.testing.assert_allclose(ours, golden["mixed"], atol=1e-6)


def test_rate_one_keeps_every_sample_and_rate_zero_takes_the_loudness_of_the_input(tmp_path):
    random = np.random.default_rng(0)
    source = 0.05 * random.standard_normal(16_000 * 25).astype(np.float32)
    target = 0.4 * random.standard_normal(40_000 * 25).astype(np.float32)
    np.testing.assert_array_equal(mixed(source, target, 1.0, tmp_path), target)
    taken = mixed(source, target, 0.0, tmp_path)[40_000:-40_000]
    assert np.sqrt((taken**2).mean()) == pytest.approx(0.05, rel=0.02)


@pytest.mark.parametrize(("source", "target"), [(0.0, 0.3), (0.3, 0.0), (0.0, 0.0)])
def test_silence_on_either_side_stays_finite(tmp_path, source, target):
    result = mixed(np.full(48_000, source, np.float32), np.full(120_000, target, np.float32), 0.25, tmp_path)
    assert np.isfinite(result).all()


@pytest.mark.parametrize("count", [1, 7999, 8000, 8001, 16_000, 163_211])
def test_the_curve_equals_librosas_centred_frames(count):
    samples = np.random.default_rng(1).standard_normal(count).astype(np.float32)
    theirs = librosa.feature.rms(y=samples, frame_length=16_000, hop_length=8_000)[0]
    np.testing.assert_allclose(rms_curve(lambda start, stop: samples[start:stop], count, 16_000), theirs, atol=1e-6)


@pytest.mark.parametrize(("peak", "written"), [(0.5, 0.5), (0.99, 0.99), (1.7, 0.99), (0.0, 0.0)])
def test_only_what_is_too_loud_is_brought_down(tmp_path, peak, written):
    samples = np.zeros(100_000, np.float32)
    samples[70_001] = -peak
    result = on_disk(samples, tmp_path)
    parts = list(scaled_blocks(result, 4000, ceiling_gain(result, 4000)))
    assert len(parts) > 1
    assert np.abs(np.concatenate(parts)).max() == pytest.approx(written, abs=1e-6)
