"""A settings model as components, bound by name.

Every choice is one field of the model; its label, help, range and default come from there. Handlers get the values by the
fields' names through ``inputs_kwargs=form.components`` and turn them back with ``rvc.settings.from_flat``.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr
from gradio.components import Component

from rvc.settings import Option, Settings, flat, options

Choices = Sequence[tuple[str, Any]]
CHIPS_AT_MOST = 4  # more choices than that are a dropdown


class Slider(gr.Slider):
    """A slider whose range is checked by the settings model, whose sentence names the setting; Gradio's own names none."""

    def preprocess(self, payload: float) -> float:
        return payload


class Form:
    """Components for the fields of ``model``, made where ``place`` is called; ``components`` holds them by name.

    ``choices`` replaces what is offered for a field: pairs of what is shown and the value. For a free text field that makes a
    dropdown into which anything can still be typed. ``elem_ids`` are ``<prefix>-<field>``.
    """

    def __init__(self, model: type[Settings], prefix: str, choices: Mapping[str, Choices] | None = None) -> None:
        self.model = model
        self.components: dict[str, Component] = {}
        self._prefix = prefix
        self._choices = dict(choices or {})
        self._options = {one.name: one for one in options(model)}

    def place(self, *names: str) -> None:
        """The named fields, here. Each can be placed once."""
        for name in names:
            assert name not in self.components, f"{name} is on the page twice"
            self.components[name] = _component(self._options[name], self._choices.get(name), f"{self._prefix}-{name}")

    def place_hidden(self, *names: str) -> None:
        """The named fields, here, out of sight: others show what they hold."""
        self.place(*names)
        for name in names:
            self.components[name].visible = "hidden"

    def place_rest(self, *, advanced: bool, section: str | None = None) -> None:
        """Every field not placed yet: the plain ones, or the ones folded away; if ``section`` is named, only those of it."""
        rest = [name for name, one in self._options.items()
                if name not in self.components and one.advanced == advanced and section in (None, one.section)]
        self.place(*rest)

    def updates(self, settings: Settings) -> list[Any]:
        """What shows ``settings``: one update per component, in the order of ``components``."""
        values = flat(settings)
        return [gr.update(value=values[name]) for name in self.components]

    def opening(self, settings: Settings) -> list[Any]:
        """Updates for a page that opens with ``settings`` and may be typed into already: only of the fields in which they are not the
        defaults, and of those that begin empty, for Gradio opens a number without a value as 0.
        """
        values = flat(settings)
        return [gr.update(value=values[name]) if values[name] is None or values[name] != self._options[name].default else gr.skip()
                for name in self.components]

    @property
    def complete(self) -> bool:
        """Whether every field of the model is on the page."""
        return self.components.keys() == self._options.keys()


def _component(option: Option, choices: Choices | None, elem_id: str) -> Component:
    common = {"value": option.default, "label": option.label, "info": option.help, "elem_id": elem_id, "interactive": True}
    if option.kind is bool:
        return gr.Checkbox(**common)
    if option.choices is not None:
        return _choice(choices or [(str(one), one) for one in option.choices], common)
    if choices is not None:
        return gr.Dropdown(list(choices), allow_custom_value=True, **common)
    if option.kind is str:
        return gr.Textbox(max_lines=1, **common)
    if option.step is not None and option.low is not None and option.high is not None:
        return Slider(option.low, option.high, step=option.step, buttons=[], **common)
    # No bounds and no rounding here: the sentence of the settings model names the setting.
    return gr.Number(step=option.step or 1, min_width=130, **common)


def _choice(choices: Choices, common: dict[str, Any]) -> Component:
    if len(choices) == 1:  # nothing to choose yet; the value still travels
        return gr.Radio(list(choices), visible=False, **common)
    kind = gr.Radio if len(choices) <= CHIPS_AT_MOST else gr.Dropdown
    return kind(list(choices), **common)
