"""Starting, watching and stopping the worker of a run, from any process: the truth is in the run folder.

The page, the command line and the tests all ask here; closing one of them changes nothing for the worker. Identity of a worker is its
pid *and* its start time, for pids are used again. No torch, no Gradio.
"""

import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import psutil

from rvc.errors import RunBusyError, RunError
from rvc.events import EventLog, JobState, Metrics, fold
from rvc.paths import PROJECT, Home, write_text_whole
from rvc.train.job_folder import JobFolder
from rvc.train.lab.record import LabFolder
from rvc.train.run import TrainingRun

KILL_WAIT_SECONDS = 10.0
# Threads that wait for each other must sleep, not spin: while anything else uses the cores, training on the CPU with spinning threads was
# measured at several times the seconds per step. What the user's environment says goes before.
# And a GPU has the number that nvidia-smi, and so the form, gives it; CUDA by itself counts the fastest first.
_WORKER_DEFAULTS = {"OMP_WAIT_POLICY": "PASSIVE", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}


def launch(run: TrainingRun) -> JobState:
    """A detached worker that trains ``run``, in a process group of its own. ``RunBusyError`` while something works on it."""
    return _launched(run, run)


def launch_lab(run: TrainingRun) -> JobState:
    """The same for the optimizer lab of ``run``, which has been begun. Its job is ``LabFolder.of(run)``."""
    return _launched(run, LabFolder.of(run), "lab")


def _launched(run: TrainingRun, job: JobFolder, *what: str) -> JobState:
    with run.launch_lock:  # of two that launch at once the second finds the worker of the first
        _refuse_busy(run)
        job.stop_file.unlink(missing_ok=True)
        position = job.events.end_position()
        with open(job.worker_log, "ab") as log:
            worker = subprocess.Popen(
                [sys.executable, "-m", "rvc.worker", str(run.folder), *what],
                cwd=PROJECT, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                env=_WORKER_DEFAULTS | os.environ | {"PYTHONUNBUFFERED": "1"}, **_own_group())
        launched = {"pid": worker.pid, "process_started": _started(worker.pid), "events_from": position}
        write_text_whole(job.launch_file, json.dumps(launched) + "\n")
        threading.Thread(target=worker.wait, daemon=True).start()  # collects the exit status, so that no zombie stays
        return state(job.folder)


def _refuse_busy(run: TrainingRun) -> None:
    """A worker that is just starting has no lock yet."""
    if state(run.folder).active:
        raise RunBusyError(f"{run.name!r} is being trained already.", fix="Stop it first, or choose another name.")
    if state(run.lab).active:
        raise RunBusyError(f"The optimizer lab is at work on {run.name!r}.", fix="Stop it first, or wait until it has ended.")
    run.refuse_if_busy()


def state(folder: Path) -> JobState:
    """Where the run in ``folder`` stands now: its events, and whether the process that wrote them still lives.

    ``RunError`` when ``worker.json``, which says what process was started, is damaged.
    """
    return _job(folder.resolve()).state()


def _state_if_readable(folder: Path) -> JobState | None:
    """For what looks at many runs: a damaged one is told where it is asked for by name."""
    try:
        return state(folder)
    except RunError:
        return None


def stop(folder: Path, *, wait_seconds: float | None = None, kill: bool = False) -> bool:
    """Ask the worker to finish its step, save and end; true when it has.

    ``wait_seconds`` ``None`` only asks. With ``kill`` a worker that has not ended by then is killed with its children; what it did
    since its last checkpoint is lost. Nothing is done to a run without a worker.
    """
    if not state(folder).active:
        return True
    JobFolder(folder).stop_file.touch()
    if wait_seconds is None:
        return False
    if wait(folder, wait_seconds):
        return True
    if kill:
        _kill(folder)
    return kill


def wait(folder: Path, seconds: float = 30.0) -> bool:
    """Until the worker's process is gone, ``seconds`` at most; whether it is."""
    deadline = time.monotonic() + seconds
    while _process_alive(folder):
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.05)
    return True


def log_tail(folder: Path, lines: int = 40) -> str:
    """The last lines that the worker printed."""
    try:
        with open(JobFolder(folder).worker_log, "rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 200 * lines))
            return "\n".join(file.read().decode("utf-8", "replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""


def runs(home: Home) -> list[Path]:
    """Folders of all runs, the one touched last first."""
    found = [path.parent for path in home.logs.glob("*/run.json")]
    return sorted(found, key=lambda folder: _touched(folder), reverse=True)


def active(home: Home) -> list[Path]:
    """Those that a worker is on. A run that cannot say where it stands is not among them, and hides no other."""
    return [folder for folder in runs(home) if (known := _state_if_readable(folder)) and known.active]


def signature(folder: Path) -> tuple[Any, ...]:
    """Changes whenever anything that a page shows of the run may have changed."""
    marks = [(_size_and_time(folder / name)) for name in ("events.jsonl", "worker.log", "run.json", "worker.json")]
    known = _state_if_readable(folder)
    return (str(folder), known and known.status, *marks)


def history(folder: Path, tags: tuple[str, ...], max_points: int = 400) -> list[dict[str, Any]]:
    """Points ``{step, tag, value}`` of the run's own metrics, thinned to ``max_points`` a tag; later attempts replace earlier steps."""
    return _job(folder.resolve()).history(tags, max_points)


class _Job:
    """A run folder watched from this process: its event log is read once, and then only what is new."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._guard = threading.Lock()
        self._forget()

    def _forget(self) -> None:
        self._position = 0
        self._state = JobState()
        self._metrics: dict[int, dict[str, float]] = {}

    def state(self) -> JobState:
        with self._guard:
            self._catch_up()
            launched = _read_launch(self._folder)
            if launched and self._position <= launched["events_from"]:  # nothing from this attempt yet
                alive = _alive(launched["pid"], launched["process_started"])
                return replace(self._state, status="starting" if alive else "died", pid=launched["pid"],
                               process_started=launched["process_started"], message="", fix=None)
            if self._state.status == "running" and not _alive(self._state.pid, self._state.process_started):
                self._catch_up()  # its last words may have come between reading and asking
                if self._state.status == "running":
                    return replace(self._state, status="died", message="The worker died without a word. Resume goes on from the "
                                                                       "last checkpoint.")
            return self._state

    def history(self, tags: tuple[str, ...], max_points: int) -> list[dict[str, Any]]:
        with self._guard:
            self._catch_up()
            steps = sorted(self._metrics)
            every = max(1, -(-len(steps) // max_points))
            kept = steps[::every] + (steps[-1:] if steps and (len(steps) - 1) % every else [])
            return [{"step": step, "tag": tag, "value": self._metrics[step][tag]}
                    for step in kept for tag in tags if tag in self._metrics[step]]

    def _catch_up(self) -> None:
        log = self._folder / "events.jsonl"
        if not log.exists() or log.stat().st_size < self._position:
            self._forget()
        events, self._position = EventLog(log).read(self._position)
        self._state = fold(events, self._state)
        for event in events:
            if isinstance(event, Metrics):
                self._metrics[event.step] = event.values


@lru_cache(maxsize=256)
def _job(folder: Path) -> _Job:
    return _Job(folder)


def _read_launch(folder: Path) -> dict[str, Any] | None:
    path = folder / "worker.json"
    if not path.exists():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {"pid": int(found["pid"]), "process_started": float(found["process_started"]), "events_from": int(found["events_from"])}
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path} is damaged: {type(error).__name__}, {error}.", fix="Delete it; nothing is lost with it.") from error


def _own_group() -> dict[str, Any]:
    """A closed terminal or a Ctrl-C meant for the studio must not reach the worker."""
    if os.name == "nt":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.DETACHED_PROCESS}
    return {"start_new_session": True}


def _started(pid: int) -> float:
    """Start time of a process, 0 when it has ended already."""
    try:
        return psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return 0.0


def _alive(pid: int, process_started: float) -> bool:
    try:
        process = psutil.Process(pid)
        return abs(process.create_time() - process_started) < 1.0 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _process_alive(folder: Path) -> bool:
    now = state(folder)
    return bool(now.pid) and _alive(now.pid, now.process_started)


def _kill(folder: Path) -> None:
    if not _process_alive(folder):
        return
    process = psutil.Process(state(folder).pid)
    family = [*process.children(recursive=True), process]
    for one in family:
        one.kill()
    psutil.wait_procs(family, timeout=KILL_WAIT_SECONDS)
    (folder / "stop").unlink(missing_ok=True)


def _touched(folder: Path) -> float:
    return max((folder / name).stat().st_mtime for name in ("run.json", "events.jsonl") if (folder / name).exists())


def _size_and_time(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except FileNotFoundError:
        return 0, 0
    return found.st_size, found.st_mtime_ns
