"""The optimizer lab on the page: what it shows of a folder, what it refuses in words, and whose setting the winner becomes."""

import json
import os
from dataclasses import replace

import gradio as gr
import psutil
import pytest

from rvc import jobs
from rvc.errors import RunBusyError, RunError, SettingsError
from rvc.events import Ended, Progress, Stage, Started
from rvc.settings import from_flat
from rvc.train.lab.asked import Asked
from rvc.train.lab.record import LabFolder, Record
from rvc.train.run import Resolved, TrainingRun
from rvc.train.settings import TrainingSettings
from tabs import curves, lab
from tabs.curves import Compared
from tabs.studio import Studio
from tests.train.lab.trials import trial

WON = {"Lion": [1.0, 1.1, 1.0], "AdamW": [1.5, 1.6, 1.5]}


@pytest.fixture
def studio(home):
    return Studio(home)


@pytest.fixture
def run(home) -> TrainingRun:
    settings = from_flat(TrainingSettings, {"embedder": "builtin", "model_size": "tiny", "base_model": "scratch"})
    made = TrainingRun(home.logs / "mara", settings, Resolved("builtin", "fcpe", "scratch"), "")
    made.write()
    return made


def put(run: TrainingRun, outcome: str = "finished", **finals: list[float]) -> Record:
    """A lab of which only the last round was needed, and its worker's last words."""
    asked = Asked(tuple(finals), 3 * len(finals) * 10, 3, (1.0,))
    trials = [trial(name, value, seed=seed) for name, values in finals.items() for seed, value in enumerate(values, start=1)]
    record = Record(asked, "mark", 2.0, "CPU", 100, 90.0, (tuple(trials),))
    LabFolder.of(run).write(record)
    say(run, Started(pid=1, process_started=1.0), Ended(outcome=outcome, message="So it is."))
    return record


def say(run: TrainingRun, *events) -> None:
    for event in events:
        LabFolder.of(run).events.append(event)


def test_a_winner_is_shown_with_its_interval_and_a_button_that_takes_it(studio, run):
    put(run, **WON)
    seen = lab.Seen.of(studio, "mara")
    assert (seen.use, seen.active, seen.can_resume) == ("Train with Lion", False, False)
    assert "Lion wins: it is nearer than AdamW, the next, by 0.500" in seen.html
    assert "1.033 ± 0.143" in seen.html
    assert [one.split('"')[0] for one in seen.html.split('data-optimizer="')[1:]] == ["Lion", "AdamW"]
    assert seen.html.count('<figure class="tm-curve"') == 2


def test_the_winner_becomes_the_runs_setting_and_is_not_offered_again(studio, run):
    put(run, **WON)
    changed, winner = studio.use_winner("mara")
    assert (winner.optimizer, TrainingRun.open(run.folder).settings.fit.optimizer) == ("Lion", "Lion")
    assert changed.settings.fit.learning_rate == winner.learning_rate
    assert lab.Seen.of(studio, "mara").use == ""


def test_without_a_clear_winner_there_is_no_button(studio, run):
    put(run, Lion=[1.0, 1.5, 1.2], AdamW=[1.1, 1.4, 1.3])
    seen = lab.Seen.of(studio, "mara")
    assert (seen.use, "No clear winner." in seen.html) == ("", True)
    with pytest.raises(RunError, match="No clear winner"):
        studio.use_winner("mara")


def test_a_lab_at_work_shows_what_is_under_way_and_can_be_stopped_only(studio, run):
    record = put(run, **WON)
    LabFolder.of(run).write(replace(record, rounds=(record.rounds[0][:2],)))
    me = psutil.Process()
    say(run, Started(pid=os.getpid(), process_started=me.create_time()), Stage(stage="lab", status="started"),
        Progress(stage="lab", done=25, total=60, unit="steps", message="round 1 of 1: <Lion>, seed 3 of 3"))
    seen = lab.Seen.of(studio, "mara")
    assert (seen.active, seen.can_resume, seen.use) == (True, False, "")
    assert "&lt;Lion&gt;, seed 3 of 3" in seen.html
    assert 'aria-valuenow="42"' in seen.html
    assert "25 / 60" in seen.html
    assert "3 min" in seen.html  # 40 of 60 steps are left, at 90 seconds for the 20 that are written down
    with pytest.raises(RunBusyError, match="The optimizer lab is at work on 'mara'"):
        jobs.launch(run)
    LabFolder.of(run).stop_file.touch()
    assert lab.Seen.of(studio, "mara").stop_words == "Stop now"


@pytest.mark.parametrize(("outcome", "words"), [("stopped", "So it is."), ("failed", "So it is.")])
def test_a_lab_that_ended_early_keeps_what_it_found_and_can_go_on(studio, run, outcome, words):
    record = put(run, outcome, **WON)
    LabFolder.of(run).write(replace(record, rounds=(record.rounds[0][:4],)))
    seen = lab.Seen.of(studio, "mara")
    assert (seen.active, seen.can_resume, seen.use) == (False, True, "")
    assert words in seen.html
    assert 'data-optimizer="AdamW"' in seen.html


def test_what_broke_is_told_with_its_reason_and_escaped(studio, run):
    record = put(run, **WON)
    broke = (*record.rounds[0][:3], *(trial("AdamW", failure="<NaN>", seed=seed) for seed in (1, 2, 3)))
    LabFolder.of(run).write(replace(record, rounds=(broke,)))
    shown = lab.Seen.of(studio, "mara").html
    assert "AdamW: &lt;NaN&gt;" in shown
    assert "<NaN>" not in shown
    assert "Lion alone got through" in shown


def test_a_damaged_lab_is_a_sentence_in_its_place(studio, run):
    put(run, **WON)
    LabFolder.of(run).path.write_text("{", encoding="utf-8")
    seen = lab.Seen.of(studio, "mara")
    assert "are damaged" in seen.html
    assert "Start the lab anew" in seen.html


def test_no_run_and_no_lab_show_nothing(studio, run):
    assert lab.Seen.of(studio, None) == lab.Seen()
    assert lab.Seen.of(studio, "nobody") == lab.Seen()
    assert lab.Seen.of(studio, "mara").html == ""


def test_the_cost_is_told_before_and_the_time_as_soon_as_it_is_known(studio, run):
    said = lab.estimate(studio, "mara", ["Lion", "AdamW"], 600, 3)
    assert "12 trials in 2 rounds of 33, 67 steps each." in said
    assert "when the first trial is done" in said
    put(run, **WON)
    assert "About 15 min, at the pace of this run&#x27;s last lab." in lab.estimate(studio, "mara", ["Lion", "AdamW"], 600, 3)
    assert "71 steps are too few" in lab.estimate(studio, "mara", ["Lion", "AdamW"], 71, 3)
    assert "Nothing is chosen" in lab.estimate(studio, None, [], 600, 3)


def test_what_cannot_be_started_is_refused_and_leaves_nothing_behind(studio, run):
    asked = Asked.of(("Lion", "AdamW"), 600, 3)
    with pytest.raises(RunError, match="no run"):
        studio.start_lab("nobody", asked)
    with pytest.raises(SettingsError, match="Nothing is chosen"):
        lab._asked([], 600, 3)
    with run.held(), pytest.raises(RunBusyError, match="being trained already"):
        studio.start_lab("mara", asked)
    run.record("extract", "x", {})
    with pytest.raises(RunError, match="held out"):
        studio.start_lab("mara", asked)
    assert not LabFolder.of(run).path.exists()


def test_curves_side_by_side_share_one_scale():
    low, high = ([(0, 2.0), (10, 1.0)], [(0, 2.0), (10, 3.0)])
    drawn = curves.side_by_side([Compared("A & B", [low, low], low), Compared("C", [high], high)])
    assert drawn.count("tm-smooth") == 2
    assert drawn.count("tm-raw") == 2  # a single attempt is its own mean
    assert 'd="M0.0 45.0L300.0 90.0"' in drawn
    assert 'd="M0.0 45.0L300.0 0.0"' in drawn
    assert "A &amp; B" in drawn
    assert curves.side_by_side([]) == ""


def test_the_lab_is_built_without_a_wiring_warning(studio):
    with gr.Blocks():
        made = lab.Lab()
    assert len(made.of(studio, None)) == len(made.view)
    assert json.dumps(made.names.value)
