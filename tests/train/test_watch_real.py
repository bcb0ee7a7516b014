"""The run doctor on real training of the tiny network: it is quiet when all is well, and finds what was done to the settings."""

from collections.abc import Iterator

import pytest
import torch

from rvc.device import FP32
from rvc.events import Finding, Metrics
from rvc.models.config import config_for
from rvc.paths import Home
from rvc.train.data.clips import ClipList
from rvc.train.fit import Fit
from rvc.train.fitting import watch
from rvc.train.fitting.board import NoBoard
from rvc.train.fitting.dataset import ClipDataset
from rvc.train.fitting.state import TrainingState
from rvc.train.fitting.trainer import Trainer
from rvc.train.fitting.watch import RECENT, RunDoctor
from rvc.train.run import TrainingRun
from tests.train.conftest import make_run

STEPS = 12


@pytest.fixture(autouse=True)
def judged_early(monkeypatch):
    """What needs fifty steps is judged after twelve, which are as good for the tiny network and take a quarter of the time."""
    monkeypatch.setattr(watch, "FROZEN_STEPS", STEPS)
    monkeypatch.setattr(watch, "CLIPPED_RECENT", STEPS)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> TrainingRun:
    """Only its clips are used."""
    return make_run(Home(tmp_path_factory.mktemp("watched")), "demo")


def trained(run: TrainingRun, steps: int, **changed) -> Iterator[Metrics]:
    """The metrics of ``steps`` steps. ``changed`` settings of the fit are not validated: the form would refuse some."""
    fit = run.settings.fit.model_copy(update={"epochs": 1000, "batch_size": 1, **changed})
    config, device = config_for("v2", run.settings.data.sample_rate, size="tiny"), torch.device("cpu")
    state = TrainingState.fresh(config, fit, device, needs_scaler=False)
    trainer = Trainer(state, ClipDataset(run, config, list(ClipList.read(run.filelist))), device, FP32)
    for event in trainer.run(NoBoard(), lambda: state.step >= steps):
        if isinstance(event, Metrics):
            yield event


def found(run: TrainingRun, steps: int, *, fine_tune: bool = False, **changed) -> list[Finding]:
    doctor = RunDoctor(fine_tune=fine_tune, n_critics=9, learning_rate=changed.get("learning_rate", 1e-4))
    return [finding for metrics in trained(run, steps, **changed) for finding in doctor.examine(metrics)]


@pytest.mark.parametrize("seed", range(20))
def test_a_healthy_tiny_run_raises_nothing(run, seed):
    assert found(run, 5, seed=seed) == []


def test_a_healthy_run_raises_nothing_when_its_first_steps_are_judged(run):
    assert found(run, STEPS + 1) == []


def test_a_rate_ten_thousand_times_too_small_is_frozen_and_a_limit_hit_at_every_step_is_told(run):
    """A gradient limit by itself does not freeze anything: Adam's steps do not depend on the size of the gradient."""
    findings = {one.code: one for one in found(run, STEPS, learning_rate=1e-8, clip_generator=1e-3)}
    assert findings.keys() == {"frozen", "clipping_g"}
    for part in ("enc_p", "enc_q", "flow", "dec", "emb_g", "critic 0, 1, 2, 3, 4, 5, 6, 7, 8"):
        assert part in findings["frozen"].message
    assert "100%" in findings["clipping_g"].message


def test_large_gradients_of_a_fine_tune_are_told(run):
    assert [one.code for one in found(run, RECENT, fine_tune=True, mel_weight=1000.0)] == ["gradient_g"]


def test_a_fit_with_a_learning_rate_that_is_far_too_large_says_so_at_its_first_step(tiny_run, home):
    """Through the fit itself, as the worker runs it: the finding comes right after the metrics that show it."""
    run, seen = tiny_run(epochs=1, learning_rate=0.1), []
    for item in Fit(run, home, lambda: any(isinstance(one, Finding) for one in seen)).events():
        seen.append(item)
    place = next(i for i, one in enumerate(seen) if isinstance(one, Finding))
    assert (seen[place].code, seen[place].step) == ("exploding", 1)
    assert isinstance(seen[place - 1], Metrics)
