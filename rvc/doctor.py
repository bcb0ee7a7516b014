"""What works on this machine, with the fix for what does not."""

import importlib.metadata
import importlib.util
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Literal

import psutil

from rvc import gpus
from rvc.download import starter
from rvc.download.catalog import Catalog, state
from rvc.embedders import registry as embedders
from rvc.f0 import registry as f0
from rvc.paths import Home

FREE_GIB_WANTED = 5.0  # two checkpoints of a run at full size, and room to breathe
MEMORY_GIB_WANTED = 6.0  # measured: a fit at full size and batch 4 on the CPU


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. *missing* limits what can be chosen; *broken* stops everything."""

    name: str
    status: Literal["ok", "missing", "broken"]
    detail: str
    fix: str | None = None

    @property
    def sign(self) -> str:
        return {"ok": "✓", "missing": "–", "broken": "✗"}[self.status]


def examine(home: Home) -> list[Finding]:
    """Look at everything once. Takes a few seconds: torch is imported and each device computes something."""
    return [*_python(), *_gpus(), *_torch(), *_storage(home), *_codecs(), *_choices("Embedder", embedders, embedders.EMBEDDERS, home),
            *_choices("Pitch detector", f0, f0.METHODS, home), *_starter(home), *_catalogue(home)]


def _python() -> Iterator[Finding]:
    supported = (3, 11) <= sys.version_info[:2] <= (3, 13)
    yield Finding("Python", "ok" if supported else "broken", f"{platform.python_version()} on {platform.platform()}",
                  None if supported else "Install Python 3.11, 3.12 or 3.13 and delete the folder .venv.")


def _gpus() -> Iterator[Finding]:
    """What NVIDIA's driver lists. Whether torch can compute there, and what to do if not, is said with torch."""
    for one in gpus.installed() or ():
        yield Finding(f"GPU {one.index}", "ok", one.title)


def _torch() -> Iterator[Finding]:
    ours, audio = (importlib.metadata.version(name).split("+")[0] for name in ("torch", "torchaudio"))
    if ours != audio:
        yield Finding("torch", "broken", f"torch {ours} beside torchaudio {audio}: they must be the same version.",
                      "Delete the folder .venv and start again: it is made anew with the pinned pair.")
        return
    import torch

    from rvc import device as devices

    best = devices.resolve("auto")
    precision = devices.probe_precision(best, "auto")
    yield Finding("torch", "ok", f"{torch.__version__}; computes on {devices.name_of(best)} in {precision.name}")
    if best.type == "cpu":
        yield Finding("GPU", "missing", "torch sees no GPU; training a full-size voice on the CPU takes days.",
                      "With an NVIDIA card: update its driver. On Windows see 'GPU' in the README.")


def _storage(home: Home) -> Iterator[Finding]:
    memory = psutil.virtual_memory()
    enough = memory.total / 2**30 >= MEMORY_GIB_WANTED
    yield Finding("Memory", "ok" if enough else "missing", f"{memory.total / 2**30:.1f} GiB, {memory.available / 2**30:.1f} GiB free",
                  None if enough else "Use a smaller batch size, or --model-size tiny to try the studio.")
    free = shutil.disk_usage(home.root).free / 2**30
    yield Finding("Disk", "ok" if free >= FREE_GIB_WANTED else "missing", f"{free:.1f} GiB free in {home.root}",
                  None if free >= FREE_GIB_WANTED else f"A run at full size needs about {FREE_GIB_WANTED:g} GiB; free some.")
    for folder in (home.logs, home.pretraineds):
        folder.mkdir(parents=True, exist_ok=True)
        yield _writable(folder)


def _writable(folder: Path) -> Finding:
    try:
        with tempfile.TemporaryFile(dir=folder):
            return Finding(f"{folder.name}/", "ok", f"{folder} can be written to")
    except OSError as error:
        return Finding(f"{folder.name}/", "broken", f"{folder}: {error.strerror}",
                       "Make it writable, or set TIMBRE_HOME to a folder that is.")


def _codecs() -> Iterator[Finding]:
    import av

    wanted = {"mp3": ("mp3", "libmp3lame"), "m4a": ("aac", "aac"), "opus": ("opus", "libopus")}
    lacking = [name for name, pair in wanted.items() if not set(pair) & av.codecs_available]
    yield Finding("Audio formats", "missing" if lacking else "ok",
                  f"without {', '.join(lacking)}" if lacking else "wav, flac, ogg, mp3, m4a, opus and webm are read",
                  "Reinstall the package av." if lacking else None)


def _choices(kind: str, registry: ModuleType, names: Iterable[str], home: Home) -> Iterator[Finding]:
    """Each name of a registry, and which one *auto* takes."""
    chosen = registry.resolve("auto", home)
    for name in names:
        lacking = registry.missing(name, home)
        detail = lacking or ("ready, taken by auto" if name == chosen else "ready")
        yield Finding(f"{kind} {name}", "missing" if lacking else "ok", detail, registry.fix(name) if lacking else None)


def _starter(home: Home) -> Iterator[Finding]:
    if fault := starter.fault(home):
        yield Finding(f"Pretrain {starter.NAME}", "broken", fault.message, fault.fix)
    elif starter.present(home):
        yield Finding(f"Pretrain {starter.NAME}", "ok", "comes with Timbre, for first steps")


def _catalogue(home: Home) -> Iterator[Finding]:
    for asset in Catalog.load().assets:
        if asset.kind == "base" and (found := state(asset, home)) != "missing":
            bad = found != "installed"
            yield Finding(f"Pretrain {asset.id}", "broken" if bad else "ok", found, f"`rvc download {asset.id}`" if bad else None)
