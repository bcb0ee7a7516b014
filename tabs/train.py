"""The Train tab: on the left what to train, on the right a run as its folder tells it.

The page holds no truth about a run. It reads the run's folder when it opens and, while a worker is on it, once a second; so a
reload, a second reader and a restarted server all see the same.
"""

import html
from pathlib import Path
from typing import Any

import gradio as gr

from rvc import jobs
from rvc.errors import RvcError
from rvc.settings import from_flat
from rvc.train import disk, starter
from rvc.train.fitting.watch import WHY_NO_OVERTRAINING
from rvc.train.run import TrainingRun
from rvc.train.settings import TrainingSettings
from tabs import automatic, curves, epochs, lab, make_pretrain, optimizers, report_card, uploads, widgets
from tabs.boundary import handler, sentence
from tabs.choices import detector_choices, embedder_choices, gpu_choices, pretrain_choices, pretrain_misfit
from tabs.form import Choices, Form
from tabs.page import QUIET, Page
from tabs.studio import SAMPLES, Studio

POLL_SECONDS = 1.0
LOG_LINES = 80
# What the sample material is filled in with: a voice that is done in minutes without a GPU, to see how everything goes.
SAMPLE_SETTINGS = {"dataset": str(SAMPLES / "dataset"), "epochs": 20, "save_every_epochs": 5, "model_size": "tiny"}
SAMPLE_FROM_STARTER = {"dataset": str(SAMPLES / "dataset"), "minutes": 2.0}  # the same, where there is a pretrain to start from
SAMPLE_NAME = "sample"
SECTIONS = {"data": "Recordings", "model": "Voice", "fit": "Losses, seed and device", "index": "Index"}
# The knobs of the fit that belong together, two side by side. Others come under the section's own heading.
GROUPS = {
    "What is kept": (("keep_checkpoints", "keep_every_epochs"), ("export_every_save",)),
    "Learning rate": (("learning_rate", "learning_rate_d"), ("schedule",), ("lr_decay", "warmup_steps")),
    "Steadiness": (("clip_generator", "clip_discriminator"), ("ema_decay",)),
    "Memory and speed": (("accumulate",), ("activation_checkpointing",), ("cache_on_device",), ("compile",), ("gpus", "precision")),
}
# Fields that decide which pretrains fit, and others that change what the banner says.
NETWORK = ("sample_rate", "embedder", "version", "pitch_guidance", "vocoder", "model_size")
DECIDING = ("f0_method", "base_model", "batch_size", "gpus", "epochs", "save_every_epochs", "optimizer", "optimizer_options", "optimizer_d",
            "optimizer_options_d", "learning_rate", "learning_rate_d", "schedule")


def build(studio: Studio, page: Page, tab: gr.Tab) -> dict[str, Any]:
    """The tab's components that others wire to: ``shown`` (the run on the right) and ``use`` (its button)."""
    with gr.Row(elem_classes="tm-columns"):
        with gr.Column(scale=5, min_width=320, elem_classes="tm-card"):
            asked = _Asked(studio)
        with gr.Column(scale=6, min_width=320, elem_classes="tm-live"):
            live = _Live(studio)
    _wire_form(studio, tab, asked, live, page.last_run)
    _wire_live(studio, asked, live, page.last_run)
    epochs.wire(studio, tab, live)
    lab.wire(studio, tab, live, live.lab, asked.all, asked.showing)
    make_pretrain.wire(studio, live.shown, live.pretrain)
    report_card.wire(studio, asked.report, asked.form, asked.recordings)
    opened = handler(lambda name: _opened(studio, asked, live, name))
    page.demo.load(opened, [page.last_run], [*asked.all, *live.all], **QUIET)
    # The tab may be there before the page's own load event is answered, so it asks for the same run.
    seen = handler(lambda name, last: [*live.chosen(studio.run_to_show(name or last)), *asked.refreshed()])
    tab.select(seen, [live.shown, page.last_run], [*live.all, *asked.refreshable], **QUIET)
    return {"shown": live.shown, "use": live.use}


class _Asked:
    """The left side: name, recordings, settings. ``all`` are the components that show a run's settings."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self.name = gr.Textbox("", label="Name", placeholder="A name for the voice", max_lines=1, elem_id="train-name")
        self.recordings = gr.File(label="Recordings", file_count="multiple", file_types=["audio", "video"], height=124,
                                  elem_id="train-recordings")
        with gr.Row(elem_classes="tm-small-buttons"):
            self.folder = gr.UploadButton("Upload a folder", file_count="directory", size="sm", elem_id="train-folder")
            self.sample = gr.Button("Take the sample material", size="sm", elem_id="train-sample")
            self.new = gr.Button("Clear the form", size="sm", elem_id="train-new")
        self.form = self._form()
        self.banner = gr.HTML(elem_id="train-banner")
        self.start = gr.Button("Train", variant="primary", elem_id="train-start")
        self.all = [self.name, self.recordings, *self.form.components.values(), self.banner]

    def _form(self) -> Form:
        form = Form(TrainingSettings, "train", {
            "sample_rate": [(f"{rate // 1000} kHz", rate) for rate in (24000, 32000, 40000, 48000)],
            "optimizer": optimizers.choices(), "optimizer_d": optimizers.discriminator_choices(), **self._open_choices(),
            "base_model": pretrain_choices(self._studio.home, TrainingSettings())})
        form.place("dataset")
        self.report = report_card.View()
        with gr.Row():
            form.place("epochs", "batch_size")
        form.place("sample_rate")
        with gr.Accordion("More settings", open=False, elem_id="train-more"):
            form.place_rest(advanced=False)
        with gr.Accordion("Advanced", open=False, elem_id="train-advanced"):
            for section, title in SECTIONS.items():
                if section == "fit":
                    self.clip = self._listening(form)
                    gr.HTML(widgets.heading("Optimizer"))
                    self.optimizer = optimizers.View(form)
                    _grouped(form)
                gr.HTML(widgets.heading(title))
                form.place_rest(advanced=True, section=section)
        assert form.complete
        return form

    def _listening(self, form: Form) -> gr.UploadButton:
        """What every save is heard and scored with; the button takes a clip from the reader's computer."""
        gr.HTML(widgets.heading("Listening"))
        form.place("evaluate")
        with gr.Row():
            form.place("audition", "audition_pitch_shift")
        with gr.Row(elem_classes="tm-small-buttons"):
            return gr.UploadButton("Upload a clip to listen to", file_types=["audio", "video"], size="sm", elem_id="train-clip")

    def showing(self, name: str, settings: TrainingSettings) -> list[Any]:
        """Updates of ``all`` that show ``settings`` under ``name``."""
        return [name, None, *self.form.updates(settings), self.said(name, settings)]

    def said(self, name: str, settings: TrainingSettings, dataset_seconds: float = 0.0) -> str:
        """The banner: what *auto* comes to and, of recordings that were looked at, the disk they need; or what stands against it."""
        try:
            resolved = self._studio.resolved(name, settings)
        except RvcError as error:
            return widgets.note(sentence(error), "bad")
        chosen = widgets.notes("Chosen automatically", automatic.sentences(settings, resolved))
        need = [disk.need_sentence(settings, dataset_seconds, self._studio.home.logs)] if dataset_seconds else []
        return chosen + widgets.notes("Needed", need)

    def fitting(self, name: str, settings: TrainingSettings) -> Any:
        """The pretrains that fit ``settings``. One that was chosen and is known not to fit is given up for the automatic choice, aloud."""
        choices = pretrain_choices(self._studio.home, settings, name.strip())
        misfit = pretrain_misfit(self._studio.home, settings)
        if misfit:
            gr.Warning(html.escape(f"{misfit} The pretrain is chosen automatically again.", quote=False))
        return gr.update(choices=choices, value="auto") if misfit else gr.update(choices=choices)

    def refreshed(self) -> list[Any]:
        """Updates of ``refreshable``: what can be chosen may have been downloaded or removed since the page was built."""
        return [gr.update(choices=choices) for choices in self._open_choices().values()]

    @property
    def refreshable(self) -> list[Any]:
        return [self.form.components[name] for name in self._open_choices()]

    def _open_choices(self) -> dict[str, Choices]:
        home = self._studio.home
        return {"embedder": embedder_choices(home), "f0_method": detector_choices(home), "gpus": gpu_choices()}


def _grouped(form: Form) -> None:
    for title, rows in GROUPS.items():
        gr.HTML(widgets.heading(title))
        for names in rows:
            with gr.Row():
                form.place(*names)


class _Live:
    """The right side: one run as its folder tells it. ``view`` is what the timer renews, ``all`` also which run it is."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self.shown = gr.Dropdown([], label="Run", info="Every run on this computer. Picking one shows its settings as well.",
                                 allow_custom_value=True, interactive=True, elem_id="train-shown")
        self.card = gr.HTML(elem_id="train-card")
        with gr.Row(elem_classes="tm-small-buttons"):
            self.stop = gr.Button("Stop", variant="stop", visible=False, size="md", elem_id="train-stop")
            self.resume = gr.Button("Resume", visible=False, size="md", elem_id="train-resume")
            self.use = gr.Button("Convert with this voice", visible=False, size="md", elem_id="train-use")
        self.curves = gr.HTML(elem_id="train-curves")
        # Not on the card: that is drawn anew each second, and would close the fold.
        with gr.Accordion("Which epoch is the best?", open=False, elem_id="train-best-fold"):
            gr.HTML(widgets.note(WHY_NO_OVERTRAINING))
        self.epochs = epochs.Epochs()
        self.lab = lab.Lab()
        self.pretrain = make_pretrain.MakePretrain()
        with gr.Accordion("Log", open=True, elem_id="train-log-fold"):
            self.log = widgets.log_box("train-log")
        self.seen = gr.State(None)
        self.timer = gr.Timer(POLL_SECONDS, active=False)
        self.view = [self.card, self.stop, self.resume, self.use, self.curves, self.log, self.timer]
        self.all = [self.shown, *self.view]

    def of(self, name: str | None) -> list[Any]:
        """Updates of ``view``. A folder that cannot be read is told in its place and does not keep the page from showing the rest."""
        if not name or name not in self._studio.run_names():
            return self._without(widgets.no_run_card())
        try:
            return self._run(self._studio.run(name))
        except RvcError as error:
            return self._without(widgets.broken_run_card(name, sentence(error)))

    def _without(self, card: str) -> list[Any]:
        return [card, *[gr.update(visible=False)] * 3, "", widgets.log_text(""), gr.Timer(active=False)]

    def _run(self, run: TrainingRun) -> list[Any]:
        state, asked_to_stop = jobs.state(run.folder), run.stop_file.exists()
        return [
            widgets.run_card(run.name, state, stop_asked=asked_to_stop),
            gr.update(visible=state.active, value="Stop now, without saving" if asked_to_stop else "Stop"),
            gr.update(visible=state.status in ("stopped", "failed", "died")),
            gr.update(visible=bool(run.voices())),
            curves.drawn(jobs.history(run.folder, curves.TAGS)),
            widgets.log_text(jobs.log_tail(run.folder, LOG_LINES)),
            gr.Timer(active=state.active),
        ]

    def chosen(self, name: str | None) -> list[Any]:
        """Updates of ``all``: the list of runs as it is now, and ``name`` among them."""
        return [gr.update(choices=self._studio.run_names(), value=name), *self.of(name)]


def sample_settings(studio: Studio) -> TrainingSettings:
    return studio.new_settings(SAMPLE_FROM_STARTER if starter.taken(studio.home, SAMPLE_FROM_STARTER) else SAMPLE_SETTINGS)


def _opened(studio: Studio, asked: _Asked, live: _Live, remembered: str | None) -> list[Any]:
    """A page that opens: the run it showed last comes back with its settings. Else the form is left alone: it may be typed into already."""
    name = studio.run_to_show(remembered)
    new = studio.new_settings()
    blank = [*[gr.skip()] * 2, *asked.form.opening(new), asked.said("", new)]
    if not name or name != remembered:
        return [*blank, *live.chosen(name)]
    try:
        return [*asked.showing(name, studio.run(name).settings), *live.chosen(name)]
    except RvcError:  # a damaged folder; the right side says what is wrong with it
        return [*blank, *live.chosen(name)]


def _wire_form(studio: Studio, tab: gr.Tab, asked: _Asked, live: _Live, last_run: gr.BrowserState) -> None:
    form = asked.form

    @handler
    def train(name: str, recordings: list[str] | None, **values: Any) -> list[Any]:
        run = studio.train(name, recordings or [], values)
        return [run.name, *asked.showing(run.name, run.settings), *live.chosen(run.name)]

    @handler
    def sample() -> list[Any]:
        return asked.showing(SAMPLE_NAME, sample_settings(studio))

    @handler
    def said(name: str, dataset_seconds: float, **values: Any) -> str:
        try:
            return asked.said(name, from_flat(TrainingSettings, values), dataset_seconds)
        except RvcError as error:
            return widgets.note(sentence(error), "bad")

    @handler
    def fitting(name: str, dataset_seconds: float, **values: Any) -> list[Any]:
        try:
            settings = from_flat(TrainingSettings, values)
            return [asked.said(name, settings, dataset_seconds), asked.fitting(name, settings)]
        except RvcError as error:
            return [widgets.note(sentence(error), "bad"), gr.skip()]

    asked.start.click(train, [asked.name, asked.recordings], [last_run, *asked.all, *live.all], inputs_kwargs=form.components,
                      show_progress="minimal", show_progress_on=asked.start, concurrency_limit=1, api_visibility="private")
    optimizers.wire(asked.optimizer, form)
    asked.sample.click(sample, None, asked.all, **QUIET)
    asked.new.click(handler(lambda: asked.showing("", studio.new_settings())), None, asked.all, **QUIET)
    asked.folder.upload(lambda there, more: [*(there or []), *more], [asked.recordings, asked.folder], asked.recordings, **QUIET)
    keep_clip = handler(lambda file: str(uploads.keep_clip(Path(file), studio.home)))
    asked.clip.upload(keep_clip, [asked.clip], form.components["audition"], **QUIET)
    gr.on([asked.recordings.upload, asked.folder.upload], lambda: "", None, form.components["dataset"], **QUIET)
    gr.on([asked.name.blur, asked.report.seconds.change, *(form.components[name].change for name in DECIDING)], said,
          [asked.name, asked.report.seconds], asked.banner,
          inputs_kwargs=form.components, trigger_mode="always_last", **QUIET)
    gr.on([tab.select, live.pretrain.said.change, *(form.components[name].change for name in NETWORK)], fitting,
          [asked.name, asked.report.seconds], [asked.banner, form.components["base_model"]], inputs_kwargs=form.components,
          trigger_mode="always_last", **QUIET)


def _wire_live(studio: Studio, asked: _Asked, live: _Live, last_run: gr.BrowserState) -> None:
    @handler
    def pick(name: str) -> list[Any]:
        return [name, *asked.showing(name, studio.run(name).settings), *live.chosen(name)]

    @handler
    def stop(name: str) -> list[Any]:
        studio.stop(name)
        return live.of(name)

    @handler
    def resume(name: str) -> list[Any]:
        studio.resume(name)
        return live.of(name)

    @handler
    def tick(name: str | None, seen: Any) -> list[Any]:
        now = jobs.signature(studio.folder(name)) if name in studio.run_names() else None
        if now == seen:  # nothing new on disk: nothing is sent
            return [gr.skip()] * (1 + len(live.view))
        return [now, *live.of(name)]

    live.shown.input(pick, [live.shown], [last_run, *asked.all, *live.all], **QUIET)
    live.stop.click(stop, [live.shown], live.view, **QUIET)
    live.resume.click(resume, [live.shown], live.view, **QUIET)
    live.timer.tick(tick, [live.shown, live.seen], [live.seen, *live.view], **QUIET)


def wire_use(studio: Studio, here: dict[str, Any], inference: dict[str, Any]) -> None:
    """The button that takes the newest voice of the run that is shown to the Inference tab."""
    go = here["use"].click(handler(lambda name: f"{name}/{studio.run(name).voices()[-1].stem}"), [here["shown"]],
                           inference["voice"], **QUIET)
    go.then(None, None, None, js="() => window.timbre.open('inference')")
