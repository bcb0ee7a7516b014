"""The embedders by name: what turns speech into content features. Nothing heavy is imported before one is loaded."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from rvc.errors import MissingAssetError
from rvc.paths import ASSETS, Home, restored_by

if TYPE_CHECKING:
    import torch

WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")
BUILTIN_WEIGHTS = ASSETS / "embedders" / "timbre-mini.safetensors"
BUILTIN_CONTENT = "timbre-mini 1"  # what its features mean: another number for any weights that other features come from
RESTORE = restored_by(BUILTIN_WEIGHTS)


class Embedder(Protocol):
    """Content features of speech at 16 kHz, 50 frames a second."""

    name: str
    dim: int  # 256 for v1 voices, 768 for v2

    def extract(self, samples: np.ndarray) -> np.ndarray:
        """samples: float32 [B, n] at 16 kHz. -> float32 [B, N, dim], N = max(1, (n - 400) // 320 + 1), HuBERT's own count."""
        ...


@dataclass(frozen=True)
class Spec:
    """An embedder as a person chooses it. ``asset_id``: what to download first; ``None`` when it comes with the installation."""

    name: str
    title: str
    description: str
    asset_id: str | None
    load: Callable[[str, "torch.device", Home], Embedder]


def _hubert(name: str) -> Callable[[str, "torch.device", Home], Embedder]:
    def load(version: str, device: "torch.device", home: Home) -> Embedder:
        from rvc.embedders.hubert import Hubert

        return Hubert.from_folder(_folder(name, home), name, version, device)

    return load


def _builtin(version: str, device: "torch.device", home: Home) -> Embedder:
    from rvc.embedders.builtin import Builtin

    return Builtin(version, device)


EMBEDDERS = {spec.name: spec for spec in (
    Spec("contentvec", "ContentVec", "What nearly all voices and pretrains of the RVC family were trained with.", "contentvec",
         _hubert("contentvec")),
    Spec("spin", "SPIN", "Clearer consonants; needs pretrains of its own.", "spin", _hubert("spin")),
    Spec("spin-v2", "SPIN v2", "A later SPIN; needs pretrains of its own.", "spin-v2", _hubert("spin-v2")),
    Spec("builtin", "Built-in", "Comes with the studio and needs no download: for first steps. ContentVec gives better voices.", None,
         _builtin),
)}


def resolve(name: str, home: Home) -> str:
    """The name that is kept in runs and voices. ``auto`` is contentvec when it is installed, else builtin.

    Other names than the four are folders with a HuBERT: by path, or below the home's ``embedders``. ``MissingAssetError`` when there
    is no such folder.
    """
    if name == "auto":
        return "builtin" if missing("contentvec", home) else "contentvec"
    if name in EMBEDDERS:
        return name
    if _has_weights(home.embedders / name):
        return name
    folder = Path(name).expanduser()
    if _has_weights(folder):
        return str(folder.resolve())
    raise MissingAssetError(f"There is no embedder {name!r}.",
                            fix=f"Choose {', '.join(EMBEDDERS)}, or a folder with config.json and {' or '.join(WEIGHT_FILES)}.")


def missing(name: str, home: Home) -> str | None:
    """What ``name`` lacks on this machine, in a sentence; ``None`` when it can be loaded."""
    spec = EMBEDDERS.get(name)
    if spec and spec.asset_id is None:
        return None if BUILTIN_WEIGHTS.is_file() else f"its weights, {BUILTIN_WEIGHTS}, are missing"
    return None if _has_weights(_folder(name, home)) else "its weights are not installed"


def require(name: str, home: Home) -> None:
    """``MissingAssetError`` with the fix when ``name`` cannot be loaded."""
    if lacking := missing(name, home):
        raise MissingAssetError(f"The embedder {name} cannot be used: {lacking}.", fix=fix(name))


def fix(name: str) -> str:
    """What to do when ``name`` is missing."""
    if name not in EMBEDDERS:
        return f"Put config.json and {' or '.join(WEIGHT_FILES)} into its folder."
    asset_id = EMBEDDERS[name].asset_id
    return f"rvc download {asset_id}" if asset_id else RESTORE


def content(name: str) -> str:
    """What the features of ``name`` mean, for what is kept of them: the built-in encoder's may be other ones in a later studio."""
    return BUILTIN_CONTENT if name == "builtin" else name


def load(name: str, version: str, device: "torch.device", home: Home) -> Embedder:
    """The embedder ``name`` for voices of ``version`` on ``device``.

    ``MissingAssetError`` when its weights are absent, ``FormatError`` when they are damaged or not a HuBERT's.
    """
    name = resolve(name, home)
    require(name, home)
    return (EMBEDDERS[name].load if name in EMBEDDERS else _hubert(name))(version, device, home)


def _folder(name: str, home: Home) -> Path:
    """Of an absolute path: the path itself."""
    return home.embedders / name


def _has_weights(folder: Path) -> bool:
    return (folder / "config.json").is_file() and any((folder / file).is_file() for file in WEIGHT_FILES)
