"""What can be downloaded, and what of it is here. Reads ``assets/catalog.json``; no torch, no network.

The hashes of the base models and of rmvpe are those that the RVC project itself publishes beside its program; the hashes of the
embedders are those that several other programs check when they download the same files. A size or hash nobody states is ``null``.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from rvc.download.looks import fault_of
from rvc.errors import MissingAssetError
from rvc.paths import ASSETS, Home

State = Literal["installed", "missing", "incomplete", "damaged"]


@dataclass(frozen=True, kw_only=True)
class AssetFile:
    """``path`` is relative to ``pretraineds/``. ``size`` in bytes and ``sha256`` are ``None`` where they are not known."""

    url: str
    path: str
    size: int | None = None
    sha256: str | None = None

    def target(self, home: Home) -> Path:
        return home.pretraineds / self.path

    def part(self, home: Home) -> Path:
        """Where it grows while it arrives."""
        target = self.target(home)
        return target.with_name(target.name + ".part")

    def fault(self, home: Home) -> str | None:
        """Why the installed file cannot be the one of the catalogue; ``None`` when it may be. It is not hashed: that takes seconds."""
        target = self.target(home)
        if self.size is not None and (found := target.stat().st_size) != self.size:
            return f"has {found:,} bytes instead of {self.size:,}"
        return None if self.size is not None else fault_of(target)


@dataclass(frozen=True, kw_only=True)
class Asset:
    """One thing to install: all of its files or it is not installed. The last three are ``None`` for other kinds than base models."""

    id: str
    title: str
    kind: Literal["base", "embedder", "detector"]
    files: tuple[AssetFile, ...]
    licence: str
    source: str
    sample_rate: int | None = None
    version: Literal["v1", "v2"] | None = None
    pitch_guidance: bool | None = None

    @property
    def size(self) -> int | None:
        """Bytes to download, ``None`` when nobody states them; a configuration beside the weights is too small to count."""
        weights = [file.size for file in self.files if not file.path.endswith(".json")]
        return None if None in weights else sum(weights)


@dataclass(frozen=True)
class Catalog:
    assets: tuple[Asset, ...]

    @classmethod
    def load(cls, path: Path = ASSETS / "catalog.json") -> "Catalog":
        return cls(tuple(_asset(values) for values in json.loads(path.read_text(encoding="utf-8"))["assets"]))

    def get(self, asset_id: str) -> Asset:
        """The asset of that id; ``MissingAssetError`` names the nearest one when there is none."""
        known = {asset.id: asset for asset in self.assets}
        if asset_id not in known:
            close = get_close_matches(asset_id, known, n=1)
            raise MissingAssetError(f"The catalogue has no {asset_id!r}.",
                                    fix=f"Did you mean {close[0]!r}?" if close else f"It has {', '.join(known)}.")
        return known[asset_id]


def state(asset: Asset, home: Home) -> State:
    """What is here of ``asset``. Sizes and forms are looked at; hashes were checked when it arrived."""
    found = [file for file in asset.files if file.target(home).exists()]
    if any(file.fault(home) for file in found):
        return "damaged"
    if len(found) == len(asset.files):
        return "installed"
    begun = found or any(file.part(home).exists() for file in asset.files)
    return "incomplete" if begun else "missing"


def needed(asset: Asset, home: Home) -> Iterator[AssetFile]:
    """The files that an installation of ``asset`` still has to fetch: those missing and those damaged."""
    return (file for file in asset.files if not file.target(home).exists() or file.fault(home))


def _asset(values: dict[str, Any]) -> Asset:
    return Asset(**{**values, "files": tuple(AssetFile(**file) for file in values["files"])})
