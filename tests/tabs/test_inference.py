"""What the Inference tab shows while a conversion goes on, and however it ends."""

from pathlib import Path

import gradio as gr
import pytest

from rvc.errors import AudioError, RvcError, SettingsError
from rvc.events import Note, Progress
from rvc.infer.outcome import BatchEnded, Converted, Failed
from rvc.infer.settings import ConversionSettings
from tabs import inference
from tabs.studio import Order, Studio


def converted(name: str, seconds: float = 7.4) -> Converted:
    return Converted(source=f"/in/{name}", output=f"/out/{name}", seconds=seconds, sample_rate=40000, elapsed_seconds=2.0, rtf=0.3,
                     stage_seconds={}, pieces=1, voice="mara", speaker_id=0, embedder="builtin", f0_method="fcpe", index="/v/mara.index",
                     device="cpu")


@pytest.fixture
def shown(home, monkeypatch):
    """All updates of a conversion whose events are given: dicts by the name of what they change. ``cancel_at``: after so many events."""
    studio = Studio(home)
    with gr.Blocks():
        given = inference._Given(gr.Button())

    def run(*events, sources: int = 1, voice: str | None = "mara", cancel_at: int | None = None) -> list[dict]:
        def scripted(order):
            for number, event in enumerate(events):
                if number == cancel_at:
                    studio.cancel("me")
                if isinstance(event, RvcError):
                    raise event
                yield event

        monkeypatch.setattr(studio, "convert", scripted)
        order = Order([Path(f"/in/{number}.wav") for number in range(sources)], voice, ConversionSettings(), None)
        names = ("status", "convert", "cancel", "player", "files")
        return [dict(zip(names, update, strict=True)) for update in inference._conversion(studio, given, order, "me")]

    return run


def test_a_result_is_played_with_its_waveform_and_its_facts(shown):
    last = shown(Progress(stage="f0", done=1, total=4), converted("a.wav"), BatchEnded(converted=1, failed=0))[-1]
    assert "/out/a.wav" in str(last["player"].value)
    assert last["player"].waveform_options.show_recording_waveform
    for text in ("7 s", "40 kHz", "fcpe", "builtin", "mara.index"):
        assert text in last["status"]
    assert last["files"]["visible"] is False
    assert last["convert"]["interactive"]


def test_progress_says_what_is_done_and_how_far(shown):
    steps = shown(Progress(stage="synthesis", done=3, total=12, unit="seconds"), converted("a.wav"))
    assert "Speaking in the other voice" in steps[0]["status"]
    assert "width:25.0%" in steps[0]["status"]
    assert steps[0]["cancel"]["visible"]
    assert not steps[0]["convert"]["interactive"]


def test_several_files_are_counted_listed_and_the_failures_named(shown):
    steps = shown(converted("a.wav"), Progress(stage="load", done=1, total=2), Failed(source="/in/b.wav", message="b.wav is no sound."),
                  converted("c.wav"), sources=3)
    assert "File 2 of 3" in steps[0]["status"]
    assert "2 of 3 files" in steps[-1]["status"]
    assert "b.wav is no sound." in steps[-1]["status"]
    assert steps[-1]["files"]["value"] == ["/out/a.wav", "/out/c.wav"]


def test_a_long_result_is_played_without_drawing_its_waveform(shown):
    assert not shown(converted("a.wav", seconds=1800))[-1]["player"].waveform_options.show_recording_waveform


def test_warnings_are_shown_with_the_result(shown):
    last = shown(Note(level="warning", message="speaker 7 was probably not trained."), converted("a.wav"))[-1]
    assert "speaker 7 was probably not trained." in last["status"]


def test_when_nothing_came_of_it_the_reason_is_raised(shown):
    with pytest.raises(RvcError, match="no sound"):
        shown(Failed(source="/in/a.wav", message="a.wav is no sound."), BatchEnded(converted=0, failed=1))


def test_a_cancelled_conversion_says_how_much_was_done(shown):
    steps = shown(converted("a.wav"), Progress(stage="load", done=1, total=2), converted("b.wav"), sources=2, cancel_at=1)
    assert "Cancelled. 1 of 2 were done." in steps[-1]["status"]
    assert steps[-1]["convert"]["interactive"]
    assert not steps[-1]["cancel"]["visible"]


def test_nothing_chosen_is_told_before_anything_is_loaded(shown):
    with pytest.raises(SettingsError, match="No voice"):
        shown(voice=None)
    with pytest.raises(AudioError, match="nothing to convert"):
        shown(sources=0)


def test_no_index_means_that_none_is_used_and_a_chosen_one_is():
    values = {"index_rate": 0.6}
    assert inference._settings(values, inference.NO_INDEX).index_rate == 0
    assert inference._settings(values, inference.PAIRED).index_rate == 0.6
    assert inference._index(inference.PAIRED) is None
    assert inference._index("/v/other.index") == Path("/v/other.index")


def test_a_result_never_takes_the_place_of_an_earlier_one(home):
    studio, one = Studio(home), Order([Path("/in/a.wav")], "mara", ConversionSettings(output_format="flac"), None)
    home.outputs.mkdir(parents=True)
    first = studio._free_place(one, "mara_3e_9s")
    assert first.name == "a_mara_3e_9s.flac"
    first.touch()
    assert studio._free_place(one, "mara_3e_9s").name == "a_mara_3e_9s_2.flac"
    several = Order([Path("/in/a.wav"), Path("/in/b.wav")], "mara", ConversionSettings(), None)
    assert studio._free_place(several, "mara_3e_9s").name == "files_mara_3e_9s"


def test_voices_and_indexes_are_listed_as_they_are_found(home):
    folder = home.logs / "mara"
    folder.mkdir()
    for name in ("mara_3e_9s.pth", "mara.index", "G_9.pth"):
        (folder / name).write_bytes(b"x")
    assert inference.voice_choices(home) == [("mara/mara_3e_9s", "mara/mara_3e_9s")]
    assert [label for label, _ in inference.index_choices(home)][2:] == ["mara.index"]
    assert "with mara.index" in inference._about(home, "mara/mara_3e_9s")
    assert "no voice yet" in inference._about(home, None)


def test_speakers_are_offered_by_name_where_a_voice_names_them(home, monkeypatch):
    folder = home.logs / "duo"
    folder.mkdir()
    (folder / "duo_3e_9s.pth").write_bytes(b"x")
    _, names, number = inference._of_voice(home, "duo/duo_3e_9s", "")
    assert (names["visible"], names["value"], number["visible"]) == (False, "", True)
    monkeypatch.setattr(inference, "speakers_of", lambda path: {0: "Ana", 3: "ben"})
    _, names, number = inference._of_voice(home, "duo/duo_3e_9s", "cleo")
    assert (names["choices"], names["value"], names["visible"], number["visible"]) == (["Ana", "ben"], "Ana", True, False)
    assert inference._of_voice(home, "duo/duo_3e_9s", "ben")[1]["value"] == "ben"
    assert not inference._of_voice(home, None, "ben")[1]["visible"]
