"""Intervals by the book."""

import math

import pytest

from rvc.interval import STUDENT, Interval


def test_students_factors_leave_two_and_a_half_percent_above_them():
    for count, factor in STUDENT.items():
        n = count - 1
        scale = math.gamma((n + 1) / 2) / (math.sqrt(n * math.pi) * math.gamma(n / 2))
        width = factor / 2000
        area = sum(scale * (1 + ((i + 0.5) * width) ** 2 / n) ** (-(n + 1) / 2) * width for i in range(2000))
        assert area == pytest.approx(0.475, abs=2e-5)


def test_an_interval_is_that_of_the_mean():
    found = Interval.of([1.0, 2.0, 3.0])
    assert found.mean == 2.0
    assert found.half == pytest.approx(4.303 / math.sqrt(3))
    assert Interval.of([1.0, 3.0]).half == pytest.approx(math.tan(0.475 * math.pi), rel=1e-4)  # one degree of freedom is Cauchy's
    assert (Interval.of([5.0]).half, str(Interval.of([5.0]))) == (math.inf, "5.000")


def test_a_sign_is_known_where_the_interval_leaves_out_zero():
    assert Interval(1.0, 0.9).above_zero
    assert Interval(-1.0, 0.9).below_zero
    assert not any((Interval(1.0, 1.1).above_zero, Interval(-1.0, 1.1).below_zero, Interval(0.0, 0.0).above_zero))
