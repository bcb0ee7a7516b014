"""``torchrun … -m rvc.train.processes.rank RUN_FOLDER``: one of the processes that fit a run together, on this machine or on several.

Started by ``rvc.train.processes.ranked`` for the devices of one machine. By hand it fits across machines that share the run folder: see
docs/training.md. The process that leads writes the events; one that fails leaves its reason in ``ranks/rank_<n>.json``.
"""

import argparse
import json
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import psutil

from rvc import device as devices
from rvc.errors import RvcError, TrainingError
from rvc.events import Ended, Event, EventLog, Started
from rvc.paths import Home, write_text_whole
from rvc.train.fit import Fit, FitReport
from rvc.train.processes import distributed
from rvc.train.processes.rank_folder import RankFolder
from rvc.train.run import TrainingRun
from rvc.words import in_words


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="torchrun … -m rvc.train.processes.rank", description=__doc__)
    parser.add_argument("run_folder", type=Path)
    parser.add_argument("--worker", help=argparse.SUPPRESS)  # pid:start time of the worker that started this
    asked = parser.parse_args(arguments)
    run = TrainingRun.open(asked.run_folder.resolve())
    folder, local, device = RankFolder(run.folder / "ranks"), distributed.local_index(), None
    try:
        device = devices.resolve(_place(run, local))
        with distributed.joined(device) as ranks:
            fit = Fit(run, Home(run.folder.parent.parent), _stop(run, asked.worker), ranks, device)
            if asked.worker:
                _relayed(fit, folder)
            else:
                _by_hand(fit)
    except Exception as error:  # noqa: BLE001 - the surface of this process: whoever started it must learn why it ends
        traceback.print_exc()
        folder.leave_reason(local, device, error)
        return 1
    return 0


def _place(run: TrainingRun, local: int) -> str:
    """The device of the ``local``-th process here: that of the settings, or by hand the GPU of that number."""
    fit = run.settings.fit
    if fit.gpus:
        return fit.devices[local % len(fit.devices)]
    best = devices.resolve("auto")
    return f"cuda:{local}" if best.type == "cuda" else best.type


def _stop(run: TrainingRun, worker: str | None) -> Callable[[], bool]:
    """Whether to end. Without its worker nobody guards the run any more, so the fit must not go on and save."""
    if not worker:
        return run.stop_file.exists
    pid, started = worker.split(":")

    def stop() -> bool:
        if not psutil.pid_exists(int(pid)) or abs(psutil.Process(int(pid)).create_time() - float(started)) > 1.0:
            raise TrainingError("The worker that started this fit is gone.")
        return run.stop_file.exists()

    return stop


def _relayed(fit: Fit, folder: RankFolder) -> None:
    for item in fit.events():
        if fit.ranks.leads:
            if isinstance(item, FitReport):
                write_text_whole(folder.report, json.dumps(asdict(item)))
            else:
                folder.events.append(item)


def _by_hand(fit: Fit) -> None:
    """The process that leads does as a worker would: the lock, the event log, a last word."""
    if not fit.ranks.leads:
        for _ in fit.events():
            pass
        return
    run = fit.run
    with run.held():
        me = psutil.Process()
        _tell(run.events, Started(pid=me.pid, process_started=me.create_time()))
        try:
            for event in _ending(fit):
                _tell(run.events, event)
        except RvcError as error:
            _tell(run.events, Ended(outcome="failed", message=error.message, fix=error.fix))
            raise
        finally:
            run.stop_file.unlink(missing_ok=True)


def _ending(fit: Fit) -> Iterator[Event]:
    for item in fit.events():
        if not isinstance(item, FitReport):
            yield item
        elif item.stopped:
            yield Ended(outcome="stopped", message="Stopped in the stage fit. The same command goes on from there.")
        else:
            yield Ended(outcome="stopped", message="The fit is done. `resume` makes the index and the voice.")


def _tell(log: EventLog, event: Event) -> None:
    log.append(event)
    if words := in_words(event):
        print(words, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
