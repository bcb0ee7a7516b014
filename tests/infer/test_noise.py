"""Noise that belongs to a place: the same for a frame whatever is asked with it."""

import numpy as np
import pytest

from rvc.infer.noise import Noise, noise_at


@pytest.mark.parametrize(("start", "stop"), [(-100, 40), (0, 1), (99, 101), (250, 777), (-1, 0)])
def test_a_stretch_has_the_noise_it_has_within_the_whole(start, stop):
    whole = noise_at(Noise.LATENT, 7, -300, 1000, 5)
    np.testing.assert_array_equal(noise_at(Noise.LATENT, 7, start, stop, 5), whole[start + 300:stop + 300])


def test_it_is_standard_normal_and_nothing_repeats():
    whole = noise_at(Noise.SOURCE, 1, 0, 2000, 40)
    assert whole.shape == (2000, 40)
    assert whole.dtype == np.float32
    assert whole.mean() == pytest.approx(0, abs=0.01)
    assert whole.std() == pytest.approx(1, abs=0.01)
    seconds = whole.reshape(20, -1)
    likeness = np.corrcoef(seconds) - np.eye(20)
    assert np.abs(likeness).max() < 0.1


def test_seeds_and_kinds_differ():
    one = noise_at(Noise.LATENT, 1, 0, 100, 40).ravel()
    for other in (noise_at(Noise.LATENT, 2, 0, 100, 40), noise_at(Noise.SOURCE, 1, 0, 100, 40)):
        assert abs(np.corrcoef(one, other.ravel())[0, 1]) < 0.1
