"""Where a job stands, from its folder and its process: the words are right whatever happened."""

import json
import os
import subprocess
import sys

import psutil
import pytest

from rvc import jobs
from rvc.errors import RunError
from rvc.events import Ended, EventLog, Metrics, Note, Started


@pytest.fixture
def folder(tmp_path):
    return tmp_path


def log(folder, *events):
    for event in events:
        EventLog(folder / "events.jsonl").append(event)


def me() -> Started:
    return Started(pid=os.getpid(), process_started=psutil.Process().create_time())


def metrics(step: int, total: float = 1.0) -> Metrics:
    return Metrics(step=step, total_steps=9, epoch=1, epochs=3, steps_per_second=1.0, values={"loss/g/total": total})


def test_a_folder_without_events_is_new(folder):
    assert jobs.state(folder).status == "new"


def test_a_worker_that_lives_is_running(folder):
    log(folder, me(), metrics(2))
    assert jobs.state(folder).status == "running"


def test_a_worker_whose_pid_now_belongs_to_another_process_has_died(folder):
    log(folder, Started(pid=os.getpid(), process_started=psutil.Process().create_time() - 100))
    assert jobs.state(folder).status == "died"


def test_a_worker_that_is_gone_without_a_word_has_died_and_the_fix_is_said(folder):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    log(folder, Started(pid=gone.pid, process_started=1.0), metrics(2))
    state = jobs.state(folder)
    assert (state.status, state.step) == ("died", 2)
    assert "Resume" in state.message


def test_the_last_word_of_a_worker_stands_though_it_is_gone(folder):
    log(folder, Started(pid=1, process_started=1.0), Ended(outcome="failed", message="So.", fix="Thus."))
    assert (jobs.state(folder).status, jobs.state(folder).fix) == ("failed", "Thus.")


def test_a_launched_worker_is_starting_until_it_speaks_and_has_died_if_it_never_does(folder):
    log(folder, Started(pid=1, process_started=1.0), Ended(outcome="stopped"))
    position = EventLog(folder / "events.jsonl").end_position()
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    started = psutil.Process(child.pid).create_time()
    (folder / "worker.json").write_text(json.dumps({"pid": child.pid, "process_started": started, "events_from": position}))
    assert jobs.state(folder).status == "starting"
    child.communicate(b"\n")
    assert jobs.state(folder).status == "died"


def test_the_curves_are_thinned_and_keep_their_last_point(folder):
    log(folder, me(), *(metrics(step, float(step)) for step in range(1, 1001)))
    points = jobs.history(folder, ("loss/g/total", "loss/g/mel"), max_points=100)
    assert len(points) <= 101
    assert points[-1] == {"step": 1000, "tag": "loss/g/total", "value": 1000.0}
    assert [one["step"] for one in points] == sorted(one["step"] for one in points)


def test_a_resumed_attempt_replaces_the_steps_that_it_does_again(folder):
    log(folder, me(), metrics(1, 5.0), metrics(2, 4.0), Ended(outcome="stopped"), me(), metrics(2, 3.0))
    assert [one["value"] for one in jobs.history(folder, ("loss/g/total",))] == [5.0, 3.0]


def test_the_signature_changes_with_what_the_page_shows_and_only_then(folder):
    log(folder, me())
    before = jobs.signature(folder)
    assert jobs.signature(folder) == before
    log(folder, Note(message="Something."))
    assert jobs.signature(folder) != before


def test_the_log_tail_is_the_end_of_what_the_worker_printed(folder):
    assert jobs.log_tail(folder) == ""
    (folder / "worker.log").write_text("\n".join(f"line {i}" for i in range(500)), encoding="utf-8")
    assert jobs.log_tail(folder, 3).splitlines() == ["line 497", "line 498", "line 499"]


def test_a_log_that_begins_anew_is_read_from_its_beginning(folder):
    log(folder, me(), metrics(5), metrics(6))
    assert jobs.state(folder).step == 6
    (folder / "events.jsonl").unlink()
    log(folder, me())
    assert jobs.state(folder).step == 0


@pytest.fixture
def two_runs(home):
    """A run whose launch file is damaged, and one that is being trained."""
    for name in ("damaged", "well"):
        (home.logs / name).mkdir()
        (home.logs / name / "run.json").write_text("{}")
        log(home.logs / name, me())
    return home


@pytest.mark.parametrize("text", ["", "{", "[]", "7", "{}", '{"pid": "x", "process_started": 1, "events_from": 0}', "\udcff"])
def test_a_damaged_launch_file_is_told_by_its_own_run_and_hides_no_other(two_runs, text):
    (two_runs.logs / "damaged" / "worker.json").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(RunError, match=r"worker\.json is damaged.*Delete it"):
        jobs.state(two_runs.logs / "damaged")
    assert [folder.name for folder in jobs.active(two_runs)] == ["well"]
    assert {folder.name for folder in jobs.runs(two_runs)} == {"damaged", "well"}


def test_a_launch_file_that_becomes_damaged_or_whole_again_changes_the_signature(two_runs):
    folder = two_runs.logs / "damaged"
    before = jobs.signature(folder)
    (folder / "worker.json").write_text("{")
    damaged = jobs.signature(folder)
    (folder / "worker.json").unlink()
    assert damaged != before
    assert jobs.signature(folder) == before
    assert jobs.state(folder).status == "running"
