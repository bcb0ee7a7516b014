"""Labels, and the measurements that they come from: ``measured.json``, which ``python -m benchmarks.optimizers --labels`` writes.

Everything is compared with AdamW, which is what a run has when nobody chooses. No torch here.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from rvc.interval import Interval

RESULTS = Path(__file__).with_name("measured.json")
YARDSTICK = "AdamW"
DEAR = 2.0  # times AdamW's seconds a step: more steps of AdamW would be the better use of them

Label = Literal["recommended", "works", "experimental", "completeness"]
LABELS: dict[Label, str] = {
    "recommended": "came nearer than AdamW at its default rate, in about the time; or it is AdamW",
    "works": "at its default rate as near as AdamW, as far as could be told, or nearer in much more time",
    "experimental": "needs another rate than its default, or more steps than were tried, to keep up with AdamW; listen to what comes out",
    "completeness": "here because people ask for it by name; others did better at every rate that was tried",
}


@dataclass(frozen=True)
class Measured:
    """What the trials of one optimizer came to, as mel distances of held-out recordings; ``None``: it broke.

    lead, best_lead: how much nearer it came than AdamW under the same seeds, both at their defaults and both at their best rates.
    factor: the best multiple of its default rate. cost: seconds a step, AdamW 1.
    """

    default: Interval | None
    best: Interval | None
    lead: Interval | None
    best_lead: Interval | None
    factor: float
    cost: float

    @classmethod
    def of(cls, entry: dict) -> "Measured":
        distances = (Interval(*entry[kind]) if entry[kind] else None for kind in ("default", "best", "lead", "best_lead"))
        return cls(*distances, entry["factor"], entry["cost"])


@dataclass(frozen=True)
class Verdict:
    """``label``, and what it was taken from."""

    label: Label
    label_from: str


def of(name: str, *, slow_to_begin: bool) -> Verdict:
    """Of the optimizer ``name``. slow_to_begin: so few steps say nothing against it."""
    setting, measured = _results()
    if name not in measured:
        return Verdict("experimental", f"Nothing: it was not measured. {setting}")
    one = measured[name]
    label = "recommended" if name == YARDSTICK else _label(one, slow_to_begin=slow_to_begin)
    return Verdict(label, f"{_said(one)}; {YARDSTICK} {_said(measured[YARDSTICK])}. {setting}")


def _label(one: Measured, *, slow_to_begin: bool) -> Label:
    if one.lead and not one.lead.below_zero:
        return "recommended" if one.lead.above_zero and one.cost <= DEAR else "works"
    if slow_to_begin or (one.best_lead and not one.best_lead.below_zero):
        return "experimental"
    return "completeness"


def _said(one: Measured) -> str:
    at_default = f"{one.default} at its default rate" if one.default else "broke at its default rate"
    at_best = f", {one.best} at {one.factor:g} times that" if one.best and one.factor != 1 else ""
    return at_default + at_best


@cache
def _results() -> tuple[str, dict[str, Measured]]:
    """In which setting it was measured, as a sentence; and what, by name."""
    document = json.loads(RESULTS.read_text(encoding="utf-8"))
    setting = (f"Mel distance of held-out recordings after {document['steps']} steps of a tiny network, {document['seeds']} seeds, from "
               f"{document['before']:.3f}, {document['date']}; docs/optimizers.md tells more.")
    return setting, {name: Measured.of(entry) for name, entry in document["optimizers"].items()}
