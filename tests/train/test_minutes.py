"""A fit of so many minutes: it ends as a fit that is over, with a checkpoint and everything that comes after."""

import time

import pytest

from rvc.errors import SettingsError
from rvc.events import Ended, Metrics, Saved
from rvc.paths import Home
from rvc.settings import from_flat
from rvc.train import stages
from rvc.train.fit import Fit, FitReport, TimeLimit
from rvc.train.settings import TrainingSettings


def never() -> bool:
    return False


def events(run, stop=never) -> list:
    return list(Fit(run, Home(run.folder.parent.parent), stop).events())


@pytest.fixture
def clock(monkeypatch):
    """Every look at the time is ten seconds after the one before."""
    seconds = iter(range(0, 1_000_000, 10))
    monkeypatch.setattr("rvc.train.fit.time.monotonic", lambda: float(next(seconds)))


def test_a_limit_of_no_minutes_is_none(clock):
    assert not any(TimeLimit(0)() for _ in range(1000))


def test_a_limit_is_reached_when_its_minutes_are_over(clock):
    limit = TimeLimit(1)
    assert [limit() for _ in range(7)] == [False] * 5 + [True] * 2


def test_the_fit_ends_inside_an_epoch_with_a_checkpoint_and_is_not_stopped(tiny_run, clock):
    run = tiny_run(epochs=1000, minutes=1)
    *seen, report = events(run)
    assert isinstance(report, FitReport) and not report.stopped
    steps = sum(isinstance(one, Metrics) for one in seen)
    assert 0 < steps < 20
    assert run.checkpoint_steps() == [report.step] == [steps]


def test_however_short_the_time_one_step_is_taken(tiny_run):
    run = tiny_run(epochs=1000, minutes=1e-9)
    *_, report = events(run)
    assert (report.step, report.stopped) == (1, False)


def test_one_that_is_stopped_before_its_time_is_stopped(tiny_run):
    run = tiny_run(epochs=1000, minutes=1000)
    began = time.monotonic()
    *_, report = events(run, stop=lambda: time.monotonic() > began)
    assert report.stopped


def test_the_same_run_goes_on_where_it_was(tiny_run):
    run = tiny_run(epochs=1000, minutes=1e-9)
    assert [events(run)[-1].step for _ in range(2)] == [1, 2]


def test_the_index_and_the_voice_are_made_when_the_time_is_over(tiny_run, home, monkeypatch):
    run = tiny_run(epochs=1000, minutes=1e-9)
    for name in ("_preprocess", "_extract"):  # their work is there
        monkeypatch.setattr(stages, name, lambda *_: iter([{}]))
    seen = list(stages.run_stages(run, home, never))
    assert {one.what for one in seen if isinstance(one, Saved)} >= {"checkpoint", "index", "voice"}
    assert isinstance(seen[-1], Ended) and seen[-1].outcome == "finished"


def test_a_negative_time_is_refused():
    with pytest.raises(SettingsError, match="minutes"):
        from_flat(TrainingSettings, {"minutes": -1})
