"""The pretrain that comes with the studio: when a new run starts from it, when it does not, and what is said when it is damaged."""

import pytest

from rvc import jobs
from rvc.cli import main
from rvc.download import starter as pair
from rvc.download.pairs import base_pairs
from rvc.errors import FormatError, MissingAssetError, SettingsError
from rvc.paths import PROJECT, Home, restored_by
from rvc.settings import from_flat
from rvc.train import bases, new_run, starter
from rvc.train.run import TrainingRun
from rvc.train.settings import TrainingSettings
from tests.sounds import write_dataset
from tests.starter_kit import put_pair

NETWORK = {"sample_rate": 24000, "model_size": "small", "embedder": "builtin"}


@pytest.fixture
def home(tmp_path, monkeypatch) -> Home:
    """A home whose starter kit is empty; the one of the environment too."""
    monkeypatch.setenv("TIMBRE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TIMBRE_STARTER", str(tmp_path / "kit"))
    return Home.here()


@pytest.fixture
def train(home, monkeypatch, tmp_path):
    """``rvc train mine`` with these flags, without its worker: the exit code."""
    monkeypatch.setattr(jobs, "launch", lambda run: None)
    dataset = write_dataset(tmp_path / "recordings", files=1, seconds=1)
    return lambda *given: main(["train", "mine", "--dataset", str(dataset), "--detach", *given])


def put_official(home) -> None:
    folder = home.pretraineds / "hifi-gan"
    folder.mkdir(parents=True)
    for letter in "GD":
        (folder / f"f0{letter}40k.pth").touch()


def resolve(home, embedder="builtin", **values) -> str:
    return bases.resolve(from_flat(TrainingSettings, {**NETWORK, **values}), embedder, home)


# -- when it is taken ------------------------------------------------------------------------------------------------------------


def test_auto_takes_it_where_it_fits(home):
    assert resolve(home) == "scratch"
    put_pair(home)
    assert resolve(home) == "starter"


@pytest.mark.parametrize(("embedder", "values"), [
    ("contentvec", {}), ("builtin", {"sample_rate": 32000}), ("builtin", {"model_size": "standard"}),
    ("builtin", {"pitch_guidance": False}), ("builtin", {"vocoder": "RefineGAN"}), ("builtin", {"version": "v1", "sample_rate": 32000})])
def test_auto_does_not_take_it_where_it_does_not_fit(home, embedder, values):
    put_pair(home)
    assert resolve(home, embedder, **values) == "scratch"


def test_by_name_it_is_refused_where_it_does_not_fit(home):
    put_pair(home)
    assert resolve(home, base_model="starter") == "starter"
    with pytest.raises(SettingsError, match="pretrain starter does not fit: it is for 24000 Hz") as raised:
        resolve(home, base_model="starter", sample_rate=40000)
    assert "--sample-rate 24000" in raised.value.fix


def test_an_official_pair_wins(home):
    put_pair(home)
    put_official(home)
    assert resolve(home, "contentvec", sample_rate=40000, model_size="standard") == "v2-f0-40k"
    assert starter.taken(home, {}) == {}


def test_a_new_run_takes_its_network_where_nothing_is_said(home):
    assert starter.settings_for(home, {}) == TrainingSettings()
    put_pair(home)
    settings = starter.settings_for(home, {"minutes": 2.0})
    assert (settings.data.sample_rate, settings.model.model_size, settings.model.embedder) == (24000, "small", "builtin")
    assert (settings.model.base_model, settings.fit.minutes) == ("auto", 2.0)


@pytest.mark.parametrize("given", [
    {"sample_rate": 24000}, {"model_size": "tiny"}, {"embedder": "builtin"}, {"base_model": "scratch"}, {"vocoder": "MRF HiFi-GAN"},
    {"version": "v1"}, {"pitch_guidance": False}], ids=lambda given: next(iter(given)))
def test_what_is_said_wins(home, given):
    put_pair(home)
    assert starter.settings_for(home, given) == from_flat(TrainingSettings, given)


def test_a_pair_of_ones_own_called_starter_is_told_apart(home):
    home.custom_pretraineds.mkdir(parents=True)
    for letter in "GD":
        (home.custom_pretraineds / f"{letter}_starter.pth").touch()
    assert [one.name for one in base_pairs(home)] == ["starter"]
    put_pair(home)
    assert [(one.name, one.source) for one in base_pairs(home)] == [("starter", "starter"), ("G_starter", "custom")]


# -- the command line ------------------------------------------------------------------------------------------------------------


def test_the_command_line_says_what_it_starts_from(home, train, capsys):
    put_pair(home)
    assert train("--minutes", "2") == 0
    assert starter.SENTENCE in capsys.readouterr().err
    run = TrainingRun.named(home, "mine")
    assert run.resolved.base_model == "starter"
    assert (run.settings.data.sample_rate, run.settings.model.model_size, run.settings.fit.minutes) == (24000, "small", 2.0)


def test_a_run_that_exists_keeps_its_settings(home, train, capsys):
    assert train() == 0
    put_pair(home)
    assert train("--epochs", "3") == 0
    assert starter.SENTENCE not in capsys.readouterr().err
    run = TrainingRun.named(home, "mine")
    assert (run.settings.data.sample_rate, run.settings.model.model_size, run.resolved.base_model) == (40000, "standard", "scratch")


# -- what is wrong with it -------------------------------------------------------------------------------------------------------


def cut(path) -> None:
    path.write_bytes(path.read_bytes()[:-500])


def change(path) -> None:
    """Another file of the same form."""
    path.write_bytes(path.with_name("D_starter.pth").read_bytes())


@pytest.mark.parametrize(("name", "damage", "kind", "said"), [
    ("G_starter.pth", lambda path: path.unlink(), MissingAssetError, "is missing"),
    ("D_starter.pth", lambda path: path.unlink(), MissingAssetError, "is missing"),
    ("starter.json", lambda path: path.unlink(), MissingAssetError, "is missing"),
    ("D_starter.pth", cut, FormatError, "cut off"),
    ("G_starter.pth", lambda path: path.write_bytes(b""), FormatError, "is empty"),
    ("G_starter.pth", change, FormatError, "its checksum is another one"),
    ("starter.json", cut, FormatError, "no JSON file, or is cut off"),
    ("starter.json", lambda path: path.write_text("{}"), FormatError, "is damaged"),
])
def test_a_damaged_file_is_named_with_what_restores_it(home, train, capsys, name, damage, kind, said):
    path = put_pair(home) / name
    damage(path)
    with pytest.raises(kind, match=said) as raised:
        resolve(home)
    assert path.name in raised.value.message
    assert raised.value.fix == restored_by(path)
    with pytest.raises(kind):
        bases.named("starter", home)
    assert train() == 1  # an automatic choice is not silently another one
    assert f"git checkout -- {path}" in capsys.readouterr().err
    assert not (home.logs / "mine").exists()


def test_a_pair_of_another_version_is_named(home):
    put_pair(home, model_size="tiny")
    with pytest.raises(FormatError, match="of another version: its model_size is tiny; this version of the studio needs small"):
        resolve(home)


def test_beside_a_damaged_pair_everything_else_goes_on(home, train, capsys):
    put_official(home)
    (put_pair(home) / "D_starter.pth").unlink()
    assert [one.name for one in base_pairs(home)] == ["v2-f0-40k"]
    assert resolve(home, base_model="scratch") == "scratch"
    assert resolve(home, sample_rate=40000) == "scratch"
    assert list(bases.offered(from_flat(TrainingSettings, NETWORK), "builtin", home)) == []
    assert main(["pretrains"]) == 0
    assert "Warning: " + str(pair.fault(home)) in capsys.readouterr().err


def test_a_file_of_the_checkout_is_restored_by_its_path_there():
    assert "git checkout -- assets/starter/G_starter.pth," in restored_by(PROJECT / "assets" / "starter" / "G_starter.pth")


def test_a_run_that_was_made_from_it_says_so_to_the_fit(home, tmp_path):
    put_pair(home)
    dataset = str(write_dataset(tmp_path / "recordings", files=1, seconds=1))
    run = new_run.create(home, "mine", starter.settings_for(home, {"dataset": dataset}))
    base = bases.named(run.resolved.base_model, home)
    assert (base.kind, base.g_path, base.title) == ("starter", home.starter / "G_starter.pth", "the pretrain starter")
    assert base.restoring == restored_by(home.starter)
