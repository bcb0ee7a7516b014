"""Searching the index: content features move towards those of the dataset that are most like them.

The weights are RVC's: (1 / D)² over the eight nearest vectors, D being faiss' squared L2 distance. A vector that is in the index
would have D = 0 and turn into NaN there; here it is simply found.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rvc.errors import FormatError

NEIGHBOURS = 8
_FRAMES_AT_ONCE = 2048  # 50 MB of neighbours
_LIMITS = threading.Lock()


@dataclass(frozen=True, eq=False)
class Index:
    """The vectors of a dataset, loaded once."""

    path: Path
    _faiss: Any

    @classmethod
    def load(cls, path: Path) -> "Index":
        """The index in ``path``; a ``FormatError`` when it is missing, damaged, empty or of a kind that cannot be used."""
        index = _read(path)
        import faiss

        if index.metric_type != faiss.METRIC_L2:
            raise FormatError(f"{path.name} does not measure L2 distances: it is not an index of an RVC voice.")
        if not index.is_trained or index.ntotal == 0:
            raise FormatError(f"{path.name} holds no vectors.", fix="Of a pair of index files take the one named added_, not trained_.")
        try:
            index.search_and_reconstruct(np.zeros((1, index.d), dtype=np.float32), 1)
        except RuntimeError as error:
            raise FormatError(f"{path.name} is an index that cannot be searched.") from error
        return cls(path, index)

    @property
    def dim(self) -> int:
        """Width of the vectors: 256 for v1 voices, 768 for v2."""
        return self._faiss.d

    @property
    def vectors(self) -> int:
        return self._faiss.ntotal

    def blend(self, features: np.ndarray, rate: float) -> np.ndarray:
        """``rate`` of what the index holds near each of ``features`` [N, dim] and ``1 - rate`` of themselves, float32.

        Rate 0 gives ``features`` itself. A frame for which the probed cell holds nothing stays as it is. ``FormatError`` when the
        index was made from features of another width.
        """
        if rate == 0 or len(features) == 0:
            return features
        if features.shape[1] != self.dim:
            raise FormatError(f"{self.path.name} holds vectors {self.dim} wide; this voice has features {features.shape[1]} wide.",
                              fix="Choose the index that was made with this voice.")
        queries = np.ascontiguousarray(features, dtype=np.float32)
        near = [self._nearby(queries[start : start + _FRAMES_AT_ONCE]) for start in range(0, len(queries), _FRAMES_AT_ONCE)]
        return np.float32(rate) * np.concatenate(near) + np.float32(1 - rate) * queries

    def _nearby(self, queries: np.ndarray) -> np.ndarray:
        """The weighted mean of the neighbours of each query, or the query where there are none."""
        distances, ids, vectors = self._faiss.search_and_reconstruct(queries, NEIGHBOURS)
        found = (ids >= 0) & np.isfinite(distances)
        vectors[~found] = 0.0  # faiss fills these with NaN, and 0 · NaN is NaN
        weights = _weights(distances, found)
        mean = np.einsum("nk,nkd->nd", weights, vectors, dtype=np.float32)
        return np.where(found.any(axis=1, keepdims=True), mean, queries)


def _weights(distances: np.ndarray, found: np.ndarray) -> np.ndarray:
    """(1 / D)² of the ``found`` neighbours, scaled to a sum of 1 in each row; exact hits share everything. All zero without any.

    Relative to the nearest one, so that neither a very small nor a very large distance leaves the range of floats.
    """
    distances = np.where(found, np.maximum(distances.astype(np.float64), 0.0), np.inf)
    nearest = distances.min(axis=1, keepdims=True)
    exact = distances == 0.0
    ratio = np.divide(np.where(np.isfinite(nearest), nearest, 0.0), distances, out=np.zeros_like(distances), where=~exact)
    weights = np.where(nearest == 0.0, exact, ratio**2)
    total = weights.sum(axis=1, keepdims=True)
    return np.divide(weights, total, out=np.zeros_like(weights), where=total > 0).astype(np.float32)


def _read(path: Path) -> Any:
    """Whatever faiss finds in ``path``, read through Python's own file: faiss opens no path outside ASCII on Windows."""
    import faiss

    try:
        with open(path, "rb") as file, _lengths_limited(path.stat().st_size):
            return faiss.read_index(faiss.PyCallbackIOReader(file.read))
    except FileNotFoundError:
        raise FormatError(f"There is no index {path}.") from None
    except (RuntimeError, MemoryError, OSError) as error:
        raise FormatError(f"{path.name} is not an index that can be read: it is damaged, cut off or another kind of file.") from error


@contextmanager
def _lengths_limited(n_bytes: int) -> Iterator[None]:
    """Meanwhile faiss believes no list in a file to be longer than the file: one damaged byte would else fill the memory with zeros."""
    import faiss

    with _LIMITS:  # they are global to faiss
        before = faiss.get_deserialization_vector_byte_limit(), faiss.get_deserialization_loop_limit()
        faiss.set_deserialization_vector_byte_limit(n_bytes)
        faiss.set_deserialization_loop_limit(n_bytes)
        try:
            yield
        finally:
            faiss.set_deserialization_vector_byte_limit(before[0])
            faiss.set_deserialization_loop_limit(before[1])
