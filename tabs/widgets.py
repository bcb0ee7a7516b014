"""Small pieces of the page, as HTML. Whatever comes from outside (names, messages, paths) is escaped here."""

import html
import time
from collections.abc import Iterable, Mapping
from typing import Literal

import gradio as gr

from rvc.events import STAGES, Finding, JobState

Tone = Literal["quiet", "going", "good", "warn", "bad"]

STAGE_TITLES = {"preprocess": "Prepare", "extract": "Extract", "fit": "Train", "index": "Index", "export": "Export"}
_STATUS: dict[str, tuple[str, Tone]] = {
    "new": ("Not started", "quiet"),
    "starting": ("Starting", "going"),
    "running": ("Running", "going"),
    "finished": ("Finished", "good"),
    "stopped": ("Stopped", "quiet"),
    "failed": ("Failed", "bad"),
    "died": ("Died", "bad"),
}
# What a log shows follows its end until the reader scrolls up, and again when they come back down.
_FOLLOW_END = """
let follows = true;
const box = () => element.querySelector('pre');
element.addEventListener('scroll', () => {
    const log = box();
    follows = log.scrollTop + log.clientHeight > log.scrollHeight - 30;
}, true);
const toEnd = () => { const log = box(); if (log && follows) log.scrollTop = log.scrollHeight; };
watch('value', () => requestAnimationFrame(toEnd));
requestAnimationFrame(toEnd);
"""


def log_box(elem_id: str) -> gr.HTML:
    """A log view; give it ``log_text(...)``. (``gr.Textbox`` with autoscroll stays at the top.)"""
    return gr.HTML(log_text(""), elem_id=elem_id, js_on_load=_FOLLOW_END)


def log_text(text: str) -> str:
    return f'<pre class="tm-log" tabindex="0" aria-label="Log">{html.escape(text) or "Nothing yet."}</pre>'


def header() -> str:
    bars = "".join(f'<rect x="{4 * number + 1}" y="{12 - tall}" width="2" height="{2 * tall}" rx="1"/>'
                   for number, tall in enumerate((3, 7, 11, 6, 9, 4)))
    return (f'<div class="tm-header"><svg viewBox="0 0 24 24" aria-hidden="true">{bars}</svg>'
            "<h1>Timbre</h1><p>Train a voice, and speak or sing in it.</p></div>")


def lead(title: str, text: str) -> str:
    """What a tab is about."""
    return f'<div class="tm-lead"><h2>{html.escape(title)}</h2><p>{html.escape(text)}</p></div>'


def heading(title: str) -> str:
    return f'<h4 class="tm-heading">{html.escape(title)}</h4>'


def note(text: str, tone: Tone = "quiet") -> str:
    """A sentence on its own; empty text shows nothing."""
    return f'<p class="tm-note" data-tone="{tone}">{_lines(text)}</p>' if text else ""


def notes(title: str, sentences: Iterable[str], tone: Tone = "quiet") -> str:
    items = "".join(f"<li>{html.escape(one)}</li>" for one in sentences)
    return f'<div class="tm-note" data-tone="{tone}"><b>{html.escape(title)}</b><ul>{items}</ul></div>' if items else ""


def progress(text: str, fraction: float | None) -> str:
    """A bar under a sentence. ``None`` is a bar that only says that something is going on."""
    return f'<section class="tm-run tm-progress" data-status="running"><p>{html.escape(text)}</p>{bar(fraction)}</section>'


def facts(values: Mapping[str, str]) -> str:
    items = "".join(f"<div><dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd></div>" for name, value in values.items())
    return f'<dl class="tm-facts">{items}</dl>'


def run_card(name: str, state: JobState, *, stop_asked: bool = False) -> str:
    """Where a run stands: status, stages, how far, how fast, and what there is to read."""
    title, tone = _STATUS[state.status]
    if state.active and stop_asked:
        title = "Stopping"
    return (
        f'<section class="tm-run" data-status="{state.status}">'
        f'<header><span class="tm-pill" data-tone="{tone}">{title}</span><h3>{html.escape(name)}</h3>'
        f"<span>{_when(state)}</span></header>"
        f"{_stage_line(state)}{bar(_fraction(state)) if state.active else ''}{facts(_numbers(state))}"
        f"{_last_words(state)}{findings(state.findings)}</section>"
    )


def findings(found: Iterable[Finding]) -> str:
    """What the run doctor sees, the newest last: the step, what it is, and what to do."""
    return "".join(
        f'<div class="tm-note tm-finding" data-tone="warn" data-code="{html.escape(one.code)}">'
        f"<b>Run doctor, step {_grouped(one.step)}</b><p>{_lines(one.message)}</p><p>{_lines(one.advice)}</p></div>" for one in found)


def no_run_card() -> str:
    return ('<section class="tm-run" data-status="none"><header><h3>No run yet</h3></header>'
            '<p class="tm-empty">Give the voice a name and some recordings, and press Train. '
            "What happens then is shown here; closing this page changes nothing for it.</p></section>")


def broken_run_card(name: str, why: str) -> str:
    return f'<section class="tm-run" data-status="broken"><header><h3>{html.escape(name)}</h3></header>{note(why, "bad")}</section>'


def result_card(title: str, values: Mapping[str, str], misses: Iterable[str], warnings: Iterable[str]) -> str:
    """What a conversion came to."""
    return (f'<section class="tm-run" data-status="finished"><header><span class="tm-pill" data-tone="good">Done</span>'
            f'<h3>{html.escape(title)}</h3></header>{facts(values)}{notes("Not converted", misses, "bad")}'
            f'{notes("Worth knowing", warnings)}</section>')


def duration(seconds: float) -> str:
    """In the two units that matter."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02d} s" if seconds < 600 else f"{round(seconds / 60)} min"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02d} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def size(count: float) -> str:
    """Bytes in the units file managers use."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.2f} GB"


def bar(fraction: float | None) -> str:
    if fraction is None:
        return '<div class="tm-bar" role="progressbar" data-open><i></i></div>'
    return (f'<div class="tm-bar" role="progressbar" aria-valuemin="0" aria-valuemax="100" aria-valuenow="{100 * fraction:.0f}">'
            f'<i style="width:{100 * fraction:.1f}%"></i></div>')


def _stage_line(state: JobState) -> str:
    items = []
    for stage in STAGES:
        status = state.stages.get(stage, "open")
        if status == "started" and not state.active:
            status = "broken" if state.status in ("failed", "died") else "paused"
        items.append(f'<li data-stage="{stage}" data-state="{status}">{STAGE_TITLES[stage]}</li>')
    return f'<ol class="tm-stages">{"".join(items)}</ol>'


def _fraction(state: JobState) -> float | None:
    """``None`` while a stage has not said yet how much there is to do."""
    known = state.total_steps if state.stage == "fit" else state.total
    return state.fraction if known else None


def _numbers(state: JobState) -> dict[str, str]:
    if state.active and state.stage and state.stage != "fit":
        return {STAGE_TITLES.get(state.stage, state.stage): f"{state.done} of {state.total} {state.unit}" if state.total else "…"}
    if not state.total_steps:
        return {}
    values = {"Epoch": f"{state.epoch} / {state.epochs}", "Step": f"{_grouped(state.step)} / {_grouped(state.total_steps)}"}
    if state.active and state.steps_per_second:
        values["Speed"] = f"{state.steps_per_second:.2f} it/s"
        values["Time left"] = duration(state.eta_seconds or 0)
    return values


def _last_words(state: JobState) -> str:
    text = "\n".join(part for part in (state.message, state.fix) if part)
    said = note(text, "bad") if state.status in ("failed", "died") else f'<p class="tm-empty">{_lines(text)}</p>' if text else ""
    return said + notes("Worth knowing", state.warnings)


def _when(state: JobState) -> str:
    if state.active and state.started_at:
        return f"for {duration(time.time() - state.started_at)}"
    return f"{duration(max(0.0, time.time() - state.updated_at))} ago" if state.updated_at else ""


def _grouped(number: int) -> str:
    return f"{number:,}".replace(",", "\u202f")


def _lines(text: str) -> str:
    return html.escape(text).replace("\n", "<br>")
