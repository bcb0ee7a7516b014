"""Pitch as a value: its edits against closed forms and Applio's numbers, and that they compose."""

from pathlib import Path

import numpy as np
import pytest

from rvc.f0.track import NOTES_HZ, F0Track

REFERENCE = np.load(Path(__file__).parent.parent / "data" / "f0" / "pitch.npz")
SUNG = np.array([0, 110, 220.5, 0, 0, 333, 1099, 51, 0], np.float32)
EDITS = {
    "shifted": lambda track: track.shifted(5),
    "autotuned": lambda track: track.autotuned(0.7),
    "filled": F0Track.filled,
    "fitted": lambda track: track.fitted(5),
    "coarse": F0Track.coarse,
}


def test_coarse_pitch_is_what_applio_and_rvc_compute():
    assert np.array_equal(F0Track(REFERENCE["coarse_hz"]).coarse(), REFERENCE["coarse"])


def test_coarse_pitch_is_a_whole_number_from_1_to_255_and_unvoiced_frames_are_in_bin_1():
    coarse = F0Track([0, 50, 1100, 30, 5000]).coarse()
    assert coarse.dtype == np.int64
    assert coarse.tolist() == [1, 1, 255, 1, 255]


@pytest.mark.parametrize(("strength", "key"), [(1.0, "autotune_1"), (0.5, "autotune_05")])
def test_autotune_moves_voiced_frames_as_applio_does(strength, key):
    given = REFERENCE["f0_in"]
    tuned = F0Track(given).autotuned(strength).hz
    assert np.allclose(tuned[given > 0], REFERENCE[key][given > 0], rtol=1e-6)


def test_autotune_leaves_unvoiced_frames_unvoiced():
    assert np.array_equal(F0Track(SUNG).autotuned(1.0).voiced, SUNG > 0)


def test_the_notes_are_the_54_semitones_from_g1_to_c6():
    assert len(NOTES_HZ) == 54
    assert (NOTES_HZ[0], NOTES_HZ[-1], NOTES_HZ[26]) == (49.0, 1046.5, 220.0)


def test_autotune_takes_the_nearest_note_everywhere():
    hz = np.linspace(40, 1200, 5000).astype(np.float32)
    nearest = NOTES_HZ[np.abs(hz[:, None] - NOTES_HZ).argmin(axis=1)]
    assert np.allclose(F0Track(hz).autotuned(1.0).hz, nearest, rtol=1e-6)


@pytest.mark.parametrize("strength", [-0.1, 1.1, float("nan")])
def test_a_strength_outside_0_to_1_is_refused(strength):
    with pytest.raises(ValueError, match="between 0 and 1"):
        F0Track(SUNG).autotuned(strength)


def test_twelve_semitones_double_the_frequency():
    assert np.array_equal(F0Track(SUNG).shifted(12).hz, 2 * SUNG)


@pytest.mark.parametrize(("a", "b"), [(3, 4), (-7.5, 12), (12, -12), (0.01, 0.02), (24, -48)])
def test_two_shifts_are_one_shift_of_their_sum(a, b):
    track = F0Track(SUNG)
    assert np.allclose(track.shifted(a).shifted(b).hz, track.shifted(a + b).hz, rtol=3e-7)


def test_a_shift_before_autotune_is_not_lost():
    assert F0Track([110.0]).shifted(12).autotuned(1.0).hz[0] == 220.0


def test_gaps_are_bridged_by_straight_lines_and_the_ends_are_held():
    assert np.allclose(F0Track([0, 100, 0, 0, 160, 0]).filled().hz, [100, 100, 120, 140, 160, 160])


def test_a_track_without_voice_stays_so():
    silent = F0Track(np.zeros(4))
    assert not silent.filled().voiced.any()
    assert silent.median_hz == 0


def test_the_median_is_of_the_voiced_frames():
    assert F0Track([0, 0, 0, 100, 200, 400]).median_hz == 200


def test_fitting_cuts_at_the_end_or_continues_unvoiced():
    track = F0Track([100, 200, 300])
    assert track.fitted(2).hz.tolist() == [100, 200]
    assert track.fitted(5).hz.tolist() == [100, 200, 300, 0, 0]
    assert len(track.fitted(0)) == 0


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_no_edit_changes_the_track_or_the_array_it_was_made_from(edit):
    given = SUNG.copy()
    track = F0Track(given)
    edit(track)
    assert np.array_equal(given, SUNG)
    assert np.array_equal(track.hz, SUNG)


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_every_edit_takes_a_track_of_no_frames(edit):
    assert len(edit(F0Track(np.zeros(0)))) in (0, 5)


def test_a_track_cannot_be_written_to_and_does_not_hold_on_to_the_array_it_was_given():
    given = SUNG.copy()
    track = F0Track(given)
    given[:] = 77
    assert np.array_equal(track.hz, SUNG)
    with pytest.raises(ValueError, match="read-only"):
        track.hz[0] = 1


@pytest.mark.parametrize("hz", [[[100.0]], [float("nan")], [float("inf")], [-1.0]], ids=["matrix", "nan", "infinite", "negative"])
def test_what_is_no_pitch_is_refused(hz):
    with pytest.raises(ValueError, match="pitch track"):
        F0Track(hz)


def test_edits_keep_the_frame_rate():
    assert F0Track(SUNG, 50.0).shifted(1).autotuned(1).filled().fitted(3).frames_per_second == 50.0
