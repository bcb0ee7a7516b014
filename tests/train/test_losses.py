"""Losses against Applio's numbers, against formulas written out by hand, and in half precision."""

import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from rvc.checkpoint import new_names, old_names
from rvc.models.discriminators import Discriminator
from rvc.train.fitting.losses import (
    GeneratorLosses,
    adversarial_loss,
    discriminator_losses,
    feature_matching_loss,
    kl_loss,
    mel_loss,
    multiscale_mel_loss,
)

GOLDEN = Path(__file__).resolve().parent.parent / "data" / "golden"


def golden(name: str) -> dict[str, np.ndarray]:
    with np.load(GOLDEN / f"{name}.npz") as file:
        return {key: file[key] for key in file.files}


def with_recipe_weights(network: torch.nn.Module) -> torch.nn.Module:
    """The weights that the reference outputs were made with: normal numbers seeded by the name of the tensor."""

    def drawn(name: str, shape: tuple[int, ...]) -> torch.Tensor:
        r = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape)
        if name.endswith("weight_g"):
            r = 1 + 0.1 * r
        elif name.endswith("bias"):
            r = 0.02 * r
        return torch.from_numpy(r.astype(np.float32))

    state = {name: drawn(name, tuple(one.shape)) for name, one in old_names(network.state_dict()).items()}
    network.load_state_dict(new_names(state), assign=True)
    return network


@pytest.mark.parametrize(("version", "critics"), [("v1", 7), ("v2", 9), ("v3", 9)])
def test_the_adversarial_losses_are_applios(version, critics):
    file = golden(f"D_{version}")
    real, fake = ([torch.from_numpy(file[f"{letter}{i}"]) for i in range(critics)] for letter in "rg")
    assert float(discriminator_losses(real, fake).total) == pytest.approx(float(file["loss_disc"]), abs=2e-6)
    assert float(adversarial_loss(fake)) == pytest.approx(float(file["loss_gen"]), abs=2e-6)


@pytest.mark.parametrize("kind", ["v2", "v3"])
def test_the_losses_through_our_discriminator_are_applios(kind):
    file = golden(f"D_{kind}")
    with torch.device("meta"):
        network = Discriminator(kind)
    network = with_recipe_weights(network)
    with torch.no_grad():
        real, fake = (network(torch.from_numpy(file[name])[None, None]) for name in ("real", "fake"))
    matching = feature_matching_loss([one.feature_maps for one in real], [one.feature_maps for one in fake])
    assert float(matching) == pytest.approx(float(file["loss_fm"]), abs=5e-5)
    scores = [one.score for one in real], [one.score for one in fake]
    assert float(discriminator_losses(*scores).total) == pytest.approx(float(file["loss_disc"]), abs=5e-5)
    assert float(adversarial_loss(scores[1])) == pytest.approx(float(file["loss_gen"]), abs=5e-5)


def golden_kl_inputs() -> list[torch.Tensor]:
    random = np.random.default_rng(7)
    z_p, log_std_q, mean_p, log_std_p = (torch.from_numpy(random.standard_normal((2, 192, 30))).float() for _ in range(4))
    mask = torch.ones(2, 1, 30)
    mask[1, :, 20:] = 0
    return [z_p, 0.3 * log_std_q, mean_p, 0.3 * log_std_p, mask]


def test_the_kl_loss_is_applios():
    assert float(kl_loss(*golden_kl_inputs())) == pytest.approx(float(golden("losses_mel")["kl"]), rel=1e-6)


def test_the_kl_loss_estimates_the_divergence_of_two_gaussians():
    generator = torch.Generator().manual_seed(0)
    mean_q, log_std_q, mean_p, log_std_p = 0.4, -0.3, -0.2, 0.25
    z = mean_q + np.exp(log_std_q) * torch.randn(1, 1, 400_000, generator=generator)
    estimate = kl_loss(z, *(torch.full_like(z, value) for value in (log_std_q, mean_p, log_std_p)), torch.ones_like(z))
    exact = log_std_p - log_std_q - 0.5 + (np.exp(2 * log_std_q) + (mean_q - mean_p) ** 2) / (2 * np.exp(2 * log_std_p))
    assert float(estimate) == pytest.approx(exact, abs=0.005)


@pytest.mark.parametrize("padding", [float("nan"), float("inf"), -1e30])
def test_what_padding_holds_reaches_neither_the_kl_loss_nor_a_gradient(padding):
    inputs = golden_kl_inputs()
    expected = kl_loss(*inputs)
    tensors = []
    for one in inputs[:4]:
        spoilt = one.clone()
        spoilt[1, :, 20:] = padding
        tensors.append(spoilt.requires_grad_())
    loss = kl_loss(*tensors, inputs[4])
    assert_close(loss, expected)
    loss.backward()
    for one in tensors:
        assert one.grad.isfinite().all()
        assert one.grad[1, :, 20:].abs().sum() == 0


def test_a_kl_loss_without_frames_is_refused():
    inputs = golden_kl_inputs()
    with pytest.raises(ValueError, match="without a single frame"):
        kl_loss(*inputs[:4], torch.zeros_like(inputs[4]))


def test_a_small_deviation_does_not_overflow_in_half_precision():
    z_p, log_std_q, mean_p, _, mask = golden_kl_inputs()
    log_std_p = torch.full_like(z_p, -7.0)  # e^14 is beyond float16
    expected = kl_loss(z_p.half().float(), log_std_q.half().float(), mean_p.half().float(), log_std_p, mask)
    assert_close(kl_loss(z_p.half(), log_std_q.half(), mean_p.half(), log_std_p.half(), mask), expected)
    assert expected.isfinite()


def test_losses_of_half_precision_outputs_are_float32():
    scores = [torch.randn(2, 50).bfloat16() for _ in range(3)]
    maps = [[torch.randn(2, 4, 20).bfloat16() for _ in range(2)] for _ in range(3)]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = [discriminator_losses(scores, scores).total, adversarial_loss(scores), feature_matching_loss(maps, maps),
                 mel_loss(maps[0][0], maps[0][1]), kl_loss(*golden_kl_inputs())]
    assert {one.dtype for one in found} == {torch.float32}


def test_a_perfect_critic_and_a_perfect_fake_have_no_loss():
    ones, zeros = [torch.ones(2, 9)] * 3, [torch.zeros(2, 9)] * 3
    assert float(discriminator_losses(ones, zeros).total) == 0.0
    assert float(adversarial_loss(ones)) == 0.0
    assert float(discriminator_losses(zeros, ones).total) == 6.0
    assert float(adversarial_loss(zeros)) == 3.0


def test_feature_matching_is_twice_the_mean_distance_of_every_map():
    real = [[torch.zeros(2, 3), torch.zeros(5)], [torch.zeros(4)]]
    fake = [[torch.full((2, 3), 0.5), torch.full((5,), -1.0)], [torch.full((4,), 2.0)]]
    assert float(feature_matching_loss(real, fake)) == pytest.approx(2 * (0.5 + 1.0 + 2.0))


def test_feature_matching_teaches_the_fake_only():
    real, fake = torch.zeros(3, requires_grad=True), torch.ones(3, requires_grad=True)
    feature_matching_loss([[real]], [[fake]]).backward()
    assert real.grad is None
    assert fake.grad.sum() > 0


def test_another_number_of_critics_or_maps_is_not_passed_over():
    with pytest.raises(AssertionError):
        discriminator_losses([torch.ones(3)], [torch.ones(3)] * 2)
    with pytest.raises(ValueError, match="zip"):
        feature_matching_loss([[torch.ones(3)]], [[torch.ones(3)] * 2])


def test_the_mel_loss_is_the_weighted_mean_distance():
    assert float(mel_loss(torch.zeros(2, 80, 32), torch.full((2, 80, 32), -0.1))) == pytest.approx(4.5)
    assert float(mel_loss(torch.zeros(2, 80, 32), torch.full((2, 80, 32), -0.1), weight=15.0)) == pytest.approx(1.5)


def test_the_multiscale_mel_loss_is_applios():
    real, fake = (torch.from_numpy(golden("D_v2")[name])[None, None] for name in ("real", "fake"))
    expected = float(golden("losses_mel")["multiscale_mel_24000"])
    assert float(multiscale_mel_loss(real, fake, sample_rate=24_000, weight=1.0)) == pytest.approx(expected, rel=1e-5)
    assert float(multiscale_mel_loss(real[0], fake[0], sample_rate=24_000)) == pytest.approx(15 * expected, rel=1e-5)


def test_the_multiscale_mel_loss_teaches_the_fake_only_also_at_silence():
    real, fake = torch.randn(2, 1, 8640, requires_grad=True), torch.zeros(2, 1, 8640, requires_grad=True)
    multiscale_mel_loss(real, fake, sample_rate=32_000).backward()
    assert real.grad is None
    assert fake.grad.isfinite().all()
    assert float(multiscale_mel_loss(real, real, sample_rate=32_000).detach()) == 0


def test_the_multiscale_mel_loss_is_taken_in_full_precision():
    real, fake = 1e-3 * torch.randn(2, 1, 1, 4000, generator=torch.Generator().manual_seed(0))
    expected = multiscale_mel_loss(real, fake, sample_rate=24_000)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(multiscale_mel_loss(real, fake, sample_rate=24_000), expected)


def test_audio_too_short_for_the_longest_window_is_refused():
    with pytest.raises(ValueError, match="1024 samples are too short"):
        multiscale_mel_loss(torch.zeros(1, 1024), torch.zeros(1, 1024), sample_rate=24_000)


def test_the_total_is_the_sum_of_the_four_and_the_scalars_carry_applios_tags():
    parts = {"adversarial": torch.tensor(1.0), "feature_matching": torch.tensor(2.0), "mel": torch.tensor(4.0), "kl": torch.tensor(8.0)}
    losses = GeneratorLosses.of(**parts)
    assert losses.by_tag() == {"loss/g/total": 15.0, "loss/g/adv": 1.0, "loss/g/fm": 2.0, "loss/g/mel": 4.0, "loss/g/kl": 8.0}
    assert discriminator_losses([torch.zeros(1)], [torch.ones(1)]).by_tag() == {"loss/d/adv": 2.0, "loss/d/real": 1.0, "loss/d/fake": 1.0}
