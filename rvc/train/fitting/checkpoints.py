"""Resumable checkpoints: ``G_<step>.pth`` and ``D_<step>.pth`` as RVC programs read them, ``state_<step>.pt`` for exact resume.

The state file is written last and is what makes a checkpoint complete; older checkpoints are removed only after that. So there is
always a whole one on disk, whatever happens during a save.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rvc import checkpoint
from rvc.errors import FormatError, TrainingError
from rvc.events import Event, Note, Saved
from rvc.train.run import TrainingRun


@dataclass(frozen=True)
class Snapshot:
    """The three files of one checkpoint, read but not yet applied. ``title`` is what a base is called in sentences."""

    step: int
    generator: dict[str, Any]
    discriminator: dict[str, Any]
    state: dict[str, Any]
    title: str = ""


def save(run: TrainingRun, snapshot: Snapshot) -> Iterator[Event]:
    """Write the three files, then remove the older ones that the settings do not want to be kept."""
    checkpoint.write(run.checkpoint("G", snapshot.step), snapshot.generator)
    checkpoint.write(run.checkpoint("D", snapshot.step), snapshot.discriminator)
    checkpoint.write(run.checkpoint("state", snapshot.step), snapshot.state)
    yield Saved(what="checkpoint", path=run.checkpoint("G", snapshot.step).name, epoch=snapshot.state["epoch"], step=snapshot.step)
    for step in _unwanted(run):
        remove(run, step)


def newest(run: TrainingRun) -> Iterator[Event | Snapshot]:
    """The newest whole checkpoint as the last item, after a warning for each newer one that is damaged.

    Yields nothing for a run without checkpoints. When it has some and none can be read, that is a ``TrainingError``: to begin anew
    without a word would throw the work away.
    """
    steps = run.checkpoint_steps()
    for step in reversed(steps):
        try:
            yield _read(run, step)
            return
        except FormatError as error:
            yield Note(level="warning", message=f"The checkpoint of step {step} is damaged and is passed over: {error.message}")
    if steps:
        raise TrainingError(f"None of the {len(steps)} checkpoints of {run.name!r} can be read.",
                            fix="Move them out of the run folder to begin anew, or choose another run name.")


def remove(run: TrainingRun, step: int) -> None:
    """The state file goes first: without it the others are no checkpoint."""
    for kind in ("state", "D", "G"):
        run.checkpoint(kind, step).unlink(missing_ok=True)


def _unwanted(run: TrainingRun) -> list[int]:
    """Neither one of the newest nor to be kept for good."""
    fit = run.settings.fit
    older = run.checkpoint_steps()[: -fit.keep_checkpoints]
    return [step for step in older if not (fit.keep_every_epochs and _for_good(run, step, fit.keep_every_epochs))]


def _for_good(run: TrainingRun, step: int, every_epochs: int) -> bool:
    """Whether it is that of the end of such an epoch, as its state says; only that is read of it, not what it weighs.

    One that cannot be read stays as well: whether it was to be kept nobody can tell.
    """
    try:
        state = checkpoint.read(run.checkpoint("state", step), mmap=True)
    except FormatError:
        return True
    return state["epoch"] > 0 and state["batch"] == 0 and state["epoch"] % every_epochs == 0


def _read(run: TrainingRun, step: int) -> Snapshot:
    generator, discriminator, state = (checkpoint.read(run.checkpoint(kind, step)) for kind in ("G", "D", "state"))
    if state.get("step") != step:
        raise FormatError(f"state_{step}.pt belongs to step {state.get('step')}.")
    return Snapshot(step, generator, discriminator, state)
