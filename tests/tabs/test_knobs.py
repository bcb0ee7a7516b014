"""The options of an optimizer as fields: what they show of the text that is kept, and what they leave alone."""

import gradio as gr
import pytest

from rvc.optimizers.options import written
from rvc.optimizers.registry import OPTIMIZERS
from rvc.train.settings import TrainingSettings
from tabs.form import Form
from tabs.knobs import MOST, Knobs
from tabs.optimizers import known, of_its_own

BLANK = ["", *[None] * MOST]  # what the page shows of an optimizer that has no options


def made(name: str = "AdamW", *, of: str = "") -> tuple[Knobs, Form]:
    with gr.Blocks():
        form = Form(TrainingSettings, "train")
        return Knobs(form, "optimizer_options", OPTIMIZERS[name], of=of), form


def fields(updates: list) -> list[dict]:
    """Of the fields that are to be seen."""
    return [one for one in updates[2:] if one["visible"]]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_option_is_a_field_with_its_default_its_help_and_its_bounds(name):
    knobs, _ = made()
    spec = OPTIMIZERS[name]
    updates = knobs.updates(spec, "", BLANK)
    if not spec.knobs:  # nothing was seen, and nothing is to be: nothing is sent
        assert all(one == gr.skip() for one in updates)
        return
    assert updates[0]["visible"]
    assert updates[1] == written({one.name: one.default for one in spec.knobs})
    for one, field in zip(spec.knobs, fields(updates), strict=True):
        assert (field["label"], field["value"]) == (one.name, one.default)
        assert field["info"].startswith(one.help)
        assert f"{one.low:g} to {one.high:g}" in field["info"]
        assert field["step"] > 0


def test_the_page_opens_with_the_options_of_the_default():
    knobs, form = made()
    row, defaults, *numbers = knobs.components
    assert (row.visible, defaults.value) == (True, "weight_decay=0.01, beta1=0.8")
    assert [(one.label, one.value) for one in numbers if one.visible] == [("weight_decay", 0.01), ("beta1", 0.8)]
    assert form.components["optimizer_options"].visible == "hidden"


def test_the_fields_show_what_a_run_was_asked_for():
    knobs, _ = made()
    shown = fields(knobs.updates(OPTIMIZERS["Lion"], "beta2=0.95", ["weight_decay=0.01, beta1=0.8", 0.01, 0.8, None]))
    assert [(one["label"], one["value"]) for one in shown] == [("weight_decay", 0.03), ("beta1", 0.9), ("beta2", 0.95)]


def test_the_options_of_the_discriminator_say_whose_they_are():
    knobs, _ = made(of=" of D")
    assert fields(knobs.updates(OPTIMIZERS["SGD"], "", BLANK))[0]["label"] == "momentum of D"


@pytest.mark.parametrize("seen", [[0.5, None, None], [0.50, 7.0, None], [None, None, None]])
def test_a_field_in_which_somebody_types_is_left_alone(seen):
    """Where the text says what the fields show, an answer from here could only be late. An emptied field stands for its default."""
    knobs, _ = made()
    assert all(one == gr.skip() for one in knobs.updates(OPTIMIZERS["Prodigy"], "", ["d_coef=0.5", *seen]))


def test_clearing_the_form_brings_the_default_back_into_a_field():
    knobs, _ = made()
    assert fields(knobs.updates(OPTIMIZERS["Prodigy"], "", ["d_coef=0.5", 1.25, None, None]))[0]["value"] == 0.5


def test_what_is_no_optimizer_has_no_fields_and_a_text_that_cannot_be_read_shows_the_defaults():
    knobs, _ = made()
    updates = knobs.updates(known("AdamWW"), "", ["weight_decay=0.01, beta1=0.8", 0.01, 0.8, None])
    assert (updates[0]["visible"], updates[1], fields(updates)) == (False, "", [])
    assert fields(knobs.updates(OPTIMIZERS["SGD"], "momentum", BLANK))[0]["value"] == 0.9


@pytest.mark.parametrize(("name", "name_d", "text_d", "whose"), [
    ("Lion", "", "", None), ("Lion", "Muon", "", "Muon"), ("Lion", "Lion", "", "Lion"), ("Prodigy", "", "beta1=0.5", "AdamW"),
    ("Lyon", "", "beta1=0.5", None), ("Lion", "Lyon", "", None)])
def test_the_discriminator_has_fields_where_it_has_something_of_its_own(name, name_d, text_d, whose):
    spec = of_its_own(name, name_d, text_d)
    assert (spec.name if spec else None) == whose
