"""A choice is one field: defaults, ranges and sentences all come from it."""

import pytest

from rvc.errors import SettingsError
from rvc.infer.settings import ConversionSettings
from rvc.settings import flat, from_flat, options
from rvc.train.settings import TrainingSettings

MODELS = [TrainingSettings, ConversionSettings]


@pytest.mark.parametrize("model", MODELS)
def test_flat_values_survive_the_way_there_and_back(model):
    assert from_flat(model, flat(model())) == model()


@pytest.mark.parametrize("model", MODELS)
def test_every_choice_has_help_and_a_default_within_its_range(model):
    for one in options(model):
        assert one.help.endswith("."), one.name
        assert one.choices is None or one.default in one.choices
        if one.low is not None and one.default is not None:
            assert one.low <= one.default <= one.high


BOUNDED = [(model, one) for model in MODELS for one in options(model) if one.low is not None]


@pytest.mark.parametrize(("model", "one"), BOUNDED, ids=lambda value: getattr(value, "name", ""))
def test_every_number_out_of_range_is_refused_by_name_and_range(model, one):
    for wrong in (one.low - 1, one.high + 1, float("nan"), float("inf")):
        if one.kind is int and wrong == wrong and abs(wrong) != float("inf"):
            wrong = int(wrong)
        with pytest.raises(SettingsError, match=one.name):
            from_flat(model, {one.name: wrong})


@pytest.mark.parametrize(("model", "one"), BOUNDED, ids=lambda value: getattr(value, "name", ""))
def test_both_ends_of_every_range_are_allowed(model, one):
    for value in (one.low, one.high):
        value = one.kind(value)
        try:
            assert flat(from_flat(model, {one.name: value}))[one.name] == value
        except SettingsError as error:  # the ends of two ranges may exclude each other, and then the sentence names both
            assert "at most half" in str(error)


CHOSEN = [(model, one) for model in MODELS for one in options(model) if one.choices]


@pytest.mark.parametrize(("model", "one"), CHOSEN, ids=lambda value: getattr(value, "name", ""))
def test_a_choice_that_is_not_offered_is_refused_with_those_that_are(model, one):
    with pytest.raises(SettingsError) as caught:
        from_flat(model, {one.name: "nonsense" if one.kind is str else 7})
    assert all(str(choice) in str(caught.value) for choice in one.choices)


def test_an_unknown_setting_suggests_the_one_that_was_meant():
    with pytest.raises(SettingsError, match="Did you mean 'epochs'"):
        from_flat(TrainingSettings, {"epoch": 3})


def test_settings_that_exclude_each_other_are_refused():
    with pytest.raises(SettingsError, match="v1 voice"):
        from_flat(TrainingSettings, {"version": "v1", "sample_rate": 24000})
    with pytest.raises(SettingsError, match="half of slice_seconds"):
        from_flat(TrainingSettings, {"slice_seconds": 0.8, "overlap_seconds": 0.5})


def test_settings_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        TrainingSettings().fit.epochs = 3
