"""What several seeds say: intervals by the book, winners only where there are some."""

import random

import pytest

from rvc.train.lab.ranking import mean_curve, reached, standings, verdict
from rvc.train.lab.trial import Point, marks
from tests.train.lab.trials import trial


def finals(**distances: list[float]) -> list:
    return [trial(name, value, seed=seed) for name, values in distances.items() for seed, value in enumerate(values, start=1)]


def test_a_lead_that_every_seed_confirms_wins_though_the_intervals_overlap():
    found = standings(finals(A=[1.0, 2.0, 3.0], B=[1.1, 2.11, 3.09]))
    assert found[0].interval.mean + found[0].interval.half > found[1].interval.mean
    assert found[1].behind.mean == pytest.approx(0.1)
    result = verdict(found, before=4.0)
    assert (result.kind, result.winner.optimizer) == ("won", "A")
    assert "A wins: it is nearer than B, the next, by 0.100" in result.sentence


def test_a_lead_that_chance_explains_is_no_clear_winner_and_the_sentence_says_over_whom():
    result = verdict(standings(finals(A=[1.0, 2.0, 3.0], B=[1.2, 1.9, 3.1], C=[5.0, 6.0, 7.0])), before=9.0)
    assert (result.kind, result.winner, result.best.optimizer) == ("open", None, "A")
    assert result.sentence == "No clear winner. A is nearest, at 2.000, but its lead over B is within what chance does."


def test_equal_finalists_are_a_tie():
    assert verdict(standings(finals(A=[1.0, 1.0, 1.0], B=[1.0, 1.0, 1.0])), 2.0).kind == "open"


def test_one_seed_never_names_a_winner():
    result = verdict(standings(finals(A=[0.1], B=[5.0])), 9.0)
    assert (result.kind, result.sentence) == (
        "open", "No clear winner. A is nearest, at 0.100, but with one seed nobody can tell chance from merit.")


def test_a_winner_that_is_farther_than_the_beginning_is_told():
    result = verdict(standings(finals(A=[1.0, 1.01, 1.02], B=[3.0, 3.01, 3.02])), before=0.9)
    assert result.kind == "won"
    assert result.sentence.endswith("But even it is no nearer than what they began with (0.900): train longer before you compare.")


def test_what_broke_comes_last_with_its_reason_and_does_not_win():
    trials = [*finals(A=[3.0, 3.0], B=[4.0, 4.1]), trial("C", 0.1, seed=1), trial("C", failure="not finite", seed=2)]
    found = standings(trials)
    assert [one.candidate.optimizer for one in found] == ["A", "B", "C"]
    assert (found[2].failures, found[2].interval, found[2].behind) == (("not finite",), None, None)
    everything = verdict(standings([trial(name, failure="x", seed=1) for name in "AB"]), 2.0)
    assert (everything.kind, everything.best) == ("broken", None)
    alone = verdict(standings([trial("A", 1.0, seed=1), trial("B", failure="x", seed=1)]), 2.0)
    assert (alone.kind, alone.sentence) == ("open", "A alone got through, so there is nothing to compare it with.")


@pytest.mark.parametrize(("candidates", "least", "most"), [(2, 0.02, 0.09), (3, 0.0, 0.03)])
def test_where_nothing_differs_a_winner_is_rare(candidates, least, most):
    chance = random.Random(0)
    labs = [finals(**{name: [chance.gauss(1, 0.1) for _ in range(3)] for name in "ABC"[:candidates]}) for _ in range(300)]
    assert least < sum(verdict(standings(one), 2.0).kind == "won" for one in labs) / len(labs) < most


def test_an_end_is_reached_where_the_straight_line_between_two_points_comes_down_to_it():
    curve = [Point(0, 2.0, 0.0, 0.0), Point(10, 1.0, 5.0, 10.0), Point(20, 1.5, 10.0, 20.0)]
    assert reached(curve, 1.25) == Point(8, 1.25, 3.75, 7.5)
    assert reached(curve, 1.0) == Point(10, 1.0, 5.0, 10.0)
    assert reached(curve, 0.9) is None
    assert reached(curve, 2.5) == curve[0]


def test_a_mean_curve_is_the_mean_at_every_point():
    assert mean_curve([trial("A", 1.0, seconds=4.0), trial("A", 1.5, seconds=6.0)])[-1] == Point(10, 1.25, 5.0, 5.0)


def test_a_curve_is_looked_at_evenly_and_at_its_end():
    assert marks(15, 3) == (5, 10, 15)
    assert marks(7, 3) == (3, 5, 7)
    assert marks(2, 6) == (1, 2)
