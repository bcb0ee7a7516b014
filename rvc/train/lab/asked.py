"""What a lab is asked for. No torch here."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rvc.errors import SettingsError
from rvc.interval import STUDENT
from rvc.optimizers.checks import check
from rvc.optimizers.registry import OPTIMIZERS, named
from rvc.train.lab import halving
from rvc.train.lab.halving import Round

STEPS, SEEDS = 2000, 3
FACTORS = (0.3, 1.0, 3.0)  # of the rate: finer differences drown in those between seeds
MOST_SEEDS, MOST_FACTORS = max(STUDENT), 10


def short_list() -> tuple[str, ...]:
    """Whom to try when nobody says whom: the recommended ones, and those advised for faster progress."""
    return tuple(one.name for one in OPTIMIZERS.values() if one.verdict.label == "recommended" or "fast convergence" in one.advice)


@dataclass(frozen=True)
class Asked:
    """``steps``: of all trials together, which is what a lab costs. ``seeds``: of the last round."""

    optimizers: tuple[str, ...]
    steps: int = STEPS
    seeds: int = SEEDS
    factors: tuple[float, ...] = FACTORS

    @classmethod
    def of(cls, optimizers: Sequence[str] = (), steps: int = STEPS, seeds: int = SEEDS, factors: Sequence[float] = FACTORS) -> "Asked":
        """Names in whatever case, each once; none is the short list. ``SettingsError`` or ``MissingAssetError`` for what cannot be done."""
        names = tuple(dict.fromkeys(named(one).name for one in optimizers)) or short_list()
        for name in names:
            check(named(name), named(name).rates.generator, {})
        asked = cls(names, steps, seeds, tuple(sorted(set(factors))))
        asked._refuse_impossible()
        if not asked.rounds:
            least = halving.fewest(len(names), len(asked.factors), seeds)
            raise SettingsError(f"{steps} steps are too few to compare {len(names)} optimizers with {seeds} "
                                f"{'seed' if seeds == 1 else 'seeds'}: it takes {least} at least.", fix="Give more steps, or fewer names.")
        return asked

    def _refuse_impossible(self) -> None:
        if len(self.optimizers) < 2:
            raise SettingsError(f"{self.optimizers[0]} alone cannot be compared with anything.", fix="Name two optimizers at least.")
        if not 1 <= self.seeds <= MOST_SEEDS:
            raise SettingsError(f"A lab takes 1 to {MOST_SEEDS} seeds; {self.seeds} is not.")
        if not 1 <= len(self.factors) <= MOST_FACTORS or not all(0 < one < math.inf for one in self.factors):
            raise SettingsError(f"A lab tries 1 to {MOST_FACTORS} multiples of the learning rate, each above 0; these are not: "
                                f"{', '.join(map(str, self.factors))}.")

    @property
    def rounds(self) -> tuple[Round, ...]:
        return halving.schedule(len(self.optimizers), len(self.factors), self.steps, self.seeds)
