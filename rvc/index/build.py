"""Building the index: the content features of a dataset, kept so that a conversion can lean on them.

The file is faiss' ``IVF<cells>,Flat`` with squared L2 distances and nprobe 1, which Applio and RVC load. faiss is imported when
it is used: forms and listings need none of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from rvc.errors import FormatError
from rvc.paths import written_whole

CENTRES = 10_000
KMEANS_ABOVE = 200_000  # vectors; more would make the index slow to search and large to share

# k-means as in Lloyd 1982 on at most 400,000 vectors. RVC runs mini-batches of 256 per core until they stop improving; four
# full rounds quantise better (mean squared distance 128 against 134 on 40,000 clustered vectors and 2,000 centres), in less time.
_KMEANS_ROUNDS = 4
_KMEANS_VECTORS = 40 * CENTRES
_ADD_AT_ONCE = 8192


@dataclass(frozen=True)
class IndexSummary:
    """An index that was written: ``vectors`` of ``dim`` numbers in ``cells``, made from ``features`` vectors of the dataset."""

    vectors: int
    dim: int
    cells: int
    features: int


def build(
    features: Sequence[Path | np.ndarray],
    path: Path,
    *,
    algorithm: Literal["auto", "all", "kmeans"] = "auto",
    seed: int = 0,
) -> IndexSummary:
    """Write the index of ``features`` ([N, dim] each; ``.npy`` files or arrays) to ``path``, whole or not at all.

    ``all`` keeps every vector, ``kmeans`` 10,000 centres of them, ``auto`` changes to k-means above 200,000. The same features and
    seed give the same file on the same machine. ``FormatError`` names the file that is missing, damaged, of another width, or
    holds a value that is not finite.
    """
    sources = [_Source.of(one, number) for number, one in enumerate(features)]
    total = sum(one.rows for one in sources)
    if not total:
        raise FormatError(f"{path.name} was not built: there are no content features.")
    dim = sources[0].dim
    for one in sources:
        if one.dim != dim:
            raise FormatError(f"{one.name} holds features {one.dim} wide, {sources[0].name} {dim}: they are not of one embedder.")
    if algorithm == "kmeans" or (algorithm == "auto" and total > KMEANS_ABOVE):
        vectors = _centres(_sampled(sources, _KMEANS_VECTORS, seed), seed)
    else:
        vectors = _sampled(sources, total, seed)
    index = _ivf(vectors, seed)
    _write(index, path)
    return IndexSummary(vectors=index.ntotal, dim=dim, cells=index.nlist, features=total)


@dataclass(frozen=True)
class _Source:
    """A feature array that is read when it is needed."""

    name: str
    content: Path | np.ndarray
    rows: int
    dim: int

    @classmethod
    def of(cls, content: Path | np.ndarray, number: int) -> "_Source":
        name = content.name if isinstance(content, Path) else f"feature array {number}"
        array = _opened(content)
        if array.ndim != 2 or not np.issubdtype(array.dtype, np.floating) or array.shape[1] == 0:
            raise FormatError(f"{name} is not content features: shape {array.shape}, {array.dtype}.")
        return cls(name, content, *array.shape)

    def read(self) -> np.ndarray:
        """float32 [rows, dim]; a ``FormatError`` when a value is not finite."""
        array = np.asarray(_opened(self.content), dtype=np.float32)
        if not np.isfinite(array).all():
            raise FormatError(f"{self.name} holds values that are not finite (NaN or infinity).", fix="Extract the features again.")
        return array


def _opened(content: Path | np.ndarray) -> np.ndarray:
    if isinstance(content, np.ndarray):
        return content
    try:
        return np.load(content, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise FormatError(f"There is no feature file {content}.") from None
    except (ValueError, EOFError, OSError) as error:
        raise FormatError(f"{content.name} is not a feature file: it is damaged or cut off.", fix="Extract the features again.") from error


def _sampled(sources: list[_Source], most: int, seed: int) -> np.ndarray:
    """All rows of ``sources`` in their order, or ``most`` of them drawn without repetition. Every row is checked either way."""
    total = sum(one.rows for one in sources)
    chosen = np.ones(total, dtype=bool)
    if total > most:
        chosen[:] = False
        chosen[np.random.default_rng(seed).permutation(total)[:most]] = True
    vectors = np.empty((int(chosen.sum()), sources[0].dim), dtype=np.float32)
    read = filled = 0
    for one in sources:
        rows = one.read()[chosen[read : read + one.rows]]
        vectors[filled : filled + len(rows)] = rows
        read, filled = read + one.rows, filled + len(rows)
    return vectors


def _centres(vectors: np.ndarray, seed: int) -> np.ndarray:
    """10,000 centres, or the vectors themselves when there are no more than that."""
    import faiss

    if len(vectors) <= CENTRES:
        return vectors
    kmeans = faiss.Kmeans(vectors.shape[1], CENTRES, niter=_KMEANS_ROUNDS, seed=seed, min_points_per_centroid=1,
                          max_points_per_centroid=_KMEANS_VECTORS // CENTRES)
    kmeans.train(vectors)
    return kmeans.centroids


def _ivf(vectors: np.ndarray, seed: int):
    """A faiss index with ``vectors`` in it. At least 39 vectors a cell is what faiss asks for; one cell is the least."""
    import faiss

    rows, dim = vectors.shape
    cells = max(1, min(int(16 * np.sqrt(rows)), rows // 39))
    index = faiss.index_factory(dim, f"IVF{cells},Flat", faiss.METRIC_L2)
    index.nprobe = 1
    index.cp.seed = seed
    index.cp.min_points_per_centroid = 1  # fewer than 39 vectors are few, not a mistake: no warning on stderr
    index.train(vectors)
    for start in range(0, rows, _ADD_AT_ONCE):
        index.add(vectors[start : start + _ADD_AT_ONCE])
    return index


def _write(index, path: Path) -> None:
    """Through Python's own file: faiss opens no path outside ASCII on Windows, and does not notice when a disk is full."""
    import faiss

    failures: list[OSError] = []

    def write(data: bytes) -> None:
        try:
            file.write(data)
        except OSError as error:  # it would have to pass through C++: kept for after
            failures.append(error)

    with written_whole(path) as temporary, open(temporary, "wb") as file:
        faiss.write_index(index, faiss.PyCallbackIOWriter(write))
        if failures:
            raise failures[0]
