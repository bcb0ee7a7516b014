"""Properties of the whole network, on tiny ones."""

import math
from copy import deepcopy
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch.nn.utils import parametrize
from torch.testing import assert_close

from rvc.models.draws import Given, ItemDraws
from rvc.models.speech import Speech
from rvc.models.synthesizer import Synthesizer, SynthesizerOutput, frames_from
from tests.models.conftest import clip_of

VARIANTS = [{"version": v, "sample_rate": rate, "pitch_guidance": f0}
            for v, rate in (("v1", 32000), ("v1", 48000), ("v2", 24000), ("v2", 40000), ("v2", 48000)) for f0 in (True, False)]
FURTHER = [{"vocoder": "MRF HiFi-GAN", "sample_rate": 40000}, {"vocoder": "RefineGAN", "sample_rate": 24000}]


def training_inputs(network: Synthesizer, speech, n_frames: int, batch: int = 2) -> tuple[Speech, torch.Tensor]:
    return speech(network.config, n_frames, batch=batch), torch.rand(batch, network.config.spec_channels, n_frames)


# -- inference -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", VARIANTS + FURTHER, ids=str)
def test_every_frame_becomes_ten_milliseconds(variant, tiny, speech):
    network = tiny(**variant)
    for n_frames in (1, 2, 7, 24, 37):
        audio = network.infer(speech(network.config, n_frames))
        assert audio.shape == (1, 1, n_frames * network.config.sample_rate // 100)
        assert audio.dtype == torch.float32
        assert audio.isfinite().all()
        assert audio.abs().max() <= 1


@pytest.mark.parametrize("rates", [(7, 7, 3, 3), (10, 7, 3, 2), (5, 3, 9, 2)])
def test_odd_upsampling_rates_keep_the_length(rates, tiny_config, speech):
    """Other programs have made such networks, at 44.1 kHz for instance."""
    hop = math.prod(rates)
    kernels = tuple(2 * rate for rate in rates)
    config = replace(tiny_config(), upsample_rates=rates, upsample_kernel_sizes=kernels, hop_length=hop, sample_rate=hop * 100)
    network = Synthesizer(config).eval()
    assert network.infer(speech(network.config, 5)).shape[-1] == 5 * hop


@pytest.mark.parametrize("variant", [{}, {"pitch_guidance": False}, *FURTHER], ids=str)
def test_the_same_seed_gives_the_same_sound_and_another_seed_another(variant, tiny, speech):
    network = tiny(**variant)
    inputs = speech(network.config, 12)

    def made(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return network.infer(inputs)

    assert torch.equal(made(1), made(1))
    assert not torch.equal(made(1), made(2))


def test_random_numbers_are_drawn_in_the_familys_order(tiny, speech):
    """First the latent noise, then a phase that is thrown away, then the noise of the source."""
    network = tiny()
    inputs = speech(network.config, 9, batch=2)
    torch.manual_seed(5)
    drawn = network.infer(inputs)
    torch.manual_seed(5)
    latent = torch.randn(2, network.config.inter_channels, 9)
    torch.rand(1, 1, 1)
    source = torch.randn(2, 9 * network.config.hop_length, 1)
    torch.manual_seed(99)
    state = torch.get_rng_state()
    assert torch.equal(network.infer(inputs, Given(latent=latent, source=source)), drawn)
    assert torch.equal(torch.get_rng_state(), state), "what is given is not drawn"


def test_the_overtones_of_mrf_begin_where_they_are_drawn_after_the_latent_noise(tiny, speech):
    network = tiny(vocoder="MRF HiFi-GAN")
    inputs = speech(network.config, 9, batch=2)
    torch.manual_seed(5)
    drawn = network.infer(inputs)
    torch.manual_seed(5)
    latent = torch.randn(2, network.config.inter_channels, 9)
    begins = torch.rand(2, 9)
    source = torch.randn(2, 9 * network.config.hop_length, 9)
    with_begins = partial(network.dec.m_source._sines, begins=torch.cat([torch.zeros(2, 1), begins[:, 1:]], dim=1))
    network.dec.m_source._sines = lambda cycles, none: with_begins(cycles)
    assert torch.equal(network.infer(inputs, Given(latent=latent, source=source)), drawn)


def test_no_noise_leaves_only_the_source(tiny, speech):
    network = tiny(pitch_guidance=False)
    inputs = speech(network.config, 9)
    assert torch.equal(network.infer(inputs, noise_scale=0.0), network.infer(inputs, noise_scale=0.0))


def test_a_phase_moves_the_sine_and_a_whole_turn_does_not(tiny, speech):
    network = tiny()
    inputs = speech(network.config, 9)
    silent = Given(latent=torch.zeros(1, network.config.inter_channels, 9), source=torch.zeros(1, 9 * network.config.hop_length, 1))
    audio = network.infer(inputs, silent)
    assert_close(network.infer(inputs, replace(silent, phase=torch.tensor([3.0]))), audio)
    assert not torch.allclose(network.infer(inputs, replace(silent, phase=torch.tensor([0.25]))), audio, atol=1e-6)


def test_chunks_with_continued_phase_and_noise_join_in_the_middle(tiny, speech):
    """The latents of every frame see the whole clip, so the decoder is compared: same latents, cut where both sides overlap."""
    network = tiny(sample_rate=24000)
    hop, n_frames, cut, reach = network.config.hop_length, 80, 40, 16
    torch.manual_seed(0)
    z, g = torch.randn(1, network.config.inter_channels, n_frames), torch.randn(1, network.config.gin_channels, 1)
    f0_hz, noise = speech(network.config, n_frames).f0_hz, torch.randn(1, n_frames * hop, 1)
    with torch.no_grad():
        whole = network.dec(z, g, f0_hz, Given(source=noise))
        begin = cut - reach  # the second chunk starts early; what its edge spoils is thrown away
        second = network.dec(z[..., begin:], g, f0_hz[:, begin:],
                             Given(phase=network.phase_after(f0_hz[:, :begin]), source=noise[:, begin * hop :]))
    assert_close(second[..., reach * hop :], whole[..., cut * hop :], atol=1e-6, rtol=0)


@torch.no_grad()
def test_what_a_clip_becomes_does_not_depend_on_its_neighbours(tiny, speech):
    network = tiny()
    n_frames, short, edge = 50, 31, 16
    inputs = replace(speech(network.config, n_frames, batch=2), lengths=torch.tensor([n_frames, short]))
    latent, source = torch.randn(2, network.config.inter_channels, n_frames), torch.randn(2, n_frames * network.config.hop_length, 1)
    together = network.infer(inputs, Given(latent=latent, source=source))
    alone = network.infer(clip_of(inputs, 1, short),
                          Given(latent=latent[1:, :, :short], source=source[1:, : short * network.config.hop_length]))
    kept = (short - edge) * network.config.hop_length  # past it the vocoder hears where the clip ends
    assert_close(together[1, :, :kept], alone[0, :, :kept], atol=1e-5, rtol=0)
    first = network.infer(clip_of(inputs, 0, n_frames), Given(latent=latent[:1], source=source[:1]))
    assert_close(first, together[:1], atol=1e-5, rtol=0)


@torch.no_grad()
def test_encoders_and_flow_see_nothing_beyond_the_end_of_a_clip(tiny, speech):
    network = tiny()
    inputs, spec = training_inputs(network, speech, 40, batch=1)
    lengths, g = torch.tensor([29]), network.emb_g(inputs.speaker_id).unsqueeze(-1)
    content, coarse, changed_spec = inputs.content.clone(), inputs.coarse.clone(), spec.clone()
    content[:, 29:], coarse[:, 29:], changed_spec[..., 29:] = 7.0, 3, 5.0
    for one, other in (
        (network.enc_p(inputs.content, lengths, inputs.coarse), network.enc_p(content, lengths, coarse)),
        (network.enc_q(spec, lengths, g), network.enc_q(changed_spec, lengths, g)),
    ):
        assert_close(one.mean, other.mean, atol=1e-6, rtol=0)
        assert_close(one.log_std, other.log_std, atol=1e-6, rtol=0)
        assert one.mean[..., 29:].abs().max() == 0


@pytest.mark.parametrize("n_frames", [1, 33])
@torch.no_grad()
def test_the_flow_is_undone_by_its_reverse(n_frames, tiny):
    network = tiny()
    z, g = torch.randn(2, network.config.inter_channels, n_frames), torch.randn(2, network.config.gin_channels, 1)
    mask = torch.ones(2, 1, n_frames)
    moved = network.flow(z, mask, g)
    assert not torch.allclose(moved, z, atol=0.1)
    assert_close(network.flow.reverse(moved, mask, g), z, atol=1e-5, rtol=1e-5)


def test_a_fresh_flow_only_reverses_channels_an_even_number_of_times(tiny_config):
    network = Synthesizer(tiny_config())
    z = torch.randn(1, network.config.inter_channels, 6)
    assert torch.equal(network.flow(z, torch.ones(1, 1, 6), torch.randn(1, network.config.gin_channels, 1)), z)


@pytest.mark.parametrize("variant", [{}, {"pitch_guidance": False}, *FURTHER], ids=str)
def test_a_network_for_inference_sounds_the_same_and_carries_less(variant, tiny, speech):
    network = tiny(**variant)
    folded = deepcopy(network).train().for_inference()
    inputs = speech(network.config, 21)
    torch.manual_seed(1)
    audio = network.infer(inputs)
    torch.manual_seed(1)
    assert_close(folded.infer(inputs), audio, atol=1e-5, rtol=0)
    assert not folded.training
    assert not any(parametrize.is_parametrized(module) for module in folded.modules())
    assert not any(name.startswith("enc_q") or one.requires_grad for name, one in folded.named_parameters())
    assert any(parametrize.is_parametrized(module) for module in network.modules()), "the original is as it was"


@pytest.mark.parametrize("variant", VARIANTS + FURTHER, ids=str)
def test_inference_and_training_lay_memory_out_differently_and_compute_the_same(variant, tiny, speech):
    network = tiny(**variant)
    z, g = torch.randn(2, network.config.inter_channels, 9), torch.randn(2, network.config.gin_channels, 1)
    given = Given(source=torch.randn(2, 9 * network.config.hop_length, network.config.harmonics),
                  draws=ItemDraws((3, 4), (9, 9), torch.device("cpu")))
    source = (speech(network.config, 9, batch=2).f0_hz, given) if network.config.pitch_guidance else ()
    trained = network.dec(z, g, *source)
    assert trained.requires_grad
    with torch.no_grad():
        assert_close(network.dec(z, g, *source), trained, atol=1e-6, rtol=0)


# -- training ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", [VARIANTS[0], VARIANTS[4], VARIANTS[5], *FURTHER], ids=str)
def test_a_training_pass_names_its_results_and_reaches_every_weight(variant, tiny, speech):
    network = tiny(**variant).train()
    config = network.config
    n_frames = config.segment_frames + 13
    output = network(*training_inputs(network, speech, n_frames))
    assert isinstance(output, SynthesizerOutput)
    assert output.audio.shape == (2, 1, config.segment_samples)
    for name in ("z", "z_p", "mean_p", "log_std_p", "mean_q", "log_std_q"):
        assert getattr(output, name).shape == (2, config.inter_channels, n_frames), name
    assert output.content_mask.shape == output.spec_mask.shape == (2, 1, n_frames)
    loss = output.audio.pow(2).sum() + sum(one.sum() for one in (output.z_p, output.mean_p, output.log_std_p, output.log_std_q))
    loss.backward()
    without = [name for name, one in network.named_parameters() if one.grad is None or not one.grad.isfinite().all()]
    assert without == []


def test_slices_lie_inside_their_clips_and_reach_both_ends(tiny, speech):
    network = tiny(segment_samples=4 * 240)
    inputs, spec = training_inputs(network, speech, 7, batch=4)
    inputs = replace(inputs, lengths=torch.tensor([7, 6, 4, 3]))  # the last is shorter than a slice
    seen = [set() for _ in range(4)]
    torch.manual_seed(6)
    with torch.no_grad():
        for _ in range(25):
            for starts, start in zip(seen, network(inputs, spec).slice_starts.tolist(), strict=True):
                starts.add(start)
    assert seen == [{0, 1, 2, 3}, {0, 1, 2}, {0}, {0}]


def test_a_clip_as_long_as_a_slice_is_taken_whole(tiny, speech):
    network = tiny()
    output = network(*training_inputs(network, speech, network.config.segment_frames))
    assert output.slice_starts.tolist() == [0, 0]


@torch.no_grad()
def test_the_slice_that_is_decoded_is_the_one_that_is_named(tiny, speech):
    network = tiny(pitch_guidance=False)
    inputs, spec = training_inputs(network, speech, network.config.segment_frames + 20)
    output = network(inputs, spec)
    z = frames_from(output.z, output.slice_starts, network.config.segment_frames)
    audio = network.dec(z, network.emb_g(inputs.speaker_id).unsqueeze(-1))
    assert_close(output.audio, audio)


def test_training_draws_posterior_noise_then_slices_then_the_source(tiny, speech):
    network = tiny()
    inputs = training_inputs(network, speech, 60)
    torch.manual_seed(8)
    output = network(*inputs)
    torch.manual_seed(8)
    noise = torch.randn(2, network.config.inter_channels, 60)
    assert_close(output.z, output.mean_q + noise * output.log_std_q.exp())
    expected = (torch.rand(2) * (60 - network.config.segment_frames + 1)).long()
    assert torch.equal(output.slice_starts, expected)


def test_frames_are_gathered_from_each_items_own_start():
    x = torch.arange(2 * 3 * 10).reshape(2, 3, 10)
    starts = torch.tensor([0, 6])
    assert torch.equal(frames_from(x, starts, 4), torch.stack([x[0, :, 0:4], x[1, :, 6:10]]))
    assert torch.equal(frames_from(x[:, 0], starts, 4), torch.stack([x[0, 0, 0:4], x[1, 0, 6:10]]))


@pytest.mark.parametrize("variant", [{}, {"pitch_guidance": False}, *FURTHER], ids=str)
def test_autocast_keeps_sound_and_statistics_in_full_precision(variant, tiny, speech):
    network = tiny(**variant).train()
    inputs = training_inputs(network, speech, network.config.segment_frames + 5)
    torch.manual_seed(2)
    plain = network(*inputs)
    torch.manual_seed(2)
    with torch.autocast("cpu", torch.bfloat16):
        cast = network(*inputs)
    for name in ("audio", "z", "mean_p", "log_std_p", "mean_q", "log_std_q"):
        assert getattr(cast, name).dtype == torch.float32, name
        off = (getattr(cast, name) - getattr(plain, name)).pow(2).mean().sqrt() / getattr(plain, name).pow(2).mean().sqrt()
        assert off < 0.1, name
    cast.audio.pow(2).sum().backward()
    assert all(one.grad.isfinite().all() for one in network.dec.parameters())


def test_pitch_is_given_exactly_to_networks_that_want_it(tiny, speech):
    with_pitch, without = tiny(), tiny(pitch_guidance=False)
    with pytest.raises(AssertionError, match="pitch"):
        with_pitch.infer(speech(without.config, 5))
    with pytest.raises(AssertionError, match="pitch"):
        without.infer(speech(with_pitch.config, 5))
