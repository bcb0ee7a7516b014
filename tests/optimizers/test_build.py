"""What is refused before the first step, what a state is compared with, and the small promises of the adapters."""

import importlib.metadata

import pytest
import torch
from torch import nn

from rvc.errors import FormatError, MissingAssetError, SettingsError
from rvc.optimizers import checks
from rvc.optimizers.build import load_checked, why_not
from rvc.optimizers.grouping import is_matrix
from rvc.optimizers.registry import OPTIMIZERS
from tests.optimizers.tasks import NAMES, Regression, finite, move, network, optimizer_of, same, weights_of

every = pytest.mark.parametrize("name", NAMES)


@every
@pytest.mark.parametrize("rate", [0.0, -1e-4, 1e9, 1e-12, float("nan"), float("inf")])
def test_a_rate_that_cannot_be_is_refused_with_those_that_can(name, rate):
    with pytest.raises(SettingsError, match="worth trying"):
        optimizer_of(name, network(), learning_rate=rate)


@every
@pytest.mark.parametrize("times", [1e-4, 1e4])
def test_a_rate_that_is_only_bad_is_taken(name, times):
    """The run doctor is to say so from what it does."""
    optimizer = optimizer_of(name, network(), learning_rate=OPTIMIZERS[name].rates.generator * times)
    assert optimizer.param_groups[0]["initial_lr"] == pytest.approx(OPTIMIZERS[name].rates.generator * times)


def test_an_option_of_another_is_refused_and_its_owner_named():
    with pytest.raises(SettingsError, match=r"AdamW has no option 'd_coef'\. It is an option of Prodigy; AdamW has weight_decay, beta1"):
        optimizer_of("AdamW", network(), knobs={"d_coef": 1.0})
    with pytest.raises(SettingsError, match="Did you mean 'd_coef'"):
        optimizer_of("Prodigy", network(), knobs={"dcoef": 1.0})


@pytest.mark.parametrize(("name", "knob", "value"), [
    ("PAdam", "partial", 1.0), ("Prodigy", "d_coef", float("nan")), ("Sophia", "interval", 0), ("Sophia", "interval", 2.5),
    ("SGD", "momentum", "0.9"), ("SGD", "momentum", True)])
def test_an_option_out_of_its_range_is_refused(name, knob, value):
    with pytest.raises(SettingsError, match=f"{knob} of {name} must be"):
        optimizer_of(name, network(), knobs={knob: value})


def test_an_option_arrives_where_it_belongs():
    groups = optimizer_of("Lion", network(), knobs={"beta2": 0.95, "weight_decay": 0.5}).param_groups
    assert groups[0]["betas"] == (0.9, 0.95)
    assert groups[0]["weight_decay"] == 0.5
    assert optimizer_of("Ranger21", network(), knobs={"lookahead_k": 7}).parts[0].lookahead_merge_time == 7


@pytest.mark.parametrize(("found", "word"), [(None, "is not installed"), ("4.0.0", "is here in version 4.0.0")])
def test_a_library_that_is_not_there_as_tested_is_named_with_what_to_do(monkeypatch, found, word):
    def version(_: str) -> str:
        if found is None:
            raise importlib.metadata.PackageNotFoundError
        return found

    monkeypatch.setattr(checks, "version", version)
    module = network()
    with pytest.raises(MissingAssetError, match=rf"{word}.*pip install pytorch_optimizer==4\.1\.0"):
        optimizer_of("Lion", module)
    assert optimizer_of("AdamW", module).name == "AdamW"  # which needs no library but torch


def test_nothing_to_train_is_refused():
    with pytest.raises(SettingsError, match="nothing for AdamW to train"):
        optimizer_of("AdamW", network().requires_grad_(False))


# -- states --------------------------------------------------------------------------------------------------------------------------

def trained(name: str, module: nn.Module):
    optimizer, task = optimizer_of(name, module), Regression()
    task.train(optimizer, module, 2)
    return optimizer


@pytest.mark.parametrize("name", ["Lion", "Adam", "Muon", "ScheduleFreeAdamW"])
def test_the_state_of_another_is_refused_and_nothing_is_touched(name):
    saved, module = trained("AdamW", network()).state_dict(), network()
    optimizer, before = trained(name, module), weights_of(module)
    steps, count = optimizer.steps, len(optimizer.state)
    with pytest.raises(FormatError, match=f"saved state is of AdamW, and this is {name}"):
        load_checked(optimizer, saved)
    assert same(before, module.parameters())
    assert (optimizer.steps, len(optimizer.state)) == (steps, count)


@every
def test_a_state_of_other_shapes_is_refused(name):
    saved = trained(name, network()).state_dict()
    other = nn.Sequential(nn.Conv1d(4, 15, 5), nn.Conv1d(15, 2, 5), nn.Conv1d(2, 2, 3))
    assert "parameters" in why_not(optimizer_of(name, nn.Conv1d(2, 2, 3)), saved)
    with pytest.raises(FormatError, match="had the shape"):
        load_checked(optimizer_of(name, other), saved)


def test_a_state_of_another_program_is_taken_for_adamws():
    """Applio and RVC write what torch does, which has no name in it."""
    theirs, module = network(), network()
    reference = torch.optim.AdamW(theirs.parameters(), lr=3e-4)
    move_plainly(reference, theirs)
    ours = optimizer_of("AdamW", module)
    load_checked(ours, reference.state_dict())
    assert ours.param_groups[0]["lr"] == 1e-4  # the rate and betas are this run's
    assert ours.param_groups[0]["betas"] == (0.8, 0.99)
    assert all(int(state["step"]) == 1 for state in ours.state.values())
    with pytest.raises(FormatError, match="this is Lion"):
        load_checked(optimizer_of("Lion", module), reference.state_dict())


def test_our_adamw_state_is_read_by_torch():
    module, theirs = network(), network()
    reference = torch.optim.AdamW(theirs.parameters())
    reference.load_state_dict(trained("AdamW", module).state_dict())
    assert {int(state["step"]) for state in reference.state.values()} == {2}


def move_plainly(optimizer: torch.optim.Optimizer, module: nn.Module) -> None:
    Regression().loss(module).backward()
    optimizer.step()


def test_adamw_here_is_torchs_to_the_bit():
    ours, theirs = network(), network()
    optimizer = optimizer_of("AdamW", ours)
    reference = torch.optim.AdamW(theirs.parameters(), lr=1e-4, betas=(0.8, 0.99), eps=1e-9, weight_decay=0.01, fused=True)
    for module, one in ((ours, optimizer), (theirs, reference)):
        task = Regression()
        for _ in range(3):
            one.zero_grad()
            task.loss(module).backward()
            one.step()
    assert same(ours.parameters(), theirs.parameters())


@pytest.mark.parametrize("name", ["Prodigy", "SGD", "ScheduleFreeAdamW"])
def test_what_the_user_turned_before_a_resume_counts(name):
    knob = OPTIMIZERS[name].knobs[0]
    module = network()
    saved = trained(name, module).state_dict()
    turned = optimizer_of(name, module, knobs={knob.name: knob.high / 2}, learning_rate=OPTIMIZERS[name].rates.generator / 2)
    load_checked(turned, saved)
    assert turned.param_groups[0][knob.argument] == knob.high / 2
    assert turned.param_groups[0]["lr"] == OPTIMIZERS[name].rates.generator / 2


# -- what each adapter is for -----------------------------------------------------------------------------------------------------------

def test_only_maps_between_hidden_representations_count_as_matrices():
    def shaped(*shape: int) -> nn.Parameter:
        return nn.Parameter(torch.ones(shape))

    assert is_matrix("dec.ups.0.parametrizations.weight.original1", shaped(8, 4, 16))
    assert is_matrix("enc_q.pre.weight", shaped(8, 4, 1))
    for name, shape in [("dec.ups.0.parametrizations.weight.original0", (8, 1, 1)), ("dec.noise_convs.0.weight", (8, 1, 4)),
                        ("enc_p.emb_phone.weight", (32, 768)), ("emb_g.weight", (109, 16)), ("dec.conv_pre.weight", (64, 32, 7)),
                        ("dec.conv_post.weight", (1, 4, 7)), ("enc_p.encoder.attn_layers.0.emb_rel_k", (1, 21, 16)), ("x.bias", (8,))]:
        assert not is_matrix(name, shaped(*shape)), name


@pytest.mark.parametrize("name", ["Muon", "SOAP", "Shampoo", "LARS"])
def test_a_composite_shows_the_groups_of_all_its_parts_and_each_parameter_once(name):
    module = network()
    optimizer = optimizer_of(name, module)
    assert {id(one) for one in optimizer.parameters} == {id(one) for one in module.parameters()}
    assert len(optimizer.parameters) == len(list(module.parameters()))
    rates = [group["initial_lr"] for group in optimizer.param_groups]
    assert rates == [optimizer.spec.rates.generator, pytest.approx(optimizer.spec.rates.generator * optimizer.spec.rest_rate)]


@pytest.mark.parametrize("name", ["CAME", "Apollo"])
def test_its_own_warm_up_lengthens_the_steps_and_leaves_the_rate_that_is_shown(name):
    lengths = []
    module = network()
    optimizer = optimizer_of(name, module, total_steps=100)
    for _ in range(2):
        before = weights_of(module)
        for one in module.parameters():
            one.grad = torch.ones_like(one)
        optimizer.step()
        lengths.append(sum(float((one.detach() - old).norm()) for one, old in zip(module.parameters(), before, strict=True)))
        assert optimizer.param_groups[0]["lr"] == optimizer.spec.rates.generator
    assert optimizer.warmup_steps == 10
    assert lengths[1] > lengths[0]


def test_sophia_looks_at_the_curvature_every_tenth_step_and_scales_it_by_the_batch():
    module = nn.Linear(2, 2)
    optimizer = optimizer_of("Sophia", module, batch_size=3)
    seen = []
    for step in range(12):
        for one in module.parameters():
            one.grad = torch.full_like(one, 0.1 * (step + 1))
        optimizer.step()
        seen.append(float(optimizer.state[module.bias]["hessian"][0]))
    assert seen == pytest.approx([3 * 0.1**2] * 10 + [3 * 1.1**2] * 2)


def test_swats_keeps_the_rate_of_sgd_through_a_schedule_and_a_resume():
    module = network()
    optimizer = optimizer_of("SWATS", module)
    group = optimizer.param_groups[0]
    for one in module.parameters():
        one.grad = torch.ones_like(one)
    optimizer.step()
    group["phase"], group["sgd_factor"] = "sgd", 50.0  # as if it had switched at 50 times the rate
    group["lr"] = group["initial_lr"] / 2
    before = module[0].bias[0].item()
    optimizer.step()
    # momentum begins: buffer = g, and the step is (1 − β₁)·buffer
    assert before - module[0].bias[0].item() == pytest.approx(50.0 * 1e-4 / 2 * 0.2, rel=1e-3)
    assert group["lr"] == 1e-4 / 2
    later = optimizer_of("SWATS", module)
    load_checked(later, optimizer.state_dict())
    assert (later.param_groups[0]["phase"], later.param_groups[0]["sgd_factor"]) == ("sgd", 50.0)


def test_a2grad_steps_by_its_rate():
    """The first gradient has not deviated from its mean: γ is 2L/2 = 1/r, and α₁ = ½, so the step is r·g·(½ + ½·1)."""
    module = nn.Linear(1, 1)
    optimizer = optimizer_of("A2Grad", module, learning_rate=1e-2)
    before = module.bias.item()
    module.weight.grad, module.bias.grad = torch.ones(1, 1), torch.full((1,), 2.0)
    optimizer.step()
    assert before - module.bias.item() == pytest.approx(1e-2 * 2.0, rel=1e-4)


def test_the_average_begins_at_half_of_the_run_and_is_the_mean_from_there():
    module = nn.Linear(1, 1)
    optimizer, path = optimizer_of("ASGD", module, total_steps=8), []
    for step in range(8):
        module.weight.grad, module.bias.grad = torch.ones(1, 1), torch.full((1,), float(step))
        optimizer.step()
        path.append(module.bias.item())
    with optimizer.evaluation_weights():
        shown = module.bias.item()
    assert module.bias.item() == path[-1]
    assert shown == pytest.approx(sum(path[5:]) / 3, rel=1e-5)  # torch weighs a step by what it worked out after the one before


def test_a_step_while_other_weights_are_shown_is_our_mistake():
    module = network()
    optimizer = trained("ScheduleFreeAdamW", module)
    with optimizer.evaluation_weights(), pytest.raises(AssertionError, match="train"):
        move(optimizer, module, Regression().loss(module))
    move(optimizer, module, Regression().loss(module))
    assert finite(module)


def test_evaluation_weights_inside_each_other_and_after_an_error_end_where_training_was():
    module = network()
    optimizer, before = trained("ScheduleFreeAdamW", module), weights_of(module)
    with pytest.raises(RuntimeError), optimizer.evaluation_weights():
        with optimizer.evaluation_weights():
            pass
        assert not same(before, module.parameters())
        raise RuntimeError
    assert same(before, module.parameters())
