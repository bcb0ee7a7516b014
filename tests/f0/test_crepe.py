"""CREPE against torchcrepe: the network, the frames, the path and the voicing. Only the noise on the pitch is left out."""

import numpy as np
import pytest
import torch
import torchcrepe

from rvc.f0 import crepe
from tests.f0.conftest import cents, loaded, tone


@pytest.fixture(scope="module")
def noisy_glide() -> np.ndarray:
    time = np.arange(6400) / 16_000
    samples = tone(150 * 2**time, 0.4) * (time < 0.3)
    return (samples + np.random.default_rng(0).normal(0, 0.005, 6400)).astype(np.float32)


@pytest.fixture(scope="module")
def torchcrepes_salience(noisy_glide) -> torch.Tensor:
    """[1, 360, T]"""
    frames = torch.cat(list(torchcrepe.preprocess(torch.from_numpy(noisy_glide)[None], 16_000, 160)))
    with torch.no_grad():
        return torchcrepe.infer(frames, "tiny").T[None]


def test_the_network_and_its_frames_are_torchcrepes(noisy_glide, torchcrepes_salience):
    detector = loaded("crepe-tiny")
    with torch.no_grad():
        salience = torch.cat([detector._network(frames) for frames in detector._frames(noisy_glide[None])])
    assert torch.allclose(salience, torchcrepes_salience[0].T, atol=1e-4)


def test_the_full_network_is_torchcrepes():
    windows = torch.from_numpy(np.random.default_rng(0).standard_normal((2, 1024)).astype(np.float32))
    with torch.no_grad():
        assert torch.allclose(loaded("crepe")._network(windows), torchcrepe.infer(windows, "full"), atol=1e-4)


def test_the_path_is_librosas(torchcrepes_salience):
    salience = torchcrepes_salience.clone()
    bins = torchcrepe.decode.viterbi(torch.where(_allowed()[None, :, None], salience, -torch.inf))[0]
    salience = salience.transpose(1, 2).numpy()
    assert np.array_equal(crepe.viterbi(crepe._observations(salience, slice(39, 308))), bins.numpy())


def test_paths_of_a_batch_are_those_of_single_sounds():
    observations = np.random.default_rng(0).normal(0, 3, (3, 50, 360))
    together = crepe.viterbi(observations)
    assert all(np.array_equal(together[i], crepe.viterbi(observations[i : i + 1])[0]) for i in range(3))


def test_pitch_and_voicing_follow_torchcrepe_to_within_its_noise(noisy_glide, torchcrepes_salience):
    pitch, periodicity = torchcrepe.postprocess(torchcrepes_salience.clone(), 50, 1100, torchcrepe.decode.viterbi, False, True)
    voiced = (torchcrepe.filter.median(periodicity, 3) >= 0.1)[0].numpy()
    expected = torchcrepe.filter.mean(pitch, 3)[0].numpy()
    track = loaded("crepe-tiny").detect(noisy_glide)
    assert np.array_equal(track.voiced, voiced)
    assert 5 < voiced.sum() < len(voiced) - 3
    assert np.abs(cents(track.hz[voiced], expected[voiced])).max() < 40  # two bins: its noise reaches one, and so does the mean


def test_only_pitches_from_50_to_1100_hz_are_considered():
    detector = loaded("crepe-tiny")
    assert (detector._first, detector._last) == (39, 308)  # torchcrepe's bins for these frequencies
    assert not (detector.detect(tone(1500, 0.2)).hz > 1100).any()


def _allowed() -> torch.Tensor:
    bins = torch.arange(360)
    return (bins >= 39) & (bins < 308)
