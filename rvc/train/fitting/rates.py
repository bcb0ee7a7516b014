"""The learning rate at every step, as a closed form of the step: a resumed run needs no schedule's state to go on exactly.

No torch here: the page draws the curve from the same function.
"""

import math
from dataclasses import dataclass

from rvc.train.settings import FitSettings


@dataclass(frozen=True)
class Moment:
    """Where a fit stands: ``step`` and ``epoch`` are finished ones, ``total_steps`` those of the whole fit as it is asked for now."""

    step: int
    epoch: int
    total_steps: int


def factor(fit: FitSettings, now: Moment, *, scheduled: bool = True) -> float:
    """What the initial learning rate is multiplied by for the step after ``now``: 0 to 1.

    Some optimizers must not be ``scheduled``: they find their rate themselves, or average in the place of a decay.
    """
    return _warm_up(fit, now) * (_SCHEDULES[fit.schedule](fit, now) if scheduled else 1.0)


def _warm_up(fit: FitSettings, now: Moment) -> float:
    return min(1.0, (now.step + 1) / fit.warmup_steps) if fit.warmup_steps else 1.0


def _gone(fit: FitSettings, now: Moment) -> float:
    """How much of the steps after the warm-up is over, 0 to 1. A fit that was made longer spreads the rest over what is left."""
    left = now.total_steps - fit.warmup_steps
    return min(max((now.step - fit.warmup_steps) / left, 0.0), 1.0) if left > 0 else 0.0


def _exponential(fit: FitSettings, now: Moment) -> float:
    return fit.lr_decay**now.epoch


def _cosine(fit: FitSettings, now: Moment) -> float:
    """SGDR without restarts (Loshchilov and Hutter 2017, eq. 5)."""
    return 0.5 * (1 + math.cos(math.pi * _gone(fit, now)))


def _linear(fit: FitSettings, now: Moment) -> float:
    return 1 - _gone(fit, now)


_SCHEDULES = {"exponential": _exponential, "cosine": _cosine, "linear": _linear, "constant": lambda fit, now: 1.0}
