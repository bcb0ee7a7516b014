"""What a lab found becomes the run's setting. No torch here."""

from rvc.errors import RunError
from rvc.paths import Home
from rvc.train import new_run
from rvc.train.lab.record import Record
from rvc.train.lab.trial import Candidate
from rvc.train.run import TrainingRun


def winner_of(record: Record) -> Candidate:
    """``RunError`` when the lab is not finished, or nobody has won."""
    verdict = record.verdict
    if verdict is None:
        raise RunError("The lab is not finished, so nobody has won yet.", fix="Resume it.")
    if verdict.winner is None:
        raise RunError(verdict.sentence, fix="Keep what the run has, or give the lab more steps and seeds.")
    return verdict.winner


def applied(run: TrainingRun, home: Home, candidate: Candidate) -> TrainingRun:
    """``run`` with the optimizer, rates and options of ``candidate``, written to its folder; everything else stays.

    Errors as of ``new_run.create``: ``RunBusyError`` while something works on it.
    """
    fit = run.settings.fit.model_copy(update=candidate.settings)
    return new_run.create(home, run.name, run.settings.model_copy(update={"fit": fit}))


def has_already(run: TrainingRun, candidate: Candidate) -> bool:
    """Whether ``run`` says the same by name and number; a rate that it leaves open is a choice of its own."""
    return all(getattr(run.settings.fit, name) == value for name, value in candidate.settings.items())
