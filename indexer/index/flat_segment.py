"""Rows as they are, every one scored: exact, and fast while there are not too many."""

from typing import Any

import numpy as np
import numpy.typing as npt

from indexer.index.base import SCORE_DECIMALS
from models.errors import BackendNotInstalled
from models.vectors import Ids, Vectors

Positions = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


def import_faiss() -> Any:
    """Return FAISS. Raises BackendNotInstalled."""
    try:
        import faiss
    except ImportError as error:
        raise BackendNotInstalled("faiss", "cpu") from error
    return faiss


class FlatSegment:
    """Vectors `float32 (n, dim)`, in memory or mapped, for `ids` in ascending order."""

    recipe = "flat"

    def __init__(self, ids: Ids, vectors: Vectors) -> None:
        self.ids, self._vectors = ids, vectors
        self._faiss = import_faiss()

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return int(self._vectors.shape[1])

    def __len__(self) -> int:
        return len(self.ids)

    def scores(self, query: npt.NDArray[np.float32]) -> Scores:
        """Return the score of every row, by one thread: handing work to others costs more than it saves."""
        scores = np.empty(len(self), np.float32)
        if len(self):
            query = np.ascontiguousarray(query, np.float32)
            swig_ptr = self._faiss.swig_ptr
            self._faiss.fvec_inner_products_ny(
                swig_ptr(scores), swig_ptr(query), swig_ptr(self._vectors), self.dim, len(self)
            )
        return scores

    def fetch(self, positions: Positions) -> Vectors:
        """Return the vectors of rows."""
        vectors: Vectors = self._vectors[positions]
        return vectors


def best_of(scores: Scores, k: int, mask: Mask | None) -> Positions:
    """Return the positions of the k best of all scores, and of whatever may tie with the last of them."""
    positions = None if mask is None else np.flatnonzero(mask)
    scores = scores if positions is None else scores[positions]
    if 0 < k < len(scores):
        edge = np.partition(scores, len(scores) - k)[len(scores) - k]
        best = np.flatnonzero(scores >= edge - 2 * 10**-SCORE_DECIMALS)
    else:
        best = np.arange(len(scores) if k else 0)
    return best if positions is None else positions[best]
