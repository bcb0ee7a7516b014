"""Embedders by name: what auto means, which folders count, and what a wrong name or an absent file leads to."""

import pytest
import torch

from rvc.embedders import registry
from rvc.errors import FormatError, MissingAssetError
from rvc.paths import Home

CPU = torch.device("cpu")


@pytest.fixture
def home(tmp_path) -> Home:
    return Home(tmp_path / "home")


def install(folder, weights="pytorch_model.bin", config="{}"):
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(config)
    (folder / weights).write_bytes(b"weights")
    return folder


def test_auto_is_builtin_until_contentvec_is_installed(home):
    assert registry.resolve("auto", home) == "builtin"
    install(home.embedders / "contentvec")
    assert registry.resolve("auto", home) == "contentvec"


@pytest.mark.parametrize("name", registry.EMBEDDERS)
def test_a_name_that_was_asked_for_is_never_replaced(home, name):
    assert registry.resolve(name, home) == name


@pytest.mark.parametrize("weights", registry.WEIGHT_FILES)
def test_a_folder_is_found_by_its_name_below_the_embedders_and_by_its_path(home, tmp_path, weights):
    install(home.embedders / "my own", weights)
    elsewhere = install(tmp_path / "else where", weights)
    assert registry.resolve("my own", home) == "my own"
    assert registry.resolve(str(elsewhere), home) == str(elsewhere.resolve())
    assert registry.missing("my own", home) is None
    assert registry.missing(str(elsewhere), home) is None


@pytest.mark.parametrize("absent", ["config.json", "pytorch_model.bin"])
def test_half_an_embedder_is_not_installed(home, absent):
    (install(home.embedders / "contentvec") / absent).unlink()
    assert registry.missing("contentvec", home)
    assert registry.resolve("auto", home) == "builtin"


def test_what_is_neither_a_name_nor_a_folder_is_refused_with_the_choices(home):
    with pytest.raises(MissingAssetError, match="no-such-embedder") as caught:
        registry.resolve("no-such-embedder", home)
    assert "contentvec" in caught.value.fix


@pytest.mark.parametrize("name", ["contentvec", "spin", "spin-v2"])
def test_what_must_be_downloaded_says_how(home, name):
    for use in (lambda: registry.require(name, home), lambda: registry.load(name, "v2", CPU, home)):
        with pytest.raises(MissingAssetError) as caught:
            use()
        assert caught.value.fix == f"rvc download {name}"


def test_the_builtin_embedder_without_its_weights_is_reported_with_the_command_that_restores_them(home, tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "BUILTIN_WEIGHTS", tmp_path / "timbre-mini.safetensors")
    with pytest.raises(MissingAssetError, match="timbre-mini") as caught:
        registry.load("builtin", "v2", CPU, home)
    assert caught.value.fix == registry.RESTORE


def test_only_the_builtin_embedders_features_have_versions():
    assert registry.content("contentvec") == "contentvec"
    assert registry.content("builtin") == registry.BUILTIN_CONTENT


def test_a_damaged_file_is_reported_and_left_alone(home):
    folder = install(home.embedders / "contentvec")
    with pytest.raises(FormatError):
        registry.load("contentvec", "v2", CPU, home)
    assert (folder / "pytorch_model.bin").read_bytes() == b"weights"
