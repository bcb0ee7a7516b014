"""SwiftF0's frames of 16 ms, read off every 10 ms."""

import numpy as np

from rvc.f0.swift import _read_off


def test_pitch_between_two_voiced_frames_lies_on_a_line_in_octaves():
    hz = 100 * 2 ** (np.arange(11) / 10)
    track = _read_off(hz, np.ones(11, bool), 17)
    assert np.allclose(track, 100 * 2 ** (np.arange(17) / 16))


def test_a_frame_is_voiced_when_the_nearest_one_is():
    voiced = np.array([False, True, True, False])
    track = _read_off(np.full(4, 200.0), voiced, 5)  # at 0, 0.625, 1.25, 1.875 and 2.5 of the coarser frames
    assert (track > 0).tolist() == [False, True, True, True, True]


def test_an_unvoiced_neighbour_does_not_pull_the_pitch():
    hz = np.array([200.0, 200.0, 900.0, 900.0])
    assert _read_off(hz, np.array([True, True, False, False]), 4)[2] == 200


def test_frames_beyond_the_last_take_its_pitch():
    assert np.allclose(_read_off(np.array([100.0, 150.0]), np.ones(2, bool), 6)[-2:], 150)


def test_a_sound_without_voice_has_none():
    assert not _read_off(np.full(5, 300.0), np.zeros(5, bool), 8).any()
