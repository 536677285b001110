"""An inverted file of compressed codes whose best candidates are scored exactly.

Vectors are rotated at random, put into the list of the nearest centroid, and what is left of them is coded by a
product quantiser of 4 bits a part, laid out for FAISS's FastScan (André et al., "Quicker ADC", 2019). Offsets, where
there are any, are one dimension more. Codes are held in memory; the float32 rows that the candidates are scored with
stay on disk.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from indexer.library.index.faiss.codes import Codes
from indexer.library.index.faiss.flat import (
    Allowed,
    Positions,
    Scores,
    add_offsets,
    best_of,
    count_above,
    multiply,
    score_rows,
)
from indexer.library.index.faiss.search_params import SearchParams, SearchParamsTable, untuned
from indexer.library.index.hub_offsets import WeightedQueries, coded_queries, offsets_at
from indexer.library.index.records import QueryKind
from indexer.library.vectors.query_bank import Offsets
from indexer.library.vectors.shard_files import Places, ShardFiles, rows_of, shards_of
from models.foundation.vectors import Ids, Vectors

_FEW_ROWS = 2_000  # so few are read and scored about as fast as lists are looked through
_MOST_RERANKED = 32_768  # more scattered rows than these take longer to read than all rows in order
_MARGIN = 16
_COUNTED = (200, 2_000)  # to count hits above a score these many are searched for before all rows are read


class IvfSegment:
    """Codes for `ids` in ascending order, where their vectors lie, and their offsets, if any."""

    recipe = "ivf"

    def __init__(
        self,
        ids: Ids,
        places: Places,
        codes: Codes,
        shards: ShardFiles,
        tuned: Mapping[str, Any],
        offsets: Offsets | None = None,
    ) -> None:
        """Take the parts; `tuned` is what tuning found, as `Tuned.to_dict` returns it."""
        self.ids, self.places, self.codes, self.shards, self.tuned = ids, places, codes, shards, tuned
        self.offsets = offsets
        self.search_params = SearchParamsTable.from_dict(tuned["efforts"])
        ascending = bool((np.diff(places) >= 0).all())
        self._order = None if ascending else np.argsort(places, kind="stable")

    @classmethod
    def untuned(
        cls, ids: Ids, places: Places, codes: Codes, shards: ShardFiles, offsets: Offsets | None = None
    ) -> "IvfSegment":
        """Take the parts, with search parameters that suit most data."""
        return cls(ids, places, codes, shards, {"efforts": untuned(codes.lists).to_dict()}, offsets)

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self.shards.dim

    @property
    def lists(self) -> int:
        """How many lists there are."""
        return self.codes.lists

    def __len__(self) -> int:
        return len(self.ids)

    def fetch(self, positions: Positions) -> Vectors:
        """Return the vectors of rows."""
        return self.shards.gather(self.places[positions])

    def score(self, query: WeightedQueries, positions: Positions) -> Scores:
        """Return the exact scores of rows for one query."""
        return score_rows(query, self.fetch(positions), offsets_at(self.offsets, positions))

    def look(self, queries: WeightedQueries, wanted: int, nprobe: int, allowed: Allowed | None) -> Positions:
        """Return the positions of the best by their codes, as `Codes.search` does."""
        return self.codes.search(self._coded(queries), wanted, nprobe, allowed)

    def search(
        self, queries: WeightedQueries, k: int, allowed: Allowed | None, kind: QueryKind
    ) -> list[tuple[Positions, Scores]]:
        """Return for each query the positions of candidates and their exact scores; the k best are among them."""
        count = len(self) if allowed is None else allowed.count
        if k == 0 or count == 0:
            return [(np.empty(0, np.int64), np.empty(0, np.float32))] * len(queries)
        if allowed is not None and count <= max(_FEW_ROWS, 4 * k):
            return self._score(queries, allowed.positions)
        params = self.search_params.choose(kind, k, count / len(self))
        if params.rerank > min(count, _MOST_RERANKED):
            return [self._scan(query, k, allowed) for query in queries]
        found = zip(queries, self._candidates(queries, k, allowed, kind), strict=True)
        return [
            (positions, self.score(query, positions))
            if len(positions) >= min(k, count)
            else self._scan(query, k, allowed)
            for query, positions in found
        ]

    def count_above(self, query: WeightedQueries, score: float, allowed: Allowed | None) -> int:
        """Return how many rows score at least `score`: of the best found, if that is not all of them; else exactly."""
        count = len(self) if allowed is None else allowed.count
        for k in (k for k in _COUNTED if k < count // 2):
            _, scores = self.search(query, k, allowed, "text")[0]
            above = count_above(scores, score)
            if above < k:
                return above
        scores = self.all_scores(query)
        return count_above(scores if allowed is None else scores[allowed.mask], score)

    def all_scores(self, query: WeightedQueries) -> Scores:
        """Return the exact score of every row for one query, by reading them all in the order in which they lie."""
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
                found = multiply(query.vectors[0], block)[rows[low:high] - first]
                part = slice(begin + low, begin + high)
                scores[part if self._order is None else self._order[part]] = found
        return add_offsets(scores, query, self.offsets)

    def _candidates(
        self, queries: WeightedQueries, k: int, allowed: Allowed | None, kind: QueryKind
    ) -> Iterator[Positions]:
        """Yield the positions of the best by their codes for each query."""
        if allowed is None:
            params = self.search_params.choose(kind, k)
            found = self.look(queries, max(params.rerank, k + _MARGIN), params.nprobe, None)
            full = (found >= 0).sum(axis=1) >= min(k, len(self))
        for number, one in enumerate(queries):
            if allowed is None and full[number]:
                row = found[number]
            else:
                params = self._spread(one, k, allowed, kind)
                row = self.look(one, max(params.rerank, k + _MARGIN), params.nprobe, allowed)[0]
            yield row[row >= 0]

    def _spread(self, query: WeightedQueries, k: int, allowed: Allowed | None, kind: QueryKind) -> SearchParams:
        """Return the parameters for one query, which depends on how many of the rows near it are allowed."""
        share = 1.0 if allowed is None else allowed.count / len(self)
        lists = self.codes.nearest_lists(self._coded(query)[0])
        rows, kept = (np.cumsum(self.codes.count_rows(chosen)[lists]) for chosen in (None, allowed))
        params = self.search_params.choose(kind, k, share)
        nprobe = min(max(params.nprobe, _until(kept, params.rerank)), self.lists)
        if kept[nprobe - 1] < share / 2 * rows[nprobe - 1]:  # it is what lies near that is not allowed
            unfiltered = rows[min(self.search_params.choose(kind, k).nprobe, self.lists) - 1]
            nprobe = max(nprobe, _until(kept, unfiltered))
        return SearchParams(nprobe, params.rerank)

    def _score(self, queries: WeightedQueries, positions: Positions) -> list[tuple[Positions, Scores]]:
        vectors, offsets = self.fetch(positions), offsets_at(self.offsets, positions)
        return [(positions, score_rows(query, vectors, offsets)) for query in queries]

    def _coded(self, queries: WeightedQueries) -> Vectors:
        return coded_queries(queries, int(self.codes.index.d))

    def _scan(self, query: WeightedQueries, k: int, allowed: Allowed | None) -> tuple[Positions, Scores]:
        if allowed is not None and allowed.count <= _MOST_RERANKED:
            return self._score(query, allowed.positions)[0]
        scores = self.all_scores(query)
        best = best_of(scores, k, None if allowed is None else allowed.mask)
        return best, scores[best]


def _until(counts: npt.NDArray[np.int64], enough: int) -> int:
    """Return how many lists hold enough rows together, or all that there are; `counts` add up list by list."""
    return int(np.searchsorted(counts, min(enough, counts[-1]))) + 1
