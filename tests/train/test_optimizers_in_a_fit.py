"""Optimizers in a real fit: saved weights are the ones to be heard, resume is exact, and a change is told."""

import pytest
import torch

from rvc import checkpoint
from rvc.events import Note
from rvc.optimizers.registry import OPTIMIZERS, for_discriminator
from rvc.train import new_run
from rvc.train.data.clips import ClipList
from rvc.train.fit import FitReport
from rvc.train.run import TrainingRun
from tests.train.test_fit import fit, losses, weights_hash

pytestmark = pytest.mark.usefixtures("thin")

every = pytest.mark.parametrize("name", OPTIMIZERS)
# One of each way to be different: weights to show, a rate of its own, two optimizers in one, curvature, no decay, an average.
DIFFERENT = ["ScheduleFreeAdamW", "Prodigy", "Muon", "Sophia", "A2Grad", "Shampoo"]


@every
def test_an_epoch_with_it_ends_in_a_voice_that_can_be_loaded(tiny_run, name):
    """The shortest fit there is: one clip, one step, saved and exported."""
    run = tiny_run(epochs=1, batch_size=1, optimizer=name)
    ClipList(tuple(ClipList.read(run.filelist))[:1]).write(run.filelist)
    assert fit(run)[-1] == FitReport(epoch=1, step=1, stopped=False)
    voice = torch.load(run.voices()[-1], weights_only=True)["weight"]
    assert all(bool(torch.isfinite(one).all()) for one in voice.values())
    assert checkpoint.read(run.checkpoint("G", 1))["optimizer"]["name"] == name
    assert checkpoint.read(run.checkpoint("D", 1))["optimizer"]["name"] == for_discriminator(name).name


@pytest.mark.parametrize("name", DIFFERENT)
def test_stopping_inside_an_epoch_and_resuming_equals_never_stopping(tiny_run, name):
    whole, parted = tiny_run("whole", epochs=1, optimizer=name), tiny_run("parted", epochs=1, optimizer=name)
    expected = losses(fit(whole))
    first = fit(parted, stop_after=2)
    assert losses(first) + losses(fit(parted)) == expected
    assert models(parted, 3) == models(whole, 3)


def models(run: TrainingRun, step: int) -> str:
    return weights_hash(run, step) if run.settings.fit.optimizer != "Shampoo" else _weights(run, step)


def _weights(run: TrainingRun, step: int) -> str:
    """Of the networks alone: the state of some optimizers is not a flat table of tensors."""
    return str([one.double().sum().item() for kind in "GD" for one in checkpoint.read(run.checkpoint(kind, step))["model"].values()])


def test_what_is_saved_and_exported_are_the_weights_to_be_heard(tiny_run):
    run = tiny_run(epochs=1, optimizer="ScheduleFreeAdamW")
    fit(run)
    saved = checkpoint.read(run.checkpoint("G", 3))
    content = torch.load(run.voices()[-1], weights_only=True)
    assert content["weights_are"] == "mean of the trained ones (ScheduleFreeAdamW)"
    voice = content["weight"]
    assert all(torch.equal(one, saved["model"][name].half()) for name, one in voice.items())
    trained = saved["optimizer"]["training_weights"]
    assert trained, "beside them the weights in training are kept"
    shown = list(saved["model"].values())
    assert any(not torch.equal(trained[place], shown[place]) for place in trained if trained[place].shape == shown[place].shape)


def test_another_optimizer_on_resume_begins_anew_and_says_so(tiny_run, home):
    run = tiny_run(epochs=1)
    fit(run)
    changed = run.settings.fit.model_copy(update={"epochs": 2, "optimizer": "Lion"})
    longer = new_run.create(home, "demo", run.settings.model_copy(update={"fit": changed}))
    items = fit(longer)
    assert items[-1] == FitReport(epoch=2, step=6, stopped=False)
    warnings = [one.message for one in items if isinstance(one, Note) and one.level == "warning"]
    assert [one for one in warnings if "begins with an empty state" in one] == [
        f"{network} was trained with AdamW so far; Lion begins with an empty state." for network in "GD"]
