"""Labels follow from measurements by a rule, and the measurements are those in the repository."""

import json

import pytest

from rvc.interval import Interval
from rvc.optimizers import verdicts
from rvc.optimizers.registry import OPTIMIZERS
from rvc.optimizers.verdicts import LABELS, Measured

NEAR, FAR = Interval(0.02, 0.01), Interval(-0.02, 0.01)
LEVEL = Interval(-0.01, 0.02)


def label(lead, best_lead=None, *, cost=1.0, slow_to_begin=False):
    some = Interval(1.8, 0.01)
    one = Measured(lead and some, best_lead and some, lead, best_lead, 1.0, cost)
    return verdicts._label(one, slow_to_begin=slow_to_begin)


@pytest.mark.parametrize(("lead", "best_lead", "cost", "expected"), [
    (NEAR, NEAR, 1.0, "recommended"), (NEAR, NEAR, 2.5, "works"), (LEVEL, LEVEL, 1.0, "works"), (FAR, LEVEL, 1.0, "experimental"),
    (FAR, NEAR, 1.0, "experimental"), (FAR, FAR, 1.0, "completeness"), (None, LEVEL, 1.0, "experimental"),
    (None, None, 1.0, "completeness")])
def test_a_label_says_how_an_optimizer_did_beside_adamw(lead, best_lead, cost, expected):
    assert label(lead, best_lead, cost=cost) == expected


def test_few_steps_say_nothing_against_one_that_begins_slowly():
    assert label(FAR, FAR, slow_to_begin=True) == "experimental"
    assert label(NEAR, NEAR, slow_to_begin=True) == "recommended"


def test_every_optimizer_was_measured_and_has_a_label_that_is_explained():
    measured = json.loads(verdicts.RESULTS.read_text(encoding="utf-8"))
    assert set(measured["optimizers"]) == set(OPTIMIZERS)
    for spec in OPTIMIZERS.values():
        assert spec.verdict.label in LABELS
        assert str(measured["steps"]) in spec.verdict.label_from


def test_adamw_is_what_others_are_compared_with():
    assert OPTIMIZERS["AdamW"].verdict.label == "recommended"
    assert Measured.of(json.loads(verdicts.RESULTS.read_text(encoding="utf-8"))["optimizers"]["AdamW"]).lead == Interval(0.0, 0.0)


def test_what_was_not_measured_says_so():
    assert "not measured" in verdicts.of("Nobody's", slow_to_begin=False).label_from
