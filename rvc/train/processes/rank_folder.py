"""What the processes of one fit leave for the worker that started them."""

import json
import time
from dataclasses import dataclass
from pathlib import Path

from rvc.errors import RvcError
from rvc.events import EventLog
from rvc.paths import write_text_whole


@dataclass(frozen=True)
class RankFolder:
    """What the processes of one fit leave for the worker that started them: ``ranks/`` in the run."""

    folder: Path

    @property
    def events(self) -> EventLog:
        return EventLog(self.folder / "events.jsonl")

    @property
    def report(self) -> Path:
        return self.folder / "report.json"

    @property
    def output(self) -> Path:
        """What torchrun and the processes printed."""
        return self.folder / "output.log"

    def leave_reason(self, index: int, device: object, error: Exception) -> None:
        """Why the process of that number ends."""
        known = isinstance(error, RvcError)
        reason = {"time": time.time(), "rank": index, "device": str(device) if device else "",
                  "message": error.message if known else f"{type(error).__name__}: {error}", "fix": error.fix if known else None}
        self.folder.mkdir(exist_ok=True)
        write_text_whole(self.folder / f"rank_{index}.json", json.dumps(reason, ensure_ascii=False))

    def reasons(self) -> list[dict]:
        """Of the processes that failed, the first one first."""
        found = [json.loads(path.read_text(encoding="utf-8")) for path in self.folder.glob("rank_*.json")]
        return sorted(found, key=lambda one: one["time"])
