"""What training went past is put aside in the run folder, never deleted: ``earlier_<n>/``. No torch here."""

import re
from collections.abc import Iterator
from pathlib import Path

from rvc.train.run import TrainingRun

_SAVED_AT = re.compile(r"(?:^|_)\d+e_(\d+)s$")  # the step in the name of a voice, of scores or of the clip to listen to


def put_aside(run: TrainingRun, after: int = -1) -> Path | None:
    """Move the checkpoints, voices, scores and auditions of all steps later than ``after`` into a folder of their own.

    The folder, or ``None`` when there was nothing to move. The newest checkpoint goes first, and of each the state file: cut off
    anywhere, this leaves a run that goes on from one of its own checkpoints.
    """
    moved = list(_later(run, after))
    if not moved:
        return None
    folder = _free_folder(run)
    for path in moved:
        target = folder / path.relative_to(run.folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
    return folder


def _later(run: TrainingRun, after: int) -> Iterator[Path]:
    for step in reversed([one for one in run.checkpoint_steps() if one > after]):
        yield from (path for kind in ("state", "D", "G") if (path := run.checkpoint(kind, step)).exists())
    yield from (path for path in [*run.voices(), *sorted(run.eval.glob("*e_*s.*"))] if _step(path) > after)


def _step(path: Path) -> int:
    """0 for a name that says none."""
    found = _SAVED_AT.search(path.stem)
    return int(found[1]) if found else 0


def _free_folder(run: TrainingRun) -> Path:
    number = 1
    while (folder := run.folder / f"earlier_{number}").exists():
        number += 1
    return folder
