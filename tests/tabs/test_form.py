"""A settings model and its form say the same."""

import functools

import gradio as gr
import pytest

from rvc.errors import SettingsError
from rvc.infer.settings import ConversionSettings
from rvc.settings import flat, from_flat, options
from rvc.train.settings import TrainingSettings
from tabs.form import Form, Slider

MODELS = [TrainingSettings, ConversionSettings]
# For every kind of field something other than its default.
CHANGED = {
    TrainingSettings: {"dataset": "/somewhere/söme folder", "sample_rate": 48000, "high_pass": False, "slicing": "whole",
                       "slice_seconds": 1.3, "f0_method": "swift", "epochs": 7, "learning_rate": 0.00037, "lr_decay": 0.99,
                       "seed": 2**31 - 1, "precision": "fp16"},
    ConversionSettings: {"pitch_shift": -7.0, "index_rate": 0.0, "protect": 0.11, "output_format": "m4a", "noise_scale": 0.66666,
                         "speaker_id": 108, "embedder": "contentvec"},
}


@functools.cache
def form_of(model) -> Form:
    with gr.Blocks():
        form = Form(model, "x")
        form.place_rest(advanced=False)
        form.place_rest(advanced=True)
    return form


def sent_back(form: Form, values: dict) -> dict:
    """What a handler receives when the page shows ``values``."""
    return {name: component.preprocess(component.postprocess(values[name])) for name, component in form.components.items()}


@pytest.mark.parametrize("model", MODELS)
def test_every_field_has_a_component_of_its_name(model):
    form = form_of(model)
    assert form.complete
    assert {one.name for one in options(model)} == set(form.components)


@pytest.mark.parametrize("model", MODELS)
def test_a_form_left_alone_gives_the_defaults(model):
    form = form_of(model)
    shown = {name: component.value for name, component in form.components.items()}
    assert from_flat(model, sent_back(form, shown)) == model()


@pytest.mark.parametrize("model", MODELS)
def test_settings_come_back_from_the_form_as_they_went_in(model):
    settings = from_flat(model, CHANGED[model])
    form = form_of(model)
    updates = dict(zip(form.components, form.updates(settings), strict=True))
    shown = {name: update["value"] for name, update in updates.items()}
    assert from_flat(model, sent_back(form, shown)) == settings
    assert flat(settings) == shown


@pytest.mark.parametrize("model", MODELS)
def test_labels_help_and_ranges_are_those_of_the_field(model):
    form = form_of(model)
    for one in options(model):
        component = form.components[one.name]
        assert (component.label, component.info, component.elem_id) == (one.label, one.help, f"x-{one.name}")
        if isinstance(component, gr.Slider):
            assert (component.minimum, component.maximum, component.step) == (one.low, one.high, one.step)
        if one.choices and isinstance(component, (gr.Radio, gr.Dropdown)):
            assert [value for _, value in component.choices] == list(one.choices)


def test_a_value_out_of_range_is_refused_with_the_name_of_its_setting():
    form = form_of(ConversionSettings)
    values = {name: component.value for name, component in form.components.items()}
    with pytest.raises(SettingsError, match="pitch_shift must be between -24 and 24; 99 is not"):
        from_flat(ConversionSettings, sent_back(form, {**values, "pitch_shift": 99}))


def test_an_emptied_number_is_refused_with_the_name_of_its_setting():
    form = form_of(TrainingSettings)
    values = {name: component.value for name, component in form.components.items()}
    with pytest.raises(SettingsError, match="epochs"):
        from_flat(TrainingSettings, sent_back(form, {**values, "epochs": None}))


def test_half_an_epoch_is_refused_and_not_rounded():
    form = form_of(TrainingSettings)
    values = {name: component.value for name, component in form.components.items()}
    with pytest.raises(SettingsError, match="epochs"):
        from_flat(TrainingSettings, sent_back(form, {**values, "epochs": 2.5}))


def test_a_free_text_field_with_choices_offers_them_and_takes_anything():
    with gr.Blocks():
        form = Form(TrainingSettings, "x", {"embedder": [("Automatic", "auto"), ("ContentVec", "contentvec")]})
        form.place("embedder")
    field = form.components["embedder"]
    assert isinstance(field, gr.Dropdown)
    assert [value for _, value in field.choices] == ["auto", "contentvec"]
    assert field.preprocess("/my/own/hubert") == "/my/own/hubert"


def test_a_field_is_placed_once():
    with gr.Blocks():
        form = Form(ConversionSettings, "x")
        form.place("protect")
        with pytest.raises(AssertionError, match="protect"):
            form.place("protect")


def test_our_slider_is_gradios_for_the_browser():
    assert Slider(0, 1).get_block_name() == "slider"


def test_a_page_that_opens_touches_what_is_not_as_built_and_empties_numbers_that_may_be_left_out():
    form = form_of(TrainingSettings)

    def set_by(values: dict) -> dict:
        updates = dict(zip(form.components, form.opening(from_flat(TrainingSettings, values)), strict=True))
        return {name: update["value"] for name, update in updates.items() if update != gr.skip()}

    empty = {"learning_rate": None, "learning_rate_d": None}
    assert set_by({}) == empty
    assert set_by({"sample_rate": 24000, "epochs": 200}) == {"sample_rate": 24000} | empty
