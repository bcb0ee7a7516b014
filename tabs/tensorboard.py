"""The TensorBoard tab: starts it when asked and shows it here, through this very server."""

import gradio as gr

from tabs import widgets
from tabs.boundary import handler
from tabs.page import QUIET, Page
from tabs.studio import Studio
from tabs.tensorboard_server import PREFIX

# Relative, so that it is found under a sub-path as well. "scalars" first: the time series page loads every image of every run.
FRAME = f'<iframe class="tm-frame" src=".{PREFIX}/#scalars" title="TensorBoard"></iframe>'


def build(studio: Studio, page: Page, tab: gr.Tab) -> None:
    with gr.Row(elem_classes="tm-bar-row"):
        said = gr.HTML(_lead(studio), elem_id="board-said")
        start = gr.Button("Open TensorBoard", variant="primary", elem_id="board-start", scale=0, min_width=200)
    frame = gr.HTML(elem_id="board-frame")

    @handler
    def opened() -> list:
        studio.tensorboard.start()
        return [_lead(studio), gr.update(visible=False), FRAME]

    def as_it_is() -> list:
        if studio.tensorboard.running:
            return [_lead(studio), gr.update(visible=False), FRAME]
        return [_lead(studio), gr.update(visible=True), ""]

    view = [said, start, frame]
    start.click(opened, None, view, show_progress="minimal", show_progress_on=start, api_visibility="private")
    tab.select(handler(as_it_is), None, view, **QUIET)


def _lead(studio: Studio) -> str:
    text = "Every loss, mel spectrogram and sound of your runs, in detail. It renews itself."
    if not studio.run_names():
        text = "There is no run yet: train something first, then there is something to see here."
    return widgets.lead("TensorBoard", text)
