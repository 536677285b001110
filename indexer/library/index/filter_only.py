"""Lists of ids for an index that takes filters only."""

import numpy as np
import numpy.typing as npt

from indexer.library.index.base import SCORE_DECIMALS, rank, stack_rows
from indexer.library.index.hub_offsets import WeightedQueries
from indexer.library.index.port import Mask, Selection, VectorIndex
from indexer.library.index.records import Neighbors, OffsetWeight, QueryKind
from models.foundation.vectors import Ids, Vectors


class FilterOnlyIndex:
    """A VectorIndex around one that evaluates filters and takes no lists of ids.

    A selection that a filter says is handed on. The pictures of any other are scored by their ids, each of them: so
    the answer is exact, and as much work as there are pictures in the list.
    """

    def __init__(self, index: VectorIndex) -> None:
        self._index = index

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self._index.dim

    def __len__(self) -> int:
        return len(self._index)

    def list_ids(self) -> Ids:
        """Return all ids."""
        return self._index.list_ids()

    def holds(self, ids: Ids) -> Mask:
        """Say which are there."""
        return self._index.holds(ids)

    def search(
        self,
        queries: Vectors,
        k: int,
        *,
        where: Selection | None = None,
        offset_weight: OffsetWeight = 0.0,
        kind: QueryKind = "text",
    ) -> Neighbors:
        """Search by the filter, or score the list and sort it."""
        if where is None or where.filter is not None:
            return self._index.search(queries, k, where=where, offset_weight=offset_weight, kind=kind)
        ids, weighted = self._held(where), WeightedQueries.of(queries, offset_weight)
        scores = [self._index.score(one.vectors, ids, offset_weight=float(one.weights[0])) for one in weighted]
        return stack_rows([rank(ids, row, k) for row in scores], k)

    def count(self, where: Selection | None = None) -> int:
        """Count by the filter, or those of the list that are there."""
        if where is None or where.filter is not None:
            return self._index.count(where)
        return len(self._held(where))

    def count_above(
        self, query: Vectors, score: float, *, where: Selection | None = None, offset_weight: float = 0.0
    ) -> int:
        """Count by the filter, or among the scores of the list."""
        if where is None or where.filter is not None:
            return self._index.count_above(query, score, where=where, offset_weight=offset_weight)
        scores = self._index.score(query, self._held(where), offset_weight=offset_weight)
        return int(np.count_nonzero(scores.round(SCORE_DECIMALS) >= np.float32(score)))

    def fetch(self, ids: Ids) -> Vectors:
        """Return the vectors of `ids`. Raises KeyError."""
        return self._index.fetch(ids)

    def score(self, query: Vectors, ids: Ids, *, offset_weight: float = 0.0) -> npt.NDArray[np.float32]:
        """Score rows. Raises KeyError."""
        return self._index.score(query, ids, offset_weight=offset_weight)

    def close(self) -> None:
        """Release memory and files."""
        self._index.close()

    def _held(self, where: Selection) -> Ids:
        ids = where.ids()
        return ids[self._index.holds(ids)]
