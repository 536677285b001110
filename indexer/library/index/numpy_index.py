"""The reference: exact search as one matrix product. Every other index must answer like it."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from indexer.library.index.base import SCORE_DECIMALS, Neighbors, QueryKind, last_of_each, positions_of, rank
from indexer.library.index.hub_offsets import Offsets, fitting, with_offsets
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
        where: Ids | None = None,
        kind: QueryKind = "text",  # noqa: ARG002 - everything is looked at, whatever is asked
    ) -> Neighbors:
        """Score everything, sort everything."""
        ids, vectors = self._among(where)
        rows = [rank(ids, vectors @ query, k) for query in self._fitting(queries)]
        return Neighbors(
            np.array([row[0] for row in rows], np.int64).reshape(len(queries), k),
            np.array([row[1] for row in rows], np.float32).reshape(len(queries), k),
        )

    def count(self, where: Ids | None = None) -> int:
        """Count."""
        return len(self._among(where)[0])

    def count_above(self, query: Vectors, score: float, *, where: Ids | None = None) -> int:
        """Count."""
        return int(((self._among(where)[1] @ self._fitting(query)[0]).round(SCORE_DECIMALS) >= score).sum())

    def fetch(self, ids: Ids) -> Vectors:
        """Return the vectors of `ids`. Raises KeyError."""
        return np.ascontiguousarray(self._rows_of(ids)[:, : self.dim])

    def score(self, query: Vectors, ids: Ids) -> npt.NDArray[np.float32]:
        """Score. Raises KeyError."""
        scores: npt.NDArray[np.float32] = self._rows_of(ids) @ self._fitting(query)[0]
        return scores

    def save(self, path: Path) -> None:
        """Write an .npz file."""
        with path.open("wb") as file:
            np.savez(file, ids=self._ids, vectors=self._rows[:, : self.dim], offsets=self._rows[:, self.dim])

    def close(self) -> None:
        """Nothing to release."""

    def _among(self, where: Ids | None) -> tuple[Ids, Vectors]:
        if where is None:
            return self._ids, self._rows
        positions = positions_of(self._ids, where)
        return self._ids[positions], self._rows[positions]

    def _rows_of(self, ids: Ids) -> Vectors:
        positions = {int(i): n for n, i in enumerate(self._ids)}
        return self._rows[[positions[int(i)] for i in ids]]

    def _fitting(self, queries: Vectors) -> Vectors:
        return fitting(queries, self.dim, self.dim + 1)
