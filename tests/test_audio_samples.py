"""Samples in a file without a name: what was put in comes out, and nothing is left behind."""

import errno
import os

import numpy as np
import pytest

from rvc.audio_samples import SampleFile
from rvc.errors import StorageError


def noise(count):
    return np.random.default_rng(0).standard_normal(count).astype(np.float32)


def test_samples_on_disk_are_appended_read_and_replaced(tmp_path):
    with SampleFile(tmp_path / "new" / "out.wav") as file:
        file.append(np.arange(5))
        file.append(np.arange(5, 8))
        file.replace(2, np.array([20, 30]))
        assert len(file) == 8
        assert file.read(-3, 100).tolist() == [0, 1, 20, 30, 4, 5, 6, 7]
        assert file.read(6, 6).tolist() == []
        assert [(start, len(block)) for start, block in file.blocks(3)] == [(0, 3), (3, 3), (6, 2)]


def test_the_file_has_no_name_and_is_gone_with_its_handle(tmp_path):
    with SampleFile(tmp_path / "out.wav") as file:
        file.append(noise(1000))
        assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_a_storage_error(tmp_path, monkeypatch):
    file = SampleFile(tmp_path / "out.wav")

    class Full:
        def seek(self, position):
            pass

        def write(self, data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(file, "_file", Full())
    with pytest.raises(StorageError, match="disk is full"):
        file.append(noise(10))


def test_all_samples_are_seen_without_being_read_and_cannot_be_changed(tmp_path):
    with SampleFile(tmp_path / "out.wav") as file:
        file.append(noise(1000))
        file.replace(990, np.ones(20))
        seen = file.mapped()
        np.testing.assert_array_equal(seen, file.read(0, 1010))
        assert isinstance(seen, np.memmap)
        with pytest.raises(ValueError, match="read-only"):
            seen[0] = 1
