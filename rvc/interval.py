"""The mean of a few measurements, and how well it is known."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

# The 97.5 % point of Student's t by the number of values (degrees of freedom: one less): of so few the spread is known badly, and the
# factor says so.
STUDENT = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 9: 2.306, 10: 2.262}


@dataclass(frozen=True)
class Interval:
    """A mean, and half the width of its two-sided 95 % interval: infinite for one value, which says nothing about chance."""

    mean: float
    half: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Interval":
        """Of one to ten values; NaN when one of them is."""
        if len(values) == 1:
            return cls(values[0], math.inf)
        return cls(fmean(values), STUDENT[len(values)] * stdev(values) / math.sqrt(len(values)))

    @property
    def above_zero(self) -> bool:
        return self.mean > self.half

    @property
    def below_zero(self) -> bool:
        return self.mean < -self.half

    def __str__(self) -> str:
        return f"{self.mean:.3f} ± {self.half:.3f}" if math.isfinite(self.half) else f"{self.mean:.3f}"
