"""The choice of an optimizer in the Train tab: forty-three names, sorted by what one wants, and what there is to know of the chosen one."""

import html
from typing import Any

import gradio as gr

from rvc.errors import SettingsError
from rvc.optimizers.registry import DEFAULT, OPTIMIZERS, advised, for_discriminator, named, of_category
from rvc.optimizers.spec import CATEGORIES, SITUATIONS, OptimizerSpec
from tabs import widgets
from tabs.boundary import handler
from tabs.form import Choices, Form
from tabs.knobs import Knobs
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
        self.card = gr.HTML(card_html(DEFAULT), elem_id="train-optimizer-card")
        self.knobs = Knobs(form, "optimizer_options", named(DEFAULT))
        form.place("optimizer_d")
        self.knobs_d = Knobs(form, "optimizer_options_d", None, of=" of D")


def wire(view: View, form: Form) -> None:
    """Another optimizer brings its own learning rate and options, and forgets those of the one before."""
    optimizer, optimizer_d, base = (form.components[name] for name in ("optimizer", "optimizer_d", "base_model"))
    text, text_d = (form.components[name] for name in ("optimizer_options", "optimizer_options_d"))

    @handler
    def chosen(name: str, name_d: str, base_model: str) -> list[Any]:
        return [named(name).rate("g", fine_tune=base_model != "scratch"), "", gr.skip() if name_d else ""]

    @handler
    def chosen_d(name: str, base_model: str) -> list[Any]:
        return [named(name).rate("d", fine_tune=base_model != "scratch") if name else None, ""]

    @handler
    def looked(shelf: str, name: str) -> Any:
        return gr.update(choices=choices(shelf), value=name)

    @handler
    def shown(name: str, asked: str, name_d: str, asked_d: str, *seen: Any) -> list[Any]:
        half = len(view.knobs.seen)
        return [*view.knobs.updates(known(name), asked, seen[:half]),
                *view.knobs_d.updates(of_its_own(name, name_d, asked_d), asked_d, seen[half:])]

    optimizer.input(chosen, [optimizer, optimizer_d, base], [form.components["learning_rate"], text, text_d], **QUIET)
    optimizer_d.input(chosen_d, [optimizer_d, base], [form.components["learning_rate_d"], text_d], **QUIET)
    optimizer.change(handler(card_html), [optimizer], view.card, **QUIET)
    view.shelf.input(looked, [view.shelf, optimizer], optimizer, **QUIET)
    gr.on([one.change for one in (optimizer, text, optimizer_d, text_d)], shown,
          [optimizer, text, optimizer_d, text_d, *view.knobs.seen, *view.knobs_d.seen],
          [*view.knobs.components, *view.knobs_d.components], trigger_mode="always_last", **QUIET)


def known(name: str) -> OptimizerSpec | None:
    """Into the field anything can be typed; what is no name has no options."""
    try:
        return named(name)
    except SettingsError:
        return None


def of_its_own(name: str, name_d: str, asked_d: str) -> OptimizerSpec | None:
    """The discriminator's optimizer where it was chosen for itself, or has options of its own."""
    if name_d:
        return known(name_d)
    return for_discriminator(name) if asked_d and known(name) else None


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
    return (f'<section class="tm-note"><b>{html.escape(spec.category)}</b><p>{html.escape(spec.description)}</p>'
            f"<p>{html.escape(spec.sentence)}</p><p>{html.escape(_costs(spec))}</p><p><small>{html.escape(paper)}</small></p></section>")


def _costs(spec: OptimizerSpec) -> str:
    adamw = OPTIMIZERS["AdamW"].state
    return (f"Memory: {spec.state.generator:g} bytes a weight of G and {spec.state.discriminator:g} of D, where AdamW takes "
            f"{adamw.generator:g} and {adamw.discriminator:g}. Learning rate: {spec.rate('g', fine_tune=True):g} in a fine-tune, "
            f"{spec.rate('g', fine_tune=False):g} from scratch.")
