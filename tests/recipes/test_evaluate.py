"""Figures of a conversion, by hand; the networks that judge are not part of the tests."""

import math

import numpy as np
import pytest

from recipes import evaluate
from recipes.corpus.clips import Entry
from recipes.evaluate import Figures
from recipes.judges import character_error_rate, distance, pitch_correlation, voicing_agreement
from rvc.f0.track import F0Track


@pytest.mark.parametrize(("a", "b", "edits"), [("", "", 0), ("", "abc", 3), ("abc", "abc", 0), ("kitten", "sitting", 3)])
def test_the_distance_is_levenshteins(a, b, edits):
    assert distance(a, b) == distance(b, a) == edits


def test_only_letters_count():
    assert character_error_rate(" Hello, World!", "hello world") == 0
    assert character_error_rate("hallo", "Hello.") == pytest.approx(1 / 5)
    assert character_error_rate("what", "") == 4


def test_a_shift_in_semitones_changes_no_correlation_and_a_mirrored_melody_is_its_opposite():
    melody = F0Track(200 * 2 ** (np.sin(np.arange(100) / 9) / 4))
    assert pitch_correlation(melody.shifted(-7), melody) == pytest.approx(1)
    assert pitch_correlation(F0Track(200**2 / melody.hz), melody) == pytest.approx(-1, abs=1e-5)


def test_without_common_voiced_frames_there_is_no_correlation():
    assert math.isnan(pitch_correlation(F0Track(np.zeros(50)), F0Track(np.full(50, 100.0))))


def test_voicing_agrees_over_what_both_have():
    assert voicing_agreement(F0Track([100, 100, 0, 0]), F0Track([100, 0, 0, 90, 90, 90])) == 0.5


def entries(tmp_path, names):
    return [Entry("en-ked", tmp_path / f"{name}.flac", 3.0, held_out=True, text="") for name in names]


def test_the_set_of_clips_depends_on_their_names_alone(tmp_path):
    some = entries(tmp_path, "abcdefgh")
    assert [one.path for one in evaluate.chosen(some)] == [one.path for one in evaluate.chosen(some[::-1])]
    assert len(list(evaluate.chosen(some))) == evaluate.CLIPS_EACH


def test_nothing_is_judged_by_what_may_be_trained_on_or_is_too_short(tmp_path):
    trained = Entry("en-ked", tmp_path / "a.flac", 3.0, held_out=False, text="")
    short = Entry("en-ked", tmp_path / "b.flac", 1.0, held_out=True, text="")
    assert list(evaluate.chosen([trained, short])) == []


def test_a_mean_is_over_the_clips_that_have_the_figure():
    one = Figures(cer=0.5, to_target=0.8, to_source=0.6, dnsmos=3, dnsmos_source=3, f0=0.9, voicing=1, rtf=0.1)
    other = Figures(cer=math.nan, to_target=0.6, to_source=0.6, dnsmos=2, dnsmos_source=3, f0=math.nan, voicing=0, rtf=0.3)
    mean = evaluate.mean([one, other])
    assert (mean.cer, mean.f0, mean.dnsmos) == (0.5, 0.9, 2.5)
    assert mean.to_target == pytest.approx(0.7)


def test_the_table_shows_what_was_not_measured_as_a_dash():
    row = evaluate.table({"x": Figures(0.123, 0.8, 0.6, 3, 3.25, math.nan, 0.95, 0.1)}).splitlines()[2]
    assert row == "| x | 12% | 0.80 | 0.60 | 3.00 | 3.25 | – | 95% | 0.10 |"
