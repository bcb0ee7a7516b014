"""Successive halving: many candidates for a few steps, the better half of them for twice as many, until three are left.

Jamieson & Talwalkar 2016 (arXiv:1502.07943); Li et al. 2018 (arXiv:1603.06560) call the share that stays 1/η, with η = 2 here. Two things
are ours. Every round begins at the same weights again: candidates that wait would have to be kept, which at full size is a gigabyte each,
and some plan with the number of their steps. And those that are left begin anew with seeds that did not choose them: who is picked as the
best of many has been lucky as well, and luck does not come twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from rvc.train.lab.trial import Candidate, Trial

FINALISTS = 3
FEWEST_STEPS = 4  # of a trial: after fewer nothing can be told
CHOOSING_SEED = 0  # of every round but the last, whose seeds are 1, 2, ...


@dataclass(frozen=True)
class Round:
    """So many candidates, each with every one of ``seeds``, ``steps`` steps long."""

    kind: Literal["rates", "halving", "final"]
    candidates: int
    seeds: tuple[int, ...]
    steps: int

    @property
    def total_steps(self) -> int:
        return self.candidates * len(self.seeds) * self.steps

    @property
    def points(self) -> int:
        """How often a trial is scored on its way: the curves of the last round are to be looked at."""
        return {"rates": 1, "halving": 3, "final": 6}[self.kind]


def schedule(names: int, factors: int, budget_steps: int, seeds: int) -> tuple[Round, ...]:
    """Rounds that together take ``budget_steps``, or fewer by less than a step for each trial of the last.

    The first compares ``factors`` rates of every name, unless there is only one. Empty when the budget is below ``fewest``.
    """
    shape = _shape(names, factors, seeds)
    unit = budget_steps // _weight(shape)
    if unit < FEWEST_STEPS:
        return ()
    early = [Round(kind, count, tried, unit * 2**number) for number, (kind, count, tried) in enumerate(shape[:-1])]
    kind, count, tried = shape[-1]
    left = budget_steps - sum(one.total_steps for one in early)
    return (*early, Round(kind, count, tried, left // (count * len(tried))))


def fewest(names: int, factors: int, seeds: int) -> int:
    """The smallest budget, in steps, of which anything can be told."""
    return FEWEST_STEPS * _weight(_shape(names, factors, seeds))


def survivors(trials: Sequence[Trial], round: Round, following: Round) -> list[Candidate]:
    """Who goes on from ``round``, best first: the best rate of every name, or the best names. What broke does not."""
    whole = sorted((one for one in trials if not one.failure), key=lambda one: one.held_out)
    if round.kind == "rates":
        by_name = groupby(sorted(whole, key=lambda one: one.candidate.optimizer), key=lambda one: one.candidate.optimizer)
        whole = sorted((next(own) for _, own in by_name), key=lambda one: one.held_out)  # sorting is stable: each name's best comes first
    return [one.candidate for one in whole[: following.candidates]]


def _shape(names: int, factors: int, seeds: int) -> list[tuple[Literal["rates", "halving", "final"], int, tuple[int, ...]]]:
    """Kind, candidates and seeds of each round."""
    shape = [("rates", names * factors, (CHOOSING_SEED,))] if factors > 1 else []
    while names > FINALISTS:
        shape.append(("halving", names, (CHOOSING_SEED,)))
        names = max(FINALISTS, -(-names // 2))
    return [*shape, ("final", names, tuple(range(1, seeds + 1)))]


def _weight(shape: list) -> int:
    """Of the budget, in steps of the first round's trials: each round's are twice as long as those before."""
    return sum(count * len(seeds) * 2**number for number, (_, count, seeds) in enumerate(shape))
