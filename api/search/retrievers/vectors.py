"""Vectors -> the pictures nearest to them, in the space of one encoder."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from api.search.duplicate_collapse import Scores
from api.search.encoders import EncoderSpace
from api.search.plan import Plan, QueryPart, QueryVector
from api.search.retrievers.retriever import Ranking
from indexer.library.index.base import SCORE_DECIMALS
from indexer.library.index.parted import PartedIndex, best_parts, whole_of
from indexer.library.index.port import Mask, Selection, VectorIndex
from indexer.library.index.records import QueryKind
from models.foundation.vectors import Ids


@dataclass(frozen=True, slots=True, eq=False)
class VectorRetriever:
    """Finds the pictures of one space that are nearest to a sum of parts: `query`, as the index takes it.

    `first` are the first that were found already, among the pictures that are asked for again.
    """

    space: EncoderSpace
    parts: Sequence[QueryPart]
    query: QueryVector
    first: Ranking | None = None

    @property
    def index(self) -> VectorIndex:
        """Where it looks: what a query leads away from is to be absent from all of a picture, not from a part."""
        away = any(part.weight < 0 for part in self.parts)
        return whole_of(self.space.index) if away else self.space.index

    @property
    def kind(self) -> QueryKind:
        """What the index is to be searched with."""
        return "text" if any(part.is_text for part in self.parts) else "picture"

    @property
    def weight(self) -> float:
        """How much of the query the space answers: the weights of what leads towards, if anything does."""
        towards = sum(part.weight for part in self.parts if part.weight > 0)
        return towards or -sum(part.weight for part in self.parts)

    def look_ahead(self, plan: Plan, where: Selection | None, k: int) -> "VectorRetriever":
        """Return the same with the `k` nearest found already; `where` is to be the same from now on."""
        return replace(self, first=self.retrieve(plan, where, k))

    def retrieve(self, plan: Plan, where: Selection | None, k: int) -> Ranking:
        """Return at most `k` nearest pictures, without those that were asked about, and their scores."""
        index, excluded = self.index, self._excluded(plan, where)
        k = min(k, index.count(where) - len(excluded))
        if k <= 0:
            return Ranking(np.empty(0, np.int64), np.empty(0, np.float32))
        if self.first is not None and k <= len(self.first.ids):
            return Ranking(self.first.ids[:k], self.first.scores[:k])
        query, wanted = self.query, k + len(excluded)
        found = index.search(query.vector, wanted, where=where, offset_weight=query.offset_weight, kind=self.kind)
        kept = (found.ids[0] >= 0) & ~np.isin(found.ids[0], excluded)
        return Ranking(found.ids[0][kept][:k], found.scores[0][kept][:k])

    def count(self, plan: Plan, where: Selection | None) -> int:
        """Return how many pictures there are to be paged to."""
        return self.index.count(where) - len(self._excluded(plan, where))

    def find_range(
        self, plan: Plan, where: Selection | None, min_score: float | None, start: int, end: int
    ) -> tuple[Ids, Scores, int]:
        """Return part of the ranking down to a score, the scores, and how many there are to be paged to.

        An index that does not look at everything may count more above `min_score` than it finds: those found count
        then.
        """
        index = self.index
        excluded = self._excluded(plan, where)
        total = index.count(where) - len(excluded)
        if min_score is not None:
            query = self.query
            scored = index.score(query.vector, excluded, offset_weight=query.offset_weight)
            above = scored.round(SCORE_DECIMALS) >= np.float32(min_score)
            total = index.count_above(query.vector, min_score, where=where, offset_weight=query.offset_weight)
            total -= int(above.sum())
        wanted = min(end, total)
        if wanted <= start:
            return np.empty(0, np.int64), np.empty(0, np.float32), total
        found = self.retrieve(plan, where, wanted)
        ids, scores = found.ids, found.scores
        if min_score is not None:
            reach = int((scores >= np.float32(min_score)).sum())
            ids, scores, total = ids[:reach], scores[:reach], total if reach == wanted else reach
        return ids[start:], scores[start:], total

    def find_parts(self, ids: Ids, of_moments: Mask) -> Ids:
        """Return the number of the part of each picture that is nearest, 0 where the whole is.

        Of the videos among them, which `of_moments` says, it is the nearest moment in any case.
        """
        return best_parts(
            self.index, self.query.vector, ids, offset_weight=self.query.offset_weight, of_moments=of_moments
        )

    def rank_moments(self, image_id: int, most: int) -> list[tuple[int, float]]:
        """Return the numbers and scores of the moments of a video that are nearest, in the order of time."""
        if not isinstance(self.index, PartedIndex):
            return []
        numbers, scores = self.index.rank_parts(
            self.query.vector, image_id, most, offset_weight=self.query.offset_weight
        )
        return list(zip(numbers.tolist(), scores.tolist(), strict=True))

    def _excluded(self, plan: Plan, where: Selection | None) -> Ids:
        """Return the pictures that were asked about, and so are no answer, among those that may be one; ascending."""
        asked = np.array(sorted({one for one in plan.excluded if self.space.holds(one)}), np.int64)
        return asked if where is None or not len(asked) else asked[np.isin(asked, where.ids())]
