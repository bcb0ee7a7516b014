"""The epochs of the run that is shown: one table to listen in, to export and to go on from, and two epochs heard against each other.

Scores stand in the table and judge nothing: no row is marked as the best one, for what is best is heard, not measured.
"""

import html
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import SystemRandom
from typing import Any, Protocol

import gradio as gr

from rvc import jobs
from rvc.errors import RunError, RvcError
from rvc.train.listening.comparison import at_equal_loudness
from rvc.train.listening.epochs import EpochRow, epochs, row_at
from rvc.train.run import TrainingRun
from tabs import widgets
from tabs.boundary import handler, sentence
from tabs.offered import offered
from tabs.page import QUIET
from tabs.studio import Studio
from tabs.theme import WAVE

LISTEN = ("A lower score or a lower loss is not necessarily a better voice: scores say how close a voice comes to recordings that it "
          "has not learnt from, not how it sounds. Listen, best of all blindly.")
NOTHING_YET = "Nothing is saved yet. Every save of the training appears here, to be listened to."
# (title, what it means, how a score is written) by the name of a score
SCORES = {
    "mel_distance": ("Mel distance", "How far the spectrum is from the recording's, on held-out clips. Lower is closer.", "{:.3f}"),
    "f0_error_cents": ("f0 error", "How far the pitch is from the recording's, in cents; 100 are a semitone. Lower is closer.", "{:.1f} ¢"),
    "voiced_agreement": ("Voicing", "Share of the frames that are voiced, or unvoiced, as in the recording. Higher is closer.", "{:.1%}"),
}
CONFIRM = "Go on training from step {step}? What was saved after it is put aside, not deleted."
# One listener for all buttons of the table; which row it was travels with the event. Gradio looks for the events' names in here.
_CLICKS = """
const actions = ['hear', 'take', 'proceed'];
element.addEventListener('click', event => {
    const button = event.target.closest('button[data-action]');
    if (!button || (button.dataset.confirm && !confirm(button.dataset.confirm))) return;
    if (actions.includes(button.dataset.action)) trigger(button.dataset.action, { step: Number(button.dataset.step) });
});
"""


class Live(Protocol):
    """What is needed of the view of a run: which one it is, how it is drawn anew, and its epochs."""

    shown: gr.Dropdown
    card: gr.HTML
    view: list[Any]
    epochs: "Epochs"

    def of(self, name: str | None) -> list[Any]: ...


@dataclass(frozen=True)
class Duel:
    """Two saves, by their steps, heard against each other. ``players``: which of them is A and which is B."""

    run: str
    players: tuple[int, int]
    titles: dict[int, str]
    blind: bool
    picked: int | None = None  # in this round
    wins: dict[int, int] = field(default_factory=dict)  # of all blind rounds of this pair

    @classmethod
    def next_round(cls, before: "Duel | None", run: str, rows: tuple[EpochRow, EpochRow], *, blind: bool) -> "Duel":
        """A new round; the count goes on while it is the same pair of the same run."""
        steps = tuple(row.step for row in rows)
        same = before is not None and before.run == run and set(before.players) == set(steps)
        players = tuple(SystemRandom().sample(steps, 2)) if blind else steps
        return cls(run, players, {row.step: title(row) for row in rows}, blind, wins=before.wins if same else {})

    def after_pick(self, player: int) -> "Duel":
        """``player`` 0 is A, 1 is B. A second pick in one round changes nothing."""
        if self.picked is not None:
            return self
        step = self.players[player]
        return replace(self, picked=step, wins={**self.wins, step: self.wins.get(step, 0) + 1})

    @property
    def hidden(self) -> bool:
        """Whether the listener may not know yet who is who."""
        return self.blind and self.picked is None

    def label(self, player: int) -> str:
        letter, name = "AB"[player], self.titles[self.players[player]]
        return letter if self.hidden else f"{letter} was {name.lower()}" if self.blind else name

    def result(self) -> str:
        """What the pick came to, in HTML; empty before it."""
        if self.picked is None:
            return ""
        counted = ", ".join(f"{self.titles[step].lower()}: {self.wins.get(step, 0)}" for step in sorted(self.players))
        return widgets.note(f"You preferred {self.titles[self.picked].lower()}. {self.label(0)}, {self.label(1)}.\n"
                            f"Rounds won: {counted}.")


class Epochs:
    """The components. ``renewed`` show what is in the folder, ``opened`` what was asked to be played or exported, ``players`` the pair."""

    def __init__(self) -> None:
        with gr.Accordion("Epochs", open=False, elem_id="epochs-fold"):
            self.table = gr.HTML(table_html([], active=False), js_on_load=_CLICKS, elem_id="epochs-table")
            self.player = gr.Audio(visible=False, interactive=False, autoplay=True, buttons=["download"], elem_id="epochs-player",
                                   waveform_options=gr.WaveformOptions(**WAVE))
            self.exported = gr.File(visible=False, interactive=False, label="The voice, to download", height=90, elem_id="epochs-exported")
            with gr.Column(visible=False, elem_id="epochs-against", elem_classes="tm-against") as self.against:
                self._comparison()
        self.seen = gr.State(None)
        self.duel = gr.State(None)
        self.renewed = [self.seen, self.table, self.against, self.first, self.second]
        self.players = [self.a, self.b, self.picks, self.result]
        self.opened = [self.duel, self.player, self.exported, *self.players]

    def _comparison(self) -> None:
        gr.HTML(widgets.heading("One against another, equally loud"))
        with gr.Row():
            self.first = gr.Dropdown([], label="One", interactive=True, min_width=120, elem_id="epochs-first")
            self.second = gr.Dropdown([], label="Other", interactive=True, min_width=120, elem_id="epochs-second")
        self.blind = gr.Checkbox(False, label="Blindly", info="They are called A and B in random order; which is which is told after you "
                                                              "have chosen.", elem_id="epochs-blind")
        with gr.Row(elem_classes="tm-small-buttons"):
            self.play = gr.Button("Play them", size="md", elem_id="epochs-play")
        with gr.Row():
            self.a, self.b = (gr.Audio(visible=False, interactive=False, buttons=[], min_width=200, elem_id=f"epochs-{letter}",
                                       waveform_options=gr.WaveformOptions(**WAVE)) for letter in "ab")
        with gr.Row(visible=False, elem_classes="tm-small-buttons") as self.picks:
            self.pick_a = gr.Button("A is better", size="md", elem_id="epochs-pick-a")
            self.pick_b = gr.Button("B is better", size="md", elem_id="epochs-pick-b")
        self.result = gr.HTML(elem_id="epochs-result")

    def showing(self, seen: "Seen", one: int | None, other: int | None) -> list[Any]:
        """Updates of ``renewed``. What was chosen to compare stays chosen while it is there; else the two newest are."""
        choices = [(title(row), row.step) for row in seen.rows if row.audition]
        steps = [step for _, step in choices]
        first = one if one in steps else next((step for step in steps if step != other), None)
        second = other if other in steps else next((step for step in steps if step != first), None)
        return [seen, seen.table, gr.update(visible=len(choices) > 1),
                gr.update(choices=choices, value=first), gr.update(choices=choices, value=second)]

    def closed(self) -> list[Any]:
        """Updates of ``opened`` for another run: nothing is open."""
        away = gr.update(visible=False, value=None)
        return [None, away, away, away, away, gr.update(visible=False), ""]

    def playing(self, duel: Duel, sounds: tuple[Path, Path] | None) -> list[Any]:
        """Updates of ``players``. ``sounds`` ``None`` leaves what is loaded."""
        loaded = [{} if sounds is None else {"value": str(one)} for one in sounds or (None, None)]
        return [*(gr.update(visible=True, label=duel.label(player), **loaded[player]) for player in (0, 1)),
                gr.update(visible=duel.hidden), duel.result()]


@dataclass(frozen=True)
class Seen:
    """What of a run was drawn: equal, nothing needs to be sent."""

    run: str | None
    rows: list[EpochRow] = field(default_factory=list)
    active: bool = False  # a worker is on it: nobody else can go on
    trouble: str = ""  # HTML, in place of the table

    @property
    def table(self) -> str:
        return self.trouble or table_html(self.rows, active=self.active)

    @classmethod
    def of(cls, studio: Studio, name: str | None) -> "Seen":
        if not name or name not in studio.run_names():
            return cls(None)
        try:
            run = studio.run(name)
            return cls(name, epochs(run), jobs.state(run.folder).active)
        except RvcError as error:
            return cls(name, trouble=widgets.note(sentence(error), "bad"))


def wire(studio: Studio, tab: gr.Tab, live: Live) -> None:
    """The view follows ``live``: when another run is shown, or there is news of it, the table is renewed."""
    _wire_table(studio, tab, live)
    _wire_comparison(studio, live)


def _wire_table(studio: Studio, tab: gr.Tab, live: Live) -> None:
    view = live.epochs

    @handler
    def renew(name: str | None, seen: Seen | None, one: int | None, other: int | None) -> list[Any]:
        now = Seen.of(studio, name)
        if now == seen:
            return [gr.skip()] * len([*view.renewed, *view.opened])
        elsewhere = seen is not None and seen.run != now.run
        return [*view.showing(now, one, other), *(view.closed() if elsewhere else [gr.skip()] * len(view.opened))]

    @handler
    def hear(name: str, event: gr.EventData) -> Any:
        run, row = _chosen(studio, name, event)
        if not row.audition:
            raise RunError(f"{title(row)} of {name!r} has no sound to play.", fix="The log says why.")
        return gr.update(value=str(offered(studio.home, row.audition, f"{run.name}_{row.audition.name}")), label=title(row), visible=True)

    @handler
    def take(name: str, event: gr.EventData) -> list[Any]:
        run, row = _chosen(studio, name, event)
        path = row.voice or _exported(run, row.step)
        now = Seen.of(studio, name)
        return [gr.update(value=str(offered(studio.home, path, path.name)), visible=True), now, now.table]

    @handler
    def proceed(name: str, event: gr.EventData) -> list[Any]:
        from rvc.train.rewind import rewind

        run, row = _chosen(studio, name, event)
        rewind(run, row.step)
        studio.resume(name)
        return live.of(name)

    gr.on([live.card.change, tab.select], renew, [live.shown, view.seen, view.first, view.second], [*view.renewed, *view.opened],
          trigger_mode="always_last", **QUIET)
    view.table.hear(hear, [live.shown], view.player, **QUIET)
    view.table.take(take, [live.shown], [view.exported, view.seen, view.table], show_progress="minimal", show_progress_on=view.table,
                    api_visibility="private")
    view.table.proceed(proceed, [live.shown], live.view, **QUIET)


def _wire_comparison(studio: Studio, live: Live) -> None:
    view = live.epochs

    @handler
    def play(name: str, one: int | None, other: int | None, blind: bool, before: Duel | None) -> list[Any]:
        run = studio.run(name)
        if one is None or other is None or one == other:
            raise RunError("Two different epochs are needed.", fix="Choose another one to compare with.")
        rows = row_at(run, one), row_at(run, other)
        duel = Duel.next_round(before, name, rows, blind=blind)
        copies = at_equal_loudness(*map(_audition, rows), studio.home.outputs / "compared")
        return [duel, *view.playing(duel, copies if duel.players == (one, other) else copies[::-1])]

    def pick(player: int):
        def picked(duel: Duel) -> list[Any]:
            duel = duel.after_pick(player)
            return [duel, *view.playing(duel, None)]

        return handler(picked)

    view.play.click(play, [live.shown, view.first, view.second, view.blind, view.duel], [view.duel, *view.players],
                    show_progress="minimal", show_progress_on=view.play, api_visibility="private")
    view.pick_a.click(pick(0), [view.duel], [view.duel, *view.players], **QUIET)
    view.pick_b.click(pick(1), [view.duel], [view.duel, *view.players], **QUIET)


def _chosen(studio: Studio, name: str, event: gr.EventData) -> tuple[TrainingRun, EpochRow]:
    run = studio.run(name)
    return run, row_at(run, int(event._data["step"]))


def _exported(run: TrainingRun, step: int) -> Path:
    """Imports torch: the first time takes seconds."""
    from rvc.train.stages import export_run

    return export_run(run, step)[0]


def _audition(row: EpochRow) -> Path:
    if not row.audition:
        raise RunError(f"{title(row)} has no sound to play.", fix="Choose another one.")
    return row.audition


# -- the table, as HTML ----------------------------------------------------------------------------------------------------------


def title(row: EpochRow) -> str:
    """What a save is called."""
    return f"Step {row.step}" if row.epoch is None else f"Epoch {row.epoch}"


def table_html(rows: list[EpochRow], *, active: bool) -> str:
    """All saves, and beside them what their scores do not say."""
    if not rows:
        return widgets.note(NOTHING_YET)
    names = [name for name in SCORES if any(row.scores and name in row.scores for row in rows)]
    heads = "".join(f'<th title="{html.escape(SCORES[name][1], quote=True)}">{html.escape(SCORES[name][0])}</th>' for name in names)
    body = "".join(_row(row, names, active=active) for row in rows)
    return (f'<div class="tm-epochs">{widgets.note(LISTEN)}<div><table><thead><tr><th>Epoch</th><th>Step</th>{heads}<th></th></tr></thead>'
            f"<tbody>{body}</tbody></table></div></div>")


def _row(row: EpochRow, names: list[str], *, active: bool) -> str:
    cells = "".join(f'<td data-name="{html.escape(SCORES[name][0], quote=True)}">{_score(row, name)}</td>' for name in names)
    trouble = f'<tr class="tm-trouble"><td colspan="{3 + len(names)}">{widgets.note(row.trouble, "bad")}</td></tr>' if row.trouble else ""
    epoch = "–" if row.epoch is None else row.epoch
    return (f'<tr data-step="{row.step}"><td data-name="Epoch">{epoch}</td><td data-name="Step">{row.step}</td>{cells}'
            f"<td>{_buttons(row, active=active)}</td></tr>{trouble}")


def _score(row: EpochRow, name: str) -> str:
    return SCORES[name][2].format(row.scores[name]) if row.scores and name in row.scores else "–"


def _buttons(row: EpochRow, *, active: bool) -> str:
    """What can be done with a save: only that is offered."""
    buttons = []
    if row.audition:
        buttons.append(_button(row, "hear", "Play", "Play"))
    if row.voice or row.has_checkpoint:
        buttons.append(_button(row, "take", *("Download", "Download the voice") if row.voice else ("Export", "Export as a voice")))
    if row.has_checkpoint and not active:
        buttons.append(_button(row, "proceed", "Continue", "Continue the training from here", CONFIRM.format(step=row.step)))
    return "".join(buttons)


def _button(row: EpochRow, action: str, words: str, meaning: str, confirm: str = "") -> str:
    label, asked = html.escape(f"{meaning}: {title(row)}", quote=True), html.escape(confirm, quote=True)
    question = f' data-confirm="{asked}"' if confirm else ""
    return (f'<button type="button" data-action="{action}" data-step="{row.step}" aria-label="{label}" title="{label}"{question}>'
            f"{words}</button>")
