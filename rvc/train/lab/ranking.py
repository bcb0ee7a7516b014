"""What the distances of several seeds say: means with their intervals, who comes before whom, and when a curve met another's end.

An interval is Student's, 95 %, two-sided: of so few seeds the spread is known badly, and the factor says so.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, stdev

from rvc.train.lab.trial import Point, Trial

# The 97.5 % point of Student's t by the number of values (degrees of freedom: one less).
STUDENT = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 9: 2.306, 10: 2.262}


@dataclass(frozen=True)
class Interval:
    """A mean, and half the width of its 95 % interval: infinite for one value, which says nothing about chance."""

    mean: float
    half: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Interval":
        """Of one to ten values; NaN when one of them is."""
        if len(values) == 1:
            return cls(values[0], math.inf)
        return cls(fmean(values), STUDENT[len(values)] * stdev(values) / math.sqrt(len(values)))

    def __str__(self) -> str:
        return f"{self.mean:.3f} ± {self.half:.3f}" if math.isfinite(self.half) else f"{self.mean:.3f}"


def mean_curve(trials: Sequence[Trial]) -> tuple[Point, ...]:
    """Of whole trials of the same length, looked at in the same places."""
    return tuple(
        Point(here[0].step, *(fmean(getattr(one, name) for one in here) for name in ("held_out", "seconds", "cpu_seconds")))
        for here in zip(*(trial.curve for trial in trials), strict=True))


def reached(curve: Sequence[Point], target: float) -> Point | None:
    """Where ``curve`` first comes down to ``target``, between its points in a straight line; ``None`` when it does not."""
    if curve[0].held_out <= target:
        return curve[0]
    for before, after in pairwise(curve):
        if after.held_out <= target:
            way = (before.held_out - target) / (before.held_out - after.held_out)
            return Point(math.ceil(before.step + way * (after.step - before.step)), target, *(
                getattr(before, name) + way * (getattr(after, name) - getattr(before, name)) for name in ("seconds", "cpu_seconds")))
    return None
