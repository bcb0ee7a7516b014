"""Whether a file looks like what its name says, without torch: enough to tell a model from an error page or half of a download."""

import json
import zipfile
from pathlib import Path

_MODELS = {".pth", ".pt", ".bin"}


def fault_of(path: Path, name: str | None = None) -> str | None:
    """What speaks against ``path`` being a whole file of its kind, as words after "it …"; ``None`` when nothing does.

    The kind is read off ``name``, by default the file's own.
    """
    if path.stat().st_size == 0:
        return "is empty"
    suffix = Path(name or path.name).suffix.lower()
    if looks_like_page(_head(path)):
        return "is a web page"
    if suffix in _MODELS and not is_checkpoint(path):
        return "is no PyTorch file, or is cut off"
    if suffix == ".json" and not _is_json(path):
        return "is no JSON file, or is cut off"
    return None


def is_checkpoint(path: Path) -> bool:
    """Whether ``path`` is a zip with a pickle inside, as ``torch.save`` writes it. A cut-off zip has lost its directory and is none."""
    if not zipfile.is_zipfile(path):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.rpartition("/")[2] == "data.pkl" for name in archive.namelist())
    except zipfile.BadZipFile:
        return False


def looks_like_page(head: bytes) -> bool:
    return head.lstrip().lower().startswith((b"<!doctype html", b"<html", b"<head", b"<?xml"))


def _is_json(path: Path) -> bool:
    try:
        return isinstance(json.loads(path.read_text(encoding="utf-8")), dict)
    except ValueError:  # also what a decoding error is
        return False


def _head(path: Path) -> bytes:
    with open(path, "rb") as file:
        return file.read(64)
