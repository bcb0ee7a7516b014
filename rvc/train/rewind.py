"""Going on from an earlier checkpoint: what came after it is put aside, and the fit continues from there. No torch here."""

from dataclasses import dataclass
from pathlib import Path

from rvc.errors import RunError
from rvc.train.aside import put_aside
from rvc.train.run import TrainingRun

_FROM_THE_FIT_ON = ("fit", "export")  # the stages that are done again; the index depends on the data alone


@dataclass(frozen=True)
class Rewound:
    """``aside`` holds what came after ``step``; ``None``: nothing did."""

    step: int
    aside: Path | None

    @property
    def sentence(self) -> str:
        later = f"what came after it is in {self.aside.name}" if self.aside else "nothing came after it"
        return f"The run goes on from step {self.step}; {later}."


def rewind(run: TrainingRun, step: int) -> Rewound:
    """Make ``step`` the newest checkpoint of ``run``: the next resume goes on from it. Nothing is deleted.

    ``RunBusyError`` while it is being trained, ``RunError`` when there is no checkpoint of that step. Nothing is changed then. To be
    done again after it was cut off; what is moved then lies in a second folder.
    """
    with run.held():
        _refuse_missing(run, step)
        for stage in _FROM_THE_FIT_ON:
            run.forget(stage)
        return Rewound(step, put_aside(run, after=step))


def _refuse_missing(run: TrainingRun, step: int) -> None:
    steps = run.checkpoint_steps()
    if step not in steps:
        there = f"There are: {', '.join(map(str, steps))}." if steps else "Train it first."
        raise RunError(f"{run.name!r} has no checkpoint of step {step}.", fix=there)
    gone = [path.name for kind in "GD" if not (path := run.checkpoint(kind, step)).exists()]
    if gone:
        raise RunError(f"The checkpoint of step {step} of {run.name!r} is not whole: {gone[0]} is missing.", fix="Take another step.")
