"""A run's checkpoint becomes a pair that others start from: stored like the public ones, described, and never over another's files."""

import json
import re
import shutil
from pathlib import Path

import pytest
import torch

from rvc import checkpoint
from rvc.download import sidecar
from rvc.download.pairs import base_pairs
from rvc.errors import EmbedderMismatchError, FormatError, RunError, SettingsError, StorageError
from rvc.events import Note
from rvc.paths import Home
from rvc.settings import from_flat
from rvc.train import bases
from rvc.train import make_pretrain as module
from rvc.train.data.clips import Clip, ClipList
from rvc.train.make_pretrain import make_pretrain
from rvc.train.run import Resolved, TrainingRun
from rvc.train.settings import TrainingSettings
from tests.train.conftest import SECONDS, make_run
from tests.train.test_fit import fit


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> TrainingRun:
    """Two steps. Only to look at: what changes it takes ``run``."""
    run = make_run(Home(tmp_path_factory.mktemp("trained")), "demo", epochs=1, batch_size=4)
    fit(run)
    return run


@pytest.fixture
def run(trained, home) -> TrainingRun:
    shutil.copytree(trained.folder, home.logs / "demo")
    return TrainingRun.open(home.logs / "demo")


def change(run: TrainingRun, kind: str, **entries) -> None:
    path = run.checkpoint(kind, run.checkpoint_steps()[-1])
    checkpoint.write(path, checkpoint.read(path) | entries)


def here(home) -> set[str]:
    return {path.name for path in home.custom_pretraineds.glob("*")} if home.custom_pretraineds.exists() else set()


def test_the_files_are_like_the_public_ones(run, home):
    made = make_pretrain(run, home, "mine")
    assert here(home) == {"G_mine.pth", "D_mine.pth", "mine.json"}
    for path, kind in ((made.g_path, "G"), (made.d_path, "D")):
        content = torch.load(path, weights_only=True)
        source = checkpoint.read(run.checkpoint(kind, 2))["model"]
        assert list(content) == ["model"]
        assert list(content["model"]) == list(source)
        assert all(one.dtype == torch.half and torch.equal(one, source[name].half()) for name, one in content["model"].items())
        assert any(name.endswith(".weight_g") for name in content["model"])
        assert not any("parametrizations" in name for name in content["model"])
    assert any(name.startswith("enc_q.") for name in torch.load(made.g_path, weights_only=True)["model"])


def test_the_json_says_what_it_is_and_how_it_came_about(run, home):
    made = make_pretrain(run, home, "mine")
    (pair,) = base_pairs(home)
    assert (pair.name, pair.sidecar, pair.network) == ("mine", made.about, bases.network_of(run.settings, "builtin"))
    about = made.about
    assert (about.sample_rate, about.version, about.pitch_guidance, about.vocoder) == (24000, "v2", True, "HiFi-GAN")
    assert (about.embedder, about.model_size) == ("builtin", "tiny")
    assert about.hours == pytest.approx(sum(SECONDS) / 3600, abs=1e-3)
    assert (about.speakers, about.steps, about.epochs, about.started_from) == (1, 2, 1, "scratch")
    assert about.sha256 == {"G": sidecar.digest(made.g_path), "D": sidecar.digest(made.d_path)}


def test_the_json_holds_no_path_of_this_machine(run, home):
    make_pretrain(run, home, "mine")
    text = (home.custom_pretraineds / "mine.json").read_text(encoding="utf-8")
    dataset = Path(run.settings.data.dataset)
    assert json.loads(text)["datasets"] == [dataset.name]
    assert str(dataset.parent) not in text


def test_a_new_run_starts_from_it(run, home, tiny_run):
    made = make_pretrain(run, home, "mine")
    items = fit(tiny_run("tuned", base_model="mine", epochs=1, batch_size=4))
    started = next(one.message for one in items if isinstance(one, Note) and "Started from the pretrain mine" in one.message)
    total = len(torch.load(made.g_path, weights_only=True)["model"])
    assert f"loaded {total} of {total} tensors of G" in started
    again = make_pretrain(TrainingRun.open(home.logs / "tuned"), home, "mine 2")
    assert again.about.started_from == "mine"


def test_a_new_run_starts_from_the_run_itself(run, home, tiny_run):
    items = fit(tiny_run("tuned", base_model="run:demo", epochs=1, batch_size=4))
    assert any(isinstance(one, Note) and one.message.startswith("Started from the run 'demo' at step 2: loaded") for one in items)


def test_what_does_not_fit_it_is_refused_before_a_run_is_made(run, home, tiny_run):
    make_pretrain(run, home, "mine")
    for values, error, word in (({"sample_rate": 32000}, SettingsError, "24000 Hz"), ({"model_size": "standard"}, SettingsError, "tiny"),
                                ({"vocoder": "MRF HiFi-GAN"}, SettingsError, "HiFi-GAN")):
        with pytest.raises(error, match=word):
            tiny_run("tuned", base_model="mine", **values)
    settings = from_flat(TrainingSettings, {"base_model": "mine", "sample_rate": 24000, "model_size": "tiny"})
    with pytest.raises(EmbedderMismatchError, match="the embedder builtin"):
        bases.resolve(settings, "contentvec", home)
    assert not (home.logs / "tuned").exists()


def test_of_a_run_with_ema_the_generator_is_the_mean(run, home):
    mean = {name: tensor * 0.5 for name, tensor in checkpoint.read(run.checkpoint("G", 2))["model"].items()}
    change(run, "state", ema=mean)
    made = make_pretrain(run, home, "mine")
    held = torch.load(made.g_path, weights_only=True)["model"]
    assert all(torch.equal(held[name], one.half()) for name, one in mean.items())
    assert "EMA" in made.about.weights


@pytest.mark.parametrize("kind", ["G", "D"])
def test_weights_too_large_for_half_precision_are_refused_and_nothing_is_written(run, home, kind):
    model = checkpoint.read(run.checkpoint(kind, 2))["model"]
    name = next(iter(model))
    change(run, kind, model={**model, name: torch.full_like(model[name], 1e6)})
    with pytest.raises(FormatError, match=f"The pretrain's {kind} was not written: {name}"):
        make_pretrain(run, home, "mine")
    assert here(home) == set()


def test_nothing_is_ever_written_over(run, home):
    make_pretrain(run, home, "mine")
    before = {name: (home.custom_pretraineds / name).read_bytes() for name in here(home)}
    for name in ("mine", "MINE", " mine "):
        with pytest.raises(SettingsError, match="already"):
            make_pretrain(run, home, name)
    assert {name: (home.custom_pretraineds / name).read_bytes() for name in here(home)} == before


@pytest.mark.parametrize("name", ["", "auto", "v2-f0-40k", "a/b", "run:x", "G_x"])
def test_a_name_that_cannot_be_is_refused(run, home, name):
    with pytest.raises(SettingsError):
        make_pretrain(run, home, name)
    assert here(home) == set()


def test_a_step_that_is_not_there_and_a_run_that_learnt_nothing_are_refused(run, home, tiny_run):
    with pytest.raises(RunError, match="no checkpoint of step 7") as raised:
        make_pretrain(run, home, "mine", 7)
    assert raised.value.fix == "There are: 2."
    with pytest.raises(RunError, match="'empty' has no checkpoint to make a pretrain of"):
        make_pretrain(tiny_run("empty"), home, "mine")
    assert here(home) == set()


def test_a_damaged_checkpoint_is_named_and_nothing_is_written(run, home):
    path = run.checkpoint("D", 2)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(FormatError, match=r"D_2\.pth"):
        make_pretrain(run, home, "mine")
    assert here(home) == set()


@pytest.mark.parametrize("at", ["G", "D"])
def test_a_disk_that_fills_up_leaves_no_file(run, home, monkeypatch, at):
    real, left = checkpoint.write, [1 if at == "D" else 0]

    def full(path, content):
        if not left[0]:
            raise StorageError("The disk is full.")
        left[0] -= 1
        real(path, content)

    monkeypatch.setattr(checkpoint, "write", full)
    with pytest.raises(StorageError):
        make_pretrain(run, home, "mine")
    assert here(home) == set()


# -- warnings --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("base", "hours", "word"), [
    ("scratch", 49.9, "from scratch on 49.9 hours.*50 hours or more"), ("scratch", 50.1, None), ("scratch", 0.01, "0.6 minutes"),
    ("v2-f0-40k", 9.9, "fine-tuned on 9.9 hours.*10 hours or more"), ("v2-f0-40k", 10.1, None),
    ("run:other", 1, "fine-tuned on 1.0 hours")])
def test_too_few_hours_warn_and_it_is_made_all_the_same(run, home, base, hours, word):
    clips = tuple(Clip(f"{speaker}_0_0", speaker, hours * 1800, round(hours * 180_000)) for speaker in (0, 3))
    ClipList(clips).write(run.filelist)
    run = TrainingRun(run.folder, run.settings, Resolved("builtin", "fcpe", base), run.created)
    made = make_pretrain(run, home, "mine")
    assert (made.about.hours, made.about.speakers) == (pytest.approx(hours), 2)
    assert made.g_path.exists()
    assert len(made.warnings) == (word is not None)
    if word:
        assert re.search(word, made.warnings[0])


def test_recordings_that_came_through_the_page_are_called_after_their_run(run):
    data = run.settings.data.model_copy(update={"dataset": str(run.folder / "uploads")})
    uploaded = TrainingRun(run.folder, run.settings.model_copy(update={"data": data}), run.resolved, run.created)
    assert module._dataset_name(uploaded) == "demo"
