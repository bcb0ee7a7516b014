"""A fold under the run that is shown: makes a pretrain of it, and says what is known of that pretrain and what speaks against it."""

from typing import TYPE_CHECKING

import gradio as gr

from tabs import widgets
from tabs.boundary import handler
from tabs.choices import rate
from tabs.page import QUIET
from tabs.studio import Studio

if TYPE_CHECKING:
    from rvc.train.make_pretrain import MadePretrain

ABOUT = ("A pretrain is what other runs start from: this run's networks as a G/D pair in pretraineds/pretraineds_custom, with a small "
         "file that says what they are. It is then offered wherever it fits.")


class MakePretrain:
    """The components, made where this is called."""

    def __init__(self) -> None:
        with gr.Accordion("Make a pretrain of this run", open=False, elem_id="train-pretrain-fold"):
            gr.HTML(widgets.note(ABOUT))
            with gr.Row():
                self.name = gr.Textbox(label="Name of the pretrain", placeholder="Like the run", max_lines=1, elem_id="train-pretrain-name")
                self.make = gr.Button("Make it", scale=0, min_width=140, elem_id="train-pretrain-make")
            self.said = gr.HTML(elem_id="train-pretrain-said")


def wire(studio: Studio, shown: gr.Dropdown, view: MakePretrain) -> None:
    """``shown`` is the run; another one has another story. Whoever offers pretrains follows the change of ``view.said``."""

    @handler
    def make(run: str | None, name: str) -> str:
        return result(studio.make_pretrain(run or "", name))

    shown.change(lambda: "", None, view.said, **QUIET)
    view.make.click(make, [shown, view.name], view.said, show_progress="minimal", concurrency_limit=1, api_visibility="private")


def result(made: "MadePretrain") -> str:
    """What was made, in facts, and below it the warnings."""
    about = made.about
    facts = {"Files": f"{made.g_path.name}, {made.d_path.name}", "Sample rate": rate(about.sample_rate), "Vocoder": about.vocoder,
             "Embedder": about.embedder, "Hours": f"{about.hours:.2f}", "Speakers": str(about.speakers), "Started from": about.started_from}
    return (f'<section class="tm-run" data-status="finished"><header><span class="tm-pill" data-tone="good">Done</span>'
            f"{widgets.heading(made.name)}</header>{widgets.facts(facts)}{widgets.notes('Worth knowing', made.warnings)}</section>")
