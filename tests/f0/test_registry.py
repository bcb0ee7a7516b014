"""Detectors by name: what auto means, what is missing, and what a wrong name or a damaged file leads to."""

import importlib.util

import pytest
import torch

from rvc.errors import FormatError, MissingAssetError, SettingsError
from rvc.f0 import registry
from rvc.infer.settings import ConversionSettings
from rvc.paths import Home
from rvc.settings import options
from rvc.train.settings import TrainingSettings

CPU = torch.device("cpu")


@pytest.fixture
def home(tmp_path) -> Home:
    return Home(tmp_path)


def install_rmvpe(home: Home, content: bytes = b"weights") -> None:
    home.predictors.mkdir(parents=True)
    (home.predictors / "rmvpe.pt").write_bytes(content)


def test_auto_is_fcpe_without_the_weights_of_rmvpe_and_rmvpe_with_them(home):
    assert registry.resolve("auto", home) == "fcpe"
    install_rmvpe(home)
    assert registry.resolve("auto", home) == "rmvpe"


@pytest.mark.parametrize("name", registry.METHODS)
def test_a_name_that_was_asked_for_is_never_replaced(home, name):
    assert registry.resolve(name, home) == name


def test_an_unknown_name_is_refused_with_a_suggestion(home):
    with pytest.raises(SettingsError, match="rmvpe"):
        registry.resolve("rmvp", home)


def test_rmvpe_is_missing_until_it_is_downloaded_and_says_how(home):
    assert "not installed" in registry.missing("rmvpe", home)
    with pytest.raises(MissingAssetError) as caught:
        registry.load("rmvpe", CPU, home)
    assert caught.value.fix == "rvc download rmvpe"
    install_rmvpe(home)
    assert registry.missing("rmvpe", home) is None


@pytest.mark.parametrize("name", ["fcpe", "crepe", "crepe-tiny", "swift"])
def test_what_comes_with_packages_lacks_nothing(home, name):
    assert registry.missing(name, home) is None


def test_a_package_that_is_absent_is_named(home, monkeypatch):
    monkeypatch.setattr(registry, "find_spec", lambda name: None if name == "swift_f0" else importlib.util.find_spec(name))
    with pytest.raises(MissingAssetError, match="swift_f0"):
        registry.load("swift", CPU, home)


def test_a_file_that_is_not_rmvpe_is_reported_and_left_alone(home):
    install_rmvpe(home, b"<html>Not found</html>")
    with pytest.raises(FormatError, match=r"rmvpe\.pt"):
        registry.load("rmvpe", CPU, home)
    assert (home.predictors / "rmvpe.pt").read_bytes() == b"<html>Not found</html>"


def test_weights_of_another_network_are_refused_with_the_names_that_are_missing(home):
    home.predictors.mkdir(parents=True)
    torch.save({"conv1.weight": torch.zeros(3)}, home.predictors / "rmvpe.pt")
    with pytest.raises(FormatError, match=r"unet\.encoder"):
        registry.load("rmvpe", CPU, home)


@pytest.mark.parametrize("settings", [ConversionSettings, TrainingSettings])
def test_the_settings_offer_auto_and_every_detector(settings):
    (choices,) = [one.choices for one in options(settings) if one.name == "f0_method"]
    assert set(choices) == {"auto", *registry.METHODS}
