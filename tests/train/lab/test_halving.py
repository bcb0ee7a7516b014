"""Rounds: they spend what was given, get longer, and let the better half go on."""

from itertools import pairwise

import pytest

from rvc.errors import SettingsError
from rvc.train.lab import halving
from rvc.train.lab.asked import Asked, short_list
from rvc.train.lab.halving import FEWEST_STEPS, schedule, survivors
from tests.train.lab.trials import trial


@pytest.mark.parametrize("names", [2, 3, 4, 5, 6, 7, 8, 12, 43])
@pytest.mark.parametrize("seeds", [1, 3, 10])
@pytest.mark.parametrize("factors", [1, 3])
def test_the_rounds_spend_the_budget_but_for_less_than_a_step_a_trial(names, factors, seeds):
    least = halving.fewest(names, factors, seeds)
    for budget in (least, least + 1, 3 * least + 17, 20_000):
        rounds = schedule(names, factors, budget, seeds)
        spent, last = sum(one.total_steps for one in rounds), rounds[-1]
        assert budget - last.candidates * seeds < spent <= budget
        assert rounds[0].steps >= FEWEST_STEPS
        assert all(after.steps >= 2 * before.steps for before, after in pairwise(rounds))
    assert schedule(names, factors, least - 1, seeds) == ()


def test_twelve_names_are_halved_until_three_are_left():
    rounds = schedule(12, 3, 2400, 3)
    assert [(one.kind, one.candidates, one.seeds, one.steps) for one in rounds] == [
        ("rates", 36, (0,), 15), ("halving", 12, (0,), 30), ("halving", 6, (0,), 60), ("final", 3, (1, 2, 3), 126)]


def test_two_names_need_no_halving_and_one_rate_needs_no_range_test():
    assert [one.kind for one in schedule(2, 3, 600, 3)] == ["rates", "final"]
    assert [(one.kind, one.candidates) for one in schedule(2, 1, 600, 3)] == [("final", 2)]


def test_seeds_that_chose_are_not_those_that_judge():
    *early, last = schedule(43, 3, 20_000, 10)
    assert not {seed for one in early for seed in one.seeds} & set(last.seeds)


def test_of_every_name_the_best_rate_goes_on_and_what_broke_does_not():
    rates, following = schedule(3, 3, 900, 2)[:2]
    trials = [trial("A", 0.9, factor=0.3), trial("A", 0.7), trial("A", 0.8, factor=3),
              trial("B", 0.5, factor=0.3), trial("B", failure="broke"), trial("B", 0.6, factor=3),
              *(trial("C", failure="broke", factor=factor) for factor in (0.3, 1, 3))]
    assert [(one.optimizer, one.factor) for one in survivors(trials, rates, following)] == [("B", 0.3), ("A", 1.0)]


def test_the_better_half_goes_on():
    halving_round, last = schedule(5, 1, 900, 2)
    trials = [trial(name, held_out) for name, held_out in zip("ABCDE", (0.5, 0.1, 0.4, 0.2, 0.3), strict=True)]
    assert [one.optimizer for one in survivors(trials, halving_round, last)] == ["B", "D", "E"]
    broke = [*trials[:2], *(trial(name, failure="x") for name in "CDE")]
    assert [one.optimizer for one in survivors(broke, halving_round, last)] == ["B", "A"]


def test_who_says_nothing_compares_a_short_list_that_a_small_budget_can_pay():
    asked = Asked.of()
    assert asked.optimizers == short_list()
    assert "AdamW" in asked.optimizers
    assert 2 <= len(asked.optimizers) <= 12


@pytest.mark.parametrize(("names", "steps", "seeds", "sentence"), [
    (("Lyon", "AdamW"), 2000, 3, "There is no optimizer 'Lyon'. Did you mean Lion"),
    (("Lion", "lion"), 2000, 3, "Lion alone cannot be compared with anything."),
    (("Lion", "AdamW"), 2000, 0, "A lab takes 1 to 10 seeds; 0 is not."),
    (("Lion", "AdamW"), 2000, 11, "A lab takes 1 to 10 seeds; 11 is not."),
    (("Lion", "AdamW"), 71, 3, "71 steps are too few to compare 2 optimizers with 3 seeds: it takes 72 at least."),
    (("Lion", "AdamW"), -5, 1, "-5 steps are too few to compare 2 optimizers with 1 seed: it takes 40 at least."),
])
def test_what_cannot_be_compared_is_refused_in_a_sentence(names, steps, seeds, sentence):
    with pytest.raises(SettingsError) as refused:
        Asked.of(names, steps, seeds)
    assert str(refused.value).startswith(sentence)


def test_multiples_of_the_rate_that_are_none_are_refused_and_one_alone_needs_no_range_test():
    for wrong in ([0.0], [-1.0, 1.0], [float("inf")], [float("nan")], list(range(1, 12))):
        with pytest.raises(SettingsError, match="multiples of the learning rate"):
            Asked.of(("Lion", "AdamW"), 2000, 3, wrong)
    assert [one.kind for one in Asked.of(("Lion", "AdamW"), 100, 3, [1.0, 1.0]).rounds] == ["final"]
