"""The networks compute what Applio's compute: the same synthetic weights, the same seed, the same sound."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from rvc.models.config import config_for
from rvc.models.discriminators import Discriminator
from rvc.models.speech import Speech
from rvc.models.synthesizer import Synthesizer
from tests.models.conftest import VOCODERS_OF_FILES

VARIANTS = ["v1_f0_32k", "v1_f0_40k", "v1_f0_48k", "v2_f0_32k", "v2_f0_40k", "v2_f0_48k", "v2_nof0_40k", "v2_f0_32k_mrf",
            "v2_f0_24k_refinegan", "v2_f0_32k_refinegan"]
N_FRAMES = 24


class Case:
    """One variant with its weights and inputs; every array of the reference by name."""

    def __init__(self, name: str, reference: dict[str, torch.Tensor], fill) -> None:
        version, f0, rate, *vocoder = name.split("_")
        self.config = config_for(version, int(rate[:-1]) * 1000, f0 == "f0", VOCODERS_OF_FILES["".join(vocoder)])
        self.reference = reference
        with torch.device("meta"):
            network = Synthesizer(self.config)
        self.network = fill(network)
        phone = np.random.default_rng(1).standard_normal((1, N_FRAMES, self.config.content_channels))
        self.speech = Speech(
            content=torch.from_numpy(phone.astype(np.float32)),
            lengths=torch.tensor([N_FRAMES]),
            coarse=reference["pitch"][None] if f0 == "f0" else None,
            f0_hz=reference["pitchf"][None] if f0 == "f0" else None,
            speaker_id=torch.tensor([3]),
        )


@pytest.fixture(scope="module", params=VARIANTS)
def case(request, golden, with_recipe_weights) -> Case:
    return Case(request.param, golden(f"G_{request.param}"), with_recipe_weights)


def test_the_same_seed_gives_the_same_sound(case):
    torch.manual_seed(1234)
    audio = case.network.infer(case.speech)
    assert audio.shape == (1, 1, N_FRAMES * case.config.hop_length)
    assert_close(audio[0, 0], case.reference["audio"], atol=5e-6, rtol=0)


@torch.no_grad()
def test_the_prior_and_the_reversed_flow_agree(case):
    prior = case.network.enc_p(case.speech.content, case.speech.lengths, case.speech.coarse)
    g = case.network.emb_g(case.speech.speaker_id).unsqueeze(-1)
    assert_close(prior.mean[0], case.reference["m_p"], atol=1e-5, rtol=1e-5)
    assert_close(prior.log_std[0], case.reference["logs_p"], atol=1e-5, rtol=1e-5)
    z_p = prior.sample(case.reference["eps_z"][None] * 0.66666)
    assert_close(z_p[0], case.reference["z_p"], atol=1e-4, rtol=1e-5)
    z = case.network.flow.reverse(case.reference["z_p"][None], prior.mask, g)
    assert_close(z[0], case.reference["z"], atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_the_posterior_and_the_forward_flow_agree(case):
    spec = np.abs(np.random.default_rng(2).standard_normal((1, case.config.spec_channels, N_FRAMES))).astype(np.float32)
    g = case.network.emb_g(case.speech.speaker_id).unsqueeze(-1)
    posterior = case.network.enc_q(torch.from_numpy(spec), case.speech.lengths, g)
    assert_close(posterior.mean[0], case.reference["m_q"], atol=1e-4, rtol=1e-4)
    assert_close(posterior.log_std[0], case.reference["logs_q"], atol=1e-4, rtol=1e-4)
    z = posterior.sample(case.reference["eps_q"][None])
    scale = case.reference["flow_fwd"].abs().max()  # values reach several hundred
    assert_close(z[0] / scale, case.reference["z_q"] / scale, atol=1e-5, rtol=1e-4)
    assert_close(case.network.flow(z, posterior.mask, g)[0] / scale, case.reference["flow_fwd"] / scale, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_the_sine_source_agrees(case):
    if not case.config.pitch_guidance:
        assert not hasattr(case.network.dec, "m_source")
        return
    torch.manual_seed(1234)
    torch.randn(1, case.config.inter_channels, N_FRAMES)  # the latent noise is drawn first
    source = case.network.dec.m_source(case.speech.f0_hz)
    assert_close(source[0], case.reference["source"], atol=2e-6, rtol=0)  # some of Applio's sums are float32


@pytest.mark.parametrize("case", ["v1_f0_48k", "v2_nof0_40k", "v2_f0_32k_mrf", "v2_f0_24k_refinegan"], indirect=True)
def test_folding_weight_norm_changes_nothing_to_hear(case):
    folded = deepcopy(case.network).for_inference()
    torch.manual_seed(1234)
    audio = folded.infer(case.speech)
    assert_close(audio[0, 0], case.reference["audio"], atol=1e-5, rtol=0)


@pytest.mark.parametrize("version", ["v1", "v2", "v3"])
@torch.no_grad()
def test_discriminators_score_and_look_as_applios(version, golden, with_recipe_weights):
    reference = golden(f"D_{version}")
    with torch.device("meta"):
        network = Discriminator(version)
    network = with_recipe_weights(network)
    real, fake = (network(reference[name][None, None]) for name in ("real", "fake"))
    for i, (one, other) in enumerate(zip(real, fake, strict=True)):
        assert_close(one.score[0], reference[f"r{i}"], atol=1e-5, rtol=1e-5)
        assert_close(other.score[0], reference[f"g{i}"], atol=1e-5, rtol=1e-5)
    means = torch.stack([feature.abs().mean() for one in real for feature in one.feature_maps])
    assert_close(means, reference["fmap_means"], atol=1e-6, rtol=1e-5)
