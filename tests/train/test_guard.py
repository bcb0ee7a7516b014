"""A learning rate that is wrong by four orders of magnitude is told by the run doctor, whatever the optimizer; the default is not.

The pair is a miniature. On gradients recorded from the tiny networks (22 optimizers, 50 steps) the part that moves least goes 13 to 175
times as far as what counts as moving at the default rate; at a ten-thousandth of it the part that moves most goes 0.8 times as far.
"""

from collections.abc import Iterator

import pytest

from rvc.events import Finding
from rvc.optimizers.registry import OPTIMIZERS, for_discriminator
from rvc.train.fitting import watch
from rvc.train.fitting.watch import RunDoctor
from tests.train.pair import Fight

STEPS, LONGER = 12, 50
# Where the discriminator gets another than the generator the pair of one optimizer can still be asked for.
both = pytest.mark.parametrize(("name", "of_d"), [*((name, for_discriminator(name).name) for name in OPTIMIZERS),
                                                  *((name, name) for name, spec in OPTIMIZERS.items() if spec.discriminator)])


@pytest.fixture(autouse=True)
def judged_early(monkeypatch):
    """What needs fifty steps is judged after twelve: those that warm up by themselves are slower then, and must not be taken for frozen."""
    monkeypatch.setattr(watch, "FROZEN_STEPS", STEPS)


def told(name: str, of_d: str, times: float, steps: int) -> Iterator[Finding]:
    fight = Fight(name, times=times, discriminator=of_d)
    doctor = RunDoctor(fine_tune=True, n_critics=2, learning_rate=fight.g.param_groups[0]["initial_lr"],
                       first_steps_g=fight.g.spec.first_steps, first_steps_d=fight.d.spec.first_steps)
    for metrics in fight.metrics(steps):
        yield from doctor.examine(metrics)


@both
def test_a_default_rate_is_neither_frozen_nor_exploding(name, of_d):
    assert not list(told(name, of_d, 1.0, STEPS + 1))


@both
def test_a_rate_ten_thousand_times_too_small_is_frozen(name, of_d):
    frozen, = told(name, of_d, 1e-4, STEPS)
    assert frozen.code == "frozen"
    # Steps as long as the gradient go further near the loss, in the vocoder and the critics; LAMB's go further where weights begin at 0.
    assert "the flow" in frozen.message or "the content encoder" in frozen.message


@both
def test_a_rate_ten_thousand_times_too_large_is_exploding_within_the_first_steps(name, of_d):
    assert any(one.code == "exploding" for one in told(name, of_d, 1e4, LONGER))
