"""What a worker leaves in the folder that it works in, whatever its work is."""

from dataclasses import dataclass
from pathlib import Path

from rvc.events import EventLog


@dataclass(frozen=True)
class JobFolder:
    """A folder that a worker works in: a run's, or that of its optimizer lab."""

    folder: Path

    @property
    def events(self) -> EventLog:
        return EventLog(self.folder / "events.jsonl")

    @property
    def worker_log(self) -> Path:
        """What the worker printed."""
        return self.folder / "worker.log"

    @property
    def stop_file(self) -> Path:
        """While it exists the worker finishes its step, saves and ends."""
        return self.folder / "stop"

    @property
    def launch_file(self) -> Path:
        """Which process was started here last."""
        return self.folder / "worker.json"
