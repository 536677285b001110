"""The reference: exact search by multiplying everything. Every other index must answer like it."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from indexer.library.index.base import SCORE_DECIMALS, last_of_each, positions_of, rank, stack_rows
from indexer.library.index.hub_offsets import WeightedQueries, with_offsets
from indexer.library.index.port import Mask, Selection
from indexer.library.index.records import Neighbors, OffsetWeight, QueryKind
from indexer.library.vectors.query_bank import Offsets
from models.foundation.vectors import Ids, Vectors


class NumpyIndex:
    """Vectors in memory, in ascending order of id."""

    def __init__(self, dim: int) -> None:
        self.dim = dim
        self._ids: Ids = np.empty(0, np.int64)
        self._rows: Vectors = np.empty((0, dim + 1), np.float32)  # vectors, and their offsets

    def __len__(self) -> int:
        return len(self._ids)

    def list_ids(self) -> Ids:
        """Return all ids."""
        return self._ids

    def holds(self, ids: Ids) -> Mask:
        """Say which are there."""
        return np.isin(ids, self._ids)

    def upsert(self, ids: Ids, vectors: Vectors, offsets: Offsets | None = None) -> None:
        """Add or replace."""
        added = with_offsets(vectors, np.zeros(len(ids), np.float32) if offsets is None else offsets)
        rows = np.concatenate([self._rows, added])
        self._ids, last = last_of_each(np.concatenate([self._ids, ids]))
        self._rows = rows[last]

    def remove(self, ids: Ids) -> int:
        """Remove; return how many there were."""
        gone = positions_of(self._ids, ids)
        self._ids, self._rows = np.delete(self._ids, gone), np.delete(self._rows, gone, axis=0)
        return len(gone)

    def search(
        self,
        queries: Vectors,
        k: int,
        *,
        where: Selection | None = None,
        offset_weight: OffsetWeight = 0.0,
        kind: QueryKind = "text",  # noqa: ARG002 - everything is looked at, whatever is asked
    ) -> Neighbors:
        """Score everything, sort everything."""
        ids, vectors = self._among(where)
        rows = [rank(ids, _multiply(vectors, query), k) for query in self._as_rows(queries, offset_weight)]
        return stack_rows(rows, k)

    def count(self, where: Selection | None = None) -> int:
        """Count."""
        return len(self._among(where)[0])

    def count_above(
        self, query: Vectors, score: float, *, where: Selection | None = None, offset_weight: float = 0.0
    ) -> int:
        """Count."""
        scores = _multiply(self._among(where)[1], self._as_rows(query, offset_weight)[0])
        return int((scores.round(SCORE_DECIMALS) >= score).sum())

    def fetch(self, ids: Ids) -> Vectors:
        """Return the vectors of `ids`. Raises KeyError."""
        return np.ascontiguousarray(self._rows_of(ids)[:, : self.dim])

    def score(self, query: Vectors, ids: Ids, *, offset_weight: float = 0.0) -> npt.NDArray[np.float32]:
        """Score. Raises KeyError."""
        return _multiply(self._rows_of(ids), self._as_rows(query, offset_weight)[0])

    def save(self, path: Path) -> None:
        """Write an .npz file."""
        with path.open("wb") as file:
            np.savez(file, ids=self._ids, vectors=self._rows[:, : self.dim], offsets=self._rows[:, self.dim])

    def close(self) -> None:
        """Nothing to release."""

    def _among(self, where: Selection | None) -> tuple[Ids, Vectors]:
        if where is None:
            return self._ids, self._rows
        positions = positions_of(self._ids, where.ids())
        return self._ids[positions], self._rows[positions]

    def _rows_of(self, ids: Ids) -> Vectors:
        positions = {int(i): n for n, i in enumerate(self._ids)}
        return self._rows[[positions[int(i)] for i in ids]]

    def _as_rows(self, queries: Vectors, offset_weight: OffsetWeight) -> Vectors:
        return WeightedQueries.of(queries, offset_weight).as_rows(self.dim + 1)


def _multiply(rows: Vectors, query: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the inner product of each row, which, unlike in a matrix product, is the same wherever the row stands."""
    products: npt.NDArray[np.float32] = (rows * query).sum(axis=1)
    return products
