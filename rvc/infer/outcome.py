"""What a conversion reports beyond progress. No torch here."""

from dataclasses import dataclass
from typing import ClassVar

from rvc import events
from rvc.events import Event

STAGES = ("load", "f0", "content", "index", "synthesis", "write")


@dataclass(frozen=True, kw_only=True)
class Converted(Event):
    """A result was written. ``seconds`` is its length, ``rtf`` the time that the work took for each second of it."""

    kind: ClassVar[str] = "converted"
    source: str
    output: str
    seconds: float
    sample_rate: int  # of the file, in Hz: not the voice's where the format has no such rate
    elapsed_seconds: float
    rtf: float
    stage_seconds: dict[str, float]
    pieces: int
    voice: str
    speaker_id: int
    embedder: str
    f0_method: str | None  # None for a voice without pitch guidance
    index: str | None
    device: str


@dataclass(frozen=True, kw_only=True)
class Failed(Event):
    """One source of several could not be converted; the others go on."""

    kind: ClassVar[str] = "failed"
    source: str
    message: str
    fix: str | None = None


@dataclass(frozen=True, kw_only=True)
class BatchEnded(Event):
    """The last word on several sources."""

    kind: ClassVar[str] = "batch_ended"
    converted: int
    failed: int


for _kind in (Converted, Failed, BatchEnded):
    events._KINDS[_kind.kind] = _kind  # so that an event log can hold them
