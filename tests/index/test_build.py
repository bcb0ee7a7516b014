"""What an index is made of, that the same features give the same one, and what is refused."""

import errno
import subprocess
import sys
from pathlib import Path

import faiss
import numpy as np
import pytest

from rvc.errors import FormatError, StorageError
from rvc.index import build as building
from rvc.index.build import IndexSummary, build

PROJECT = Path(__file__).resolve().parent.parent.parent


def features(rows: int, dim: int = 16, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((rows, dim)).astype(np.float32)


@pytest.mark.parametrize(("rows", "cells"), [(1, 1), (7, 1), (38, 1), (39, 1), (78, 2), (1000, 25), (3000, 76)])
def test_the_index_is_the_kind_that_applio_and_rvc_load(tmp_path, rows, cells):
    summary = build([features(rows)], tmp_path / "voice.index")
    assert summary == IndexSummary(vectors=rows, dim=16, cells=cells, features=rows)
    index = faiss.read_index(str(tmp_path / "voice.index"))
    assert isinstance(index, faiss.IndexIVFFlat)
    assert (index.metric_type, index.nprobe, index.nlist, index.ntotal, index.d) == (faiss.METRIC_L2, 1, cells, rows, 16)
    np.testing.assert_array_equal(index.reconstruct_n(0, index.ntotal), features(rows))


def test_files_and_arrays_are_joined_in_their_order(tmp_path):
    parts = [features(30, seed=1), features(1, seed=2), features(0), features(50, seed=3)]
    paths = []
    for i, part in enumerate(parts):
        paths.append(tmp_path / f"{i}.npy")
        np.save(paths[-1], part.astype(np.float16) if i == 3 else part)
    build(paths, tmp_path / "files.index")
    found = faiss.read_index(str(tmp_path / "files.index")).reconstruct_n(0, 81)
    np.testing.assert_array_equal(found, np.concatenate((*parts[:3], parts[3].astype(np.float16))))


def test_the_same_features_and_seed_give_the_same_file(tmp_path):
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        build([features(2000)], tmp_path / f"{name}.index", seed=seed)
    one, same, other = ((tmp_path / f"{name}.index").read_bytes() for name in "abc")
    assert one == same != other


def test_kmeans_keeps_centres_and_is_the_same_every_time(tmp_path, monkeypatch):
    monkeypatch.setattr(building, "CENTRES", 50)
    corners = np.random.default_rng(1).standard_normal((25, 16)).astype(np.float32) * 10
    vectors = np.repeat(corners, 40, axis=0) + 0.01 * features(1000)
    for name in "ab":
        summary = build([vectors], tmp_path / f"{name}.index", algorithm="kmeans")
    assert summary == IndexSummary(vectors=50, dim=16, cells=1, features=1000)
    assert (tmp_path / "a.index").read_bytes() == (tmp_path / "b.index").read_bytes()
    centres = faiss.read_index(str(tmp_path / "a.index")).reconstruct_n(0, 50)
    distance = np.linalg.norm(vectors[:, None] - centres[None], axis=2).min(axis=1)
    assert np.median(distance) < 0.1, "centres lie where the vectors are"


@pytest.mark.parametrize("rows", [1, 49, 50])
def test_kmeans_of_no_more_vectors_than_centres_keeps_them_all(tmp_path, monkeypatch, rows):
    monkeypatch.setattr(building, "CENTRES", 50)
    assert build([features(rows)], tmp_path / "voice.index", algorithm="kmeans").vectors == rows


def test_auto_changes_to_kmeans_above_the_limit_only(tmp_path, monkeypatch):
    monkeypatch.setattr(building, "CENTRES", 20)
    monkeypatch.setattr(building, "KMEANS_ABOVE", 100)
    kept = {rows: build([features(rows)], tmp_path / "voice.index").vectors for rows in (100, 101)}
    assert kept == {100: 100, 101: 20}
    assert build([features(101)], tmp_path / "voice.index", algorithm="all").vectors == 101


def test_kmeans_of_very_many_vectors_draws_some_of_them(tmp_path, monkeypatch):
    monkeypatch.setattr(building, "CENTRES", 10)
    monkeypatch.setattr(building, "_KMEANS_VECTORS", 200)
    summary = build([features(150, seed=i) for i in range(10)], tmp_path / "voice.index", algorithm="kmeans")
    assert (summary.vectors, summary.features) == (10, 1500)
    sources = [building._Source.of(features(150, seed=i), i) for i in range(10)]
    drawn = building._sampled(sources, 200, seed=0)
    everything = np.concatenate([features(150, seed=i) for i in range(10)])
    rows = [int(np.flatnonzero((everything == one).all(axis=1))[0]) for one in drawn]
    assert len(set(rows)) == 200
    assert len({row // 150 for row in rows}) == 10, "from every file"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_file_with_a_value_that_is_not_finite_is_named(tmp_path, value):
    spoilt = features(20)
    spoilt[11, 3] = value
    np.save(tmp_path / "good.npy", features(20))
    np.save(tmp_path / "spoilt.npy", spoilt)
    with pytest.raises(FormatError, match=r"spoilt\.npy holds values that are not finite"):
        build([tmp_path / "good.npy", tmp_path / "spoilt.npy"], tmp_path / "voice.index")
    assert not (tmp_path / "voice.index").exists()


def test_features_of_different_width_are_refused_by_name(tmp_path):
    np.save(tmp_path / "v2.npy", features(5, dim=768))
    np.save(tmp_path / "v1.npy", features(5, dim=256))
    with pytest.raises(FormatError, match=r"v1\.npy holds features 256 wide, v2\.npy 768"):
        build([tmp_path / "v2.npy", tmp_path / "v1.npy"], tmp_path / "voice.index")


@pytest.mark.parametrize("damage", ["missing", "cut", "text", "objects", "flat", "integers"])
def test_what_is_not_a_feature_file_is_refused_by_name(tmp_path, damage):
    path = tmp_path / "0_0_0.npy"
    np.save(path, features(20))
    if damage == "missing":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:-10])
    elif damage == "text":
        path.write_text("features")
    elif damage == "objects":
        np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    elif damage == "flat":
        np.save(path, np.zeros(20, np.float32))
    else:
        np.save(path, np.zeros((20, 16), np.int64))
    with pytest.raises(FormatError, match=r"0_0_0\.npy"):
        build([path], tmp_path / "voice.index")


@pytest.mark.parametrize("nothing", [[], [np.zeros((0, 16), np.float32)]])
def test_without_features_there_is_no_index(tmp_path, nothing):
    with pytest.raises(FormatError, match="no content features"):
        build(nothing, tmp_path / "voice.index")
    assert not list(tmp_path.iterdir())


def test_a_disk_that_fills_up_leaves_the_old_index(tmp_path, monkeypatch):
    path = tmp_path / "voice.index"
    build([features(100)], path)
    before = path.read_bytes()
    real_open = open

    class Full:
        def __init__(self, file):
            self._file, self._left = file, 3000

        def write(self, data):
            self._left -= len(data)
            if self._left < 0:
                raise OSError(errno.ENOSPC, "No space left on device")
            return self._file.write(data)

        def __enter__(self):
            return self

        def __exit__(self, *error):
            self._file.close()

    monkeypatch.setattr(building, "open", lambda *where: Full(real_open(*where)), raising=False)
    with pytest.raises(StorageError, match="disk is full"):
        build([features(500)], path)
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["voice.index"]


def test_the_systems_own_refusal_to_write_leaves_the_old_index(tmp_path):
    """With a limit on file sizes set by the system, in a process of its own."""
    path = tmp_path / "voice.index"
    build([features(100)], path)
    before = path.read_bytes()
    program = f"""
import resource, signal
from pathlib import Path
import numpy as np
from rvc.errors import StorageError
from rvc.index.build import build
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    build([np.ones((5000, 16), np.float32)], Path({str(path)!r}))
except StorageError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert "was not written: File too large" in done.stdout
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["voice.index"]


def test_faiss_and_torch_live_in_one_process_whichever_comes_first(tmp_path):
    work = """
for _ in range(2):
    torch.nn.functional.conv1d(torch.randn(1, 64, 2000), torch.randn(64, 64, 5))
    index = faiss.index_factory(64, "IVF8,Flat")
    vectors = torch.randn(2000, 64).numpy()
    index.train(vectors)
    index.add(vectors)
    assert (index.search(vectors[:200], 1)[1][:, 0] == range(200)).all()
print(torch.get_num_threads(), faiss.omp_get_max_threads())
"""
    for order in ("import faiss, torch", "import torch, faiss"):
        done = subprocess.run([sys.executable, "-c", order + work], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def test_faiss_is_not_imported_with_the_module():
    program = "import sys, rvc.index.build, rvc.index.search; print([one for one in ('torch', 'faiss') if one in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
