"""The pitch detectors by name. Nothing heavy is imported before one is loaded."""

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from rvc.errors import MissingAssetError, SettingsError
from rvc.f0.detector import Detector
from rvc.paths import Home

if TYPE_CHECKING:
    import torch

RMVPE_FILE = "rmvpe.pt"


@dataclass(frozen=True)
class Method:
    """A detector as a person chooses it. ``asset_id``: what to download first; ``None`` when its weights come with a package."""

    name: str
    title: str
    description: str
    asset_id: str | None
    package: str | None
    load: Callable[["torch.device", Home], Detector]


def _rmvpe(device: "torch.device", home: Home) -> Detector:
    from rvc.f0.rmvpe import Rmvpe

    return Rmvpe.from_file(_rmvpe_path(home), device)


def _fcpe(device: "torch.device", home: Home) -> Detector:
    from rvc.f0.fcpe import Fcpe

    return Fcpe(device)


def _crepe(capacity: str) -> Callable[["torch.device", Home], Detector]:
    def load(device: "torch.device", home: Home) -> Detector:
        from rvc.f0.crepe import CrepeDetector

        return CrepeDetector(capacity, device)

    return load


def _swift(device: "torch.device", home: Home) -> Detector:
    from rvc.f0.swift import Swift

    return Swift()


METHODS = {method.name: method for method in (
    Method("rmvpe", "RMVPE", "The most robust one, also with music or noise behind the voice.", "rmvpe", None, _rmvpe),
    Method("fcpe", "FCPE", "Fast and precise on clean voices; its weights come with the studio.", None, "torchfcpe", _fcpe),
    Method("crepe", "CREPE", "Precise and very slow without a GPU.", None, "torchcrepe", _crepe("full")),
    Method("crepe-tiny", "CREPE tiny", "A small CREPE: faster, less sure of itself.", None, "torchcrepe", _crepe("tiny")),
    Method("swift", "SwiftF0", "By far the fastest, on the CPU always.", None, "swift_f0", _swift),
)}


def resolve(name: str, home: Home) -> str:
    """The name of a detector. ``auto`` is rmvpe when its weights are installed, else fcpe."""
    if name == "auto":
        return "rmvpe" if _rmvpe_path(home).is_file() else "fcpe"
    if name not in METHODS:
        close = difflib.get_close_matches(name, METHODS, n=1)
        raise SettingsError(f"There is no pitch detector {name!r}.",
                            fix=f"Did you mean {close[0]}?" if close else f"There are auto, {', '.join(METHODS)}.")
    return name


def missing(name: str, home: Home) -> str | None:
    """What ``name`` lacks on this machine, in a sentence; ``None`` when it can be loaded."""
    method = METHODS[resolve(name, home)]
    if method.package and find_spec(method.package) is None:
        return f"the package {method.package} is not installed"
    if method.asset_id and not _rmvpe_path(home).is_file():
        return f"the weights of {method.title} are not installed"
    return None


def require(name: str, home: Home) -> Method:
    """The detector ``name``; ``MissingAssetError`` with the fix when it cannot be loaded."""
    method = METHODS[resolve(name, home)]
    if lacking := missing(method.name, home):
        raise MissingAssetError(f"The pitch detector {method.name} cannot be used: {lacking}.", fix=fix(method.name))
    return method


def fix(name: str) -> str:
    """What to do when ``name`` is missing."""
    asset_id = METHODS[name].asset_id
    return f"rvc download {asset_id}" if asset_id else "Install the studio's requirements again."


def load(name: str, device: "torch.device", home: Home) -> Detector:
    """The detector ``name`` on ``device``. ``MissingAssetError`` when its weights are absent, ``FormatError`` when they are damaged."""
    return require(name, home).load(device, home)


def _rmvpe_path(home: Home) -> Path:
    return home.predictors / RMVPE_FILE
