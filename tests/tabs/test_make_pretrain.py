"""Pretrains on the page: only what fits is offered, what does not fit any more is given up aloud, and a run becomes one."""

import gradio as gr
import pytest

from rvc.download.sidecar import Sidecar
from rvc.errors import RunError
from rvc.settings import from_flat
from rvc.train.make_pretrain import MadePretrain
from rvc.train.run import Resolved, TrainingRun
from rvc.train.settings import TrainingSettings
from tabs import automatic, make_pretrain, train
from tabs.choices import pretrain_choices, pretrain_misfit
from tabs.studio import Studio

ABOUT = {"name": "made", "sample_rate": 32000, "version": "v2", "pitch_guidance": True, "vocoder": "RefineGAN", "embedder": "builtin",
         "model_size": "standard", "hours": 51.5, "speakers": 12, "steps": 900, "epochs": 30, "started_from": "scratch",
         "datasets": ["x"], "created": "2026-01-01T00:00:00+00:00", "sha256": {"G": "aa", "D": "bb"}}


@pytest.fixture
def studio(home):
    return Studio(home)


def asked(**values) -> TrainingSettings:
    return from_flat(TrainingSettings, {"embedder": "builtin", **values})


def put_made(home, **changes) -> None:
    home.custom_pretraineds.mkdir(parents=True, exist_ok=True)
    for letter in "GD":
        (home.custom_pretraineds / f"{letter}_made.pth").touch()
    (home.custom_pretraineds / "made.json").write_text(Sidecar.model_validate(ABOUT | changes).text(), encoding="utf-8")


def put_run(home, name="mara") -> TrainingRun:
    run = TrainingRun(home.logs / name, asked(model_size="tiny"), Resolved("builtin", "fcpe", "scratch"), "")
    run.write()
    for kind in ("G", "D", "state"):
        run.checkpoint(kind, 30).touch()
    return run


def values(home, settings, run="") -> list[str]:
    return [value for _, value in pretrain_choices(home, settings, run)]


def test_a_pretrain_is_offered_with_the_vocoder_it_fits_and_with_no_other(home):
    put_made(home)
    assert values(home, asked(vocoder="RefineGAN", sample_rate=32000)) == ["auto", "scratch", "made"]
    for other in ({"vocoder": "MRF HiFi-GAN", "sample_rate": 32000}, {"sample_rate": 32000}, {"vocoder": "RefineGAN", "sample_rate": 24000},
                  {"version": "v1", "sample_rate": 32000}):
        assert values(home, asked(**other)) == ["auto", "scratch"]


def test_other_runs_that_fit_are_offered_but_never_the_run_itself(home):
    put_run(home)
    tiny = asked(model_size="tiny")
    assert values(home, tiny) == ["auto", "scratch", "run:mara"]
    assert values(home, tiny, "mara") == ["auto", "scratch"]
    assert "step 30" in {value: label for label, value in pretrain_choices(home, tiny)}["run:mara"]


@pytest.mark.parametrize(("base", "misfit"), [("auto", ""), ("scratch", ""), ("nobody", ""), ("run:nobody", ""),
                                              ("made", "has the vocoder RefineGAN"), ("run:mara", "is of the tiny size")])
def test_only_what_is_known_not_to_fit_is_given_up(home, base, misfit):
    put_made(home)
    put_run(home)
    said = pretrain_misfit(home, asked(base_model=base, sample_rate=32000))
    assert misfit in said
    assert bool(said) == bool(misfit)


@pytest.fixture
def form(studio, monkeypatch):
    warned = []
    monkeypatch.setattr(gr, "Warning", warned.append)
    with gr.Blocks():
        made = train._Asked(studio)
    return made, warned


def test_a_vocoder_that_the_chosen_pretrain_does_not_fit_gives_it_up_aloud(home, form):
    view, warned = form
    put_made(home)
    kept = view.fitting("", asked(base_model="made", vocoder="RefineGAN", sample_rate=32000))
    assert "value" not in kept
    assert warned == []
    given_up = view.fitting("", asked(base_model="made", vocoder="HiFi-GAN", sample_rate=32000))
    assert given_up["value"] == "auto"
    assert [value for _, value in given_up["choices"]] == ["auto", "scratch"]
    assert "has the vocoder RefineGAN (this run: HiFi-GAN)" in warned[0]


def test_the_banner_says_that_no_official_pretrain_has_that_vocoder():
    said = automatic.sentences(asked(vocoder="MRF HiFi-GAN"), Resolved("contentvec", "fcpe", "scratch"))
    assert "there is no official one for MRF HiFi-GAN" in said[-1]


def test_what_was_made_is_shown_with_its_warnings_and_escaped(tmp_path):
    about = Sidecar.model_validate(ABOUT | {"name": "<b>", "started_from": "<i>"})
    shown = make_pretrain.result(MadePretrain("<b>", tmp_path / "G_x.pth", tmp_path / "D_x.pth", about, ("Too few & rough.",)))
    assert "G_x.pth, D_x.pth" in shown
    assert "51.50" in shown
    assert "Too few &amp; rough." in shown
    assert "<b>&" not in shown
    assert "&lt;b&gt;" in shown
    assert "<i>" not in shown


def test_without_a_run_there_is_nothing_to_make(studio):
    with pytest.raises(RunError, match="no run"):
        studio.make_pretrain("nobody", "x")


def test_a_pretrain_without_a_name_is_called_like_the_run(studio, home, monkeypatch):
    put_run(home)
    monkeypatch.setattr("rvc.train.make_pretrain.make_pretrain", lambda run, home, name: name)
    assert studio.make_pretrain("mara", "  ") == "mara"
    assert studio.make_pretrain("mara", " other ") == "other"
