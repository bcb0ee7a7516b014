"""A lab on a tiny run: stopped at any step it goes on as if it had not been, and the run is left as it was."""

import json

import pytest

from rvc.errors import FormatError, NonFiniteLossError, RunBusyError, RunError, TrainingError
from rvc.events import Ended, Note, Progress
from rvc.train.fitting.step import Stepper
from rvc.train.lab.apply import applied, has_already, winner_of
from rvc.train.lab.asked import Asked
from rvc.train.lab.experiment import Experiment
from rvc.train.lab.halving import FEWEST_STEPS, fewest
from rvc.train.lab.record import LabFolder, Record
from rvc.train.run import TrainingRun
from rvc.train.stages import Plan
from tests.train.lab.trials import trial
from tests.train.listening import hold_out

TWO = Asked(("AdamW", "SGD"), fewest(2, 1, 1), 1, (1.0,))  # two trials of four steps: the smallest lab there is


@pytest.fixture
def run(tiny_run) -> TrainingRun:
    """Its features are there, and say so."""
    found = tiny_run()
    hold_out(found, 2)
    plan = Plan.of(found)
    found.record("preprocess", plan.preprocess, {"held_out": {}})
    found.record("extract", plan.extract, {})
    return found


def work(run: TrainingRun, home, stop_after: int = 10_000) -> list:
    asked = iter(range(10_000))
    return list(Experiment(run, home, lambda: next(asked) >= stop_after).events())


def distances(record: Record) -> list[list[float]]:
    return [[one.held_out for one in trials] for trials in record.rounds]


def test_a_lab_stopped_at_a_step_and_resumed_finds_what_one_finds_that_never_stopped(run, home):
    lab = LabFolder.of(run)
    lab.begin(TWO)
    events = work(run, home)
    whole = lab.record()
    assert whole.complete
    assert events[-1] == Ended(outcome="finished", message=whole.verdict.sentence, time=events[-1].time)
    assert [one.steps for one in whole.rounds[0]] == [FEWEST_STEPS] * 2
    assert len(whole.rounds[0][0].curve) == 5  # four steps, each of them looked at, and the beginning
    lab.begin(TWO)
    assert (lab.record().rounds, lab.record().seconds_left) == ((), None)
    stopped = work(run, home, stop_after=FEWEST_STEPS + 2)
    assert (stopped[-1].outcome, len(lab.record().rounds[0])) == ("stopped", 1)
    assert lab.record().seconds_left > 0
    work(run, home)
    assert distances(lab.record()) == distances(whole)


def test_a_lab_leaves_the_run_as_it_was_and_says_what_is_under_way(run, home):
    def seen() -> dict:
        return {path: path.read_bytes() for path in run.folder.rglob("*") if path.is_file() and run.lab not in path.parents}

    LabFolder.of(run).begin(TWO)
    before = seen()
    told = [one for one in work(run, home, stop_after=FEWEST_STEPS + 1) if isinstance(one, Progress)]
    assert seen() == before
    assert (told[0].stage, told[0].done, told[0].total, told[0].unit) == ("lab", 1, 2 * FEWEST_STEPS, "steps")
    assert told[0].message == "round 1 of 1: AdamW"


def test_what_breaks_is_a_result_and_a_warning(run, home, monkeypatch):
    def broken(self, *_):
        if self.state.optimizer_g.name == "SGD":
            raise NonFiniteLossError("The loss of the generator became nan.")
        return original(self, *_)

    original = Stepper.step
    monkeypatch.setattr("rvc.train.fitting.step.Stepper.step", broken)
    LabFolder.of(run).begin(TWO)
    warnings = [one.message for one in work(run, home) if isinstance(one, Note) and one.level == "warning"]
    assert warnings == ["SGD broke: The loss of the generator became nan."]
    record = LabFolder.of(run).record()
    assert record.failures == ["SGD: The loss of the generator became nan."]
    assert record.verdict.sentence.startswith("AdamW alone got through")
    with pytest.raises(RunError, match="alone got through"):
        winner_of(record)


def test_a_run_that_changed_meanwhile_is_not_gone_on_with(run, home):
    lab = LabFolder.of(run)
    lab.begin(TWO)
    work(run, home, stop_after=FEWEST_STEPS + 1)
    fit = run.settings.fit.model_copy(update={"batch_size": 1})
    changed = TrainingRun(run.folder, run.settings.model_copy(update={"fit": fit}), run.resolved, run.created)
    with pytest.raises(RunError, match="has changed since this lab began"):
        work(changed, home)
    longer = run.settings.model_copy(update={"fit": run.settings.fit.model_copy(update={"epochs": 99})})
    assert work(TrainingRun(run.folder, longer, run.resolved, run.created), home)[-1].outcome == "finished"


# -- what needs no network ---------------------------------------------------------------------------------------------------------


def finished(**finals: list[float]) -> Record:
    """A lab of which only the last round was needed."""
    asked = Asked(tuple(finals), 3 * len(finals) * 10, 3, (1.0,))
    trials = tuple(trial(name, value, seed=seed) for name, values in finals.items() for seed, value in enumerate(values, start=1))
    return Record(asked, "mark", 2.0, "CPU", 100, 12.0, (trials,))


def test_a_record_survives_its_file(tmp_path, run):
    record = finished(Lion=[1.0, 1.1, 1.0], AdamW=[1.5, 1.6, 1.4])
    LabFolder.of(run).write(record)
    assert LabFolder.of(run).record() == record


@pytest.mark.parametrize("damage", [
    lambda content: content[:100], lambda content: b"[]", lambda content: content.replace(b'"format": 1', b'"format": 7'),
    lambda content: content.replace(b'"seconds": 12.0', b'"seconds": "soon"'), lambda content: b"\xff\xfe",
    lambda content: content.replace(b'"rounds": [[', b'"rounds": [[], [], [')])
def test_a_damaged_record_is_told_and_a_new_lab_takes_its_place(run, damage):
    lab = LabFolder.of(run)
    lab.write(finished(Lion=[1.0], AdamW=[1.5]))
    lab.path.write_bytes(damage(lab.path.read_bytes()))
    with pytest.raises(FormatError, match=r"results of the lab.*are damaged.*Start the lab anew"):
        lab.record()
    lab.begin(TWO)
    assert lab.record() == Record(TWO)


def test_a_lab_is_refused_where_nothing_can_be_compared_and_the_one_before_stays(tiny_run, run):
    lab = LabFolder.of(run)
    lab.begin(TWO)
    before = lab.path.read_bytes()
    with run.held(), pytest.raises(RunBusyError, match="'demo' is being trained already"):
        lab.begin(TWO)
    with run.held_by_lab(), pytest.raises(RunBusyError, match="The optimizer lab is at work on 'demo'"):
        lab.begin(TWO)
    hold_out(run, 3)
    with pytest.raises(TrainingError, match="batch_size of 2 is larger than the 0 clips"):
        lab.begin(TWO)
    assert lab.path.read_bytes() == before
    with pytest.raises(RunError, match="No recording of 'other' is held out"):
        LabFolder.of(tiny_run("other", held_out_percent=0)).begin(TWO)
    with pytest.raises(RunError, match="There was no optimizer lab in 'third' yet"):
        LabFolder.of(tiny_run("third")).found()


def test_the_winner_becomes_the_runs_setting_and_nothing_else_changes(run, home):
    winner = winner_of(finished(Lion=[1.0, 1.1, 1.0], AdamW=[1.5, 1.6, 1.5]))
    assert not has_already(run, winner)
    changed = applied(run, home, winner)
    assert TrainingRun.open(run.folder).settings == changed.settings
    assert has_already(changed, winner)
    fit = changed.settings.fit
    assert (fit.optimizer, fit.learning_rate, fit.learning_rate_d) == ("Lion", 1e-4, 1e-4)
    back = run.settings.fit.model_copy(update=winner.settings)
    assert changed.settings == run.settings.model_copy(update={"fit": back})
    with pytest.raises(RunError, match="not finished"):
        winner_of(Record(TWO))


def test_those_that_left_are_told_with_how_far_they_came():
    asked = Asked(("A", "B", "C", "D", "E"), 3000, 1, (1.0,))
    first = tuple(trial(name, value) for name, value in zip("ABCD", (0.5, 0.1, 0.4, 0.2), strict=True))
    record = Record(asked, "mark", 2.0, "CPU", 100, 1.0, ((*first, trial("E", failure="x")),))
    assert [(place, one.candidate.optimizer) for place, one in record.others()] == [(0, "B"), (0, "D"), (0, "C"), (0, "A"), (0, "E")]
    assert (record.complete, record.planned(1)) == (False, 3)
    last = tuple(trial(name, value, seed=1) for name, value in zip("BDC", (0.3, 0.2, 0.1), strict=True))
    record = Record(asked, "mark", 2.0, "CPU", 100, 1.0, (*record.rounds, last))
    assert record.complete
    assert [one.candidate.optimizer for one in record.standings] == ["C", "D", "B"]
    assert [one.candidate.optimizer for _, one in record.others()] == ["A", "E"]


def test_when_everything_breaks_at_once_the_lab_is_over(tmp_path):
    asked = Asked(("A", "B"), 600, 3)
    rates = tuple(trial(name, failure="x", factor=factor) for name in "AB" for factor in (0.3, 1.0, 3.0))
    record = Record(asked, "mark", 2.0, "CPU", 100, 1.0, (rates,))
    assert record.complete
    assert (record.verdict.kind, record.standings, len(record.others())) == ("broken", [], 2)
    assert json.dumps(record.as_json())
