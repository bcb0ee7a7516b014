"""The choice of an optimizer in the Train tab: forty-three names, sorted by what one wants, and what there is to know of the chosen one."""

import html
from typing import Any

import gradio as gr

from rvc.optimizers.registry import OPTIMIZERS, advised, named, of_category
from rvc.optimizers.spec import CATEGORIES, SITUATIONS, Knob, OptimizerSpec
from tabs import widgets
from tabs.boundary import handler
from tabs.form import Choices, Form
from tabs.page import QUIET

ALL = "all"
_SHELVES: Choices = [("All of them", ALL), *((f"When: {text}", f"when:{name}") for name, text in SITUATIONS.items()),
                     *((f"Kind: {name}", f"kind:{name}") for name in CATEGORIES)]


class View:
    """The components, made where this is called. ``form`` has the fields of the fit."""

    def __init__(self, form: Form) -> None:
        self.shelf = gr.Dropdown(list(_SHELVES), value=ALL, label="Show", info="Optimizers for a situation, or of a kind.",
                                 elem_id="train-optimizer-shelf")
        form.place("optimizer")
        self.card = gr.HTML(card_html("AdamW"), elem_id="train-optimizer-card")
        form.place("optimizer_options")
        with gr.Row():
            form.place("optimizer_d", "optimizer_options_d")


def wire(view: View, form: Form) -> None:
    """Another optimizer brings its own learning rate and forgets the options of the one before."""
    optimizer, base = form.components["optimizer"], form.components["base_model"]

    @handler
    def chosen(name: str, base_model: str) -> list[Any]:
        return [named(name).rate("g", fine_tune=base_model != "scratch"), ""]

    @handler
    def looked(shelf: str, name: str) -> Any:
        return gr.update(choices=choices(shelf), value=name)

    optimizer.input(chosen, [optimizer, base], [form.components["learning_rate"], form.components["optimizer_options"]], **QUIET)
    optimizer.change(handler(card_html), [optimizer], view.card, **QUIET)
    view.shelf.input(looked, [view.shelf, optimizer], optimizer, **QUIET)


def choices(shelf: str = ALL) -> Choices:
    """Names with their labels; those of a situation or of a kind when ``shelf`` says so."""
    kind, _, name = shelf.partition(":")
    shown = advised(name) if kind == "when" else of_category(name) if kind == "kind" else OPTIMIZERS.values()
    return [(f"{spec.title} · {spec.verdict.label}", spec.name) for spec in shown]


def discriminator_choices() -> Choices:
    return [("The same, or what goes with it", ""), *choices()]


def card_html(name: str) -> str:
    """What a person needs to know of the optimizer ``name``; a note when there is none."""
    if name not in OPTIMIZERS:
        return widgets.note(f"There is no optimizer {name!r}.", "bad")
    spec = OPTIMIZERS[name]
    paper = f"{spec.paper.authors} {spec.paper.year}, {spec.paper.title}" + (f", arXiv {spec.paper.arxiv}" if spec.paper.arxiv else "")
    knobs = widgets.notes("Options", (_knob(one) for one in spec.knobs))
    return (f'<section class="tm-note"><b>{html.escape(spec.category)}</b><p>{html.escape(spec.description)}</p>'
            f"<p>{html.escape(spec.sentence)}</p><p>{html.escape(_costs(spec))}</p><p><small>{html.escape(paper)}</small></p></section>{knobs}")


def _costs(spec: OptimizerSpec) -> str:
    adamw = OPTIMIZERS["AdamW"].state
    return (f"Memory: {spec.state.generator:g} bytes a weight of G and {spec.state.discriminator:g} of D, where AdamW takes "
            f"{adamw.generator:g} and {adamw.discriminator:g}. Learning rate: {spec.rate('g', fine_tune=True):g} in a fine-tune, "
            f"{spec.rate('g', fine_tune=False):g} from scratch.")


def _knob(one: Knob) -> str:
    return f"{one.name}={one.default:g} ({one.low:g} to {one.high:g}): {one.help}"
