"""Properties of the discriminators, on thin ones."""

import pytest
import torch
from torch.testing import assert_close

from rvc.errors import FormatError
from rvc.models.discriminators import Discriminator


@pytest.mark.parametrize(("version", "critics"), [("v1", 7), ("v2", 9), ("v3", 9)])
@pytest.mark.parametrize("n_samples", [997, 2000, 8640])
def test_any_length_is_judged_by_every_critic(version, critics, n_samples):
    network = Discriminator(version, width=1 / 16)
    outputs = network(torch.randn(2, 1, n_samples))
    assert len(outputs) == critics
    assert [len(one.feature_maps) for one in outputs] == [7] + [6] * (critics - 1)
    for one in outputs:
        assert one.score.shape[0] == 2
        assert_close(one.score, one.feature_maps[-1].flatten(1))


def test_an_odd_end_is_reflected_into_the_last_row():
    network = Discriminator("v2", width=1 / 16)
    critic = network.discriminators[2]
    assert critic.period == 3
    folded = critic.seen(torch.arange(8.0).reshape(1, 1, 8))
    assert folded.tolist() == [[[[0, 1, 2], [3, 4, 5], [6, 7, 6]]]]


def test_a_critic_of_spectrograms_sees_plain_magnitudes_in_full_precision():
    critic = Discriminator("v3", width=1 / 16).discriminators[8]
    n_fft, hop, window = critic.resolution
    audio = torch.randn(1, 1, 1000)
    with torch.autocast("cpu", torch.bfloat16):
        seen = critic.seen(audio)
    padded = torch.nn.functional.pad(audio, ((n_fft - hop) // 2,) * 2, "reflect")[0, 0]
    start = 3 * hop + (n_fft - window) // 2  # of the window of the fourth frame
    expected = torch.fft.rfft(torch.nn.functional.pad(padded[start : start + window], (0, n_fft - window))).abs()
    assert seen.shape == (1, 1, n_fft // 2 + 1, 1000 // hop)
    assert_close(seen[0, 0, :, 3], expected, atol=1e-4, rtol=1e-4)


def test_opinions_do_not_depend_on_neighbours():
    network = Discriminator("v2", width=1 / 16)
    audio = torch.randn(3, 1, 1500)
    with torch.no_grad():
        together, alone = network(audio), network(audio[1:2])
    for one, other in zip(together, alone, strict=True):
        assert_close(one.score[1:2], other.score, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("kind", ["v1", "v3"])
@pytest.mark.parametrize("width", [1 / 64, 1 / 16, 0.3, 0.5])
def test_thin_networks_learn_with_every_weight(kind, width):
    network = Discriminator(kind, width=width)
    sum(one.score.pow(2).sum() for one in network(torch.randn(1, 1, 3000))).backward()
    assert all(one.grad is not None and one.grad.isfinite().all() for one in network.parameters())


@pytest.mark.parametrize("version", ["v4"])
def test_versions_that_are_not_here_are_named_when_refused(version):
    with pytest.raises(FormatError, match=version):
        Discriminator(version)
