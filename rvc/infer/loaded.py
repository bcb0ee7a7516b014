"""What stays loaded between conversions: the last of each kind, as long as it is still what its file holds."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")


class Loaded:
    """One object for each of a few kinds. Not safe between threads by itself: the converter's lock guards it."""

    def __init__(self) -> None:
        self._held: dict[str, tuple[Any, Any]] = {}

    def get(self, kind: str, identity: Any, load: Callable[[], T]) -> T:
        """What is held if its ``identity`` is the same, else what ``load`` gives. The old one is let go before the new one comes."""
        held = self._held.get(kind)
        if held is None or held[0] != identity:
            self._held.pop(kind, None)
            held = self._held[kind] = (identity, load())
        return held[1]

    def clear(self) -> None:
        self._held.clear()


def identity(path: Path) -> tuple[Any, ...]:
    """What changes when the file at ``path``, or one in the folder, is replaced: names, sizes, times. Empty when nothing is there."""
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return tuple((str(one), one.stat().st_size, one.stat().st_mtime_ns) for one in files if one.is_file())
