"""Which files a dataset is made of, and whose voice each holds. No torch."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from rvc.audio import EXTENSIONS
from rvc.errors import DatasetError

SPEAKERS = 109  # rows of the speaker table in every public base model


@dataclass(frozen=True)
class Recording:
    """One audio file. ``name`` is its path within the dataset, with forward slashes on every system."""

    path: Path
    name: str
    speaker_id: int


@dataclass(frozen=True)
class Recordings:
    """The audio files of a dataset, ordered by name.

    A file belongs to the speaker whose number is the name of the folder it lies in, and to speaker 0 otherwise. Hidden files and
    folders are no part of a dataset: systems put thumbnails and copies of attributes there.
    """

    dataset: Path
    recordings: tuple[Recording, ...]
    other_files: tuple[str, ...]  # not audio by their suffix
    unnumbered_folders: tuple[str, ...]  # sub-folders with audio that name no speaker

    @classmethod
    def find(cls, dataset: Path) -> "Recordings":
        """``dataset`` is a folder or one audio file. ``DatasetError`` when it is missing or holds no audio file."""
        if not dataset.exists():
            raise DatasetError(f"There is no dataset {dataset}.", fix="Give a folder of recordings, or one recording.")
        if dataset.is_file():
            return cls(dataset, (Recording(dataset, dataset.name, 0),), (), ())
        recordings, others, folders = [], [], []
        for path in sorted(_files(dataset), key=lambda path: path.relative_to(dataset).as_posix()):
            name, folder = path.relative_to(dataset).as_posix(), path.parent
            if path.suffix.lower() not in EXTENSIONS:
                others.append(name)
                continue
            numbered = folder != dataset and folder.name.isascii() and folder.name.isdecimal()
            if not numbered and folder != dataset:
                folders.append(folder.relative_to(dataset).as_posix())
            recordings.append(Recording(path, name, _speaker(folder) if numbered else 0))
        if not recordings:
            kinds = ", ".join(sorted(one[1:] for one in EXTENSIONS))
            raise DatasetError(f"{dataset} holds no audio files.", fix=f"Files with these endings are read: {kinds}.")
        return cls(dataset, tuple(recordings), tuple(others), tuple(dict.fromkeys(folders)))

    def speaker_names(self) -> dict[int, str]:
        """What to call each speaker: the folder that its recordings lie in, or the dataset itself for speaker 0."""
        names = {one.speaker_id: one.path.parent.name for one in self.recordings if one.speaker_id != 0}
        if any(one.speaker_id == 0 for one in self.recordings):
            names[0] = self.dataset.stem if self.dataset.is_file() else self.dataset.name
        return dict(sorted(names.items()))


def dataset_fingerprint(dataset: Path) -> str:
    """Changes when an audio file is added, removed, renamed, or written to. Reads names, sizes and times only."""
    mark = hashlib.sha256()
    for one in Recordings.find(dataset).recordings:
        state = one.path.stat(follow_symlinks=one.path.exists())  # of a broken link, the link itself
        mark.update(f"{one.name}\0{state.st_size}\0{state.st_mtime_ns}\n".encode(errors="surrogateescape"))
    return mark.hexdigest()[:16]


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
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(place, name) for name in files if not name.startswith(".")]
    return found


def _speaker(folder: Path) -> int:
    speaker_id = int(folder.name)
    if speaker_id >= SPEAKERS:
        raise DatasetError(f"The folder {folder} would be speaker {speaker_id}; a voice has the speakers 0 to {SPEAKERS - 1}.",
                           fix="Number the folders from 0.")
    return speaker_id
