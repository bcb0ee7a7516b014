"""Recordings that came in through the page, kept in the run they are for: nothing depends on the page's temporary files."""

import filecmp
import itertools
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from rvc.errors import DatasetError
from rvc.paths import Home, storage_error

FOLDER = "uploads"
CLIPS_FOLDER = "auditions"


def keep(files: Sequence[Path], run_folder: Path) -> Path:
    """``files`` as a folder of ``run_folder``: ``uploads``, or ``uploads-2`` and so on when that holds other recordings.

    Nothing that was uploaded before is changed. Two files of one name are both kept, the second as ``name-2``.
    """
    if not files:
        raise DatasetError("No recordings were given.", fix="Drop some, or name a folder.")
    named = _unique_names(files)
    folder = next(folder for folder in _candidates(run_folder) if not folder.exists() or _holds(folder, named))
    if folder.exists():
        return folder
    arriving = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(arriving, ignore_errors=True)
    try:
        arriving.mkdir(parents=True)
        for name, source in named.items():
            link_or_copy(source, arriving / name)
        arriving.replace(folder)
    except OSError as error:
        raise storage_error(folder, error) from error
    finally:
        shutil.rmtree(arriving, ignore_errors=True)
    return folder


def keep_clip(file: Path, home: Home) -> Path:
    """``file``, a clip to listen to, in a folder of the outputs: the run that it is for may not be there yet.

    Another clip of that name is kept too; the same one is kept once.
    """
    folder = home.outputs / CLIPS_FOLDER
    names = (f"{file.stem}{f'-{number}' if number > 1 else ''}{file.suffix}" for number in itertools.count(1))
    kept = next(path for path in map(folder.joinpath, names) if not path.exists() or filecmp.cmp(path, file, shallow=False))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not kept.exists():
            link_or_copy(file, kept)
    except OSError as error:
        raise storage_error(kept, error) from error
    return kept


def _candidates(run_folder: Path):
    yield run_folder / FOLDER
    number = 2
    while True:
        yield run_folder / f"{FOLDER}-{number}"
        number += 1


def _holds(folder: Path, named: dict[str, Path]) -> bool:
    """Whether ``folder`` is exactly these files already, as after a second click on Train."""
    there = {path.name: path for path in folder.iterdir()}
    return there.keys() == named.keys() and all(filecmp.cmp(path, named[name], shallow=False) for name, path in there.items())


def _unique_names(files: Sequence[Path]) -> dict[str, Path]:
    named: dict[str, Path] = {}
    for file in files:
        name, number = file.name, 2
        while name.lower() in {one.lower() for one in named}:  # file systems that ignore case would lose one
            name, number = f"{file.stem}-{number}{file.suffix}", number + 1
        named[name] = file
    return named


def link_or_copy(source: Path, target: Path) -> None:
    """A second name for the same bytes where the file system can, so that hours of recordings are not written twice."""
    try:
        os.link(source, target)
    except OSError:  # another disk, or a file system without links; if copying fails too, that is the error to show
        shutil.copyfile(source, target)
