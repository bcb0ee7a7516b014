"""What a lab is asked for. No torch here."""

from dataclasses import dataclass

from rvc.errors import SettingsError
from rvc.optimizers.checks import check
from rvc.optimizers.registry import OPTIMIZERS, named
from rvc.train.lab import halving
from rvc.train.lab.halving import Round
from rvc.train.lab.ranking import STUDENT

STEPS, SEEDS = 2000, 3
FACTORS = (0.3, 1.0, 3.0)  # of the rate: finer differences drown in those between seeds
MOST_SEEDS = max(STUDENT)


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
    def of(cls, optimizers: tuple[str, ...] = (), steps: int = STEPS, seeds: int = SEEDS) -> "Asked":
        """Names in whatever case, each once; none is the short list. ``SettingsError`` or ``MissingAssetError`` for what cannot be done."""
        names = tuple(dict.fromkeys(named(one).name for one in optimizers)) or short_list()
        for name in names:
            check(named(name), named(name).rates.generator, {})
        if len(names) < 2:
            raise SettingsError(f"{names[0]} alone cannot be compared with anything.", fix="Name two optimizers at least.")
        if not 1 <= seeds <= MOST_SEEDS:
            raise SettingsError(f"A lab takes 1 to {MOST_SEEDS} seeds; {seeds} is not.")
        asked = cls(names, steps, seeds)
        if not asked.rounds:
            least = halving.fewest(len(names), len(FACTORS), seeds)
            raise SettingsError(f"{steps} steps are too few to compare {len(names)} optimizers with {seeds} "
                                f"{'seed' if seeds == 1 else 'seeds'}: it takes {least} at least.", fix="Give more steps, or fewer names.")
        return asked

    @property
    def rounds(self) -> tuple[Round, ...]:
        return halving.schedule(len(self.optimizers), len(self.factors), self.steps, self.seeds)
