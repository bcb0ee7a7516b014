"""The optimizer lab in a worker of its own: stopped, gone on with, and its winner taken, all by the command line."""

import json
import os
from dataclasses import replace

import psutil
import pytest

from rvc import jobs
from rvc.events import Ended, Started
from rvc.train.lab.asked import Asked
from rvc.train.lab.record import LabFolder, Record
from rvc.train.run import TrainingRun
from rvc.train.stages import Plan
from tests.end_to_end.conftest import wait_for
from tests.train.conftest import make_run
from tests.train.lab.trials import trial
from tests.train.listening import hold_out

SMALLEST = ("--optimizers", "adamw", "LION", "--steps", "8", "--seeds", "1", "--factors", "1")  # two trials of four steps


@pytest.fixture(scope="module")
def run(shell) -> TrainingRun:
    """Its features are there, and say so."""
    made = make_run(shell.home, "lab rat")
    hold_out(made, 2)
    plan = Plan.of(made)
    made.record("preprocess", plan.preprocess, {"held_out": {}})
    made.record("extract", plan.extract, {})
    return made


def test_a_lab_is_stopped_and_gone_on_with(shell, run):
    lab = LabFolder.of(run)
    started = shell("lab", run.name, *SMALLEST, "--detach", "--json")
    assert (started.returncode, json.loads(started.stdout)["status"]) == (0, "starting")
    wait_for(lambda: jobs.state(lab.folder).done, 240, what="a step")
    assert jobs.stop(lab.folder, wait_seconds=240)
    assert jobs.state(lab.folder).status == "stopped"
    assert not lab.record().complete
    document = shell.json("lab", run.name, "--resume")
    assert (document["status"], document["steps"], len(document["standings"])) == ("finished", 8, 2)
    assert document["verdict"]["sentence"] == document["message"]
    assert not run.events.path.exists()
    assert run.checkpoint_steps() == []


def test_while_a_lab_is_at_work_the_run_is_not_trained_and_stop_means_the_lab(shell, run):
    lab = LabFolder.of(run)
    with run.held_by_lab():
        busy = shell("train", run.name)
    assert (busy.returncode, busy.stderr) == (1, "The optimizer lab is at work on 'lab rat'. Stop it first, or wait until it has ended.\n")
    lab.events.append(Started(pid=os.getpid(), process_started=psutil.Process().create_time()))
    asked = shell("stop", run.name, "--wait-seconds", "0")
    assert (asked.returncode, "has not ended within 0 seconds" in asked.stderr) == (1, True)
    assert (lab.stop_file.exists(), run.stop_file.exists()) == (True, False)
    lab.events.append(Ended(outcome="stopped"))


def test_what_a_person_may_ask_wrongly_is_answered_in_a_sentence(shell, run):
    for arguments, code, sentence in (
        (("nobody",), 1, "There is no run 'nobody'."),
        ((run.name, "--optimizers", "Lyon", "AdamW"), 2, "There is no optimizer 'Lyon'. Did you mean Lion"),
        ((run.name, "--resume", "--steps", "9"), 2, "A lab goes on as it was begun"),
    ):
        done = shell("lab", *arguments)
        assert (done.returncode, done.stderr[: len(sentence)], done.stdout) == (code, sentence, "")


def test_the_winner_is_taken_and_no_winner_is_not(shell, run):
    lab = LabFolder.of(run)
    finals = {"Lion": (1.0, 1.01), "AdamW": (1.5, 1.52)}
    won = tuple(trial(name, value, seed=seed) for name, values in finals.items() for seed, value in enumerate(values, start=1))
    record = Record(Asked(("Lion", "AdamW"), 16, 2, (1.0,)), "mark", 2.0, "CPU", 100, 1.0, (won,))
    lab.write(record)
    told = shell("lab", run.name, "--apply")
    assert (told.returncode, told.stderr) == (0, "lab rat trains with Lion from now on, at a rate of 0.0001.\n")
    assert "Lion wins" in told.stdout
    assert TrainingRun.open(run.folder).settings.fit.optimizer == "Lion"
    lab.write(replace(record, rounds=(won[:2],)))
    refused = shell("lab", run.name, "--apply")
    assert (refused.returncode, "The lab is not finished, so nobody has won yet. Resume it.\n" in refused.stderr) == (1, True)
