"""Which files a dataset is made of, and whose voice each holds. No torch."""

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rvc.audio import EXTENSIONS
from rvc.errors import DatasetError
from rvc.models.config import STANDARD_SPEAKERS
from rvc.train.run import TrainingRun

# What systems and programs put into folders beside hidden ones; never a speaker.
_SYSTEM_FOLDERS = frozenset({"__MACOSX", "@eaDir", "$RECYCLE.BIN", "System Volume Information", "lost+found", "__pycache__"})


@dataclass(frozen=True)
class Recording:
    """One audio file. ``name`` is its path within the dataset, with forward slashes on every system."""

    path: Path
    name: str
    speaker_id: int


@dataclass(frozen=True)
class Recordings:
    """The audio files of a dataset, ordered by name.

    A speaker is a folder directly in the dataset, with whatever lies in it at any depth. Either all of them are numbered, as in
    Applio (recordings beside them are then speaker 0), or all are named, and get the numbers from 0 in the order of the alphabet. A
    dataset without such folders is speaker 0. Hidden files and folders are no part of it: systems put thumbnails there.
    """

    dataset: Path
    recordings: tuple[Recording, ...]
    other_files: tuple[str, ...]  # not audio by their suffix
    speaker_names: dict[int, str]
    remarks: tuple[str, ...] = ()  # what a person may not expect of how the folders are read

    @classmethod
    def find(cls, dataset: Path) -> "Recordings":
        """``dataset`` is a folder or one audio file. ``DatasetError`` when it holds no audio, or it is unclear whose voice a file is."""
        audio, others = _audio_files(dataset)
        if dataset.is_file():
            return cls(dataset, (Recording(dataset, _name(dataset, dataset.parent), 0),), (), {0: _printable(dataset.stem)})
        tops = {path: _top(path, dataset) for path in audio}
        folders = sorted({top for top in tops.values() if top}, key=_alphabetical)
        _refuse_silent_folders(dataset, folders)
        if unclear := _unclear(dataset, folders, [path for path, top in tops.items() if not top]):
            raise unclear
        ids = _ids(folders)
        recordings = tuple(Recording(path, _name(path, dataset), ids.get(top, 0)) for path, top in tops.items())
        names = {number: top for top, number in ids.items()}
        if any(not top for top in tops.values()):
            names[0] = dataset.name
        return cls(dataset, recordings, tuple(_name(path, dataset) for path in others),
                   {number: _printable(names[number]) for number in sorted(names)}, tuple(_remarks(dataset, tops, folders)))


def speaker_names(run: TrainingRun) -> dict[int, str]:
    """The speakers that the clips of ``run`` were made of, by their numbers; empty before there are any.

    Earlier versions wrote none down: their voices have numbers only.
    """
    record = run.records().get("preprocess")
    return {int(number): one["name"] for number, one in record.summary.get("speakers", {}).items()} if record else {}


def names_to_choose(run: TrainingRun) -> dict[int, str]:
    """What a voice of ``run`` says about its speakers: nothing when there is one, whose folder may be called anything."""
    names = speaker_names(run)
    return names if len(names) > 1 else {}


def dataset_fingerprint(dataset: Path) -> str:
    """Changes when an audio file is added, removed, renamed, or written to. Reads names, sizes and times only."""
    mark = hashlib.sha256()
    for path in _audio_files(dataset)[0]:
        state = path.stat(follow_symlinks=path.exists())  # of a broken link, the link itself
        name = path.name if path == dataset else path.relative_to(dataset).as_posix()
        mark.update(f"{name}\0{state.st_size}\0{state.st_mtime_ns}\n".encode(errors="surrogateescape"))
    return mark.hexdigest()[:16]


def _audio_files(dataset: Path) -> tuple[list[Path], list[Path]]:
    """The audio files of a dataset and its other files, by their suffix, ordered by name. A dataset of one file is audio."""
    if not dataset.exists():
        raise DatasetError(f"There is no dataset {dataset}.", fix="Give a folder of recordings, or one recording.")
    if dataset.is_file():
        return [dataset], []
    files = sorted(_files(dataset), key=lambda path: path.relative_to(dataset).as_posix())
    audio = [path for path in files if path.suffix.lower() in EXTENSIONS]
    if not audio:
        kinds = ", ".join(sorted(one[1:] for one in EXTENSIONS))
        raise DatasetError(f"{dataset} holds no audio files.", fix=f"Files with these endings are read: {kinds}.")
    return audio, [path for path in files if path.suffix.lower() not in EXTENSIONS]


def _files(folder: Path) -> list[Path]:
    """Files at any depth, through links too; a link that leads back to where it comes from is followed once."""

    def refuse(error: OSError) -> None:
        raise DatasetError(f"The folder {error.filename} cannot be read: {error.strerror}.") from error

    found, seen = [], set()
    for place, folders, files in os.walk(folder, onerror=refuse, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if _counts(name))
        found += [Path(place, name) for name in files if not name.startswith(".")]
    return found


def _counts(folder: str) -> bool:
    return not folder.startswith(".") and folder not in _SYSTEM_FOLDERS


def _top(path: Path, dataset: Path) -> str:
    """The folder directly in the dataset that ``path`` lies in; empty for a file beside those folders."""
    parts = path.relative_to(dataset).parts
    return parts[0] if len(parts) > 1 else ""


def _numbered(folder: str) -> bool:
    return folder.isascii() and folder.isdecimal()


def _alphabetical(folder: str) -> tuple[str, str]:
    return folder.casefold(), folder


def _ids(folders: list[str]) -> dict[str, int]:
    """The speaker of each folder; ``folders`` are all numbered or all named, in the order of the alphabet."""
    ids = {folder: int(folder) if _numbered(folder) else place for place, folder in enumerate(folders)}
    for folder, number in ids.items():
        if number >= STANDARD_SPEAKERS:
            last = STANDARD_SPEAKERS - 1
            raise DatasetError(f"The folder {_printable(folder)} would be speaker {number}; a voice has the speakers 0 to {last}.",
                               fix="Number the folders from 0." if _numbered(folder) else "Train fewer speakers at once.")
    return ids


def _refuse_silent_folders(dataset: Path, speaking: list[str]) -> None:
    """Beside the folders of speakers, a folder without audio is a speaker whose recordings are missing; so is any numbered one."""
    for folder in sorted((path.name for path in dataset.iterdir() if path.is_dir() and _counts(path.name)), key=_alphabetical):
        if folder not in speaking and (speaking or _numbered(folder)) and not _leads_back(dataset / folder, dataset):
            raise DatasetError(f"The speaker folder {_printable(folder)} holds no audio files.",
                               fix="Put its recordings into it, or remove it.")


def _leads_back(folder: Path, dataset: Path) -> bool:
    """Whether it is a link to what is read anyway."""
    return folder.is_symlink() and folder.resolve() in (dataset.resolve(), *dataset.resolve().parents)


def _unclear(dataset: Path, folders: list[str], beside: list[Path]) -> DatasetError | None:
    """Why it cannot be told whose voice some of the recordings are."""
    numbered, named = [one for one in folders if _numbered(one)], [one for one in folders if not _numbered(one)]
    if numbered and named:
        return DatasetError(f"The folders in {dataset} are numbered ({some(numbered)}) and named ({some(named)}), so it is unclear which "
                            f"speakers the named ones are.", fix="Number all of them, or give all of them names.")
    if named and beside:
        return DatasetError(f"In {dataset} there are recordings ({some([path.name for path in beside])}) beside the folders of speakers "
                            f"({some(named)}), so it is unclear whose voice they are.",
                            fix="Move them into the folder of their speaker; or, when all is one voice, put everything into one folder.")
    return None


def _remarks(dataset: Path, tops: dict[Path, str], folders: list[str]) -> Iterable[str]:
    if folders and _numbered(folders[0]) and (beside := [path.name for path, top in tops.items() if not top]):
        yield f"Recordings beside the numbered folders belong to speaker 0: {some(beside)}."
    inner = {path.relative_to(dataset).parts[1] for path in tops if len(path.relative_to(dataset).parts) > 2}
    if len(folders) == 1 and len(inner) > 1:
        yield (f"All folders in {_printable(folders[0])} are one speaker: {some(sorted(inner))}. If they are several, choose "
               f"{_printable(folders[0])} itself as the dataset.")


def _name(path: Path, dataset: Path) -> str:
    return _printable(path.relative_to(dataset).as_posix())


def _printable(name: str) -> str:
    """Names that are no text in the system's encoding, in a form that logs and JSON can hold."""
    return name.encode(errors="backslashreplace").decode()


def some(names: Iterable[str], most: int = 5) -> str:
    """The first of them, and how many more there are."""
    all_names = [_printable(name) for name in names]
    shown = ", ".join(all_names[:most])
    return f"{shown} and {len(all_names) - most} more" if len(all_names) > most else shown
