"""The saved epochs of a run, as its folder tells: what was scored, what can be heard, exported, and gone on from. No torch here."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rvc.errors import FormatError, RunError
from rvc.train.listening.scores import EpochScores, stem
from rvc.train.run import TrainingRun

_STEM = re.compile(r"(?:^|_)(\d+)e_(\d+)s$")  # of a score, an audition or a voice


@dataclass(frozen=True)
class EpochRow:
    """One save."""

    epoch: int | None  # None: only a checkpoint is there, as after a stop inside an epoch
    step: int
    scores: dict[str, float] | None
    audition: Path | None
    voice: Path | None
    has_checkpoint: bool  # one can go on from here
    trouble: str = ""  # what of it cannot be read


def epochs(run: TrainingRun) -> list[EpochRow]:
    """Newest first. A damaged file is told in its row and hides no other."""
    voices = {saved: path for path in run.voices() if (saved := _saved(path))}
    steps = set(run.checkpoint_steps())
    saves = {*voices, *(saved for path in _files(run.eval) if (saved := _saved(path)))}
    rows = [_row(run, epoch, step, voices.get((epoch, step)), step in steps) for epoch, step in saves]
    rows += [EpochRow(None, step, None, None, None, True) for step in steps - {step for _, step in saves}]
    return sorted(rows, key=lambda row: (row.step, row.epoch or 0), reverse=True)


def row_at(run: TrainingRun, step: int) -> EpochRow:
    """The save at ``step``; a ``RunError`` when there is none (any more)."""
    found = next((row for row in epochs(run) if row.step == step), None)
    if found is None:
        raise RunError(f"{run.name!r} has nothing saved at step {step}.", fix="Look at the list again: it may have changed.")
    return found


def _row(run: TrainingRun, epoch: int, step: int, voice: Path | None, has_checkpoint: bool) -> EpochRow:
    scores, audition = (run.eval / f"{stem(epoch, step)}{suffix}" for suffix in (".json", ".flac"))
    means, trouble = None, ""
    if scores.exists():
        try:
            means = EpochScores.read(scores).means
        except FormatError as error:
            trouble = error.message
    return EpochRow(epoch, step, means, audition if audition.exists() else None, voice, has_checkpoint, trouble)


def _files(folder: Path) -> Iterator[Path]:
    """Scores and auditions."""
    return (path for path in folder.glob("*") if path.suffix in (".json", ".flac"))


def _saved(path: Path) -> tuple[int, int] | None:
    """Epoch and step in the name of a file."""
    found = _STEM.search(path.stem)
    return (int(found[1]), int(found[2])) if found else None
