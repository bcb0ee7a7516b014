"""Where voices lie: the files under logs/ and those that come with the studio, each paired with its index.

No file is opened to list them, and no torch is needed.
"""

import difflib
import functools
import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rvc.errors import FormatError, MissingAssetError, SettingsError
from rvc.paths import Home, restored_by
from rvc.voices.model import VoiceModel

# Applio: name_10e_500s, perhaps with _best_epoch; mainline: name_e10_s500.
_EPOCH_AND_STEP = re.compile(r"_(?:\d+e_(\d+)s|e\d+_s(\d+))(?:_best_epoch)?$")

BUNDLED = "starter/"  # before the name of a voice that comes with the studio


@dataclass(frozen=True)
class VoiceEntry:
    """A voice that can be chosen. ``name`` is its path below logs/ without the suffix; ``index`` the file that belongs to it.

    ``bundled``: it comes with the studio. Its name then is ``starter/`` and that of its folder.
    """

    name: str
    path: Path
    index: Path | None = None
    bundled: bool = False

    @property
    def card(self) -> Path | None:
        """What it was made from and how good it is, in Markdown; only voices that come with the studio have one."""
        return _there(self.path.with_suffix(".md")) if self.bundled else None

    @property
    def sample(self) -> Path | None:
        """A recording of it, beside the card."""
        return _there(self.path.with_name("sample.flac")) if self.bundled else None

    def sample_settings(self) -> dict[str, float]:
        """The conversion settings, by name, that made the sample of the clip in ``assets/samples``; the rest are as usual.

        ``FormatError`` for a damaged file.
        """
        path = self.path.with_suffix(".json")
        if not self.bundled or not path.is_file():
            return {}
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise FormatError(f"{path} is damaged: {error}.", fix=restored_by(path)) from error


class VoiceLibrary:
    """The voices under logs/: those of our runs, of Applio's run folders, and whatever else was put there. After them those that come with
    the studio, in ``assets/starter/voices``; where both have a name it is the person's own voice.
    """

    def __init__(self, home: Home) -> None:
        self.home = home

    def entries(self) -> list[VoiceEntry]:
        """Folder by folder in alphabetical order, in each the newest first; at last those that come with the studio. No file is opened."""
        own = self._own()
        taken = {entry.name for entry in own}
        return [*own, *(entry for entry in self._bundled() if entry.name not in taken)]

    def _own(self) -> list[VoiceEntry]:
        found = []
        for folder, voices, indexes in _folders(self.home.logs):
            for path in sorted(voices, key=_age):
                name = path.relative_to(self.home.logs).with_suffix("").as_posix()
                found.append(VoiceEntry(name, path, self._index_of(path, indexes, folder)))
        return found

    def _bundled(self) -> Iterator[VoiceEntry]:
        for folder in self._bundled_folders():
            path = folder / f"{folder.name}.pth"
            if path.is_file():
                yield VoiceEntry(f"{BUNDLED}{folder.name}", path, _there(path.with_suffix(".index")), bundled=True)

    def _bundled_folders(self) -> list[Path]:
        voices = self.home.starter / "voices"
        return sorted(path for path in voices.iterdir() if path.is_dir()) if voices.is_dir() else []

    def find(self, name_or_path: str | Path) -> VoiceEntry:
        """The voice of that name, the newest voice of the run of that name, or the file at that path.

        ``SettingsError`` when there is none, or several in different folders; ``MissingAssetError`` for one that came with the studio and
        is gone.
        """
        asked = str(name_or_path)
        entries = self.entries()
        wanted = asked.removesuffix(".pth").strip("/")
        for matches in (
            [one for one in entries if one.name == wanted],
            [one for one in entries if one.path.parent == self.home.logs / wanted][:1],
            [one for one in entries if one.path.stem == wanted and not one.bundled],
            [one for one in entries if one.path.stem == wanted],
        ):
            if len(matches) > 1:
                raise SettingsError(f"Several voices are called {asked!r}.", fix=f"Choose one of {', '.join(one.name for one in matches)}.")
            if matches:
                return matches[0]
        path = Path(asked).expanduser()
        if path.is_file():
            return self._at(path)
        self._refuse_lost(wanted)
        names = {one.name for one in entries} | {one.path.parent.name for one in entries}
        close = difflib.get_close_matches(wanted, names, n=1)
        raise SettingsError(f"There is no voice {asked!r}.", fix=f"Did you mean {close[0]!r}?" if close else "See: python -m rvc voices.")

    def read(self, voice: VoiceEntry | Path) -> VoiceModel:
        """What the file says, opened again only when it changed. Errors say how to restore what came with the studio."""
        path = voice.path if isinstance(voice, VoiceEntry) else Path(voice)
        try:
            status = path.stat()
        except FileNotFoundError as error:
            raise FormatError(f"There is no file {path}.") from error
        try:
            return _read(path, status.st_size, status.st_mtime_ns)
        except FormatError as error:
            raise FormatError(error.message, fix=self.home.restoring(path) or error.fix) from error

    def lost(self) -> dict[str, MissingAssetError]:
        """By name the voices that came with the studio and are gone, each with what brings it back."""
        paths = (folder / f"{folder.name}.pth" for folder in self._bundled_folders())
        return {path.stem: MissingAssetError(f"{path}, a voice that comes with the studio, is missing.", fix=restored_by(path))
                for path in paths if not path.is_file()}

    def _refuse_lost(self, wanted: str) -> None:
        if error := self.lost().get(wanted.removeprefix(BUNDLED)):
            raise error

    def _at(self, path: Path) -> VoiceEntry:
        indexes = [one for one in path.parent.iterdir() if _is_index(one.name)]
        return VoiceEntry(path.stem, path, self._index_of(path, indexes, path.parent))

    def _index_of(self, voice: Path, indexes: Iterable[Path], folder: Path) -> Path | None:
        """The index that belongs to ``voice``: named like it, or like its run, or with that name in it, or the only one of a run."""
        stem, run = voice.stem.lower(), folder.name.lower()
        base = _EPOCH_AND_STEP.sub("", stem)
        own_folder = folder != self.home.logs  # logs/ itself holds voices that have nothing to do with one another

        def closeness(index: Path) -> int:
            name = index.stem.lower()
            if name in (stem, base):
                return 4
            if own_folder and name == run:
                return 3
            if base in name:  # added_IVF256_Flat_nprobe_1_<base>_v2
                return 2
            return 1 if own_folder and name.startswith("added_") else 0

        ranked = sorted(indexes, key=lambda index: (-closeness(index), _age(index)))
        if ranked and (closeness(ranked[0]) or (own_folder and len(ranked) == 1)):
            return ranked[0]
        return None


def _there(path: Path) -> Path | None:
    return path if path.is_file() else None


@functools.lru_cache(maxsize=256)
def _read(path: Path, size: int, modified_ns: int) -> VoiceModel:
    return VoiceModel.read(path)


def _folders(logs: Path) -> Iterator[tuple[Path, list[Path], list[Path]]]:
    """Every folder below ``logs`` that holds voices, with its voices and indexes. Links are followed, each folder once."""
    seen = set()
    for parent, folders, files in os.walk(logs, followlinks=True):
        folder = Path(parent)
        real = folder.resolve()
        if real in seen:  # a link that leads back up
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted((name for name in folders if not name.startswith(".")), key=str.lower)
        voices = [folder / name for name in files if _is_voice(name)]
        if voices:
            yield folder, voices, [folder / name for name in files if _is_index(name)]


def _is_voice(name: str) -> bool:
    """G_ and D_ are checkpoints; a leading dot marks a file that is still being written."""
    return name.endswith(".pth") and not name.startswith(("G_", "D_", "."))


def _is_index(name: str) -> bool:
    """RVC's ``trained_`` indexes hold no vectors."""
    return name.endswith(".index") and "trained" not in name and not name.startswith(".")


def _age(path: Path) -> tuple[int, int, str]:
    """Sorts the newest first; of files written at the same time, the one trained longer."""
    try:
        modified = path.stat().st_mtime_ns
    except FileNotFoundError:  # a dead link, or removed since it was listed
        modified = 0
    match = _EPOCH_AND_STEP.search(path.stem)
    step = int(match[1] or match[2]) if match else 0
    return -modified, -step, path.name
