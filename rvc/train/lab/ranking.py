"""What the distances of several seeds say: means with their intervals, who comes before whom, and when a curve met another's end.

Who is best is decided by differences, not by whether intervals overlap: every finalist saw the same clips in the same order with the same
noise under the same seed, so what a seed does to all of them falls out of the difference. The best has won when the interval of its lead is
above zero over each of the others. Where nothing differs, that names a winner in one lab of twenty between two, and in one of a hundred
between three.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from statistics import fmean
from typing import Literal

from rvc.interval import Interval
from rvc.train.lab.trial import Candidate, Point, Trial


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


@dataclass(frozen=True)
class Standing:
    """A finalist with its trials, by seed. ``behind``: how much farther it is than the best, seed by seed; ``None`` of the best itself."""

    candidate: Candidate
    trials: tuple[Trial, ...]
    behind: Interval | None = None

    @property
    def failures(self) -> tuple[str, ...]:
        return tuple(one.failure for one in self.trials if one.failure)

    @property
    def interval(self) -> Interval | None:
        """Of the mel distance; ``None`` when a trial broke."""
        return None if self.failures else Interval.of([one.held_out for one in self.trials])

    def lead_over(self, other: "Standing") -> Interval:
        """How much nearer this one is than ``other``, seed by seed."""
        return Interval.of([theirs.held_out - own.held_out for own, theirs in zip(self.trials, other.trials, strict=True)])


def standings(trials: Sequence[Trial]) -> list[Standing]:
    """The finalists, nearest first, those that broke last. ``trials``: of the last round, with the same seeds for all."""
    ordered = sorted(trials, key=lambda one: (one.candidate.optimizer, one.candidate.factor, one.seed))
    found = [Standing(candidate, tuple(own)) for candidate, own in groupby(ordered, key=lambda one: one.candidate)]
    found.sort(key=lambda one: one.interval.mean if one.interval else math.inf)
    best, *others = found
    return [best, *(replace(one, behind=best.lead_over(one)) if one.interval else one for one in others)]


@dataclass(frozen=True)
class Verdict:
    """What the lab comes to. ``best``: the nearest, which has ``won`` or not; ``None`` when everything broke."""

    kind: Literal["won", "open", "broken"]
    sentence: str
    best: Candidate | None = None

    @property
    def winner(self) -> Candidate | None:
        return self.best if self.kind == "won" else None


def verdict(found: Sequence[Standing], before: float) -> Verdict:
    """``found``: as ``standings`` gives them; ``before``: the distance that all began at."""
    whole = [one for one in found if one.interval]
    if not whole:
        return Verdict("broken", "None of them got through.")
    best, others = whole[0], whole[1:]
    title, mean = best.candidate.title, best.interval.mean
    worse = "" if mean < before else f" But even it is no nearer than what they began with ({before:.3f}): train longer before you compare."
    if not others:
        return Verdict("open", f"{title} alone got through, so there is nothing to compare it with.{worse}", best.candidate)
    near = [one for one in others if one.behind.mean <= one.behind.half]
    if near:
        names = " and ".join(one.candidate.title for one in near)
        chance = "with one seed nobody can tell chance from merit" if len(best.trials) == 1 else (
            f"its lead over {names} is within what chance does")
        return Verdict("open", f"No clear winner. {title} is nearest, at {mean:.3f}, but {chance}.{worse}", best.candidate)
    least = min(others, key=lambda one: one.behind.mean)
    return Verdict("won", f"{title} wins: it is nearer than {least.candidate.title}, the next, by {least.behind}.{worse}", best.candidate)
