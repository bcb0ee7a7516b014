"""What is tried, and what came of it, as values. No torch here: the page and the command line read them."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from rvc.optimizers.registry import named
from rvc.train.chosen import chosen
from rvc.train.settings import FitSettings


@dataclass(frozen=True)
class Candidate:
    """An optimizer as a run would be told to use it; ``factor`` is the rate's, relative to the one it was derived from.

    The fields are those of ``FitSettings``: what is tried is what is applied.
    """

    optimizer: str
    factor: float
    learning_rate: float
    learning_rate_d: float
    optimizer_options: str = ""
    optimizer_d: str = ""
    optimizer_options_d: str = ""

    @classmethod
    def of(cls, fit: FitSettings, name: str, factor: float = 1.0, *, fine_tune: bool) -> "Candidate":
        """``name`` as ``fit`` has it, if that is what ``fit`` has, else as it is by default; both rates times ``factor``.

        ``SettingsError`` for a name or options that are none, ``MissingAssetError`` for a library that is not there.
        """
        spec = named(name)
        own = spec.name == named(fit.optimizer).name
        asked = fit if own else fit.model_copy(update={"optimizer": spec.name, "optimizer_options": "", "optimizer_d": "",
                                                       "optimizer_options_d": "", "learning_rate": None, "learning_rate_d": None})
        g, d = (chosen(asked, role, fine_tune=fine_tune) for role in ("g", "d"))
        return cls(spec.name, factor, g.learning_rate * factor, d.learning_rate * factor,
                   asked.optimizer_options, asked.optimizer_d, asked.optimizer_options_d)

    @property
    def settings(self) -> dict[str, Any]:
        """Fields of ``FitSettings``."""
        return {name: value for name, value in asdict(self).items() if name != "factor"}

    @property
    def title(self) -> str:
        return self.optimizer if self.factor == 1 else f"{self.optimizer}, rate × {self.factor:g}"


@dataclass(frozen=True)
class Point:
    """After so many steps: the mel distance of the held-out clips, and the seconds that the steps took, by the clock and of the CPU."""

    step: int
    held_out: float
    seconds: float
    cpu_seconds: float


@dataclass(frozen=True)
class Trial:
    """One run of a candidate. With a ``failure`` the curve ends where it was still well."""

    candidate: Candidate
    seed: int
    steps: int
    curve: tuple[Point, ...]
    state_bytes: int = 0  # of both optimizers
    peak_bytes: int | None = None  # on a GPU, of everything; elsewhere nobody counts
    failure: str = ""

    @property
    def held_out(self) -> float:
        """At the end; NaN when it broke."""
        return math.nan if self.failure else self.curve[-1].held_out

    @property
    def seconds_per_step(self) -> float:
        return self._per_step(self.curve[-1].seconds)

    @property
    def cpu_seconds_per_step(self) -> float:
        return self._per_step(self.curve[-1].cpu_seconds)

    def _per_step(self, seconds: float) -> float:
        return seconds / self.curve[-1].step if self.curve[-1].step else math.nan

    def as_json(self) -> dict[str, Any]:
        """Plain values; no point of a curve is NaN."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Trial":
        """``KeyError``, ``TypeError`` or ``ValueError`` for what is none."""
        curve = tuple(Point(**{name: number(value) for name, value in one.items()}) for one in values["curve"])
        return cls(**{**values, "candidate": Candidate(**values["candidate"]), "curve": curve})


def marks(steps: int, points: int) -> tuple[int, ...]:
    """At which of ``steps`` a curve is looked at: ``points`` evenly spread ones, the last among them."""
    return tuple(sorted({-(-steps * number // points) for number in range(1, points + 1)}))


def number(value: Any) -> Any:
    """``value``, if it is a number; ``ValueError`` for text, truth and NaN."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"{value!r} is no number")
    return value
