"""An inverted file of compressed codes whose best candidates are scored exactly.

Vectors are rotated at random, put into the list of the nearest centroid, and what is left of them is coded by a
product quantiser of 4 bits a part, laid out for FAISS's FastScan (André et al., "Quicker ADC", 2019). Codes are
held in memory; the float32 rows that the candidates are scored with stay on disk.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from indexer.index.base import QueryKind
from indexer.index.efforts import Effort, Efforts, untuned
from indexer.index.flat_segment import (
    FEW_ROWS,
    Allowed,
    Positions,
    Scores,
    best_of,
    count_above,
    import_faiss,
    score_rows,
)
from indexer.store.shard_files import Places, ShardFiles, rows_of, shards_of
from models.vectors import Ids, Vectors

_MOST_RERANKED = 32_768  # more scattered rows than these take longer to read than all rows in order
_MARGIN = 16
_COUNTED = (200, 2_000)  # to count hits above a score these many are searched for before all rows are read


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

    def __init__(self, ids: Ids, places: Places, codes: Codes, shards: ShardFiles, tuned: Mapping[str, Any]) -> None:
        """Take the parts; `tuned` is what tuning found, as `Tuned.to_dict` returns it."""
        self.ids, self.places, self.codes, self.shards, self.tuned = ids, places, codes, shards, tuned
        self.efforts = Efforts.from_dict(tuned["efforts"])
        self._faiss = import_faiss()
        ascending = bool((np.diff(places) >= 0).all())
        self._order = None if ascending else np.argsort(places, kind="stable")

    @classmethod
    def untuned(cls, ids: Ids, places: Places, codes: Codes, shards: ShardFiles) -> "IvfSegment":
        """Take the parts, with efforts that suit most data."""
        return cls(ids, places, codes, shards, {"efforts": untuned(int(codes.ivf.nlist)).to_dict()})

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
        self, queries: Vectors, k: int, allowed: Allowed | None, kind: QueryKind
    ) -> list[tuple[Positions, Scores]]:
        """Return for each query the positions of candidates and their exact scores; the k best are among them."""
        count = len(self) if allowed is None else allowed.count
        if k == 0 or count == 0:
            return [(np.empty(0, np.int64), np.empty(0, np.float32))] * len(queries)
        if allowed is not None and count <= max(FEW_ROWS, 4 * k):
            return self._score(queries, allowed.positions)
        effort = self.efforts.choose(kind, k, count / len(self))
        if effort.rerank > min(count, _MOST_RERANKED):
            return [self._scan(query, k, allowed) for query in queries]
        return [
            (positions, self._score_one(query, positions))
            for query, positions in zip(queries, self._candidates(queries, k, allowed, effort), strict=True)
        ]

    def count_above(self, query: npt.NDArray[np.float32], score: float, allowed: Allowed | None) -> int:
        """Return how many rows score at least `score`: of the best found, if that is not all of them; else exactly."""
        count = len(self) if allowed is None else allowed.count
        for k in (k for k in _COUNTED if k < count // 2):
            _, scores = self.search(query[None], k, allowed, "text")[0]
            above = count_above(scores, score)
            if above < k:
                return above
        scores = self.all_scores(query)
        return count_above(scores if allowed is None else scores[allowed.mask], score)

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
                found = score_rows(query, block)[rows[low:high] - first]
                part = slice(begin + low, begin + high)
                scores[part if self._order is None else self._order[part]] = found
        return scores

    def candidates(self, queries: Vectors, wanted: int, nprobe: int) -> npt.NDArray[np.int64]:
        """Return the positions of the best by their codes, int64 (n, wanted), best first, the rest -1."""
        return self._look(queries, wanted, None, nprobe)

    def _candidates(self, queries: Vectors, k: int, allowed: Allowed | None, effort: Effort) -> Iterator[Positions]:
        """Yield the best by their codes for each query. Where a filter empties the lists, more are looked through."""
        wanted = max(effort.rerank, k + _MARGIN)
        least = min(k, len(self) if allowed is None else allowed.count)
        for row, query in zip(self._look(queries, wanted, allowed, effort.nprobe), queries, strict=True):
            found, nprobe = row[row >= 0], effort.nprobe
            while len(found) < least and nprobe < self.lists:
                nprobe *= 4
                wider = self._look(query[None], wanted, allowed, nprobe)[0]
                found = wider[wider >= 0]
            yield found if len(found) >= least else np.arange(len(self)) if allowed is None else allowed.positions

    def _look(self, queries: Vectors, wanted: int, allowed: Allowed | None, nprobe: int) -> npt.NDArray[np.int64]:
        selector = None if allowed is None else allowed.selector
        inner = self._faiss.SearchParametersIVF(sel=selector, nprobe=min(nprobe, self.lists))
        params = self._faiss.SearchParametersPreTransform(index_params=inner)
        found: npt.NDArray[np.int64]
        with threads(1 if len(queries) == 1 else 0):
            _, found = self.codes.index.search(np.ascontiguousarray(queries), min(wanted, len(self)), params=params)
        return found

    def _score(self, queries: Vectors, positions: Positions) -> list[tuple[Positions, Scores]]:
        vectors = self.fetch(positions)
        return [(positions, score_rows(query, vectors)) for query in queries]

    def _score_one(self, query: npt.NDArray[np.float32], positions: Positions) -> Scores:
        return score_rows(query, self.fetch(positions))

    def _scan(self, query: npt.NDArray[np.float32], k: int, allowed: Allowed | None) -> tuple[Positions, Scores]:
        scores = self.all_scores(query)
        best = best_of(scores, k, None if allowed is None else allowed.mask)
        return best, scores[best]


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
