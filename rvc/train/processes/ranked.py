"""A fit on several devices of this machine: torchrun starts a process for each, and what the leading one tells is told here."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import psutil

from rvc.errors import TrainingError
from rvc.events import Event
from rvc.paths import PROJECT
from rvc.train.fit import FitReport
from rvc.train.processes.rank_folder import RankFolder
from rvc.train.run import TrainingRun

_END_SECONDS = 20.0  # for processes that were asked to end
_SHOWN_LINES = 25
# How torchrun reports the process that failed first, when that could not say anything itself.
_ROOT_CAUSE = re.compile(r"Root Cause.*?rank\s*:\s*(\d+).*?exitcode\s*:\s*(-?\d+)", re.DOTALL)


@dataclass(frozen=True)
class RankedFit:
    """One attempt at fitting ``run`` on the devices of its settings, one process each."""

    run: TrainingRun
    stop: Callable[[], bool]

    def events(self) -> Iterator[Event | FitReport]:
        """What happens, then the report as the last item. ``TrainingError`` with the text of the process that failed first."""
        folder = self._emptied_folder()
        with open(folder.output, "wb") as output:
            torchrun = subprocess.Popen(self._command(), cwd=PROJECT, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                                        env=self._environment())
        try:
            yield from folder.events.follow(lambda: self._going(torchrun))
        finally:
            _ended(torchrun)
        if torchrun.returncode or not folder.report.exists():
            raise self._failure(folder, torchrun.returncode)
        yield FitReport(**json.loads(folder.report.read_text(encoding="utf-8")))

    def _emptied_folder(self) -> RankFolder:
        folder = self.run.folder / "ranks"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        return RankFolder(folder)

    def _command(self) -> list[str]:
        me = psutil.Process()
        return [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(len(self.run.settings.fit.devices)),
                "-m", "rvc.train.processes.rank", str(self.run.folder), "--worker", f"{me.pid}:{me.create_time()}"]

    def _environment(self) -> dict[str, str]:
        """The cores are shared out: more threads than cores would make each other wait. On Windows torch comes without libuv."""
        threads = max(1, (os.cpu_count() or 1) // len(self.run.settings.fit.devices))
        return {"OMP_NUM_THREADS": str(threads), **os.environ, **({"USE_LIBUV": "0"} if os.name == "nt" else {})}

    def _going(self, torchrun: subprocess.Popen) -> bool:
        if self.stop():
            self.run.stop_file.touch()  # the processes look for it themselves
        return torchrun.poll() is None

    def _failure(self, folder: RankFolder, code: int | None) -> TrainingError:
        output = folder.output.read_text(encoding="utf-8", errors="replace")
        print("\n".join(output.splitlines()[-_SHOWN_LINES:]), flush=True)
        for failed in folder.reasons():
            where = ", ".join(part for part in (failed["device"], f"process {failed['rank']}") if part)
            return TrainingError(f"Training on {where} failed: {failed['message']}", fix=failed["fix"])
        if found := _ROOT_CAUSE.search(output):
            index, exit_code = int(found[1]), int(found[2])
            end = f"was killed by signal {-exit_code}" if exit_code < 0 else f"ended with code {exit_code}"
            return TrainingError(f"Process {index} of the fit, on {self.run.settings.fit.devices[index]}, {end}.",
                                 fix="The last checkpoint is intact; the end of worker.log shows more.")
        return TrainingError(f"torchrun ended with code {code} and without a report.", fix="The end of worker.log shows why.")


def _ended(torchrun: subprocess.Popen) -> None:
    """torchrun and its processes, whatever state they are in."""
    if torchrun.poll() is not None:
        return
    family = [*psutil.Process(torchrun.pid).children(recursive=True), psutil.Process(torchrun.pid)]
    for one in family:
        one.terminate()
    _, alive = psutil.wait_procs(family, timeout=_END_SECONDS)
    for one in alive:
        one.kill()
    torchrun.wait(_END_SECONDS)
