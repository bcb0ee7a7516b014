"""Cut points lie in quiet places on the grid; pieces cover everything; joining is seamless."""

from itertools import pairwise

import numpy as np
import pytest

from rvc.infer.segments import FADE_FRAMES, FRAME_SAMPLES, GRID_SAMPLES, Joiner, Piece, pieces, quiet_point

SECOND = 16_000


def reader(samples):
    return lambda start, stop: samples[max(start, 0):max(stop, 0)]


def loud(seconds, seed=0):
    return np.random.default_rng(seed).uniform(0.5, 1.0, round(seconds * SECOND)).astype(np.float32)


def test_the_cut_is_in_the_quiet_place():
    samples = loud(40)
    samples[int(17.3 * SECOND):int(17.5 * SECOND)] = 0.01
    cut = quiet_point(reader(samples), 18 * SECOND, 3 * SECOND)
    half = FADE_FRAMES * FRAME_SAMPLES
    assert cut % GRID_SAMPLES == 0
    assert cut - half >= 17.3 * SECOND
    assert cut + half <= 17.5 * SECOND


def test_the_cut_is_the_minimum_of_the_moving_sum_by_hand():
    samples = loud(10, seed=3)
    target, search, half = 5 * SECOND, SECOND, FADE_FRAMES * FRAME_SAMPLES
    points = [p for p in range(0, len(samples), GRID_SAMPLES) if abs(p - target) <= search]
    by_hand = min(points, key=lambda p: np.abs(samples[p - half:p + half].astype(np.float64)).sum())
    assert quiet_point(reader(samples), target, search) == by_hand


def test_the_sign_of_samples_does_not_hide_their_loudness():
    samples = loud(10)
    samples[4 * SECOND:6 * SECOND:2] *= -1  # sums to about nothing, and is as loud as the rest
    samples[int(6.5 * SECOND):int(6.6 * SECOND)] = 0.1
    assert 6.5 * SECOND <= quiet_point(reader(samples), 5 * SECOND, 2 * SECOND) <= 6.6 * SECOND


def test_in_silence_the_cut_is_where_it_was_wanted():
    assert quiet_point(reader(np.zeros(20 * SECOND, np.float32)), 10 * SECOND, 3 * SECOND) == 10 * SECOND


@pytest.mark.parametrize("seconds", [0.01, 4, 29.9, 44.9, 45.1, 61.3, 200.017])
@pytest.mark.parametrize("chunk_seconds", [5, 30])
def test_pieces_cover_a_recording_without_gap_and_keep_to_their_size(seconds, chunk_seconds):
    samples = loud(seconds)
    n_frames = -(-len(samples) // FRAME_SAMPLES)
    found = pieces(reader(samples), len(samples), n_frames, chunk_seconds)
    assert [found[0].start, found[-1].stop] == [0, n_frames]
    assert all(before.stop == after.start for before, after in pairwise(found))
    assert all(piece.start * FRAME_SAMPLES % GRID_SAMPLES == 0 for piece in found)
    assert all(piece.stop - piece.start <= 200 * chunk_seconds for piece in found)
    assert all(piece.stop - piece.start >= 25 * chunk_seconds for piece in found[1:])


def test_a_recording_of_less_than_one_and_a_half_chunks_stays_whole():
    assert pieces(reader(loud(44)), 44 * SECOND, 4400, 30) == [Piece(0, 4400)]
    assert len(pieces(reader(loud(46)), 46 * SECOND, 4600, 30)) == 2


def test_only_the_neighbourhood_of_a_cut_is_read():
    asked = []
    samples = loud(100)

    def read(start, stop):
        asked.append(stop - start)
        return samples[start:stop]

    assert len(pieces(read, len(samples), 10_000, 30)) == 3
    assert max(asked) < 13 * SECOND


@pytest.mark.parametrize("fade", [1, 40, 400])
def test_overlapping_pieces_of_one_sound_join_to_that_sound(fade):
    sound = np.random.default_rng(0).standard_normal(9000).astype(np.float32)
    before = sound.copy()
    joiner, cuts = Joiner(fade), [0, 2000, 5000, 9000]
    parts = [joiner.joined(sound[max(a - fade, 0):min(b + fade, 9000)], last=b == 9000) for a, b in pairwise(cuts)]
    np.testing.assert_allclose(np.concatenate(parts), sound, atol=1e-6)
    np.testing.assert_array_equal(sound, before)


def test_a_seam_fades_from_one_piece_into_the_other():
    joiner = Joiner(50)
    first = joiner.joined(np.ones(300, np.float32), last=False)
    second = joiner.joined(np.zeros(300, np.float32), last=True)
    joined = np.concatenate([first, second])
    assert len(joined) == 500
    assert np.abs(np.diff(joined)).max() <= 1 / 100 + 1e-6
    assert joined[250] == pytest.approx(0.5, abs=0.01)


def test_a_single_piece_is_passed_on_whole():
    np.testing.assert_array_equal(Joiner(400).joined(np.arange(10, dtype=np.float32), last=True), np.arange(10))
