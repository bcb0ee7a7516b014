"""Which optimizer each network gets: what is asked for, what follows from it, and what is refused before a run is made."""

import pytest

from rvc.errors import SettingsError
from rvc.optimizers.options import parsed, written
from rvc.optimizers.registry import OPTIMIZERS
from rvc.settings import from_flat
from rvc.train.chosen import chosen, remarks
from rvc.train.run import TrainingRun
from rvc.train.settings import FitSettings, TrainingSettings
from tests.train.conftest import make_run


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_both_networks_get_an_optimizer_with_a_rate_of_its_own(name):
    for role in ("g", "d"):
        one = chosen(FitSettings(optimizer=name), role, fine_tune=True)
        assert one.learning_rate == one.spec.rate(role, fine_tune=True)
    assert chosen(FitSettings(optimizer=name), "g", fine_tune=True).spec.name == name


def test_the_family_s_own_rates_are_the_default():
    assert chosen(FitSettings(), "g", fine_tune=True).learning_rate == 1e-4
    assert chosen(FitSettings(), "d", fine_tune=True).learning_rate == 1e-4


def test_the_discriminator_follows_the_generator_where_it_is_the_same():
    fit = FitSettings(optimizer="lion", learning_rate=5e-5, optimizer_options="beta1=0.8")
    d = chosen(fit, "d", fine_tune=True)
    assert (d.spec.name, d.learning_rate, d.knobs) == ("Lion", 5e-5, {"beta1": 0.8})
    d = chosen(fit.model_copy(update={"learning_rate_d": 1e-5}), "d", fine_tune=True)
    assert d.learning_rate == 1e-5


def test_a_discriminator_whose_optimizer_is_named_has_the_options_that_are_named_for_it():
    """The form shows them beside its name: an empty text is the defaults that are seen there."""
    fit = FitSettings(optimizer="Lion", optimizer_d="Lion", optimizer_options="beta1=0.8")
    assert chosen(fit, "d", fine_tune=True).knobs == {}
    assert chosen(fit.model_copy(update={"optimizer_options_d": "beta2=0.9"}), "d", fine_tune=True).knobs == {"beta2": 0.9}


def test_every_rate_that_is_taken_can_be_written_into_the_settings():
    """What is too far from the default is refused by the optimizer's own sentence, not by a bound that knows none."""
    for name, spec in OPTIMIZERS.items():
        for rate in (spec.rates.generator * 1e-4, spec.rates.generator * 1e4):
            assert chosen(FitSettings(optimizer=name, learning_rate=rate), "g", fine_tune=True).learning_rate == rate
        with pytest.raises(SettingsError, match="worth trying"):
            chosen(FitSettings(optimizer=name, learning_rate=spec.rates.generator * 1e-6), "g", fine_tune=True)


def test_an_optimizer_for_generators_only_brings_another_for_the_discriminator_and_says_so():
    fit = FitSettings(optimizer="Prodigy", learning_rate=2.0, optimizer_options="d_coef=1")
    d = chosen(fit, "d", fine_tune=True)
    assert (d.spec.name, d.learning_rate, d.knobs) == ("AdamW", 1e-4, {})
    assert any("The discriminator gets AdamW" in one for one in remarks(fit, fine_tune=True))


def test_what_needs_its_gradient_limited_says_so_unless_a_limit_is_set():
    said = remarks(FitSettings(optimizer="SGD"), fine_tune=True)
    assert [one for one in said if "limited to a norm of 1" in one] == [
        "SGD: the gradient of G is limited to a norm of 1.", "SGD: the gradient of D is limited to a norm of 1."]
    assert remarks(FitSettings(optimizer="SGD", clip_generator=2.0, clip_discriminator=2.0), fine_tune=True) == []


def test_nothing_is_said_of_the_default():
    assert remarks(FitSettings(schedule="cosine"), fine_tune=True) == []


def test_a_schedule_that_is_not_used_is_told():
    fit = FitSettings(optimizer="ScheduleFreeAdamW", schedule="cosine")
    assert any("the schedule is not used" in one for one in remarks(fit, fine_tune=True))


@pytest.mark.parametrize(("values", "word"), [
    ({"optimizer": "AdamWW"}, "AdamW"),
    ({"optimizer": "Adm"}, "Adam"),
    ({"optimizer_d": "Lyon"}, "Lion"),
    ({"learning_rate": 0.0}, "no learning rate for AdamW"),
    ({"learning_rate": 900.0}, "no learning rate for AdamW"),
    ({"learning_rate": -1.0}, "learning_rate must be between"),
    ({"learning_rate": 1e9}, "learning_rate must be between"),
    ({"learning_rate_d": 0.0}, "no learning rate for AdamW"),
    ({"optimizer_options": "d_coef=1"}, "an option of Prodigy"),
    ({"optimizer_options": "beta1=7"}, "beta1 of AdamW must be between"),
    ({"optimizer_options": "beta1"}, "no option of an optimizer"),
    ({"optimizer_options": "beta1=x"}, "no option of an optimizer"),
    ({"optimizer_options": "beta1=0.5, beta1=0.6"}, "given twice"),
])
def test_what_cannot_be_is_refused_before_a_run_is_made(home, values, word):
    with pytest.raises(SettingsError) as refused:
        make_run(home, "refused", **values)
    assert word in str(refused.value)
    assert not (home.logs / "refused").exists()


def test_a_run_keeps_what_it_was_asked_for(home):
    make_run(home, "kept", optimizer="Lion", optimizer_options="beta1=0.95", learning_rate=3e-5)
    fit = TrainingRun.named(home, "kept").settings.fit
    assert (fit.optimizer, fit.optimizer_options, fit.learning_rate, fit.learning_rate_d) == ("Lion", "beta1=0.95", 3e-5, None)
    assert from_flat(TrainingSettings, {"learning_rate": None}).fit.learning_rate is None


@pytest.mark.parametrize("knobs", [{}, {"d_coef": 0.5}, {"a": 1.0, "b": -2.5, "c": 1e-9}])
def test_options_are_read_as_they_are_written(knobs):
    assert parsed(written(knobs)) == knobs
