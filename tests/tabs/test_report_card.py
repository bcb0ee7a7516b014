"""The report card in the Train tab: what it says, how it gets there, and that nothing from a dataset becomes HTML."""

import html
from dataclasses import replace

import gradio as gr
import pytest
import soundfile

from rvc.errors import DatasetError, SettingsError
from tabs import report_card
from tabs.studio import Studio
from tests.sounds import singing, write_dataset


@pytest.fixture
def view():
    with gr.Blocks():
        return report_card.View()


def updates(studio, view, dataset="", uploaded=(), sample_rate=24000) -> list[dict]:
    names = ("look", "card", "use_batch", "use_rate", "suggested", "seconds")
    return [dict(zip(names, one, strict=True)) for one in report_card._looked(studio, view, list(uploaded), str(dataset), sample_rate)]


def test_looking_ends_with_the_card_and_its_suggestions_as_buttons(home, view, tmp_path):
    steps = updates(Studio(home), view, write_dataset(tmp_path / "data", files=3, seconds=2.0))
    assert not steps[0]["look"]["interactive"]
    assert "Listening" in steps[0]["card"]
    last = steps[-1]
    assert "Usable speech" in last["card"]
    assert "Batch size 4" in last["card"]
    assert (last["use_batch"]["value"], last["use_rate"]["value"]) == ("Use batch size 4", "Use 24 kHz")
    assert last["suggested"] == (4, 24000)
    assert 3.0 < last["seconds"] <= 6.0
    assert last["look"]["interactive"]


def test_uploaded_recordings_are_looked_at_and_left_alone(home, view, tmp_path):
    files = sorted(write_dataset(tmp_path / "data", files=2, seconds=2.0).iterdir())
    before = [one.read_bytes() for one in files]
    assert "Report card" in updates(Studio(home), view, "/nowhere", uploaded=map(str, files))[-1]["card"]
    assert [one.read_bytes() for one in files] == before
    assert list(home.outputs.iterdir()) == [], "no copies stay behind"


def test_what_cannot_be_looked_at_is_a_sentence(home, view, tmp_path):
    with pytest.raises(DatasetError, match="no recordings to look at"):
        updates(Studio(home), view, " ")
    with pytest.raises(DatasetError, match="no dataset"):
        updates(Studio(home), view, tmp_path / "nowhere")
    with pytest.raises(SettingsError, match="sample_rate"):
        updates(Studio(home), view, tmp_path, sample_rate=44100)


def test_names_from_a_dataset_are_text_on_the_page(home, view, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    soundfile.write(folder / "a&b.wav", singing(1.0), 24_000)
    soundfile.write(folder / "<b>copy.wav", singing(1.0), 24_000)
    (folder / "<script>x.wav").write_bytes(b"no sound")
    shown = updates(Studio(home), view, folder)[-1]["card"]
    assert "<script>" not in shown
    assert "<b>copy" not in shown
    assert html.escape("<script>x.wav") in shown
    assert html.escape("a&b.wav") in shown


def test_a_dataset_of_nothing_usable_offers_nothing_to_take_up(home, view, tmp_path):
    (tmp_path / "a.wav").write_bytes(b"no sound")
    last = updates(Studio(home), view, tmp_path)[-1]
    assert "Nothing usable" in last["card"]
    assert not last["use_batch"]["visible"]
    assert not last["use_rate"]["visible"]


def test_a_long_list_of_files_that_are_left_out_is_folded(home, tmp_path):
    from rvc.train.data.report_card import ReportCard

    soundfile.write(tmp_path / "a.wav", singing(1.0), 24_000)
    *_, card = Studio(home).report([], str(tmp_path), 24000)
    assert isinstance(card, ReportCard)
    many = replace(card, left_out={f"{i}.wav": "it is broken" for i in range(500)})
    assert report_card.card_html(many).count("<details") == 1
    assert "Left out (500)" in report_card.card_html(many)
    assert "<details" not in report_card.card_html(card)
