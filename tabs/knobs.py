"""The options of an optimizer as fields of the Train form: as many as the chosen one has.

What is asked for stays one text, as the command line and a run's folder have it: ``d_coef=1, beta1=0.9``, empty where everything is as it
comes. The text is on the page, out of sight. The fields show it, and typing into one writes it in the browser: no click is faster.
"""

import math
from collections.abc import Sequence
from typing import Any

import gradio as gr
from gradio.components import Component

from rvc.errors import SettingsError
from rvc.optimizers import options
from rvc.optimizers.registry import OPTIMIZERS
from rvc.optimizers.spec import Knob, OptimizerSpec
from tabs.form import Form
from tabs.page import QUIET

MOST = max(len(spec.knobs) for spec in OPTIMIZERS.values())
# Of (defaults, ...values): what is not as it comes. An emptied field is.
_WRITE = """(defaults, ...values) => defaults.split(', ').filter(Boolean)
    .map((one, place) => [...one.split('='), values[place]])
    .filter(([, usual, value]) => ![null, undefined, ''].includes(value) && Number(value) !== Number(usual))
    .map(([name, , value]) => `${name}=${value}`).join(', ')"""


class Knobs:
    """The fields of one network, made where this is called, with the text that they stand for: the form's field ``text``."""

    def __init__(self, form: Form, text: str, spec: OptimizerSpec | None, *, of: str = "") -> None:
        self._of = of
        knobs = spec.knobs if spec else ()
        with gr.Row(visible=bool(knobs), elem_id=f"train-{text}-fields") as self._row:
            self._fields = [gr.Number(visible=False, interactive=True, min_width=130, elem_id=f"train-{text}-{place}")
                            for place in range(MOST)]
        for field, one in zip(self._fields, knobs, strict=False):
            for name, value in self._shown(one, one.default).items():
                setattr(field, name, value)
        self._defaults = gr.Textbox(_defaults(knobs), visible="hidden", elem_id=f"train-{text}-defaults")
        form.place_hidden(text)
        gr.on([field.input for field in self._fields], None, [self._defaults, *self._fields], form.components[text], js=_WRITE, **QUIET)

    @property
    def components(self) -> list[Component]:
        """What ``updates`` is about; from the second on, what it is told of the page."""
        return [self._row, self._defaults, *self._fields]

    @property
    def seen(self) -> list[Component]:
        """What the page shows: the inputs that ``updates`` compares with."""
        return [self._defaults, *self._fields]

    def updates(self, spec: OptimizerSpec | None, text: str, seen: Sequence[Any]) -> list[Any]:
        """Updates of ``components`` that show ``text``, options of ``spec``. Nothing when ``seen`` says so already: somebody is typing."""
        knobs, asked = spec.knobs if spec else (), _asked(text)
        values = [asked.get(one.name, one.default) for one in knobs]
        usual, *there = seen
        typed = [one.default if value is None else value for one, value in zip(knobs, there, strict=False)]
        if usual == _defaults(knobs) and typed == values:
            return [gr.skip()] * len(self.components)
        fields = [gr.update(**self._shown(one, value)) for one, value in zip(knobs, values, strict=True)]
        return [gr.update(visible=bool(knobs)), _defaults(knobs), *fields, *[gr.update(visible=False)] * (MOST - len(knobs))]

    def _shown(self, one: Knob, value: float) -> dict[str, Any]:
        """No bounds on the field itself: the sentence that refuses a number names the option."""
        return {"label": one.name + self._of, "info": f"{one.help}. {one.low:g} to {one.high:g}.", "value": value, "visible": True,
                "step": _step(one)}


def _defaults(knobs: Sequence[Knob]) -> str:
    return options.written({one.name: one.default for one in knobs})


def _asked(text: str) -> dict[str, float]:
    """Nothing of a text that cannot be read: the banner says what is wrong with it."""
    try:
        return options.parsed(text)
    except SettingsError:
        return {}


def _step(one: Knob) -> float:
    """What an arrow key adds: a tenth of the default, or a hundredth of what there is, as a power of ten."""
    return 1 if one.whole else 10.0 ** round(math.log10(one.default / 10 if one.default else one.high / 100))
