"""An index of pictures beside one of parts of them: a picture scores what the best of both does.

The parts have keys as ids (see part_keys.py), and only some pictures have parts. All else is the pictures' own: what
the index holds, counts and fetches are whole pictures.

Where every picture has regions, the best of so many scores is high by chance: so a region counts less than a whole
picture, by a share of how far the scores of a query spread.
"""

import numpy as np
import numpy.typing as npt

from indexer.library.index.base import SCORE_DECIMALS, rank, stack_rows
from indexer.library.index.hub_offsets import WeightedQueries
from indexer.library.index.port import Mask, Selection, VectorIndex
from indexer.library.index.records import Neighbors, OffsetWeight, QueryKind
from indexer.library.index.selection import IdSelection
from indexer.library.part_keys import numbers_of, owners_of, ranges_of
from models.foundation.vectors import Ids, Vectors
from models.pictures.parts import FIRST_REGION

Scores = npt.NDArray[np.float32]

_SPARE_PARTS = 4  # times as many parts as pictures are looked for at first, as several are of one
REGION_PENALTY = 0.4  # standard deviations of a query's scores with whole pictures: see the figures of `regions`
_SAMPLE = 1_000  # whole pictures by which these are told
_NONE = np.float32(-np.inf)


class PartedIndex:
    """A VectorIndex of pictures, some of which have parts."""

    def __init__(self, whole: VectorIndex, parts: VectorIndex) -> None:
        """Take both; each part is of a picture that the other index holds."""
        self.whole, self.parts = whole, parts
        self._keys = parts.list_ids()
        of_regions = numbers_of(self._keys) >= FIRST_REGION
        self._has_only_regions = bool(of_regions.all())
        ids = np.sort(whole.list_ids()) if of_regions.any() else np.empty(0, np.int64)
        self._sample = whole.fetch(ids[:: -(-len(ids) // _SAMPLE) or 1])

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self.whole.dim

    def __len__(self) -> int:
        return len(self.whole)

    def list_ids(self) -> Ids:
        """Return all ids of pictures."""
        return self.whole.list_ids()

    def holds(self, ids: Ids) -> Mask:
        """Say which pictures are there."""
        return self.whole.holds(ids)

    def search(
        self,
        queries: Vectors,
        k: int,
        *,
        where: Selection | None = None,
        offset_weight: OffsetWeight = 0.0,
        kind: QueryKind = "text",
    ) -> Neighbors:
        """Search both."""
        whole = self.whole.search(queries, k, where=where, offset_weight=offset_weight, kind=kind)
        among = self._select(where)
        if among is not None and not len(among.ids()):
            return whole
        rows = [
            self._merge(ids, scores, k, one, among, kind)
            for ids, scores, one in zip(
                whole.ids, whole.scores, WeightedQueries.of(queries, offset_weight), strict=True
            )
        ]
        return stack_rows(rows, k)

    def _merge(
        self, ids: Ids, scores: Scores, k: int, query: WeightedQueries, among: Selection | None, kind: QueryKind
    ) -> tuple[Ids, Scores]:
        """Return the k best of one row of pictures; parts are read until no further one can be among them."""
        there = ids >= 0
        ids, scores = ids[there], scores[there]
        limit, penalty = self.parts.count(among), self.region_penalty(query.vectors)
        wanted = min(_SPARE_PARTS * k, limit)
        while True:
            found = self.parts.search(
                query.vectors, wanted, where=among, offset_weight=float(query.weights[0]), kind=kind
            )
            keys, of_parts = found.ids[0][found.ids[0] >= 0], found.scores[0][found.ids[0] >= 0]
            lowered = _lower(keys, of_parts, penalty).round(SCORE_DECIMALS)
            best = rank(*_best_of_each(ids, scores, owners_of(keys), lowered), k)
            if wanted == limit or not len(of_parts):
                return best
            if best[1][-1] >= of_parts[-1] - (penalty if self._has_only_regions else 0):
                return best
            wanted = min(_SPARE_PARTS * wanted, limit)

    def count(self, where: Selection | None = None) -> int:
        """Count pictures."""
        return self.whole.count(where)

    def count_above(
        self, query: Vectors, score: float, *, where: Selection | None = None, offset_weight: float = 0.0
    ) -> int:
        """Count the pictures that score so much, or of which a part does."""
        count = self.whole.count_above(query, score, where=where, offset_weight=offset_weight)
        among = self._select(where)
        above = self.parts.count_above(query, score, where=among, offset_weight=offset_weight)
        if not above:
            return count
        found = self.parts.search(query, above, where=among, offset_weight=offset_weight)
        keys, of_parts = found.ids[0][found.ids[0] >= 0], found.scores[0][found.ids[0] >= 0]
        lowered = _lower(keys, of_parts, self.region_penalty(query)).round(SCORE_DECIMALS)
        owners = np.unique(owners_of(keys[lowered >= np.float32(score)]))
        own = self.whole.score(query, owners, offset_weight=offset_weight).round(SCORE_DECIMALS)
        return count + int(np.count_nonzero(own < np.float32(score)))

    def fetch(self, ids: Ids) -> Vectors:
        """Return the vectors of whole pictures. Raises KeyError."""
        return self.whole.fetch(ids)

    def score(self, query: Vectors, ids: Ids, *, offset_weight: float = 0.0) -> Scores:
        """Score pictures. Raises KeyError."""
        own = self.whole.score(query, ids, offset_weight=offset_weight)
        _, of_parts = self._find_parts(query, ids, offset_weight)
        return np.maximum(own, of_parts)

    def best_parts(
        self, query: Vectors, ids: Ids, *, offset_weight: float = 0.0, of_moments: Mask | None = None
    ) -> npt.NDArray[np.int64]:
        """Return for each of `ids` the number of the part that scores best, 0 where the whole does: int64 (n,).

        Where `of_moments` is set, the whole stands for its parts and has no say, as the cover of a video.
        """
        own = self.whole.score(query, ids, offset_weight=offset_weight)
        if of_moments is not None:
            own[of_moments] = _NONE
        numbers, of_parts = self._find_parts(query, ids, offset_weight)
        return np.where(of_parts > own, numbers, 0)

    def rank_parts(
        self, query: Vectors, owner: int, most: int, *, offset_weight: float = 0.0
    ) -> tuple[npt.NDArray[np.int64], Scores]:
        """Return the numbers of the parts of one picture that score best, at most `most`, ascending, and their scores.

        int64 (n,) and float32 (n,). Raises KeyError.
        """
        (start,), (end,) = ranges_of(self._keys, np.array([owner]))
        keys = self._keys[start:end]
        if not len(keys):
            return keys, np.empty(0, np.float32)
        scores = self.parts.score(query, keys, offset_weight=offset_weight)
        best = np.sort(np.argsort(-scores, kind="stable")[:most])
        return numbers_of(keys[best]), scores[best]

    def region_penalty(self, query: Vectors) -> np.float32:
        """Return what is taken off the score of a region with one query, (1, dim)."""
        return np.float32(REGION_PENALTY * (self._sample @ query[0]).std()) if len(self._sample) else np.float32(0)

    def close(self) -> None:
        """Release memory and files of both."""
        self.whole.close()
        self.parts.close()

    def _find_parts(self, query: Vectors, ids: Ids, offset_weight: float) -> tuple[npt.NDArray[np.int64], Scores]:
        """Return for each of `ids` the number of its best part and what that scores, 0 and -inf where there is none."""
        numbers, scores = np.zeros(len(ids), np.int64), np.full(len(ids), _NONE)
        starts, ends = ranges_of(self._keys, ids)
        having = np.flatnonzero(ends > starts)
        if not len(having):
            return numbers, scores
        counts = (ends - starts)[having]
        firsts = np.cumsum(counts) - counts  # where the parts of each begin among those of all
        keys = self._keys[np.repeat(starts[having] - firsts, counts) + np.arange(counts.sum())]
        found = _lower(keys, self.parts.score(query, keys, offset_weight=offset_weight), self.region_penalty(query))
        scores[having] = np.maximum.reduceat(found, firsts)
        best = found == np.repeat(scores[having], counts)
        winners = [first + best[first : first + count].argmax() for first, count in zip(firsts, counts, strict=True)]
        numbers[having] = numbers_of(keys)[winners]
        return numbers, scores

    def _select(self, where: Selection | None) -> Selection | None:
        """Return the parts of a selection of pictures."""
        if where is None:
            return None
        chosen = np.isin(owners_of(self._keys), where.ids())
        return IdSelection(self._keys[chosen])


def whole_of(index: VectorIndex) -> VectorIndex:
    """Return the index of whole pictures."""
    return index.whole if isinstance(index, PartedIndex) else index


def best_parts(
    index: VectorIndex, query: Vectors, ids: Ids, *, offset_weight: float = 0.0, of_moments: Mask | None = None
) -> npt.NDArray[np.int64]:
    """Return the number of the part of each picture that scores best; 0, for the whole, where it has no parts."""
    if isinstance(index, PartedIndex):
        return index.best_parts(query, ids, offset_weight=offset_weight, of_moments=of_moments)
    return np.zeros(len(ids), np.int64)


def _lower(keys: Ids, scores: Scores, penalty: np.float32) -> Scores:
    """Return scores of parts, those of regions less the penalty."""
    return scores - np.where(numbers_of(keys) >= FIRST_REGION, penalty, np.float32(0))


def _best_of_each(ids: Ids, scores: Scores, more_ids: Ids, more: Scores) -> tuple[Ids, Scores]:
    """Return each id once, with the best of its scores."""
    all_ids, all_scores = np.concatenate([ids, more_ids]), np.concatenate([scores, more])
    order = np.lexsort((-all_scores, all_ids))
    first = np.diff(all_ids[order], prepend=-1) != 0
    return all_ids[order][first], all_scores[order][first]
