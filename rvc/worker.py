"""``python -m rvc.worker RUN_FOLDER [lab]``: trains one run, or compares optimizers on it, and appends what happens to the event log.

Started detached by ``rvc.jobs``; also runs by hand. A ``stop`` file in the run folder, or SIGTERM, ends it politely.
Exit codes: 0 finished, 1 failed with a sentence in the log, 2 wrong usage, 130 stopped.
"""

import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import psutil

from rvc.errors import RvcError
from rvc.events import Ended, Event, Metrics, Progress, Started
from rvc.paths import Home
from rvc.train.job_folder import JobFolder
from rvc.train.lab.record import LabFolder
from rvc.train.run import TrainingRun
from rvc.words import in_words, tenth

DETAILED_STEPS = 50  # the first steps are all logged
METRICS_EVERY_SECONDS = 0.5
_EXIT = {"finished": 0, "failed": 1, "stopped": 130}


def main(arguments: list[str]) -> int:
    if len(arguments) not in (1, 2) or arguments[1:] not in ([], ["lab"]):
        print("usage: python -m rvc.worker RUN_FOLDER [lab]", file=sys.stderr)
        return 2
    try:
        run = TrainingRun.open(Path(arguments[0]).resolve())
        if arguments[1:]:
            with run.held_by_lab():
                return work(LabFolder.of(run), partial(_compared, run))
        with run.held():
            return work(run, partial(_trained, run))
    except RvcError as error:
        print(error, file=sys.stderr)
    return 1


def _trained(run: TrainingRun, stop: Callable[[], bool]) -> Iterator[Event]:
    from rvc.train.stages import run_stages  # torch: after the first sign of life

    return run_stages(run, _home_of(run), stop)


def _compared(run: TrainingRun, stop: Callable[[], bool]) -> Iterator[Event]:
    from rvc.train.lab.experiment import Experiment

    return Experiment(run, _home_of(run), stop).events()


def work(job: JobFolder, events: Callable[[Callable[[], bool]], Iterator[Event]]) -> int:
    """All of ``events``, which are told when to stop, whatever happens in them; the exit code."""
    log = _Log(job)
    me = psutil.Process()
    log(Started(pid=me.pid, process_started=me.create_time()))
    try:
        ended: Event | None = None
        for ended in events(_stop_when_asked(job)):
            log(ended)
        assert isinstance(ended, Ended)
    except RvcError as error:
        ended = log(Ended(outcome="failed", message=error.message, fix=error.fix))
    except Exception as error:  # noqa: BLE001 - the worker's surface: whatever it was, the log must say so
        traceback.print_exc()
        ended = log(Ended(outcome="failed", message=f"Unexpected error: {type(error).__name__}: {error}",
                          fix=f"The end of {job.worker_log.name} shows where. What was saved is intact."))
    finally:
        job.stop_file.unlink(missing_ok=True)
    return _EXIT[ended.outcome]


class _Log:
    """Events to the log of the run, and in words to the worker's own output.

    Metrics are thinned: twice a second is enough to watch. Of progress the output has a line for each tenth of a stage.
    """

    def __init__(self, job: JobFolder) -> None:
        self._events = job.events
        self._steps, self._logged_at, self._last = 0, 0.0, None
        self._told: tuple[str, int] = ("", -1)

    def __call__(self, event: Event) -> Event:
        if isinstance(event, Metrics):
            self._steps += 1
            self._last = event
            if self._steps > DETAILED_STEPS and time.monotonic() - self._logged_at < METRICS_EVERY_SECONDS:
                return event
            self._logged_at, self._last = time.monotonic(), None
        elif self._last is not None:  # the newest numbers before anything else is said
            last, self._last = self._last, None
            self._events.append(last)
        self._events.append(event)
        if isinstance(event, Progress):
            told, self._told = self._told, tenth(event)
            if told == self._told:
                return event
        if words := in_words(event):
            print(time.strftime("%H:%M:%S"), words, flush=True)
        return event


def _stop_when_asked(job: JobFolder) -> Callable[[], bool]:
    """True once the stop file exists or the system asked the process to end."""
    asked = []
    for name in ("SIGTERM", "SIGINT"):
        signal.signal(getattr(signal, name), lambda *_: asked.append(True))
    return lambda: bool(asked) or job.stop_file.exists()


def _home_of(run: TrainingRun) -> Home:
    """The home that the run folder lies in, also when ``TIMBRE_HOME`` says another."""
    return Home(run.folder.parent.parent) if run.folder.parent.name == "logs" else Home.here()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
