"""Two files at equal loudness: equal by measure, below full scale, named without a hint, made once."""

import itertools

import numpy as np
import pytest
import soundfile

from rvc.audio import Audio, load
from rvc.errors import AudioError
from rvc.train.listening import comparison
from rvc.train.listening.comparison import CEILING, TARGET_LUFS, at_equal_loudness, loudness
from tests.sounds import singing

RATE = 24_000


def write(path, gain: float, seconds: float = 2.0, seed: int = 0):
    soundfile.write(path, gain * singing(seconds, RATE, seed=seed), RATE, subtype="PCM_24")
    return path


def measured(path) -> float:
    return loudness(load(path), path.name)


@pytest.mark.parametrize(("one", "other"), [(0.02, 1.0), (1.0, 0.3), (0.01, 0.02)])
def test_both_are_equally_loud(tmp_path, one, other):
    pair = at_equal_loudness(write(tmp_path / "a.flac", one), write(tmp_path / "b.flac", other, seed=4), tmp_path / "out")
    assert measured(pair[0]) == pytest.approx(measured(pair[1]), abs=0.05)
    assert measured(pair[0]) == pytest.approx(TARGET_LUFS, abs=0.05)


def test_a_peak_that_would_be_beyond_full_scale_makes_both_quieter(tmp_path):
    samples = 0.05 * singing(2.0, RATE)
    samples[1000] = 0.9
    soundfile.write(tmp_path / "click.flac", samples, RATE)
    pair = at_equal_loudness(tmp_path / "click.flac", write(tmp_path / "b.flac", 1.0), tmp_path / "out")
    assert load(pair[0]).peak == pytest.approx(CEILING, abs=1e-3)
    assert measured(pair[0]) == pytest.approx(measured(pair[1]), abs=0.1)
    assert measured(pair[0]) < TARGET_LUFS - 3


def test_loudness_is_that_of_the_standard():
    time = np.arange(2 * 48_000) / 48_000
    full_scale = Audio(np.sin(2 * np.pi * 997 * time).astype(np.float32), 48_000)
    assert loudness(full_scale, "tone") == pytest.approx(-3.01, abs=0.05)  # ITU-R BS.1770-4, annex 1: one channel
    assert loudness(full_scale.scaled(0.1), "tone") == pytest.approx(-23.01, abs=0.05)


def test_a_sound_shorter_than_the_measure_is_compared_too(tmp_path):
    pair = at_equal_loudness(write(tmp_path / "a.flac", 0.1, 0.2), write(tmp_path / "b.flac", 1.0, 2.0), tmp_path / "out")
    assert measured(pair[0]) == pytest.approx(measured(pair[1]), abs=0.05)


def test_names_say_nothing_about_which_is_which_and_order_is_kept(tmp_path):
    first, second = write(tmp_path / "10e_100s.flac", 0.5, 1.0), write(tmp_path / "20e_200s.flac", 0.5, 1.5)
    pair = at_equal_loudness(first, second, tmp_path / "out")
    assert [load(path).seconds for path in pair] == [1.0, 1.5]
    assert not any(word in path.name for path in pair for word in ("10e", "20e", "100s", "200s"))


def test_the_same_pair_is_made_once_and_again_when_a_file_changed(tmp_path, monkeypatch):
    made = []
    make = comparison._make
    monkeypatch.setattr(comparison, "_make", lambda *given: made.append(given) or make(*given))
    first, second = write(tmp_path / "a.flac", 0.5), write(tmp_path / "b.flac", 0.1)
    pair = at_equal_loudness(first, second, tmp_path / "out")
    assert at_equal_loudness(first, second, tmp_path / "out") == pair
    assert at_equal_loudness(second, first, tmp_path / "out") == pair[::-1]
    assert len(made) == 1
    write(second, 0.2, 1.0)
    assert at_equal_loudness(first, second, tmp_path / "out")[1] != pair[1]
    assert len(made) == 2


def test_the_oldest_of_many_comparisons_are_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(comparison, "KEPT_FILES", 4)
    files = [write(tmp_path / f"{number}.flac", 0.5, 0.5, number) for number in range(4)]
    for one, other in itertools.combinations(files, 2):
        pair = at_equal_loudness(one, other, tmp_path / "out")
    assert len(list((tmp_path / "out").iterdir())) == 4
    assert all(path.exists() for path in pair)


def test_silence_and_a_missing_file_are_refused(tmp_path):
    soundfile.write(tmp_path / "silent.flac", np.zeros(RATE), RATE)
    with pytest.raises(AudioError, match=r"silent\.flac is silent"):
        at_equal_loudness(write(tmp_path / "a.flac", 0.5), tmp_path / "silent.flac", tmp_path / "out")
    with pytest.raises(AudioError, match="There is no file"):
        at_equal_loudness(tmp_path / "a.flac", tmp_path / "gone.flac", tmp_path / "out")
