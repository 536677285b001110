"""An inverted file of compressed codes whose best candidates are scored exactly.

Vectors are rotated at random, put into the list of the nearest centroid, and what is left of them is coded by a
product quantiser of 4 bits a part, laid out for FAISS's FastScan (André et al., "Quicker ADC", 2019). Codes are
held in memory; the float32 rows that the candidates are scored with stay on disk.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from indexer.index.base import QueryKind
from indexer.index.efforts import Effort, Efforts
from indexer.index.flat_segment import Mask, Positions, Scores, best_of, import_faiss
from indexer.store.shard_files import Places, ShardFiles, rows_of, shards_of
from models.vectors import Ids, Vectors

EXACT_ROWS = 4_096  # so few are read and scored faster than lists are looked through
_MOST_RERANKED = 32_768  # more scattered rows than these take longer to read than all rows in order
_MARGIN = 16


@dataclass(frozen=True, slots=True)
class Codes:
    """A FAISS index and its inner parts: a rotation, centroids, and lists of codes under positions 0, 1, 2 ..."""

    index: Any
    ivf: Any

    @classmethod
    def of(cls, index: Any) -> "Codes":
        """Take an index apart. Raises TypeError or AttributeError if it is not of this kind."""
        faiss = import_faiss()
        ivf = faiss.downcast_index(index.index)
        if not isinstance(ivf, faiss.IndexIVFPQFastScan) or ivf.metric_type != faiss.METRIC_INNER_PRODUCT:
            raise TypeError(f"it is a {type(ivf).__name__}")
        return cls(index, ivf)


class IvfSegment:
    """Codes for `ids` in ascending order, and where their vectors lie."""

    recipe = "ivf"

    def __init__(self, ids: Ids, places: Places, codes: Codes, shards: ShardFiles, efforts: Efforts) -> None:
        self.ids, self.places, self.codes, self.shards, self.efforts = ids, places, codes, shards, efforts
        self._faiss = import_faiss()
        ascending = bool((np.diff(places) > 0).all())
        self._order = None if ascending else np.argsort(places, kind="stable")

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self.shards.dim

    @property
    def lists(self) -> int:
        """How many lists there are."""
        return int(self.codes.ivf.nlist)

    def __len__(self) -> int:
        return len(self.ids)

    def fetch(self, positions: Positions) -> Vectors:
        """Return the vectors of rows."""
        return self.shards.gather(self.places[positions])

    def search(
        self, queries: Vectors, k: int, mask: "Allowed | None", kind: QueryKind
    ) -> list[tuple[Positions, Scores]]:
        """Return for each query the positions of candidates and their exact scores; the k best are among them."""
        count = len(self) if mask is None else mask.count
        if k == 0 or count == 0:
            return [(np.empty(0, np.int64), np.empty(0, np.float32))] * len(queries)
        if mask is not None and count <= max(EXACT_ROWS, 4 * k):
            return self._score(queries, mask.positions)
        effort = self.efforts.choose(kind, k, count / len(self))
        if effort.rerank >= min(count, _MOST_RERANKED):
            return [self._scan(query, k, mask) for query in queries]
        return [
            (positions, self._score_one(query, positions))
            for query, positions in zip(queries, self._candidates(queries, k, mask, effort), strict=True)
        ]

    def all_scores(self, query: npt.NDArray[np.float32]) -> Scores:
        """Return the exact score of every row, by reading them all in the order in which they lie."""
        scores = np.empty(len(self), np.float32)
        places = self.places if self._order is None else self.places[self._order]
        shards = shards_of(places)
        for number in np.unique(shards).tolist():
            begin, end = np.searchsorted(shards, [number, number + 1])
            rows = rows_of(places[begin:end])
            for first, block in self.shards.blocks(number):
                low, high = np.searchsorted(rows, [first, first + len(block)])
                if low == high:
                    continue
                found = (block @ query)[rows[low:high] - first]
                part = slice(begin + low, begin + high)
                scores[part if self._order is None else self._order[part]] = found
        return scores

    def candidates(self, queries: Vectors, wanted: int, nprobe: int) -> npt.NDArray[np.int64]:
        """Return the positions of the best by their codes, int64 (n, wanted), best first, the rest -1."""
        return self._look(queries, wanted, None, nprobe)

    def _candidates(self, queries: Vectors, k: int, mask: "Allowed | None", effort: Effort) -> Iterator[Positions]:
        """Yield the best by their codes for each query. Where a filter empties the lists, more are looked through."""
        wanted = max(effort.rerank, k + _MARGIN)
        least = min(k, len(self) if mask is None else mask.count)
        for row, query in zip(self._look(queries, wanted, mask, effort.nprobe), queries, strict=True):
            found, nprobe = row[row >= 0], effort.nprobe
            while len(found) < least and nprobe < self.lists:
                nprobe *= 4
                wider = self._look(query[None], wanted, mask, nprobe)[0]
                found = wider[wider >= 0]
            yield found if len(found) >= least else np.arange(len(self)) if mask is None else mask.positions

    def _look(self, queries: Vectors, wanted: int, mask: "Allowed | None", nprobe: int) -> npt.NDArray[np.int64]:
        selector = None if mask is None else mask.selector
        inner = self._faiss.SearchParametersIVF(sel=selector, nprobe=min(nprobe, self.lists))
        params = self._faiss.SearchParametersPreTransform(index_params=inner)
        found: npt.NDArray[np.int64]
        with threads(1 if len(queries) == 1 else 0):
            _, found = self.codes.index.search(np.ascontiguousarray(queries), min(wanted, len(self)), params=params)
        return found

    def _score(self, queries: Vectors, positions: Positions) -> list[tuple[Positions, Scores]]:
        vectors = self.fetch(positions)
        return [(positions, vectors @ query) for query in queries]

    def _score_one(self, query: npt.NDArray[np.float32], positions: Positions) -> Scores:
        scores: Scores = self.fetch(positions) @ query
        return scores

    def _scan(self, query: npt.NDArray[np.float32], k: int, mask: "Allowed | None") -> tuple[Positions, Scores]:
        scores = self.all_scores(query)
        best = best_of(scores, k, None if mask is None else mask.mask)
        return best, scores[best]


class Allowed:
    """The rows of one segment that a search may find."""

    def __init__(self, mask: Mask) -> None:
        self.mask = mask
        self.count = int(np.count_nonzero(mask))
        self._positions: Positions | None = None
        self._selector: tuple[Any, Any] | None = None

    @property
    def positions(self) -> Positions:
        """Where the rows stand, ascending."""
        if self._positions is None:
            self._positions = np.flatnonzero(self.mask)
        return self._positions

    @property
    def selector(self) -> Any:
        """The rows as FAISS takes them."""
        if self._selector is None:
            bitmap = np.packbits(self.mask, bitorder="little")
            self._selector = import_faiss().IDSelectorBitmap(bitmap), bitmap
        return self._selector[0]


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let FAISS use so many threads for what this thread asks of it; 0 as many as it would."""
    faiss = import_faiss()
    before = faiss.omp_get_max_threads()
    if count and count != before:
        faiss.omp_set_num_threads(count)
        try:
            yield
        finally:
            faiss.omp_set_num_threads(before)
    else:
        yield
