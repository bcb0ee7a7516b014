"""What training needs of the networks: numbers that belong to items, and less memory for the same gradients."""

from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from rvc.models.discriminators import Discriminator
from rvc.models.draws import ItemDraws
from rvc.models.speech import Speech
from rvc.models.synthesizer import Synthesizer
from tests.models.conftest import clip_of

KINDS = [{"version": "v2", "pitch_guidance": True}, {"version": "v2", "pitch_guidance": False}, {"version": "v1", "sample_rate": 32000},
         {"vocoder": "MRF HiFi-GAN"}, {"vocoder": "RefineGAN"}]
CPU = torch.device("cpu")


def training_inputs(network: Synthesizer, speech, lengths: tuple[int, ...]) -> tuple[Speech, torch.Tensor]:
    spoken = replace(speech(network.config, max(lengths), batch=len(lengths)), lengths=torch.tensor(lengths))
    return spoken, torch.rand(len(lengths), network.config.spec_channels, max(lengths), generator=torch.Generator().manual_seed(2))


def item(speech: Speech, spec: torch.Tensor, i: int, length: int) -> tuple[Speech, torch.Tensor]:
    """One item of a batch, without its padding."""
    return clip_of(speech, i, length), spec[i : i + 1, :, :length]


def gradients(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: one.grad for name, one in network.named_parameters()}


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_what_an_item_draws_does_not_depend_on_its_neighbours_nor_on_the_global_generator(kind, tiny, speech):
    network, lengths, seeds = tiny(**kind).train(), (60, 47), (5, 11)
    inputs = training_inputs(network, speech, lengths)
    state = torch.get_rng_state()
    with torch.no_grad():
        together = network(*inputs, ItemDraws(seeds, lengths, CPU))
        for i, length in enumerate(lengths):
            alone = network(*item(*inputs, i, length), ItemDraws(seeds[i : i + 1], (length,), CPU))
            assert alone.slice_starts[0] == together.slice_starts[i]
            assert_close(alone.z[0], together.z[i, :, :length], atol=1e-5, rtol=1e-5)
            assert_close(alone.audio[0], together.audio[i], atol=1e-5, rtol=0)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("given", [True, False], ids=["draws", "global generator"])
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_generator_that_recomputes_its_stages_has_the_same_gradients(kind, given, tiny, speech):
    network = tiny(**kind).train()
    saving = deepcopy(network)
    saving.dec.checkpointing = True
    inputs = training_inputs(network, speech, (50, 40))
    kept = []
    for one in (network, saving):
        saved = []
        torch.manual_seed(9)
        with torch.autograd.graph.saved_tensors_hooks(lambda tensor, into=saved: into.append(tensor.numel()) or tensor, lambda it: it):
            output = one(*inputs, ItemDraws((1, 2), (50, 40), CPU) if given else None)
        kept.append((output.audio, sum(saved)))
        torch.rand(3)  # what happens between the passes does not matter
        output.audio.square().mean().backward()
    (plain, much), (recomputed, little) = kept
    assert torch.equal(recomputed, plain)
    assert little < 0.8 * much
    assert_close(gradients(saving), gradients(network), atol=1e-7, rtol=1e-5)


def test_a_generator_that_recomputes_does_not_when_it_infers(tiny, speech):
    network = tiny()
    inputs = speech(network.config, 9)
    torch.manual_seed(1)
    expected = network.infer(inputs)
    network.dec.checkpointing = True
    torch.manual_seed(1)
    assert torch.equal(network.train().infer(inputs), expected)


@pytest.mark.parametrize("kind", ["v1", "v2", "v3"])
def test_critics_that_recompute_have_the_same_opinions_and_gradients(kind):
    torch.manual_seed(0)
    network = Discriminator(kind, width=1 / 16).train()
    saving = deepcopy(network)
    saving.checkpointing = True
    audio = torch.randn(2, 1, 2400)
    inputs = [audio.clone().requires_grad_() for _ in range(2)]
    for one, given in zip((network, saving), inputs, strict=True):
        opinions = one(given)
        sum(feature.abs().mean() for opinion in opinions for feature in opinion.feature_maps).backward()
    assert_close(inputs[1].grad, inputs[0].grad, atol=1e-8, rtol=1e-5)
    assert_close(gradients(saving), gradients(network), atol=1e-8, rtol=1e-5)
