"""Rows as they are, every one scored: exact, and fast while there are not too many."""

from typing import Any

import numpy as np
import numpy.typing as npt

from indexer.library.index.base import SCORE_DECIMALS
from indexer.library.index.hub_offsets import WeightedQueries, offsets_at
from indexer.library.index.port import Mask
from indexer.library.index.records import QueryKind
from indexer.library.vectors.query_bank import Offsets
from models.foundation.errors import BackendNotInstalled
from models.foundation.vectors import Ids, Vectors

Positions = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float32]

_SHORT = 16  # FAISS takes shorter rows several at a time
FEW_ROWS = 4_096  # so few are copied and scored faster than the others are skipped


def import_faiss() -> Any:
    """Return FAISS. Raises BackendNotInstalled."""
    try:
        import faiss
    except ImportError as error:
        raise BackendNotInstalled("faiss", "cpu") from error
    return faiss


class Allowed:
    """The rows of one segment that a search may find, given as ascending positions or as a mask of all rows."""

    def __init__(self, count: int, *, positions: Positions | None = None, mask: Mask | None = None) -> None:
        self._rows, self._positions, self._mask = count, positions, mask
        self.count = len(positions) if positions is not None else int(np.count_nonzero(self.mask))
        self.in_lists: npt.NDArray[np.int64] | None = None  # how many lie in each list, where there are lists
        self._selector: tuple[Any, Any] | None = None

    @property
    def positions(self) -> Positions:
        """Where the rows stand, ascending."""
        if self._positions is None:
            self._positions = np.flatnonzero(self.mask)
        return self._positions

    @property
    def mask(self) -> Mask:
        """Whether each row is one of them."""
        if self._mask is None:
            mask = np.zeros(self._rows, np.bool_)
            mask[self._positions] = True
            self._mask = mask
        return self._mask

    @property
    def selector(self) -> Any:
        """The rows as FAISS takes them."""
        if self._selector is None:
            bitmap = np.packbits(self.mask, bitorder="little")
            self._selector = import_faiss().IDSelectorBitmap(bitmap), bitmap
        return self._selector[0]


class FlatSegment:
    """Vectors `float32 (n, dim)`, in memory or mapped, for `ids` in ascending order, and their offsets, if any."""

    recipe = "flat"

    def __init__(self, ids: Ids, vectors: Vectors, offsets: Offsets | None = None) -> None:
        self.ids, self.vectors, self.offsets = ids, vectors, offsets

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return int(self.vectors.shape[1])

    def __len__(self) -> int:
        return len(self.ids)

    def search(
        self,
        queries: WeightedQueries,
        k: int,
        allowed: Allowed | None,
        kind: QueryKind,  # noqa: ARG002
    ) -> list[tuple[Positions, Scores]]:
        """Return for each query the positions and the scores of the k best, and of what may tie with the last."""
        found = []
        few = allowed is not None and allowed.count <= FEW_ROWS
        vectors = self.fetch(allowed.positions) if allowed is not None and few else None
        offsets = offsets_at(self.offsets, allowed.positions) if allowed is not None and few else None
        for query in queries:
            if allowed is not None and vectors is not None:
                positions, scores = allowed.positions, score_rows(query, vectors, offsets)
                best = best_of(scores, k, None)
                found.append((positions[best], scores[best]))
            else:
                scores = score_rows(query, self.vectors, self.offsets)
                best = best_of(scores, k, None if allowed is None else allowed.mask)
                found.append((best, scores[best]))
        return found

    def count_above(self, query: WeightedQueries, score: float, allowed: Allowed | None) -> int:
        """Return how many rows score at least `score`."""
        scores = score_rows(query, self.vectors, self.offsets)
        return count_above(scores if allowed is None else scores[allowed.mask], score)

    def fetch(self, positions: Positions) -> Vectors:
        """Return the vectors of rows."""
        vectors: Vectors = self.vectors[positions]
        return vectors

    def score(self, query: WeightedQueries, positions: Positions) -> Scores:
        """Return the scores of rows for one query."""
        return score_rows(query, self.fetch(positions), offsets_at(self.offsets, positions))


def score_rows(query: WeightedQueries, vectors: Vectors, offsets: Offsets | None = None) -> Scores:
    """Return the score of each row for one query."""
    return add_offsets(multiply(query.vectors[0], vectors), query, offsets)


def add_offsets(scores: Scores, query: WeightedQueries, offsets: Offsets | None) -> Scores:
    """Add the offsets of rows, where there are any, as `query` weighs them to `scores`, and return them."""
    if offsets is not None and query.weights[0]:
        scores += query.weights[0] * offsets
    return scores


def multiply(query: npt.NDArray[np.float32], vectors: Vectors) -> Scores:
    """Return the inner product of each row, by one thread: handing a part to others takes longer than it saves.

    A row's product does not depend on the rows beside it, as it may in a matrix product.
    """
    query = np.ascontiguousarray(query, np.float32)
    if vectors.shape[1] < _SHORT:
        short: Scores = (vectors * query).sum(axis=1)
        return short
    faiss = import_faiss()
    scores = np.empty(len(vectors), np.float32)
    if len(vectors):
        pointers = [faiss.swig_ptr(array) for array in (scores, query, vectors)]
        faiss.fvec_inner_products_ny(*pointers, vectors.shape[1], len(vectors))
    return scores


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


def count_above(scores: Scores, score: float) -> int:
    """Return how many scores, rounded as hits are, reach `score`."""
    return int(np.count_nonzero(scores.round(SCORE_DECIMALS) >= np.float32(score)))
