"""The report card of a dataset in the Train tab: a button, what it found, and two buttons that take up what it suggests."""

import html
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import gradio as gr

from rvc.events import Progress
from tabs import widgets
from tabs.boundary import PageError, errors_as_words, handler
from tabs.form import Form
from tabs.page import QUIET
from tabs.studio import Studio

if TYPE_CHECKING:
    from rvc.train.data.report_card import ReportCard

TOLD_SECONDS = 0.3  # how often progress is sent to the page
_DOING = {"listen": "Listening to the recordings", "pitch": "Listening to the pitch"}


class View:
    """The components, made where this is called. ``all`` is what looking at recordings writes to."""

    def __init__(self) -> None:
        with gr.Row(elem_classes="tm-small-buttons"):
            self.look = gr.Button("Look at the recordings", size="sm", elem_id="train-report")
        self.card = gr.HTML(elem_id="train-report-card")
        with gr.Row(elem_classes="tm-small-buttons"):
            self.use_batch = gr.Button(visible=False, size="sm", elem_id="train-use-batch")
            self.use_rate = gr.Button(visible=False, size="sm", elem_id="train-use-rate")
        self.suggested = gr.State((None, None))  # batch size, sample rate
        self.seconds = gr.State(0.0)  # of usable speech; 0 before anybody looked
        self.all = [self.look, self.card, self.use_batch, self.use_rate, self.suggested, self.seconds]

    def saying(self, text: str, *, going: bool = False) -> list[Any]:
        """Updates of ``all`` without a card."""
        return [gr.update(interactive=not going), text, gr.update(visible=False), gr.update(visible=False), (None, None), 0.0]

    def showing(self, card: "ReportCard") -> list[Any]:
        """Updates of ``all``: the card, and its suggestions as buttons."""
        rate = card.suggested_sample_rate
        return [gr.update(interactive=True), card_html(card),
                gr.update(visible=bool(card.clips), value=f"Use batch size {card.suggested_batch_size}"),
                gr.update(visible=bool(rate), value=f"Use {rate / 1000:g} kHz" if rate else ""),
                (card.suggested_batch_size, rate), 60 * card.usable_minutes]


def wire(studio: Studio, view: View, form: Form, recordings: gr.File) -> None:
    """``form`` has the fields ``dataset``, ``sample_rate`` and ``batch_size``; uploaded ``recordings`` go before the dataset."""
    dataset, rate, batch = (form.components[name] for name in ("dataset", "sample_rate", "batch_size"))

    @handler
    def look(uploaded: list[str] | None, path: str, sample_rate: int) -> Iterator[list[Any]]:
        yield view.saying(widgets.progress("Getting ready …", None), going=True)
        try:
            with errors_as_words():
                yield from _looked(studio, view, uploaded, path, sample_rate)
        except PageError as error:  # also where the card would be: a toast is gone before it is read twice
            yield view.saying(widgets.note(error.text, "bad"))
            raise

    view.look.click(look, [recordings, dataset, rate], view.all, show_progress="hidden", concurrency_id="report", concurrency_limit=1,
                    api_visibility="private")
    gr.on([recordings.change, dataset.change], lambda: view.saying(""), None, view.all, **QUIET)
    view.use_batch.click(lambda suggested: suggested[0], [view.suggested], batch, **QUIET)
    view.use_rate.click(lambda suggested: suggested[1], [view.suggested], rate, **QUIET)


def _looked(studio: Studio, view: View, uploaded: list[str] | None, path: str, sample_rate: int) -> Iterator[list[Any]]:
    told_at = 0.0
    for item in studio.report(uploaded or [], path, sample_rate):
        if not isinstance(item, Progress):
            yield view.showing(item)
        elif time.monotonic() - told_at > TOLD_SECONDS:
            told_at = time.monotonic()
            fraction = item.done / item.total if item.total and item.stage == "listen" else None
            yield view.saying(widgets.progress(f"{_DOING[item.stage]} …", fraction), going=True)


def card_html(card: "ReportCard") -> str:
    """The card: numbers, what to choose and why, what to look at, and what is left out."""
    tone, title = ("good", "Usable") if card.clips else ("bad", "Nothing usable")
    left_out = (f"{name}: {reason}" for name, reason in card.left_out.items())
    return (f'<section class="tm-run" data-status="report"><header><span class="tm-pill" data-tone="{tone}">{title}</span>'
            f"<h3>Report card</h3></header>{widgets.facts(card.facts())}"
            f"{widgets.notes('What to choose', _choices(card)) if card.clips else ''}"
            f"{widgets.notes('Worth knowing', card.advice)}"
            f"{widgets.notes('Same sound', (' = '.join(group) for group in card.duplicates))}"
            f"{_folded(f'Left out ({len(card.left_out)})', list(left_out))}</section>")


def _choices(card: "ReportCard") -> list[str]:
    rate = f"{card.suggested_sample_rate / 1000:g} kHz. {card.sample_rate_reason}" if card.suggested_sample_rate else ""
    return [one for one in (f"Batch size {card.suggested_batch_size}. {card.batch_size_reason}", rate) if one]


def _folded(title: str, lines: list[str]) -> str:
    """A list that may be long, closed."""
    items = "".join(f"<li>{html.escape(one)}</li>" for one in lines)
    return f'<details class="tm-note"><summary>{html.escape(title)}</summary><ul>{items}</ul></details>' if lines else ""
