"""The run folder: what was asked, every path inside it, and which stages are up to date. ``new_run.py`` makes one.

A run explains itself: ``run.json`` says what was asked and how the *auto* choices were settled, ``stages.json`` what was done with
which inputs, ``events.jsonl`` what happened. No torch here.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout
from pydantic import BaseModel, ValidationError

from rvc.errors import RunBusyError, RunError
from rvc.paths import Home, checked_name, write_text_whole
from rvc.settings import sentence
from rvc.train.job_folder import JobFolder
from rvc.train.settings import TrainingSettings

FORMAT = 1
_MEND = "Correct it in the file, or move the run's folder away and train anew."


@dataclass(frozen=True)
class Resolved:
    """How the *auto* choices of a run were settled. Kept for the life of the run, whatever is installed later."""

    embedder: str
    f0_method: str
    base_model: str

    def keeping(self, before: "Resolved", settings: TrainingSettings) -> "Resolved":
        """What *auto* was settled to when the run was made stays, whatever is installed by now."""
        asked = settings.model
        return replace(self, **{name: getattr(before, name) for name in asdict(self) if getattr(asked, name) == "auto"})

    def sentences(self, settings: TrainingSettings) -> list[str]:
        """What *auto* became, for the log."""
        asked = settings.model
        names = {"embedder": "Embedder", "f0_method": "Pitch detector", "base_model": "Pretrain"}
        return [f"{title}: {getattr(self, name)} (auto)." for name, title in names.items() if getattr(asked, name) == "auto"]


@dataclass(frozen=True)
class StageRecord:
    """A stage that was finished: a fingerprint of everything it depended on, and what it had to report."""

    fingerprint: str
    finished_at: str
    summary: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class TrainingRun(JobFolder):
    """A folder in ``logs/``."""

    settings: TrainingSettings
    resolved: Resolved
    created: str

    # -- opening and writing -----------------------------------------------------------------------------------------------

    @classmethod
    def open(cls, folder: Path) -> "TrainingRun":
        """The run in ``folder``; a ``RunError`` when there is none or its manifest cannot be read."""
        path = folder / "run.json"
        if not path.exists():
            raise RunError(f"There is no run {folder.name!r}.", fix="`runs` lists the ones there are.")
        manifest = _manifest(path)
        return cls(folder, manifest.settings, manifest.resolved, manifest.created)

    @classmethod
    def begun(cls, folder: Path) -> "TrainingRun | None":
        """The run in ``folder``, if there is one that has learnt something."""
        run = cls.open(folder) if (folder / "run.json").exists() else None
        return run if run and run.checkpoint_steps() else None

    @classmethod
    def named(cls, home: Home, name: str) -> "TrainingRun":
        return cls.open(home.logs / checked_name(name))

    def write(self) -> None:
        manifest = {"format": FORMAT, "name": self.name, "created": self.created,
                    "settings": self.settings.model_dump(), "resolved": asdict(self.resolved)}
        write_text_whole(self.folder / "run.json", json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")

    # -- what is where -----------------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def clips(self) -> Path:
        """Clips at the voice's sample rate, float32 WAV."""
        return self.folder / "clips"

    @property
    def clips_16k(self) -> Path:
        """The same clips at 16 kHz, for the embedder and the pitch detector."""
        return self.folder / "clips_16k"

    @property
    def f0(self) -> Path:
        """One ``<clip>.npy`` each: f0 in Hz, float32, 100 per second, 0 where unvoiced."""
        return self.folder / "f0"

    @property
    def features(self) -> Path:
        """One ``<clip>.npy`` each: content features, float32 [N, 256 or 768], 50 per second."""
        return self.folder / "features"

    @property
    def filelist(self) -> Path:
        """The clips that are trained on."""
        return self.folder / "filelist.csv"

    @property
    def held_out_list(self) -> Path:
        """The clips that are not trained on: what every save is scored by. Beside ``filelist``, in the same format."""
        return self.folder / "heldout.csv"

    @property
    def eval(self) -> Path:
        """What the saved epochs came to: scores in ``<epoch>e_<step>s.json``, the clip to listen to in ``<epoch>e_<step>s.flac``."""
        return self.folder / "eval"

    @property
    def lab(self) -> Path:
        """The optimizer lab's own folder: a job beside the training, see rvc/train/lab/record.py."""
        return self.folder / "lab"

    @property
    def _lab_lock(self) -> Path:
        return self.lab / "worker.lock"

    @property
    def index_path(self) -> Path:
        return self.folder / f"{self.name}.index"

    def checkpoint(self, kind: str, step: int) -> Path:
        """``kind`` is G, D or state."""
        return self.folder / (f"state_{step}.pt" if kind == "state" else f"{kind}_{step}.pth")

    def checkpoint_steps(self) -> list[int]:
        """Steps of the resumable checkpoints, oldest first. Whether they are intact only loading tells."""
        found = (path.stem.removeprefix("state_") for path in self.folder.glob("state_*.pt"))
        return sorted(int(step) for step in found if step.isdecimal())

    def voice_path(self, epoch: int, step: int) -> Path:
        return self.folder / f"{self.name}_{epoch}e_{step}s.pth"

    def voices(self) -> list[Path]:
        """Exported voices, newest last."""
        found = [path for path in self.folder.glob("*e_*s.pth") if not path.name.startswith(("G_", "D_"))]
        return sorted(found, key=lambda path: path.stat().st_mtime_ns)

    # -- one worker at a time ----------------------------------------------------------------------------------------------

    @property
    def lock(self) -> FileLock:
        """Held by the worker for its whole life; the system lets go of it when the worker dies."""
        return FileLock(self.folder / "worker.lock")

    @property
    def launch_lock(self) -> FileLock:
        """Held for the moment in which a worker is started."""
        return FileLock(self.folder / "launch.lock", timeout=30)

    @contextmanager
    def held(self) -> Iterator[None]:
        """The lock, inside the block; ``RunBusyError`` while somebody else has it."""
        lock = self.lock
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise self._busy() from None
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def held_by_lab(self) -> Iterator[None]:
        """As ``held``, by the optimizer lab, with a lock of its own inside: whoever comes then is told who is at work."""
        with self.held(), FileLock(self._lab_lock):
            yield

    def _busy(self) -> RunBusyError:
        if self._lab_lock.exists() and _is_taken(FileLock(self._lab_lock)):
            return RunBusyError(f"The optimizer lab is at work on {self.name!r}.", fix="Stop it first, or wait until it has ended.")
        return RunBusyError(f"{self.name!r} is being trained already.", fix="Stop it first, or choose another name.")

    def refuse_if_busy(self) -> None:
        with self.held():
            pass

    # -- stages ------------------------------------------------------------------------------------------------------------

    def records(self) -> dict[str, StageRecord]:
        """The stages that were finished. A damaged file is no record: the stages are then done again."""
        path = self.folder / "stages.json"
        if not path.exists():
            return {}
        try:
            return {name: StageRecord(**record) for name, record in json.loads(path.read_text(encoding="utf-8")).items()}
        except (ValueError, TypeError) as error:
            raise RunError(f"{path} is damaged: {error}.", fix="Delete it; the stages are then done again.") from error

    def record(self, stage: str, fingerprint: str, summary: dict[str, Any]) -> None:
        records = {**self.records(), stage: StageRecord(fingerprint, now(), summary)}
        self._write_records(records)

    def forget(self, stage: str) -> None:
        """Before a stage is done again: what it had finished is no longer there."""
        self._write_records({name: one for name, one in self.records().items() if name != stage})

    def _write_records(self, records: dict[str, StageRecord]) -> None:
        text = json.dumps({name: asdict(one) for name, one in records.items()}, indent=2, ensure_ascii=False)
        write_text_whole(self.folder / "stages.json", text + "\n")


class _Manifest(BaseModel):
    """``run.json``. What is missing among the settings has its default: runs outlive versions of the studio."""

    format: Literal[1]
    created: str
    settings: TrainingSettings
    resolved: Resolved


def _manifest(path: Path) -> _Manifest:
    """People edit it by hand, which is theirs to do; the sentence says which entry is wrong."""
    try:
        return _Manifest.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        where = "".join(f" {'at' if not i else '›'} {entry}" for i, entry in enumerate(error.errors()[0]["loc"]))
        raise RunError(f"{path} is damaged{where}: {sentence(error, TrainingSettings)}", fix=_MEND) from error
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path} is damaged: it cannot be read as JSON ({error}).", fix=_MEND) from error


def _is_taken(lock: FileLock) -> bool:
    try:
        with lock.acquire(timeout=0):
            return False
    except Timeout:
        return True


def fingerprint(*parts: Any) -> str:
    """A short hash of JSON-able values: equal inputs, equal fingerprint."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=False, default=str).encode()).hexdigest()[:16]


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
