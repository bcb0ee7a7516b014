"""What all forty-three promise: that each is what it says, learns at its own rate, and survives what a run does to it."""

import copy
import functools
import io
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from rvc.errors import SettingsError
from rvc.models.config import config_for
from rvc.models.discriminators import Discriminator
from rvc.models.speech import Speech
from rvc.models.synthesizer import Synthesizer
from rvc.optimizers.build import load_checked
from rvc.optimizers.registry import OPTIMIZERS
from tests.optimizers.tasks import LOSS_WEIGHT, NAMES, Regression, finite, move, network, optimizer_of, same, train_pair, weights_of

PROJECT = Path(__file__).resolve().parents[2]
every = pytest.mark.parametrize("name", NAMES)
WITHOUT_NETWORK = """
import socket

def refuse(*_, **__):
    raise AssertionError("a library asked for the network")

socket.socket.connect = socket.getaddrinfo = socket.create_connection = refuse
import torch
from rvc.optimizers.build import build
from rvc.optimizers.registry import OPTIMIZERS

for name in OPTIMIZERS:
    build(name, torch.nn.Conv1d(2, 2, 3).named_parameters(), role="g", total_steps=10, device=torch.device("cpu"))
print(len(OPTIMIZERS))
"""


def test_all_are_imported_and_built_without_a_network():
    done = subprocess.run([sys.executable, "-c", WITHOUT_NETWORK], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["43"]
    assert done.stderr == ""


# -- the shapes of the real networks ---------------------------------------------------------------------------------------------

@dataclass(frozen=True)
class Real:
    """A tensor of a network as it is initialised, and its gradients of two training steps."""

    name: str
    start: Tensor
    gradients: tuple[Tensor, Tensor]


def generator_loss(network: Synthesizer) -> Tensor:
    frames, config = network.config.segment_frames, network.config
    lengths = torch.full((2,), frames)
    speech = Speech(content=torch.randn(2, frames, config.content_channels), lengths=lengths, coarse=torch.randint(1, 256, (2, frames)),
                    f0_hz=torch.full((2, frames), 220.0), speaker_id=torch.tensor([0, 1]))
    made = network(speech, torch.rand(2, config.spec_channels, frames))
    apart = made.z_p - made.mean_p
    return LOSS_WEIGHT * (made.audio - torch.randn_like(made.audio)).abs().mean() + (apart.square() * torch.exp(-2 * made.log_std_p)).mean()


def discriminator_loss(network: Discriminator) -> Tensor:
    return sum((one.score - 1).square().mean() for one in network(0.1 * torch.randn(1, 1, 3600)))


@functools.cache
def real_tensors(role: str) -> list[Real]:
    """One of each shape and use in the tiny networks, initialised as for a run from nothing: with zeros in the flow and in many biases."""
    torch.manual_seed(0)
    config = config_for("v2", 24000, size="tiny")
    network = Synthesizer(config) if role == "g" else Discriminator(config.discriminator, 1 / 16)
    loss = generator_loss if role == "g" else discriminator_loss
    chosen = {use_of(name, one): (name, one) for name, one in network.named_parameters()}
    start, seen = {name: one.detach().clone() for name, one in chosen.values()}, []
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    for _ in range(2):  # behind a convolution of zeros there is a gradient only when it has moved
        optimizer.zero_grad()
        loss(network).backward()
        seen.append({name: one.grad.clone() for name, one in chosen.values()})
        optimizer.step()
    return [Real(name, start[name], (seen[0][name], seen[1][name])) for name in start]


def use_of(name: str, one: Tensor) -> tuple:
    """What tensors have in common that every optimizer treats alike."""
    parts = name.split(".")
    return tuple(parts[:2]) if "emb" in name else parts[0], parts[-1], one.shape, bool((one == 0).all())


class Tensors(nn.Module):
    """Parameters without a network, under the names they have there."""

    def __init__(self, several: list[Real]) -> None:
        super().__init__()
        self._named = [(one.name, nn.Parameter(one.start.clone())) for one in several]

    def named_parameters(self, *_):
        return iter(self._named)

    def parameters(self, recurse: bool = True):
        return iter([one for _, one in self._named])


@every
@pytest.mark.parametrize("role", ["g", "d"])
def test_two_steps_move_every_tensor_of_the_real_networks(name, role):
    several = real_tensors(role)
    tensors = Tensors(several)
    optimizer = optimizer_of(name, tensors, role=role)
    still = {real.name for real in several}
    for step in range(2):
        for one, real in zip(tensors.parameters(), several, strict=True):
            one.grad = real.gradients[step].clone()
        if optimizer.spec.clip_norm:
            nn.utils.clip_grad_norm_(tensors.parameters(), optimizer.spec.clip_norm)
        optimizer.step()
        still -= {real.name for one, real in zip(tensors.parameters(), several, strict=True) if not torch.equal(one, real.start)}
    assert len(still) <= (len(several) / 6 if optimizer.spec.stays_still else 0), still
    assert finite(tensors)


def test_what_stays_still_in_the_very_first_step_is_said():
    for spec in OPTIMIZERS.values():
        module = network()
        optimizer, before = optimizer_of(spec.name, module), weights_of(module)
        move(optimizer, module, Regression().loss(module))
        still = any(torch.equal(one, old) for one, old in zip(module.parameters(), before, strict=True))
        assert spec.stays_still or not still, spec.name


# -- learning ------------------------------------------------------------------------------------------------------------------------

@every
def test_it_learns_at_its_default_rate_as_much_as_it_says(name):
    module, task = network(), Regression()
    optimizer, before = optimizer_of(name, module), task.distance(module)
    task.train(optimizer, module, 300)
    with optimizer.evaluation_weights():
        after = task.distance(module)
    assert before / after >= optimizer.spec.learns


@every
def test_a_pair_against_each_other_stays_finite_and_alive(name):
    for module in train_pair(name, 60):
        assert finite(module)
        assert not any(bool((one == 0).all()) for one in module.parameters())


@functools.cache
def ten_steps(name: str) -> Tensor:
    """Where the weights went, as one vector, from the same weights and with the same batches."""
    module, task = network(), Regression()
    optimizer, before = optimizer_of(name, module, total_steps=10), weights_of(module)
    task.train(optimizer, module, 10)
    return moved(module, before)


def moved(module: nn.Module, since: list[Tensor]) -> Tensor:
    return torch.cat([(one.detach() - old).flatten() for one, old in zip(module.parameters(), since, strict=True)])


def apart(ours: Tensor, theirs: Tensor) -> float:
    return float((ours - theirs).norm() / max(ours.norm(), theirs.norm()))


def test_no_two_names_are_one_algorithm_unless_they_say_so():
    alike = {frozenset((one, other)) for one in NAMES for other in NAMES if one < other and apart(ten_steps(one), ten_steps(other)) < 1e-4}
    said = {frozenset((spec.name, other.name)) for spec in OPTIMIZERS.values() for other in spec.same_as if other.by_default}
    assert alike == said


@pytest.mark.parametrize(("one", "its", "other", "others"), [
    ("AdamW", {"weight_decay": 0}, "Adam", {}),
    ("ScheduleFreeAdamW", {"weight_decay": 0}, "ScheduleFreeAdam", {}),
    ("PID", {"momentum": 0}, "SGD", {"momentum": 0}),
    ("PAdam", {"partial": 0.5}, "Adam", {}),
    ("SWATS", {}, "Adam", {}),
])
def test_names_that_coincide_at_some_settings_do_there(one, its, other, others):
    modules, start, rate = (network(), network()), weights_of(network()), OPTIMIZERS[other].rates.generator
    for module, name, knobs in zip(modules, (one, other), (its, others), strict=True):
        follow(optimizer_of(name, module, learning_rate=rate, knobs=knobs), module, gradients(3))
    assert apart(*(moved(module, start) for module in modules)) < 2e-3  # SWATS adds an eps of 1e-6
    assert other in {said.name for said in OPTIMIZERS[one].same_as} or one in {said.name for said in OPTIMIZERS[other].same_as}


def test_qhadam_is_adam_where_it_says_so():
    ours, theirs, start = network(), network(), weights_of(network())
    follow(optimizer_of("QHAdam", ours, knobs={"nu1": 1, "nu2": 1}), ours, gradients(3))
    follow(torch.optim.Adam(theirs.parameters(), lr=1e-4, betas=(0.995, 0.999)), theirs, gradients(3))
    assert apart(moved(ours, start), moved(theirs, start)) < 1e-3


# -- what a run does to it -----------------------------------------------------------------------------------------------------------

def written_and_read(state: dict) -> dict:
    file = io.BytesIO()
    torch.save(state, file)
    return torch.load(io.BytesIO(file.getvalue()), weights_only=True)


def gradients(count: int) -> list[list[Tensor]]:
    """Of ``count`` steps, for ``network``: the same for whoever asks."""
    random, shapes = torch.Generator().manual_seed(4), [one.shape for one in network().parameters()]
    return [[0.1 * torch.randn(shape, generator=random) for shape in shapes] for _ in range(count)]


def follow(optimizer, module: nn.Module, several: list[list[Tensor]]) -> None:
    for step in several:
        for one, gradient in zip(module.parameters(), step, strict=True):
            one.grad = gradient.clone()
        optimizer.step()


@every
def test_a_saved_state_goes_on_to_the_bit(name):
    straight, first, second = network(), network(), network(seed=9)
    steps = gradients(16)
    follow(optimizer_of(name, straight), straight, steps)
    saving = optimizer_of(name, first)
    follow(saving, first, steps[:8])
    with saving.evaluation_weights():  # as a checkpoint is written: voices are read from it
        saved = written_and_read({"model": first.state_dict(), "optimizer": saving.state_dict()})
    second.load_state_dict(saved["model"])
    going_on = optimizer_of(name, second)
    load_checked(going_on, saved["optimizer"])
    follow(going_on, second, steps[8:])
    assert same(second.parameters(), straight.parameters())


@every
def test_the_weights_shown_are_the_evaluation_weights_and_training_goes_on_unchanged(name):
    disturbed, left_alone = network(), network()
    optimizer, other = optimizer_of(name, disturbed, total_steps=6), optimizer_of(name, left_alone, total_steps=6)
    for step in gradients(6):
        follow(optimizer, disturbed, [step])
        follow(other, left_alone, [step])
        with optimizer.evaluation_weights():
            shown = weights_of(disturbed)
    assert same(disturbed.parameters(), left_alone.parameters())
    assert same(shown, disturbed.parameters()) == (optimizer.spec.evaluation == "as trained")


@every
def test_a_skipped_step_changes_nothing_and_a_scaled_one_is_like_any_other(name):
    scaled, plain = network(), network()
    optimizer, other = optimizer_of(name, scaled), optimizer_of(name, plain)
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0, growth_interval=1000)
    for place, step in enumerate(gradients(6)):
        broken = place in (0, 3)
        for one, gradient in zip(scaled.parameters(), step, strict=True):
            one.grad = torch.full_like(one, float("inf")) if broken else gradient * scaler.get_scale()
        scaler.scale(torch.zeros(()))  # makes the scaler's tensors, as a loss does
        before = weights_of(scaled)
        scaler.unscale_(optimizer)
        scaler.step(optimizer)
        scaler.update()
        if broken:
            assert same(before, scaled.parameters())
        else:
            follow(other, plain, [step])
    assert same(scaled.parameters(), plain.parameters())


@every
def test_a_rate_that_a_schedule_sets_is_the_one_that_is_used(name):
    still, slow, fast = network(), network(), network()
    start = weights_of(still)
    for module, factor in ((still, 0.0), (slow, 0.5), (fast, 1.0)):
        optimizer = optimizer_of(name, module, total_steps=8)
        for step in gradients(4):
            for group in optimizer.param_groups:
                group["lr"] = group["initial_lr"] * factor
            follow(optimizer, module, [step])
            assert all(group["lr"] == group["initial_lr"] * factor for group in optimizer.param_groups)
        assert finite(module)
    assert same(still.parameters(), start)
    assert not same(slow.parameters(), fast.parameters())


@functools.cache
def compiled() -> tuple[nn.Module, nn.Module]:
    module = network()
    return module, torch.compile(module, backend="eager")


@every
def test_it_trains_a_compiled_network_like_any_other(name):
    module, faster = compiled()
    module.load_state_dict(network().state_dict())
    plain = network()
    for one, seen in ((module, faster), (plain, plain)):
        optimizer, task = optimizer_of(name, one), Regression()
        for _ in range(3):
            move(optimizer, one, task.loss(seen))
    assert all(torch.allclose(one, other, rtol=1e-5, atol=1e-7) for one, other in zip(module.parameters(), plain.parameters(), strict=True))


@every
def test_two_processes_with_summed_gradients_stay_equal_to_the_bit(name):
    ranks = [network(), network()]
    optimizers = [optimizer_of(name, one) for one in ranks]
    for ours, theirs in zip(gradients(4), gradients(5)[1:], strict=True):
        summed = [one + other for one, other in zip(ours, theirs, strict=True)]
        for optimizer, module in zip(optimizers, ranks, strict=True):
            torch.manual_seed(len(optimizers))  # no optimizer draws: seeds differ between processes
            follow(optimizer, module, [summed])
    assert same(ranks[0].parameters(), ranks[1].parameters())


@every
def test_a_batch_of_one_is_a_batch(name):
    module, task = network(), Regression()
    optimizer = optimizer_of(name, module, batch_size=1)
    for _ in range(2):
        move(optimizer, module, task.loss(module, batch=1))
    assert finite(module)


@every
def test_parameters_of_one_dimension_are_trained_or_refused_in_a_sentence(name):
    module = nn.LayerNorm(6)
    if OPTIMIZERS[name].grouping in ("muon", "matrices", "layers"):
        with pytest.raises(SettingsError, match="there is none"):
            optimizer_of(name, module)
        return
    optimizer, before = optimizer_of(name, module), copy.deepcopy(weights_of(module))
    for _ in range(2):
        move(optimizer, module, module(torch.arange(12.0).view(2, 6).sin()).square().mul(torch.arange(6.0)).sum())
    assert finite(module)
    assert not any(torch.equal(one, old) for one, old in zip(module.parameters(), before, strict=True))
