"""The optimizer lab of the run that is shown: whom to compare and at what cost, how far it is, and who came nearest.

As with the training, the page holds no truth about it: everything is read from the run's folder, and a closed page changes nothing.
"""

import html
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import gradio as gr

from rvc import jobs
from rvc.errors import RunError, RvcError, SettingsError
from rvc.events import JobState
from rvc.interval import Interval
from rvc.optimizers.registry import OPTIMIZERS
from rvc.train.lab.apply import has_already
from rvc.train.lab.asked import MOST_SEEDS, SEEDS, STEPS, Asked, short_list
from rvc.train.lab.ranking import Standing, Verdict, mean_curve
from rvc.train.lab.record import LabFolder, Record
from rvc.train.lab.trial import Trial
from rvc.train.run import TrainingRun
from tabs import curves, widgets
from tabs.boundary import handler, sentence
from tabs.curves import Compared
from tabs.page import QUIET
from tabs.studio import Studio
from tabs.widgets import Tone

POLL_SECONDS = 1.0
MOST_CURVES = 12
ABOUT = ("Which optimizer gets nearest to your own recordings? All begin with the weights that this run would go on from, on the same "
         "clips in the same order. Round by round the better half gets more steps; the last three begin anew, with several seeds. What "
         "counts is the mel distance of the recordings that are held out. The run's checkpoints, voices and curves are not touched.")
_STATUS: dict[str, tuple[str, Tone]] = {
    "new": ("Not started", "quiet"), "starting": ("Starting", "going"), "running": ("Running", "going"), "finished": ("Finished", "good"),
    "stopped": ("Stopped", "quiet"), "failed": ("Failed", "bad"), "died": ("Died", "bad")}
_VERDICT_TONES: dict[str, Tone] = {"won": "good", "open": "quiet", "broken": "bad"}
_HEADS = {
    "#": "", "Optimizer": "With the initial learning rate of G.",
    "Mel distance": "Of the held-out clips at the end, with the 95 % interval of its mean. Lower is closer.",
    "Behind the first": "Seed by seed, with the 95 % interval: above zero throughout, it is no chance.",
    "s / step": "Seconds that a training step took.", "B / weight": "Bytes of memory that the optimizer takes. AdamW takes 8."}


class Shown(Protocol):
    """What is needed of the view of a run."""

    shown: gr.Dropdown
    card: gr.HTML


class Lab:
    """The components. ``view`` is what is read from the folder."""

    def __init__(self) -> None:
        with gr.Accordion("Optimizer lab", open=False, elem_id="lab-fold") as self.fold:
            gr.HTML(widgets.note(ABOUT))
            self.names = gr.Dropdown(list(OPTIMIZERS), value=list(short_list()), multiselect=True, label="Compare",
                                     info="Two or more. The more, the fewer steps for each.", elem_id="lab-optimizers")
            with gr.Row():
                self.steps = gr.Number(STEPS, precision=0, minimum=1, label="Steps", info="Of all trials together: what it costs.",
                                       min_width=120, elem_id="lab-steps")
                self.seeds = gr.Slider(1, MOST_SEEDS, value=SEEDS, step=1, label="Seeds", info="Trials of each of the last three.",
                                       min_width=120, elem_id="lab-seeds")
            self.estimate = gr.HTML(elem_id="lab-estimate")
            with gr.Row(elem_classes="tm-small-buttons"):
                self.start = gr.Button("Compare them", size="md", elem_id="lab-start")
                self.stop = gr.Button("Stop", variant="stop", visible=False, size="md", elem_id="lab-stop")
                self.resume = gr.Button("Resume", visible=False, size="md", elem_id="lab-resume")
            self.card = gr.HTML(elem_id="lab-card")
            with gr.Row(elem_classes="tm-small-buttons"):
                self.use = gr.Button(visible=False, size="md", elem_id="lab-use")
            self.said = gr.HTML(elem_id="lab-said")
        self.seen = gr.State(None)
        self.timer = gr.Timer(POLL_SECONDS, active=False)
        self.view = [self.seen, self.start, self.stop, self.resume, self.card, self.use, self.timer]
        self.asked = [self.names, self.steps, self.seeds]

    def of(self, studio: Studio, name: str | None) -> list[Any]:
        """Updates of ``view``."""
        seen = Seen.of(studio, name)
        return [seen.mark, gr.update(visible=not seen.active), gr.update(visible=seen.active, value=seen.stop_words),
                gr.update(visible=seen.can_resume), seen.html, gr.update(visible=bool(seen.use), value=seen.use),
                gr.Timer(active=seen.active)]


@dataclass(frozen=True)
class Seen:
    """The lab of a run as its folder tells. ``use``: what the button says that takes the winner; empty without one."""

    mark: Any = None
    html: str = ""
    active: bool = False
    can_resume: bool = False
    use: str = ""
    stop_asked: bool = False

    @property
    def stop_words(self) -> str:
        return "Stop now" if self.stop_asked else "Stop"

    @classmethod
    def of(cls, studio: Studio, name: str | None) -> "Seen":
        """A folder that cannot be read is told in its place."""
        if not name or name not in studio.run_names():
            return cls()
        mark = _mark(studio, name)
        try:
            return cls._of_run(studio.run(name), mark)
        except RvcError as error:
            return cls(mark, widgets.note(sentence(error), "bad"))

    @classmethod
    def _of_run(cls, run: TrainingRun, mark: Any) -> "Seen":
        lab, state = LabFolder.of(run), jobs.state(run.lab)
        record, stop_asked = lab.record(), lab.stop_file.exists()
        if record is None:
            return cls(mark)
        verdict = record.verdict
        winner = verdict.winner if verdict and not state.active else None
        return cls(mark, card_html(record, state, stop_asked=stop_asked), state.active, not state.active and not record.complete,
                   f"Train with {winner.title}" if winner and not has_already(run, winner) else "", stop_asked)


def wire(studio: Studio, tab: gr.Tab, live: Shown, view: Lab, form: list[Any], showing: Any) -> None:
    """The lab follows the run of ``live``. showing: from a run's name and settings the updates of ``form``, when the winner is taken."""

    @handler
    def renew(name: str | None) -> list[Any]:
        return view.of(studio, name)

    @handler
    def tick(name: str | None, seen: Any) -> list[Any]:
        return [gr.skip()] * len(view.view) if _mark(studio, name) == seen else view.of(studio, name)

    @handler
    def start(name: str | None, names: list[str], steps: int | None, seeds: int) -> list[Any]:
        studio.start_lab(_named(name), _asked(names, steps, seeds))
        return ["", *view.of(studio, name)]

    @handler
    def stop(name: str) -> list[Any]:
        studio.stop_lab(name)
        return view.of(studio, name)

    @handler
    def resume(name: str) -> list[Any]:
        studio.resume_lab(name)
        return view.of(studio, name)

    @handler
    def use(name: str) -> list[Any]:
        run, winner = studio.use_winner(name)
        said = f"{name} trains with {winner.optimizer} from now on, at a rate of {winner.learning_rate:g}. Train or Resume goes on with it."
        return [widgets.note(said, "good"), *view.of(studio, name), *showing(name, run.settings)]

    @handler
    def cost(name: str | None, names: list[str], steps: int | None, seeds: int) -> str:
        return estimate(studio, name, names, steps, seeds)

    gr.on([live.shown.change, tab.select, view.fold.expand], renew, [live.shown], view.view, **QUIET)
    live.shown.change(lambda: "", None, view.said, **QUIET)
    view.timer.tick(tick, [live.shown, view.seen], view.view, **QUIET)
    view.start.click(start, [live.shown, *view.asked], [view.said, *view.view], show_progress="minimal", show_progress_on=view.start,
                     concurrency_limit=1, api_visibility="private")
    view.stop.click(stop, [live.shown], view.view, **QUIET)
    view.resume.click(resume, [live.shown], view.view, **QUIET)
    view.use.click(use, [live.shown], [view.said, *view.view, *form], **QUIET)
    gr.on([view.fold.expand, view.card.change, live.shown.change, *(one.change for one in view.asked)], cost, [live.shown, *view.asked],
          view.estimate, trigger_mode="always_last", **QUIET)


def _asked(names: list[str], steps: int | None, seeds: int) -> Asked:
    if not names:
        raise SettingsError("Nothing is chosen to compare.", fix="Choose two optimizers at least.")
    return Asked.of(tuple(names), steps or 0, int(seeds))


def _named(name: str | None) -> str:
    if not name:
        raise RunError("There is no run to compare optimizers on.", fix="Press Train first; it may be stopped at once.")
    return name


def _mark(studio: Studio, name: str | None) -> Any:
    """Changes whenever anything that is shown may have changed."""
    if not name or name not in studio.run_names():
        return None
    folder = studio.folder(name)
    lab = folder / "lab"
    return (str(folder), *jobs.signature(lab), (lab / "stop").exists(), (folder / "run.json").stat().st_mtime_ns)


def estimate(studio: Studio, name: str | None, names: list[str], steps: int | None, seeds: int) -> str:
    """What was asked for in words: rounds, and how long they take as far as anybody can know. HTML."""
    try:
        asked = _asked(names, steps, seeds)
        run = studio.run(name) if name else None
        pace, by = _pace(run) if run else (None, "")
    except RvcError as error:
        return widgets.note(sentence(error), "bad")
    rounds = asked.rounds
    trials = sum(one.candidates * len(one.seeds) for one in rounds)
    longest = f"{trials} trials in {len(rounds)} rounds of {', '.join(str(one.steps) for one in rounds)} steps each."
    time = f"About {widgets.duration(asked.steps * pace)}, {by}." if pace else "How long that takes is told when the first trial is done."
    return widgets.note(f"{longest} {time}")


def _pace(run: TrainingRun) -> tuple[float | None, str]:
    """Seconds a step, and whose they were; ``None`` when nobody has measured any."""
    try:
        record = LabFolder.of(run).record()
    except RvcError:  # told where its results are shown
        record = None
    if record and record.steps_done:
        return record.seconds / record.steps_done, "at the pace of this run's last lab"
    speed = jobs.state(run.folder).steps_per_second
    return (1 / speed, "at the pace of this run's last training, and the scoring on top") if speed else (None, "")


# -- the card, as HTML -----------------------------------------------------------------------------------------------------------------


def card_html(record: Record, state: JobState, *, stop_asked: bool = False) -> str:
    """Where the lab stands, what it comes to, the curves of its newest round, and everyone's place."""
    title, tone = ("Stopping", "going") if stop_asked and state.active else _STATUS[state.status]
    going = widgets.bar(state.fraction if state.total else None) if state.active else ""
    return (f'<section class="tm-run tm-lab" data-status="{state.status}"><header><span class="tm-pill" data-tone="{tone}">{title}</span>'
            f"<h3>{html.escape(_headline(record, state))}</h3><span>{html.escape(record.device)}</span></header>{going}"
            f"{_words(record, state)}{widgets.facts(_facts(record, state))}{curves.side_by_side(_curves(record))}{_table(record)}"
            f"{widgets.notes('What broke', record.failures, 'warn')}</section>")


def _headline(record: Record, state: JobState) -> str:
    if state.active and state.stage == "lab":
        return state.message.partition(": ")[2] or "Getting ready"
    if state.active:
        return f"{widgets.STAGE_TITLES.get(state.stage, 'Getting ready')} …"
    return f"{len(record.asked.optimizers)} optimizers"


def _words(record: Record, state: JobState) -> str:
    """The verdict, or why there is none."""
    if state.status == "died":
        return widgets.note("The lab's worker died without a word. What was found so far is kept, and Resume goes on.", "bad")
    if state.status == "failed":
        return widgets.note("\n".join(part for part in (state.message, state.fix) if part), "bad")
    verdict: Verdict | None = record.verdict
    if verdict:
        return widgets.note(verdict.sentence, _VERDICT_TONES[verdict.kind])
    return widgets.note(state.message) if state.status == "stopped" else ""


def _facts(record: Record, state: JobState) -> dict[str, str]:
    if not record.weights:
        return {}
    began = {"Began at": f"{record.before:.3f}"}
    if not state.active:
        return {"Steps": str(record.steps_done), "Took": widgets.duration(record.seconds)} | began
    left = "…" if record.seconds_left is None else widgets.duration(record.seconds_left)
    return {"Round": f"{_round(record) + 1} / {len(record.asked.rounds)}", "Time left": left,
            "Steps": f"{max(record.steps_done, state.done)} / {record.steps_planned}"} | began


def _round(record: Record) -> int:
    """The place of the round that is under way."""
    return next((place for place in range(len(record.asked.rounds)) if not record.finished(place)), len(record.asked.rounds) - 1)


def _curves(record: Record) -> list[Compared]:
    """Of the newest round, unless it only looks for rates; the nearest first, each seed thin, their mean thick."""
    newest = len(record.rounds) - 1
    trials = record.of(newest) if newest >= 0 and record.asked.rounds[newest].kind != "rates" else ()
    own: dict[str, list[Trial]] = {}
    for one in sorted(trials, key=lambda one: one.held_out if not one.failure else float("inf")):
        own.setdefault(one.candidate.title, []).append(one)
    return [_compared(title, several) for title, several in list(own.items())[:MOST_CURVES] if len(several[0].curve) > 1]


def _compared(title: str, trials: list[Trial]) -> Compared:
    shortest = min(len(one.curve) for one in trials)  # one that broke ends early
    mean = mean_curve([Trial(one.candidate, one.seed, one.steps, one.curve[:shortest]) for one in trials])
    return Compared(title, [_line(one.curve) for one in trials], _line(mean))


def _line(curve: Iterable[Any]) -> list[tuple[float, float]]:
    return [(one.step, one.held_out) for one in curve]


def _table(record: Record) -> str:
    """Everyone, in the order of merit as far as it is known."""
    rows = [_row(str(rank), one.trials[0], record, one) for rank, one in enumerate(record.standings, start=1)]
    where = "out in round" if record.complete else "round"
    rows += [_row("–", one, record, out=f"{where} {place + 1}") for place, one in record.others()]
    heads = "".join(f'<th title="{html.escape(meaning, quote=True)}">{name}</th>' for name, meaning in _HEADS.items())
    table = f'<table><thead><tr>{heads}</tr></thead><tbody>{"".join(rows)}</tbody></table>'
    return f'<div class="tm-epochs"><div>{table}</div></div>' if rows else ""


def _row(rank: str, one: Trial, record: Record, standing: Standing | None = None, *, out: str = "") -> str:
    """out: in which round it was left behind."""
    distance = standing.interval if standing else None if one.failure else Interval(one.held_out, float("inf"))
    cost = ["–", "–"] if one.failure else [f"{one.seconds_per_step:.2g}", f"{one.state_bytes / record.weights:.1f}"]
    behind = str(standing.behind or "–") if standing else out
    cells = [rank, f"{one.candidate.optimizer} {one.candidate.learning_rate:g}", str(distance or "broke"), behind, *cost]
    shown = "".join(f'<td data-name="{name}">{html.escape(cell)}</td>' for name, cell in zip(_HEADS, cells, strict=True))
    return f'<tr data-optimizer="{html.escape(one.candidate.optimizer, quote=True)}">{shown}</tr>'
