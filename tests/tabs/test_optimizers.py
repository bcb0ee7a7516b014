"""The choice of an optimizer in the form: what is offered, and what is said of it."""

import pytest

from rvc.optimizers.registry import OPTIMIZERS
from rvc.optimizers.spec import CATEGORIES, SITUATIONS
from tabs.optimizers import card_html, choices, discriminator_choices


def test_all_are_offered_with_the_default_first():
    names = [name for _, name in choices()]
    assert names == list(OPTIMIZERS)
    assert (names[0], len(names)) == ("AdamW", 43)
    assert discriminator_choices()[0][1] == ""


@pytest.mark.parametrize("shelf", [*(f"when:{one}" for one in SITUATIONS), *(f"kind:{one}" for one in CATEGORIES)])
def test_every_shelf_holds_something_and_nothing_else(shelf):
    names = {name for _, name in choices(shelf)}
    assert names
    assert names <= OPTIMIZERS.keys()


def test_every_optimizer_is_on_a_shelf_of_its_kind():
    assert {name for one in CATEGORIES for _, name in choices(f"kind:{one}")} == OPTIMIZERS.keys()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_card_says_what_it_is_and_what_it_costs(name):
    spec, shown = OPTIMIZERS[name], card_html(name)
    assert f"{spec.state.generator:g} bytes" in shown
    assert f"{spec.rate('g', fine_tune=True):g} in a fine-tune" in shown


def test_an_unknown_name_is_a_note_and_no_html():
    assert "&lt;b&gt;" in card_html("<b>")
