"""What a page opens with, with the starter kit and without it."""

import gradio as gr
import pytest

from rvc.errors import FormatError
from rvc.paths import Home
from rvc.settings import flat
from rvc.train.settings import TrainingSettings
from tabs import download, inference, train
from tabs.choices import pretrain_choices
from tabs.studio import SAMPLES, Studio
from tests.starter_kit import put_pair, put_voice

NETWORK = {"sample_rate": 24000, "model_size": "small", "embedder": "builtin"}


@pytest.fixture
def home(tmp_path) -> Home:
    """A home with a starter kit of its own, which is empty."""
    home = Home(tmp_path / "home", tmp_path / "kit")
    home.logs.mkdir(parents=True)
    return home


def opened(home) -> tuple[dict, str]:
    """What a page that opens sets in the form of the Train tab, and its banner."""
    studio = Studio(home)
    with gr.Blocks():
        asked, live = train._Asked(studio), train._Live(studio)
        updates = train._opened(studio, asked, live, None)
    shown = dict(zip(asked.form.components, updates[2:], strict=False))
    return {name: one["value"] for name, one in shown.items() if "value" in one and one["value"] is not None}, updates[len(asked.all) - 1]


def first(home) -> tuple[str | None, list]:
    """The voice that is there before anything was chosen, and beside it the recording, the pitch shift and the index rate."""
    voice = inference._chosen(None, inference.voice_choices(home))
    return voice, inference.first_look(home, voice)


# -- the Inference tab -----------------------------------------------------------------------------------------------------------


def test_the_first_thing_to_do_is_to_convert(home):
    put_voice(home, "owl")
    settings = put_voice(home, "lark").with_suffix(".json")
    assert inference.voice_choices(home) == [("lark · comes with Timbre", "starter/lark"), ("owl · comes with Timbre", "starter/owl")]
    assert first(home) == ("starter/lark", [str(SAMPLES / "source.flac"), gr.skip(), gr.skip()])
    settings.write_text('{"pitch_shift": 14, "index_rate": 0.3}', encoding="utf-8")
    assert first(home)[1][1:] == [14, 0.3]
    settings.write_text("{", encoding="utf-8")
    with pytest.raises(FormatError, match=r"lark\.json is damaged"):
        first(home)


def test_who_has_a_voice_of_their_own_is_shown_it_and_no_clip(home):
    put_voice(home, "lark")
    (home.logs / "zoe").mkdir()
    (home.logs / "zoe" / "zoe.pth").write_bytes(b"x")
    assert first(home) == ("zoe/zoe", [gr.skip()] * 3)


def test_a_card_is_shown_of_what_has_one(home):
    path = put_voice(home, "lark", card="Made from nobody.")
    fold, text, sample = inference._card(home, "starter/lark")
    assert (fold["visible"], sample["visible"]) == (True, False)
    assert "Made from nobody." in text
    assert "comes with Timbre: a preview" in inference._about(home, "starter/lark")
    path.with_name("sample.flac").touch()
    assert inference._card(home, "starter/lark")[2]["value"] == str(path.with_name("sample.flac"))
    assert not inference._card(home, None)[0]["visible"]


def test_a_voice_that_is_gone_is_named_beside_those_that_are_there(home):
    put_voice(home, "lark")
    put_voice(home, "owl").unlink()
    assert first(home)[0] == "starter/lark"
    said = inference._about(home, "starter/lark")
    assert "owl.pth, a voice that comes with the studio, is missing." in said
    assert "git checkout" in said


def test_without_voices_there_is_nothing_to_choose(home):
    assert first(home) == (None, [gr.skip()] * 3)
    assert "no voice yet" in inference._about(home, None)


# -- the Train tab ---------------------------------------------------------------------------------------------------------------


def test_the_form_of_a_new_run_opens_with_the_pretrain_that_is_there(home):
    put_pair(home)
    values, banner = opened(home)
    assert values == NETWORK
    assert "Pretrain: starter, which comes with Timbre and is for first steps and for machines without a model hub." in banner
    assert "contentvec with an official pretrain gives better voices" in banner
    settings = Studio(home).new_settings()
    assert ("starter · 24 kHz · v2 · comes with Timbre", "starter") in pretrain_choices(home, settings)
    assert "starter" not in dict(map(reversed, pretrain_choices(home, TrainingSettings())))


def test_without_it_the_form_opens_as_it_was_built(home):
    values, banner = opened(home)
    assert values == {}
    assert "starter" not in banner
    assert flat(Studio(home).new_settings()) == flat(TrainingSettings())


def test_a_damaged_one_is_told_in_the_banner_and_the_page_opens_all_the_same(home):
    (put_pair(home) / "D_starter.pth").unlink()
    values, banner = opened(home)
    assert values == NETWORK
    assert "D_starter.pth" in banner
    assert "git checkout" in banner
    assert "starter" not in dict(map(reversed, pretrain_choices(home, Studio(home).new_settings())))


def test_the_sample_material_is_trained_from_it_in_two_minutes(home):
    assert train.sample_settings(Studio(home)).model.model_size == "tiny"
    put_pair(home)
    settings = train.sample_settings(Studio(home))
    assert (settings.model.model_size, settings.data.sample_rate, settings.fit.minutes) == ("small", 24000, 2.0)


# -- honest labels ---------------------------------------------------------------------------------------------------------------


def test_the_page_says_what_the_built_in_encoder_is_for(home):
    listed = download.catalogue_html(Studio(home), common=True)
    helped = TrainingSettings.model_fields["model"].annotation.model_fields["embedder"].description
    for text in (listed, helped):
        assert "for first steps and for machines without a model hub: contentvec with an official pretrain" in text
