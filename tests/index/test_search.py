"""Blending against a brute-force oracle, exact hits, few vectors, and files that are not an index."""

from pathlib import Path

import faiss
import numpy as np
import pytest

from rvc.errors import FormatError
from rvc.index import search
from rvc.index.build import build
from rvc.index.search import Index


def vectors(rows: int, dim: int = 16, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((rows, dim)).astype(np.float32)


def indexed(folder: Path, content: np.ndarray) -> Index:
    build([content], folder / "voice.index")
    return Index.load(folder / "voice.index")


def oracle(content: np.ndarray, queries: np.ndarray, rate: float) -> np.ndarray:
    """Every distance, the eight nearest, (1 / D)² of the squared distance: in float64."""
    content, queries = content.astype(np.float64), queries.astype(np.float64)
    blended = np.empty_like(queries)
    for i, query in enumerate(queries):
        squared = ((content - query) ** 2).sum(axis=1)
        nearest = np.argsort(squared)[:8]
        weights = 1 / squared[nearest] ** 2
        blended[i] = rate * (weights @ content[nearest]) / weights.sum() + (1 - rate) * query
    return blended


@pytest.mark.parametrize("rows", [1, 3, 7, 8, 9, 77])
@pytest.mark.parametrize("rate", [0.3, 0.75, 1.0])
def test_one_cell_blends_as_brute_force_does(tmp_path, rows, rate):
    content, queries = vectors(rows), vectors(20, seed=1)
    blended = indexed(tmp_path, content).blend(queries, rate)
    assert blended.dtype == np.float32
    np.testing.assert_allclose(blended, oracle(content, queries, rate), atol=2e-5)


def test_many_cells_blend_as_brute_force_within_the_nearest_cell_does(tmp_path):
    content, queries = vectors(3000), vectors(40, seed=1)
    index = indexed(tmp_path, content)
    quantizer = faiss.downcast_index(index._faiss.quantizer)
    centres = quantizer.reconstruct_n(0, quantizer.ntotal)
    assert len(centres) == 76

    def cells(of: np.ndarray) -> np.ndarray:
        return ((of[:, None] - centres[None]) ** 2).sum(axis=2).argmin(axis=1)

    own = cells(content)
    expected = [oracle(content[own == cell], query[None], 0.75)[0] for query, cell in zip(queries, cells(queries), strict=True)]
    np.testing.assert_allclose(index.blend(queries, 0.75), expected, atol=2e-5)


def test_all_cells_probed_is_brute_force(tmp_path):
    content, queries = vectors(2000), vectors(40, seed=1)
    index = indexed(tmp_path, content)
    index._faiss.nprobe = index._faiss.nlist
    np.testing.assert_allclose(index.blend(queries, 0.5), oracle(content, queries, 0.5), atol=2e-5)


@pytest.mark.parametrize("rows", [1, 5, 8, 500])
def test_a_vector_of_the_index_finds_itself_and_not_nan(tmp_path, rows):
    content = vectors(rows)
    blended = indexed(tmp_path, content).blend(content, 1.0)
    np.testing.assert_array_equal(blended, content)


def test_equal_vectors_share_an_exact_hit(tmp_path):
    content = np.repeat(vectors(1), 20, axis=0)
    np.testing.assert_allclose(indexed(tmp_path, content).blend(content[:3], 1.0), content[:3], rtol=1e-6)


@pytest.mark.parametrize("scale", [1e-12, 1e-6, 1.0, 1e9])
def test_very_small_and_very_large_distances_stay_numbers(tmp_path, scale):
    content, queries = scale * vectors(30), scale * vectors(10, seed=1)
    blended = indexed(tmp_path, content).blend(queries, 0.75)
    np.testing.assert_allclose(blended, oracle(content, queries, 0.75), rtol=1e-3, atol=1e-4 * scale)


def test_weights_are_the_fourth_power_of_the_distance():
    weights = search._weights(np.array([[1.0, 2.0, 4.0, 3e38]], np.float32), np.array([[True, True, True, False]]))
    np.testing.assert_allclose(weights, [[16 / 21, 4 / 21, 1 / 21, 0.0]], rtol=1e-6)


def test_rate_zero_gives_the_features_themselves_and_they_are_never_changed(tmp_path):
    index, features = indexed(tmp_path, vectors(50)), vectors(10, seed=1)
    before = features.copy()
    assert index.blend(features, 0.0) is features
    blended = index.blend(features, 1.0)
    np.testing.assert_array_equal(features, before)
    assert not np.shares_memory(blended, features)


def test_the_rate_is_linear(tmp_path):
    index, features = indexed(tmp_path, vectors(50)), vectors(10, seed=1)
    full = index.blend(features, 1.0)
    np.testing.assert_allclose(index.blend(features, 0.25), 0.25 * full + 0.75 * features, rtol=1e-5, atol=1e-6)


def test_a_frame_whose_cell_is_empty_stays_as_it_is(tmp_path):
    quantizer = faiss.IndexFlatL2(2)
    index = faiss.IndexIVFFlat(quantizer, 2, 2, faiss.METRIC_L2)
    quantizer.add(np.array([[0, 0], [100, 100]], np.float32))
    index.is_trained = True
    index.add(np.array([[0, 1], [1, 0]], np.float32))
    faiss.write_index(index, str(tmp_path / "voice.index"))
    blended = Index.load(tmp_path / "voice.index").blend(np.array([[90, 95], [0, 1]], np.float32), 1.0)
    np.testing.assert_array_equal(blended, [[90, 95], [0, 1]])


def test_long_recordings_blend_as_their_parts_do(tmp_path, monkeypatch):
    index, features = indexed(tmp_path, vectors(500)), vectors(101, seed=1)
    whole = index.blend(features, 0.75)
    monkeypatch.setattr(search, "_FRAMES_AT_ONCE", 10)
    np.testing.assert_allclose(index.blend(features, 0.75), whole, atol=1e-6)


def test_no_frames_blend_to_no_frames(tmp_path):
    assert indexed(tmp_path, vectors(50)).blend(np.zeros((0, 16), np.float32), 0.75).shape == (0, 16)


def test_features_of_another_width_are_refused_with_both_widths(tmp_path):
    with pytest.raises(FormatError, match=r"voice\.index holds vectors 16 wide; this voice has features 24 wide"):
        indexed(tmp_path, vectors(50)).blend(vectors(5, dim=24), 0.5)


def test_an_index_says_what_it_holds(tmp_path):
    index = indexed(tmp_path, vectors(50))
    assert (index.dim, index.vectors, index.path) == (16, 50, tmp_path / "voice.index")


def test_a_path_in_any_script_is_opened(tmp_path):
    folder = tmp_path / "声音 ü"
    folder.mkdir()
    assert indexed(folder, vectors(50)).vectors == 50


# ---- files that are no index

def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(FormatError, match="There is no index"):
        Index.load(tmp_path / "voice.index")
    with pytest.raises(FormatError, match="is not an index"):
        Index.load(tmp_path)


@pytest.mark.parametrize("content", [b"", b"I", b"not an index at all", b"PK\x03\x04" + bytes(100), b"IwFl" + b"\xff" * 200])
def test_another_kind_of_file_is_refused(tmp_path, content):
    (tmp_path / "voice.index").write_bytes(content)
    with pytest.raises(FormatError, match=r"voice\.index is not an index"):
        Index.load(tmp_path / "voice.index")


def test_an_index_that_is_cut_off_anywhere_is_refused(tmp_path):
    build([vectors(60, dim=8)], tmp_path / "whole.index")
    content = (tmp_path / "whole.index").read_bytes()
    for length in range(0, len(content), 23):
        (tmp_path / "voice.index").write_bytes(content[:length])
        with pytest.raises(FormatError):
            Index.load(tmp_path / "voice.index")


def test_a_damaged_header_is_refused_or_harmless(tmp_path):
    """Any byte: no crash, no other error, no gigabytes of zeros because a length in the file is wrong."""
    build([vectors(60, dim=8)], tmp_path / "whole.index")
    content = (tmp_path / "whole.index").read_bytes()
    refused = 0
    for at in [*range(160), *range(len(content) - 2500, len(content) - 1900, 7)]:
        damaged = bytearray(content)
        damaged[at] ^= 0xFF
        (tmp_path / "voice.index").write_bytes(damaged)
        try:
            index = Index.load(tmp_path / "voice.index")
            index.blend(vectors(3, dim=index.dim), 0.5)
        except FormatError:
            refused += 1
    assert refused > 60


def test_the_untrained_or_empty_half_of_a_pair_is_refused_with_a_hint(tmp_path):
    index = faiss.index_factory(16, "IVF2,Flat")
    faiss.write_index(index, str(tmp_path / "untrained.index"))
    index.train(vectors(100))
    faiss.write_index(index, str(tmp_path / "trained_voice.index"))
    for name in ("untrained.index", "trained_voice.index"):
        with pytest.raises(FormatError, match="holds no vectors") as caught:
            Index.load(tmp_path / name)
        assert "added_" in caught.value.fix


def test_an_index_of_another_metric_is_refused(tmp_path):
    index = faiss.index_factory(16, "Flat", faiss.METRIC_INNER_PRODUCT)
    index.add(vectors(100))
    faiss.write_index(index, str(tmp_path / "voice.index"))
    with pytest.raises(FormatError, match="L2"):
        Index.load(tmp_path / "voice.index")


@pytest.mark.parametrize("kind", ["Flat", "IVF4,Flat", "HNSW8,Flat"])
def test_other_kinds_of_l2_index_are_read(tmp_path, kind):
    index = faiss.index_factory(16, kind)
    index.train(vectors(200))
    index.add(vectors(200))
    faiss.write_index(index, str(tmp_path / "voice.index"))
    blended = Index.load(tmp_path / "voice.index").blend(vectors(200)[:5], 1.0)
    np.testing.assert_allclose(blended, vectors(200)[:5], atol=1e-6)
