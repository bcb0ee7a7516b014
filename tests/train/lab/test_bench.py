"""Trials: the same for everyone but for the optimizer, repeatable to the bit, honest about what broke."""

import json
import math
from dataclasses import replace

import pytest

from rvc import checkpoint
from rvc.errors import RunError, TrainingError
from rvc.train.data.clips import ClipList
from rvc.train.fit import Fit
from rvc.train.lab.bench import Bench
from rvc.train.lab.trial import Trial
from rvc.train.run import TrainingRun
from tests.train.listening import CPU, hold_out


@pytest.fixture
def run(tiny_run) -> TrainingRun:
    found = tiny_run(epochs=1)
    hold_out(found, 2)
    return found


@pytest.fixture
def bench(run, home) -> Bench:
    return bench_of(run, home)


def bench_of(run: TrainingRun, home) -> Bench:
    *_, bench = Bench.of(run, home, CPU)
    return bench


def tried(bench: Bench, name: str, seed: int = 1, steps: int = 2, points: int = 1, factor: float = 1.0) -> Trial:
    *_, trial = bench.trial(bench.candidate(name, factor), seed, steps, points)
    return trial


def test_a_trial_can_be_repeated_to_the_bit_and_another_seed_is_another_trial(bench):
    first, again, other = tried(bench, "Lion", points=2), tried(bench, "Lion", points=2), tried(bench, "Lion", seed=2, points=2)
    assert [one.held_out for one in first.curve] == [one.held_out for one in again.curve]
    assert first.held_out != other.held_out
    assert first.curve[0].held_out == other.curve[0].held_out == bench.before


def test_scoring_on_the_way_changes_nothing(bench):
    often, once = (tried(bench, "ScheduleFreeAdamW", points=points) for points in (2, 1))
    assert often.held_out == once.held_out
    assert [one.step for one in often.curve] == [0, 1, 2]
    assert [one.step for one in once.curve] == [0, 2]


def test_a_trial_takes_the_very_steps_that_the_fit_takes(run, home, bench):
    trial = tried(bench, "AdamW", seed=run.settings.fit.seed)
    assert list(Fit(run, home, lambda: False).events())[-1].step == 2
    assert trial.held_out == bench_of(run, home).before  # which begins with the checkpoint of that fit


def test_a_trial_tells_its_steps_and_costs(bench):
    *steps, trial = bench.trial(bench.candidate("AdamW"), 1, 2, 1)
    assert steps == [1, 2]
    assert trial.state_bytes == pytest.approx(8 * bench.parameters(), rel=0.01)
    assert trial.seconds_per_step > 0
    assert trial.cpu_seconds_per_step > 0
    assert trial.peak_bytes is None


def test_a_rate_that_breaks_the_networks_is_a_result_with_its_reason(bench):
    trial = tried(bench, "SGD", steps=3, points=3, factor=1e4)
    assert math.isnan(trial.held_out)
    assert "became" in trial.failure or "numbers" in trial.failure
    assert trial.curve[0].held_out == bench.before


def test_memory_that_runs_out_is_a_result_too_and_the_next_trial_is_as_ever(bench, monkeypatch):
    expected = tried(bench, "Lion").held_out

    def too_small(*_):
        raise RuntimeError("DefaultCPUAllocator: not enough memory")

    with monkeypatch.context() as patch:
        patch.setattr("rvc.train.fitting.step.Stepper._pass", too_small)
        assert "memory is too small" in tried(bench, "Lion").failure
    assert tried(bench, "Lion").held_out == expected


def test_a_run_that_learnt_begins_with_its_newest_checkpoint_and_a_trial_leaves_the_folder_alone(run, home):
    list(Fit(run, home, lambda: False).events())
    before = {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in run.folder.rglob("*")}
    bench = bench_of(run, home)
    tried(bench, "Lion")
    saved = checkpoint.read(run.checkpoint("G", 2))["model"]
    assert set(bench.weights.generator["model"]) == set(saved)
    assert {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in run.folder.rglob("*")} == before


def test_a_trial_survives_its_file(bench):
    for trial in (tried(bench, "AdamW", points=2), tried(bench, "SGD", factor=1e4), replace(tried(bench, "AdamW"), peak_bytes=7)):
        assert Trial.from_json(json.loads(json.dumps(trial.as_json(), allow_nan=False))) == trial


def test_what_cannot_be_compared_is_refused_in_words(tiny_run, home):
    run = tiny_run("whole")
    with pytest.raises(RunError, match=r"No recording of 'whole' is held out.*held_out_percent"):
        bench_of(run, home)
    hold_out(run, 4)
    assert len(ClipList.read(run.filelist)) == 1
    with pytest.raises(TrainingError, match="batch_size of 2 is larger than the 1 clips"):
        bench_of(run, home)


def test_a_candidate_is_what_the_run_says_where_it_is_the_runs_own_and_its_defaults_elsewhere(tiny_run, home):
    run = tiny_run(optimizer="Prodigy", optimizer_options="d_coef=0.5", learning_rate=2.0)
    hold_out(run, 2)
    bench = bench_of(run, home)
    own, other = bench.candidate("prodigy", 3.0), bench.candidate("Lion")
    assert (own.optimizer, own.optimizer_options, own.learning_rate) == ("Prodigy", "d_coef=0.5", 6.0)
    assert (other.optimizer, other.optimizer_options, other.factor) == ("Lion", "", 1.0)
    settings = run.settings.fit.model_copy(update=other.settings)
    assert (settings.optimizer, settings.learning_rate, settings.optimizer_options) == ("Lion", other.learning_rate, "")
