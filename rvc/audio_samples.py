"""Samples of a recording that is too long for the memory, in a nameless temporary file.

The system deletes such a file when it is closed, at the latest when the process ends, whatever ends it.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from rvc.paths import storage_error

_BYTES = np.dtype(np.float32).itemsize


class SampleFile:
    """float32 samples on disk: appended, read and replaced in place. ``StorageError`` when the disk refuses."""

    def __init__(self, beside: Path) -> None:
        """In the folder of ``beside``, the file that is being made: where there is room for it, there is room for this."""
        self._beside = beside
        self._length = 0
        with self._storage_errors():
            beside.parent.mkdir(parents=True, exist_ok=True)
            self._file = tempfile.TemporaryFile(dir=beside.parent)  # noqa: SIM115 - closed by __exit__

    def __len__(self) -> int:
        return self._length

    def __enter__(self) -> "SampleFile":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def append(self, block: np.ndarray) -> None:
        self.replace(self._length, block)

    def replace(self, start: int, block: np.ndarray) -> None:
        assert 0 <= start <= self._length, "a gap would be left"
        with self._storage_errors():
            self._file.seek(start * _BYTES)
            self._file.write(np.ascontiguousarray(block, np.float32))
            self._file.flush()
        self._length = max(self._length, start + len(block))

    def read(self, start: int, stop: int) -> np.ndarray:
        """Samples ``start`` to ``stop``, clipped to what is there."""
        start, stop = max(start, 0), min(stop, self._length)
        block = np.empty(max(stop - start, 0), np.float32)
        with self._storage_errors():
            self._file.seek(start * _BYTES)
            self._file.readinto(block)
        return block

    def blocks(self, size: int) -> Iterator[tuple[int, np.ndarray]]:
        """Where each block of ``size`` samples starts, and the block."""
        for start in range(0, self._length, size):
            yield start, self.read(start, start + size)

    def mapped(self) -> np.ndarray:
        """All of them as a read-only vector that the system reads from the disk where it is looked at. One sample at least."""
        return np.memmap(self._file, np.float32, mode="r", shape=len(self))

    def close(self) -> None:
        with self._storage_errors():
            self._file.close()

    @contextmanager
    def _storage_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise storage_error(self._beside, error) from error
