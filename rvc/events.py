"""What happened, as values: the one language that a worker, the page, the command line and the tests speak.

A worker appends events to ``events.jsonl`` in its run folder, one JSON object a line. ``JobState`` is a pure fold of them.
Ground floor: standard library only.
"""

import json
import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

STAGES = ("preprocess", "extract", "fit", "index", "export")


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened at ``time`` (seconds since the epoch)."""

    kind: ClassVar[str] = "event"
    time: float = field(default_factory=time.time)

    def as_json(self) -> str:
        return json.dumps({"kind": self.kind, **_encodable(asdict(self))}, ensure_ascii=False, allow_nan=False)


@dataclass(frozen=True, kw_only=True)
class Started(Event):
    """A worker took the run. Identity of a process is its pid and its start time together."""

    kind: ClassVar[str] = "started"
    pid: int
    process_started: float


@dataclass(frozen=True, kw_only=True)
class Stage(Event):
    """A stage began, was found to be up to date, or ended with what it has to report."""

    kind: ClassVar[str] = "stage"
    stage: str
    status: Literal["started", "skipped", "finished"]
    summary: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Progress(Event):
    """``done`` of ``total`` units of ``stage`` (for a download or a conversion ``stage`` names the part)."""

    kind: ClassVar[str] = "progress"
    stage: str
    done: int
    total: int
    unit: str = "files"
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class Metrics(Event):
    """Numbers of one training step. ``values`` are keyed by their TensorBoard tags."""

    kind: ClassVar[str] = "metrics"
    step: int
    total_steps: int
    epoch: int
    epochs: int
    steps_per_second: float
    values: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Saved(Event):
    """A file appeared whole: a ``checkpoint``, a ``voice`` or an ``index``."""

    kind: ClassVar[str] = "saved"
    what: str
    path: str
    epoch: int = 0
    step: int = 0


@dataclass(frozen=True, kw_only=True)
class Note(Event):
    """A sentence worth reading. ``warning`` ones are shown until the run ends."""

    kind: ClassVar[str] = "note"
    message: str
    level: Literal["info", "warning"] = "info"


@dataclass(frozen=True, kw_only=True)
class Finding(Event):
    """What the run doctor sees in the metrics, and what to do about it. ``code`` names the kind: one is shown per kind."""

    kind: ClassVar[str] = "finding"
    code: str
    step: int
    message: str
    advice: str


@dataclass(frozen=True, kw_only=True)
class Scored(Event):
    """A saved epoch was scored on the held-out recordings; ``scores`` by their names."""

    kind: ClassVar[str] = "scored"
    epoch: int
    step: int
    scores: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Ended(Event):
    """The worker's own last word."""

    kind: ClassVar[str] = "ended"
    outcome: Literal["finished", "stopped", "failed"]
    message: str = ""
    fix: str | None = None


_KINDS: dict[str, type[Event]] = {one.kind: one for one in (Started, Stage, Progress, Metrics, Saved, Note, Finding, Scored, Ended)}


def from_json(line: str) -> Event:
    values = json.loads(line)
    return _KINDS[values.pop("kind")](**_decoded(values))


class EventLog:
    """``events.jsonl`` of a run: appended by one worker, read by anybody."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, event: Event) -> None:
        with open(self.path, "ab") as file:
            file.write(event.as_json().encode() + b"\n")

    def read(self, start: int = 0) -> tuple[list[Event], int]:
        """The events from byte ``start`` on, and the byte to go on from. A line still being written is left for later."""
        try:
            with open(self.path, "rb") as file:
                file.seek(start)
                data = file.read()
        except FileNotFoundError:
            return [], start
        whole = data[: data.rfind(b"\n") + 1]
        return [_lenient(line) for line in whole.splitlines() if line.strip()], start + len(whole)

    def follow(self, alive: Callable[[], bool], start: int = 0, poll_seconds: float = 0.2) -> Iterator[Event]:
        """Events as they come, until the log ends with ``Ended`` or ``alive`` says that nobody writes any more."""
        while True:
            still = alive()  # asked before reading: what was written until death is still read
            events, start = self.read(start)
            yield from events
            if (events and isinstance(events[-1], Ended)) or not still:
                return
            time.sleep(poll_seconds)

    def end_position(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0


@dataclass(frozen=True)
class JobState:
    """Where a job stands. ``finished``, ``stopped``, ``failed`` and ``died`` are four different words."""

    status: Literal["new", "starting", "running", "finished", "stopped", "failed", "died"] = "new"
    stage: str = ""
    done: int = 0
    total: int = 0
    unit: str = ""
    epoch: int = 0
    epochs: int = 0
    step: int = 0
    total_steps: int = 0
    steps_per_second: float = 0.0
    message: str = ""
    fix: str | None = None
    warnings: tuple[str, ...] = ()
    saved: tuple[Saved, ...] = ()
    findings: tuple[Finding, ...] = ()  # the newest of each kind
    stages: dict[str, str] = field(default_factory=dict)
    pid: int = 0
    process_started: float = 0.0
    started_at: float = 0.0
    updated_at: float = 0.0

    @property
    def active(self) -> bool:
        return self.status in ("starting", "running")

    @property
    def eta_seconds(self) -> float | None:
        """Seconds until the fit ends at today's speed; ``None`` outside the fit."""
        if self.stage != "fit" or not self.steps_per_second or not self.active:
            return None
        return (self.total_steps - self.step) / self.steps_per_second

    @property
    def fraction(self) -> float:
        """How much of the current stage is done, 0 to 1."""
        done, total = (self.step, self.total_steps) if self.stage == "fit" else (self.done, self.total)
        return min(done / total, 1.0) if total else 0.0

    def after(self, event: Event) -> "JobState":
        """This state one event later."""
        state = replace(self, updated_at=event.time)
        match event:
            case Started():
                return JobState(status="running", pid=event.pid, process_started=event.process_started,
                                started_at=event.time, updated_at=event.time, saved=self.saved,
                                epoch=self.epoch, epochs=self.epochs, step=self.step, total_steps=self.total_steps)
            case Stage(status="started"):
                return replace(state, stage=event.stage, done=0, total=0, message="",
                               stages={**self.stages, event.stage: event.status})
            case Stage():
                return replace(state, stages={**self.stages, event.stage: event.status})
            case Progress():
                return replace(state, stage=event.stage, done=event.done, total=event.total, unit=event.unit,
                               message=event.message)
            case Metrics():
                return replace(state, step=event.step, total_steps=event.total_steps, epoch=event.epoch,
                               epochs=event.epochs, steps_per_second=event.steps_per_second)
            case Saved():
                return replace(state, saved=(*self.saved, event))
            case Finding():
                others = tuple(one for one in self.findings if one.code != event.code)
                return replace(state, findings=(*others, event))
            case Note(level="warning"):
                return replace(state, warnings=(*self.warnings, event.message))
            case Note():
                return replace(state, message=event.message)
            case Ended():
                return replace(state, status=event.outcome, message=event.message, fix=event.fix)
        return state


def fold(events: Iterable[Event], start: JobState | None = None) -> JobState:
    """The state after ``events``. Whether the worker still lives is not in the log: see ``rvc.jobs``."""
    state = start or JobState()
    for event in events:
        state = state.after(event)
    return state


def _lenient(line: bytes) -> Event:
    """An event, or a note about a damaged line (a worker killed in the middle of a write leaves one)."""
    try:
        return from_json(line.decode())
    except (ValueError, KeyError, TypeError):
        return Note(time=0.0, message="A damaged line in the event log was passed over.")


def _encodable(value: Any) -> Any:
    """JSON has no NaN and no infinity, and a loss can be one: they travel as strings."""
    if isinstance(value, float) and not math.isfinite(value):
        return {"not_finite": repr(value)}
    if isinstance(value, dict):
        return {key: _encodable(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_encodable(one) for one in value]
    return value


def _decoded(value: Any) -> Any:
    if isinstance(value, dict):
        return float(value["not_finite"]) if value.keys() == {"not_finite"} else {k: _decoded(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_decoded(one) for one in value]
    return value
