"""The Inference tab: recordings in, the same recordings in another voice out."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from rvc.errors import AudioError, RvcError, SettingsError
from rvc.events import Note, Progress
from rvc.infer.outcome import Converted, Failed
from rvc.infer.settings import ConversionSettings
from rvc.paths import Home
from rvc.settings import from_flat
from rvc.voices import VoiceLibrary
from rvc.voices.speakers import speakers_of
from tabs import widgets
from tabs.boundary import PageError, errors_as_words, handler, sentence
from tabs.choices import detector_choices, embedder_choices
from tabs.form import Form
from tabs.page import QUIET, Page
from tabs.studio import SAMPLES, Order, Studio
from tabs.theme import WAVE

PAIRED, NO_INDEX = "paired", "none"
_STAGES = {"load": "Reading", "f0": "Listening to the pitch", "synthesis": "Speaking in the other voice", "write": "Writing"}
# A browser decodes a whole file to draw its waveform: half an hour takes it 13 s and hundreds of MB. A plain player streams.
WAVEFORM_SECONDS = 300.0
SUITED = ("pitch_shift", "index_rate")  # to the voice and the recording that a page opens with


def build(studio: Studio, page: Page, tab: gr.Tab) -> dict[str, Any]:
    """The tab's ``voice`` picker, for other tabs to set."""
    with gr.Row(elem_classes="tm-columns"):
        with gr.Column(scale=5, min_width=320, elem_classes="tm-card"):
            asked = _Asked(studio.home)
        with gr.Column(scale=6, min_width=320, elem_classes="tm-live"):
            given = _Given(asked.convert)
    _wire_choices(studio, page, tab, asked)
    _wire_conversion(studio, asked, given)
    return {"voice": asked.voice}


class _Asked:
    """The left side: which voice, which recordings, how."""

    def __init__(self, home: Home) -> None:
        self.voice = gr.Dropdown([], label="Voice", allow_custom_value=True, interactive=True, elem_id="infer-voice")
        self.about = gr.HTML(elem_id="infer-about")
        with gr.Accordion("What this voice was made from", open=False, visible=False, elem_id="infer-card") as self.card:
            self.card_text = gr.Markdown()
            self.card_sample = gr.Audio(label="A sample of it", interactive=False, visible=False, elem_id="infer-card-sample")
        self.recording = gr.Audio(label="Recording", sources=["upload", "microphone"], type="filepath", editable=False,
                                  buttons=["download"], waveform_options=gr.WaveformOptions(**WAVE), elem_id="infer-recording")
        with gr.Row(elem_classes="tm-small-buttons"):
            self.sample = gr.Button("Take the sample recording", size="sm", elem_id="infer-sample")
        with gr.Accordion("Several files at once", open=False, elem_id="infer-many"):
            self.files = gr.File(label="Files", file_count="multiple", file_types=["audio", "video"], height=150, elem_id="infer-files")
        self.form = Form(ConversionSettings, "infer", {"embedder": embedder_choices(home), "f0_method": detector_choices(home)})
        self.form.components["speaker"] = gr.Dropdown([], value="", label="Speaker", info="Who speaks, of a voice with several.",
                                                      allow_custom_value=True, visible=False, elem_id="inference-speaker")
        self.form.place("pitch_shift")
        with gr.Accordion("More settings", open=False, elem_id="infer-more"):
            self.index = gr.Dropdown([("Paired with the voice", PAIRED), ("None", NO_INDEX)], value=PAIRED, label="Index",
                                     info="Features of the training data that the voice leans on.", allow_custom_value=True,
                                     interactive=True, elem_id="infer-index")
            self.form.place_rest(advanced=False)
        with gr.Accordion("Advanced", open=False, elem_id="infer-advanced"):
            self.form.place_rest(advanced=True)
        assert self.form.complete
        self.convert = gr.Button("Convert", variant="primary", elem_id="infer-convert")


class _Given:
    """The right side: what comes of it. ``view`` is what a conversion writes to; it also holds the button that started it."""

    def __init__(self, convert: gr.Button) -> None:
        self.status = gr.HTML(_NOTHING_YET, elem_id="infer-status")
        with gr.Row(elem_classes="tm-small-buttons"):
            self.cancel = gr.Button("Cancel", visible=False, size="md", elem_id="infer-cancel")
        self.player = gr.Audio(label="Result", interactive=False, visible=False, buttons=["download"], elem_id="infer-player")
        self.files = gr.Files(label="Results", interactive=False, visible=False, elem_id="infer-results")
        self.view = [self.status, convert, self.cancel, self.player, self.files]

    def showing(self, status: str, *, going: bool = False) -> list[Any]:
        """Updates of ``view`` that change only what is said. ``going`` offers to cancel."""
        return [status, *_buttons(going=going), gr.skip(), gr.skip()]

    def results(self, status: str, done: list[Converted]) -> list[Any]:
        """Updates of ``view`` that show what was converted: the first is played, several are listed."""
        waveform = gr.WaveformOptions(show_recording_waveform=done[0].seconds <= WAVEFORM_SECONDS, **WAVE)
        player = gr.Audio(value=done[0].output, visible=True, label=Path(done[0].output).name, waveform_options=waveform)
        files = gr.update(value=[one.output for one in done] if len(done) > 1 else None, visible=len(done) > 1)
        return [status, *_buttons(going=False), player, files]


def _buttons(*, going: bool) -> list[Any]:
    """Convert and Cancel: there is always one of them to press."""
    return [gr.update(interactive=not going), gr.update(visible=going, value="Cancel", interactive=True)]


_NOTHING_YET = ('<section class="tm-run"><header><h3>No result yet</h3></header><p class="tm-empty">Choose a voice, drop a recording '
                "or speak one, and press Convert. The result is played here and kept in the folder outputs.</p></section>")


def voice_choices(home: Home) -> list[tuple[str, str]]:
    """Voices as they are found now. A run's voices are shown under its name, the newest first; at last those that come with Timbre."""
    entries = VoiceLibrary(home).entries()
    return [(f"{entry.path.stem} · comes with Timbre" if entry.bundled else entry.name, entry.name) for entry in entries]


def index_choices(home: Home) -> list[tuple[str, str]]:
    there = {str(entry.index): entry.index.name for entry in VoiceLibrary(home).entries() if entry.index}
    return [("Paired with the voice", PAIRED), ("None", NO_INDEX), *((name, path) for path, name in there.items())]


def _wire_choices(studio: Studio, page: Page, tab: gr.Tab, asked: _Asked) -> None:
    home = studio.home

    @handler
    def lists(voice: str | None, speaker: str) -> list[Any]:
        voices = voice_choices(home)
        chosen = _chosen(voice, voices)
        return [gr.update(choices=voices, value=chosen), gr.update(choices=index_choices(home)), *_of_voice(home, chosen, speaker),
                *_card(home, chosen)]

    @handler
    def opens(voice: str | None, speaker: str) -> list[Any]:
        return [*first_look(home, _chosen(voice, voice_choices(home))), *lists(voice, speaker)]

    of_voice = [asked.about, asked.form.components["speaker"], asked.form.components["speaker_id"],
                asked.card, asked.card_text, asked.card_sample]
    listed = [asked.voice, asked.index, *of_voice]
    first = [asked.recording, *(asked.form.components[name] for name in SUITED)]
    page.demo.load(opens, [asked.voice, asked.form.components["speaker"]], [*first, *listed], **QUIET)
    tab.select(lists, [asked.voice, asked.form.components["speaker"]], listed, **QUIET)
    asked.voice.change(handler(lambda voice, speaker: [*_of_voice(home, voice, speaker), *_card(home, voice)]),
                       [asked.voice, asked.form.components["speaker"]], of_voice, **QUIET)
    asked.sample.click(lambda: str(SAMPLES / "source.flac"), None, asked.recording, **QUIET)


def _chosen(voice: str | None, choices: list[tuple[str, str]]) -> str | None:
    """``voice`` while it is there, else the first."""
    names = [name for _, name in choices]
    return voice if voice in names else next(iter(names), None)


def first_look(home: Home, voice: str | None) -> list[Any]:
    """What a page opens with beside ``voice``, where it is one that comes with Timbre: the sample recording, and the settings that suit
    both (``SUITED``), so that Convert can be clicked at once. Whoever has voices of their own is left to bring a recording.
    """
    entry = VoiceLibrary(home).find(voice) if voice else None
    if not entry or not entry.bundled:
        return [gr.skip() for _ in ("recording", *SUITED)]
    settings = entry.sample_settings()
    return [str(SAMPLES / "source.flac"), *(settings.get(name, gr.skip()) for name in SUITED)]


def _of_voice(home: Home, voice: str | None, speaker: str) -> list[Any]:
    """What is said of the voice, its speakers by name with ``speaker`` kept, and the field for their number where they have no names."""
    names = list(speakers_of(VoiceLibrary(home).find(voice).path).values()) if voice else []
    chosen = speaker if speaker in names else next(iter(names), "")
    return [_about(home, voice), gr.update(choices=names, value=chosen, visible=bool(names)), gr.update(visible=not names)]


def _about(home: Home, voice: str | None) -> str:
    """One line on the voice that is chosen; without opening the file, which would import torch while the page opens. Below it what came
    with the studio and is gone.
    """
    return _about_voice(home, voice) + "".join(widgets.note(sentence(error), "bad") for error in VoiceLibrary(home).lost().values())


def _about_voice(home: Home, voice: str | None) -> str:
    if not voice:
        return widgets.note("There is no voice yet. Train one in the Train tab, or put a .pth file and its .index into a folder of logs.")
    entry = VoiceLibrary(home).find(voice)
    paired = f"with {entry.index.name}" if entry.index else "without an index"
    comes = " It comes with Timbre: a preview, for first steps. Voices that you train sound as good as their recordings and their pretrain."
    return widgets.note(f"{entry.path.name}, {widgets.size(entry.path.stat().st_size)}, {paired}.{comes if entry.bundled else ''}")


def _card(home: Home, voice: str | None) -> list[Any]:
    """Updates that show the card and the sample of a voice that has them, and hide them of any other."""
    entry = VoiceLibrary(home).find(voice) if voice else None
    card, sample = (entry.card, entry.sample) if entry else (None, None)
    return [gr.update(visible=bool(card)), card.read_text(encoding="utf-8") if card else "",
            gr.update(value=str(sample) if sample else None, visible=bool(sample))]


def _wire_conversion(studio: Studio, asked: _Asked, given: _Given) -> None:
    @handler
    def convert(voice: str | None, index: str, recording: str | None, files: list[str] | None, request: gr.Request,
                **values: Any) -> Iterator[list[Any]]:
        yield given.showing(widgets.progress("Getting ready …", None), going=True)
        try:
            with errors_as_words():
                order = Order([Path(one) for one in [recording, *(files or [])] if one], voice, _settings(values, index), _index(index))
                yield from _conversion(studio, given, order, request.session_hash)
        except PageError as error:  # also where the result would be: a toast is gone before it is read twice
            yield given.showing(widgets.note(error.text, "bad"))
            raise

    asked.convert.click(convert, [asked.voice, asked.index, asked.recording, asked.files], given.view,
                        inputs_kwargs=asked.form.components, show_progress="hidden", concurrency_id="engine", concurrency_limit=1,
                        api_name="convert")

    def cancel(request: gr.Request) -> Any:
        studio.cancel(request.session_hash)
        return gr.update(value="Cancelling …", interactive=False)

    given.cancel.click(cancel, None, given.cancel, queue=False, **QUIET)


def _settings(values: dict[str, Any], index: str) -> ConversionSettings:
    settings = from_flat(ConversionSettings, values)
    return settings.model_copy(update={"index_rate": 0.0}) if index == NO_INDEX else settings


def _index(chosen: str) -> Path | None:
    """``None`` is the one that belongs to the voice."""
    return None if chosen in (PAIRED, NO_INDEX) else Path(chosen)


def _conversion(studio: Studio, given: _Given, order: Order, session: str) -> Iterator[list[Any]]:
    """Updates while ``order`` is carried out; ends early when ``session`` cancels. Fails only when nothing came of it."""
    if not order.voice:
        raise SettingsError("No voice is chosen.", fix="Train one in the Train tab, or put one into a folder of logs.")
    if not order.sources:
        raise AudioError("There is nothing to convert.", fix="Drop a recording, speak one, or take the sample recording.")
    studio.take_cancellation(session)  # one from an earlier conversion that ended before it was noticed
    done, failed, warnings = [], [], []
    for event in studio.convert(order):
        if studio.take_cancellation(session):
            yield given.showing(widgets.note("Cancelled." + (f" {len(done)} of {len(order.sources)} were done." if done else "")))
            return
        match event:
            case Progress():
                yield given.showing(_progress(event, len(done) + len(failed) + 1, len(order.sources)), going=True)
            case Note(level="warning"):
                warnings.append(event.message)
            case Converted():
                done.append(event)
            case Failed():
                failed.append(event)
    if not done:
        raise RvcError(failed[0].message, fix=failed[0].fix)
    yield given.results(_report(done, failed, warnings), done)


def _progress(event: Progress, number: int, count: int) -> str:
    which = f"File {number} of {count}: " if count > 1 else ""
    known = event.stage in _STAGES and event.total
    return widgets.progress(f"{which}{_STAGES.get(event.stage, event.message or event.stage)}", event.done / event.total if known else None)


def _report(done: list[Converted], failed: list[Failed], warnings: list[str]) -> str:
    last, seconds, elapsed = done[-1], sum(one.seconds for one in done), sum(one.elapsed_seconds for one in done)
    facts = {"Length": widgets.duration(seconds), "Took": widgets.duration(elapsed), "Sample rate": f"{last.sample_rate / 1000:g} kHz",
             "Pitch by": last.f0_method or "–", "Embedder": last.embedder, "Index": Path(last.index).name if last.index else "none"}
    count = f"{len(done)} of {len(done) + len(failed)} files" if len(done) + len(failed) > 1 else Path(last.output).name
    misses = [one.message if (name := Path(one.source).name) in one.message else f"{name}: {one.message}" for one in failed]
    return widgets.result_card(count, facts, misses, warnings)
