"""The names of the speakers in a voice file, without torch: lists on a page open at once.

A voice is a zip archive with a pickle of plain values, in which tensors are references to other members. Here every reference and
every object of the pickle becomes an empty dictionary, so nothing that a file could name is imported, built or run.
"""

import io
import pickle
import zipfile
from functools import lru_cache
from pathlib import Path
from typing import Any

from rvc.voices.model import named_speakers

_LARGEST_BYTES = 20_000_000  # of the pickle, which holds names and shapes: a voice has about 100 kB


def speakers_of(path: Path) -> dict[int, str]:
    """Names by id; empty for a voice with one speaker, one that does not say, and a file that is no voice: ``VoiceModel`` says why."""
    try:
        state = path.stat()
        return dict(_speakers(path, state.st_size, state.st_mtime_ns))
    except (OSError, zipfile.BadZipFile):
        return {}


@lru_cache(maxsize=256)
def _speakers(path: Path, size: int, mtime_ns: int) -> dict[int, str]:
    with zipfile.ZipFile(path) as archive:
        member = next((one for one in archive.infolist() if one.filename.endswith("/data.pkl")), None)
        if member is None or member.file_size > _LARGEST_BYTES:
            return {}
        data = archive.read(member)
    try:
        content = _Hollow(io.BytesIO(data)).load()
    except Exception:  # noqa: BLE001 - a damaged pickle fails in whatever way its bytes happen to; conversion then says how
        return {}
    return named_speakers(content.get("speakers")) if isinstance(content, dict) else {}


class _Nothing(dict):
    """Stands for every object: takes any arguments, items and state, and keeps none of the arguments."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__()

    def __setstate__(self, state: Any) -> None:
        pass


class _Hollow(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> type:
        return _Nothing

    def persistent_load(self, reference: Any) -> _Nothing:
        return _Nothing()
