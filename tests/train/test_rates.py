"""The learning rate at every step, against closed forms."""

import math

import pytest

from rvc.train.fitting.rates import Moment, factor
from rvc.train.settings import FitSettings


def at(step: int, *, epoch: int = 0, total: int = 1000, **values) -> float:
    return factor(FitSettings(**values), Moment(step, epoch, total))


@pytest.mark.parametrize("epoch", [0, 1, 7, 400])
def test_exponential_is_the_decay_to_the_power_of_the_epoch(epoch):
    assert at(12_345, epoch=epoch, lr_decay=0.999) == pytest.approx(0.999**epoch)


@pytest.mark.parametrize(("step", "expected"), [
    (0, 1.0), (250, 0.5 * (1 + math.sqrt(0.5))), (500, 0.5), (999, 0.0), (1000, 0.0), (5000, 0.0)])
def test_cosine_goes_from_one_to_zero_over_the_run(step, expected):
    assert at(step, schedule="cosine") == pytest.approx(expected, abs=3e-6)


@pytest.mark.parametrize(("step", "expected"), [(0, 1.0), (250, 0.75), (1000, 0.0), (2000, 0.0)])
def test_linear_goes_from_one_to_zero_over_the_run(step, expected):
    assert at(step, schedule="linear") == pytest.approx(expected)


def test_constant_stays():
    assert at(10**6, epoch=900, schedule="constant") == 1.0


@pytest.mark.parametrize("schedule", ["exponential", "cosine", "linear", "constant"])
def test_warm_up_rises_step_by_step_and_never_starts_at_zero(schedule):
    rising = [at(step, schedule=schedule, warmup_steps=10) for step in range(10)]
    assert rising == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert at(10, schedule=schedule, warmup_steps=10) == pytest.approx(1.0)


def test_a_schedule_sized_to_the_run_begins_after_the_warm_up_and_ends_with_the_run():
    assert at(550, schedule="linear", warmup_steps=100) == pytest.approx(0.5)
    assert at(1000, schedule="cosine", warmup_steps=100) == pytest.approx(0.0)


def test_a_warm_up_longer_than_the_run_does_no_harm():
    assert [at(step, total=5, schedule="cosine", warmup_steps=10) for step in (0, 4)] == pytest.approx([0.1, 0.5])
