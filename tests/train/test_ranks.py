"""A fit on several devices: the same losses as on one, and no process that fails in silence."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import psutil
import pytest

from rvc.errors import TrainingError
from rvc.events import Ended, EventLog, Metrics, Saved, Started
from rvc.paths import PROJECT, Home
from rvc.train import new_run
from rvc.train.fit import Fit, FitReport
from rvc.train.processes.ranked import RankedFit
from rvc.train.run import TrainingRun
from tests.train.conftest import make_run

STEPS_PER_EPOCH = 3  # five clips in batches of two: the last one leaves a process without a clip


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def home_of(run: TrainingRun) -> Home:
    return Home(run.folder.parent.parent)


@pytest.fixture(scope="module")
def pair(tmp_path_factory) -> tuple[TrainingRun, list, list]:
    """A run fitted by two processes, with what happened there and in a run of the same settings fitted by one."""
    home = Home(tmp_path_factory.mktemp("two processes"))
    alone, together = make_run(home, "alone"), make_run(home, "together", gpus="cpu,cpu")
    return together, list(RankedFit(together, lambda: False).events()), list(Fit(alone, home, lambda: False).events())


def metrics(items: list) -> list[Metrics]:
    return [one for one in items if isinstance(one, Metrics)]


def test_two_processes_have_the_losses_of_one(pair):
    _, together, alone = pair
    assert [one.step for one in metrics(together)] == list(range(1, 2 * STEPS_PER_EPOCH + 1))
    for ours, theirs in zip(metrics(together), metrics(alone), strict=True):
        for tag in ("loss/g/total", "loss/g/mel", "loss/g/kl", "loss/g/fm", "loss/g/adv", "loss/d/adv"):
            # Sums of floats in another order, magnified by Adam's first steps.
            assert ours.values[tag] == pytest.approx(theirs.values[tag], rel=1e-5 if ours.step == 1 else 1e-3), (tag, ours.step)


def test_only_one_process_tells_and_writes(pair):
    run, together, _ = pair
    assert together[-1] == FitReport(epoch=2, step=2 * STEPS_PER_EPOCH, stopped=False)
    assert [one.what for one in together if isinstance(one, Saved)] == ["checkpoint", "voice", "audition"]
    assert run.checkpoint_steps() == [6]
    assert len(list(run.folder.glob("events.out.tfevents.*"))) == 1


def test_stopping_two_processes_saves_and_resuming_goes_on(tiny_run):
    run = tiny_run(gpus="cpu,cpu", epochs=400)
    seen: list = []
    for item in RankedFit(run, lambda: len(metrics(seen)) >= 2).events():
        seen.append(item)
    assert seen[-1].stopped
    run.stop_file.unlink()
    stopped_at = metrics(seen)[-1].step
    assert run.checkpoint_steps() == [stopped_at]
    shorter = new_run.create(home_of(run), run.name, run.settings.model_copy(
        update={"fit": run.settings.fit.model_copy(update={"epochs": stopped_at // STEPS_PER_EPOCH + 1, "gpus": ""})}))
    resumed = list(Fit(shorter, home_of(run), lambda: False).events())  # on one device again: a checkpoint knows no devices
    assert metrics(resumed)[0].step == stopped_at + 1


def test_a_process_that_is_killed_ends_the_fit_with_its_name(tiny_run):
    run = tiny_run(gpus="cpu,cpu", epochs=400)

    def kill_second():
        events = EventLog(run.folder / "ranks" / "events.jsonl")
        while not metrics(events.read()[0]):
            time.sleep(0.1)
        ranks = [one for one in psutil.Process().children(recursive=True) if "rvc.train.processes.rank" in one.cmdline()
                 and "torch.distributed.run" not in one.cmdline()]
        second = next(one for one in ranks if one.environ().get("RANK") == "1")
        os.kill(second.pid, signal.SIGKILL)

    killer = threading.Thread(target=kill_second)
    killer.start()
    with pytest.raises(TrainingError, match="Process 1 of the fit, on cpu, was killed by signal 9"):
        list(RankedFit(run, lambda: False).events())
    killer.join()
    assert not [one for one in psutil.Process().children(recursive=True) if "rvc.train.processes.rank" in one.cmdline()]


def test_a_process_that_fails_says_why(tiny_run):
    run = tiny_run(gpus="cpu,cuda:7")
    with pytest.raises(TrainingError, match=r"process 1 failed: cuda:7 was asked for, and this machine offers \d CUDA devices"):
        list(RankedFit(run, lambda: False).events())


def test_torchrun_by_hand_writes_the_log_of_the_run(tiny_run):
    """As across machines: nobody but torchrun starts the processes."""
    run = tiny_run(epochs=1)
    done = subprocess.run([sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
                           "-m", "rvc.train.processes.rank", str(run.folder)], cwd=PROJECT, env={**os.environ, "USE_LIBUV": "0"},
                          capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    events = run.events.read()[0]
    assert isinstance(events[0], Started)
    assert len(metrics(events)) == STEPS_PER_EPOCH
    assert isinstance(events[-1], Ended)
    assert run.checkpoint_steps() == [STEPS_PER_EPOCH]


def test_one_device_needs_no_torch_distributed(tiny_run):
    run = tiny_run(epochs=1, model_size="tiny")
    code = ("import sys, json; from pathlib import Path; from rvc.paths import Home; from rvc.train.run import TrainingRun\n"
            "from rvc.train.stages import run_stages; from rvc.train.fit import Fit\n"
            "run = TrainingRun.open(Path(sys.argv[1])); list(Fit(run, Home(run.folder.parent.parent), lambda: False).events())\n"
            "print(json.dumps([name for name in sys.modules if name.startswith('rvc.train.processes.distributed')]))")
    done = subprocess.run([sys.executable, "-c", code, str(run.folder)], cwd=PROJECT, capture_output=True, text=True, timeout=240,
                          check=True)
    assert json.loads(done.stdout.splitlines()[-1]) == []
