"""The base model and the voices: the commands that make them are of this studio, and what comes out is where it is looked for."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from recipes.base import blank, export, train
from recipes.voices import speech
from recipes.voices import train as voices
from rvc import jobs
from rvc.cli import main
from rvc.download import sidecar, starter
from rvc.paths import Home
from rvc.train import base_weights, bases
from rvc.train.run import TrainingRun
from rvc.train.settings import TrainingSettings
from tests.sounds import write_dataset
from tests.starter_kit import put_pair
from tests.train.conftest import make_run
from tests.train.test_fit import fit


@pytest.fixture
def home(tmp_path, monkeypatch) -> Home:
    """With a starter pair."""
    monkeypatch.setenv("TIMBRE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TIMBRE_STARTER", str(tmp_path / "kit"))
    put_pair(Home.here())
    return Home.here()


@pytest.fixture
def asked(home, monkeypatch, tmp_path):
    """What ``rvc train`` makes of a recipe's command, without its worker."""
    monkeypatch.setattr(jobs, "launch", lambda run: None)
    dataset = write_dataset(tmp_path / "recordings", files=1, seconds=1)

    def settings(command: Callable[[Path], list[str]]) -> TrainingSettings:
        _, _, _, *words = command(dataset)
        assert main([*words, "--detach"]) == 0
        return TrainingRun.named(home, words[1]).settings

    return settings


def test_the_base_model_is_trained_as_what_the_studio_takes_it_for(asked, home):
    blank.pair(home)
    for plan in train.PLANS.values():
        settings = asked(lambda data, plan=plan: train.command(data, plan, "cpu"))
        assert bases.network_of(settings, settings.model.embedder) == starter.NETWORK


def test_what_the_base_model_starts_from_can_be_started_from_and_its_source_is_loud(home):
    made = blank.pair(home)
    base = bases.named(blank.NAME, home)
    base_weights.refuse_unfit(base, starter.NETWORK)
    weight = base_weights.read(base, starter.NETWORK).generator["model"]["dec.m_source.l_linear.weight"]
    assert weight.item() == blank.SOURCE_GAIN
    before = made.g_path.read_bytes()
    assert blank.pair(home).g_path.read_bytes() == before


def test_a_plan_lasts_as_many_epochs_as_are_asked_for(asked, home):
    blank.pair(home)
    assert asked(lambda data: train.command(data, train.PLANS["cuda"].lasting(3), "cpu")).fit.epochs == 3
    assert train.PLANS["cpu"].lasting(None) == train.PLANS["cpu"]


def test_the_voices_are_fine_tuned_from_the_starter_pair(asked):
    settings = asked(lambda data: voices.command("lark", data, 2.5, "cpu"))
    assert settings.model.base_model == starter.NAME
    assert settings.fit.minutes == 2.5


def test_every_voice_has_somebody_who_speaks():
    assert [one.name for one in voices.VOICES] == [one.name for one in speech.SPEAKERS]


@pytest.mark.parametrize("rows", [1, 2999, 3000, 3001, 9100])
def test_an_index_is_made_of_frames_from_all_over_the_recordings(rows, tmp_path):
    halves = np.split(np.arange(rows, dtype=np.float32)[:, None], [rows // 2])
    for number, half in enumerate(halves):
        np.save(tmp_path / f"{number}.npy", half)
    found = voices.every_nth([tmp_path / "0.npy", tmp_path / "1.npy"], 3000)[:, 0]
    assert min(rows, 1500) <= len(found) <= 3000
    assert found[0] == 0 and rows - found[-1] <= rows / 1500 + 1
    assert len(set(np.diff(found))) <= 1


def test_the_exported_pair_is_one_that_the_studio_finds_and_exporting_again_replaces_it(home, tmp_path):
    run = make_run(home, "demo", epochs=1, batch_size=4)
    fit(run)
    folder = tmp_path / "made"
    for _ in range(2):
        export.export(run, folder)
    assert {path.name for path in folder.iterdir()} == {"G_starter.pth", "D_starter.pth", "starter.json"}
    about = sidecar.read(folder / "starter.json")
    there = starter.weights(Home(home.root, starter=folder))
    assert {letter: sidecar.digest(path) for letter, path in there.items()} == about.sha256
    assert not any(home.custom_pretraineds.glob("*.pth"))
