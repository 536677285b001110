"""Several rankings of the same pictures -> one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from api.search.duplicate_collapse import Scores
from api.search.explanation import RankedBy, RankShare
from api.search.plan import Plan
from api.search.retrievers.vectors import VectorRetriever
from api.search.retrievers.words import WordRetriever, among
from indexer.library.index.port import Selection
from indexer.library.index.selection import IdSelection
from models.foundation.vectors import Ids

FUSED = 1_000  # places of each ranking that are fused into one
_LOOSE_WEIGHT = 0.5  # of the ranking by words, where no picture says them all
_PREFERRED_WEIGHT = 2.0  # of that of what has the date, the place or the words that are named
_UNSURE_WEIGHT = 1.0  # of the same where the query may mean something else
_DAMPING = 60  # of the paper: how little the first places of a ranking outweigh the next
_DECIMALS = 12  # sums that agree so far are a tie

Sums = npt.NDArray[np.float64]


def fuse(rankings: Sequence[Ids], weights: Sequence[float]) -> Ids:
    """Return the ids of all rankings by reciprocal rank fusion (Cormack, Clarke and Buettcher 2009), best first.

    A picture counts weight / (60 + rank) for each ranking it is in. Ties: as in the first ranking, then the lower id.
    """
    return fuse_scores(rankings, weights)[0]


def fuse_scores(rankings: Sequence[Ids], weights: Sequence[float]) -> tuple[Ids, Sums]:
    """Return what `fuse` does, and what each picture counts, float64 (n,)."""
    ids, places = np.unique(np.concatenate([np.empty(0, np.int64), *rankings]), return_inverse=True)
    sums = np.zeros(len(ids))
    first = np.full(len(ids), np.iinfo(np.int64).max)
    done = 0
    for ranking, weight in zip(rankings, weights, strict=True):
        here = places[done : done + len(ranking)]
        if not done:
            first[here] = np.arange(len(ranking))
        sums[here] += weight / (_DAMPING + 1 + np.arange(len(ranking)))
        done += len(ranking)
    order = np.lexsort((ids, first, -sums.round(_DECIMALS)))
    return ids[order], sums[order]


@dataclass(frozen=True, slots=True, eq=False)
class _FusedRanking:
    """A ranking that is fused, and how much it counts; `encoder`: whose it is, if it is one by vectors."""

    by: RankedBy
    ids: Ids
    weight: float
    encoder: str | None = None


@dataclass(frozen=True, eq=False)
class Fusion:
    """The rankings of a plan among `where`: by vectors, by words if they are looked at, and of what is preferred.

    The first FUSED of each are fused; the others that are near in the fullest space follow, so every picture can be
    paged to. Without vectors, or where they find nothing, it is what has the words, and what is preferred, alone.
    """

    plan: Plan
    vectors: Sequence[VectorRetriever]
    words: WordRetriever
    where: Selection | None

    def find(self, start: int, end: int) -> tuple[Ids, Scores, int]:
        """Return part of the ranking, scores, and how many there are to be paged to.

        Scores are those of the first space whose index has the picture, 0 where there is none.
        """
        ids, _ = self._fused
        if not len(self.near):
            return self._scored(ids[start:end], len(ids))
        fullest = max(self.vectors, key=lambda one: one.space.index.count(self.where))
        total = fullest.count(self.plan, self.where) + int((~fullest.index.holds(ids)).sum())
        if end > len(ids):
            others = fullest.retrieve(self.plan, self.where, min(end, total)).ids
            ids = np.concatenate([ids, others[~np.isin(others, ids)]])
        return self._scored(ids[start:end], total)

    @cached_property
    def near(self) -> Ids:
        """The pictures that are found by vectors, those nearest in the first space first."""
        return np.concatenate([np.empty(0, np.int64), *self._near])

    @cached_property
    def said(self) -> Ids:
        """The pictures that say the words; of too many, those that are among the nearest."""
        tell = self.plan.matches.tell
        if tell is None:
            return self.words.retrieve(self.plan, self.where, len(self.plan.matches.ids)).ids
        _, first = np.unique(self.near, return_index=True)
        near = self.near[np.sort(first)]
        return near[tell(near)]

    @cached_property
    def _near(self) -> list[Ids]:
        looked_at = self.vectors if self.plan.query.match != "text" else ()
        return [one.retrieve(self.plan, self.where, FUSED).ids for one in looked_at]

    def fused_score(self, image_id: int) -> float:
        """Return what a picture counts, 0 where it is not among the first of any ranking."""
        ids, sums = self._fused
        return float(sums[ids == image_id].sum())

    def list_shares(self, image_id: int) -> Iterator[RankShare]:
        """Yield what each ranking that has a picture adds to what it counts."""
        for way in self._ways:
            for place in np.flatnonzero(way.ids == image_id).tolist():
                rank = place + 1
                said = self._list_said(image_id) if way.by == "preference" else ()
                weight = float(way.weight)
                share = weight / (_DAMPING + rank)
                yield RankShare(by=way.by, rank=rank, weight=weight, share=share, encoder=way.encoder, said=said)

    def _list_said(self, image_id: int) -> tuple[str, ...]:
        return tuple(one.span.said for one in self.plan.preferences if (one.ids == image_id).any())

    @cached_property
    def _fused(self) -> tuple[Ids, Sums]:
        return fuse_scores([way.ids for way in self._ways], [way.weight for way in self._ways])

    @cached_property
    def _ways(self) -> list[_FusedRanking]:
        plan, alone = self.plan, not len(self.near)
        share = sum(one.weight for one in self.vectors)
        ways = [
            _FusedRanking("vectors", ids, one.weight / share, one.space.name)
            for ids, one in zip(self._near, self.vectors, strict=False)
        ]
        ways.append(
            _FusedRanking(
                "words", self.said if alone else self.said[:FUSED], _LOOSE_WEIGHT if plan.matches.loose else 1.0
            )
        )
        if plan.preferences:
            kinds = {one.span.kind for one in plan.preferences}  # of paris 2023 each makes the other likely
            sure = len(kinds) > 1 or any(not one.span.shown for one in plan.preferences)
            weight = _PREFERRED_WEIGHT if sure else _UNSURE_WEIGHT
            ways += [_FusedRanking("preference", ids, weight * share) for ids, share in self._preferred]
        return ways

    @cached_property
    def _preferred(self) -> list[tuple[Ids, float]]:
        """The pictures that have something that is preferred, the nearest first: those that have most of it, and so on.

        With each comes how much of it they have, as a share of what those have that have most.
        """
        preferences = self.plan.preferences
        ids = np.unique(np.concatenate([one.ids for one in preferences]))
        ids = ids[self.words.holds(ids) & ~np.isin(ids, self.plan.excluded)]
        if self.where is not None:
            ids = among(ids, self.where.ids())
        had = np.sum([np.isin(ids, one.ids) * (1.0 if one.span.shown else 2.0) for one in preferences], axis=0)
        found: list[tuple[Ids, float]] = []
        for much in sorted(set(had.tolist()), reverse=True):
            found.append((self._order(ids[had == much]), much / had.max()))
            if len(self.near) and sum(len(one) for one, _ in found) >= FUSED:
                break
        return found

    def _order(self, ids: Ids) -> Ids:
        """Return pictures as vectors rank them, or else as they were found."""
        if not len(self.near):
            found = np.concatenate([one.ids for one in self.plan.preferences])
            _, first = np.unique(found, return_index=True)
            return among(found[np.sort(first)], ids)
        chosen = IdSelection(ids)
        fullest = max(self.vectors, key=lambda one: one.space.index.count(chosen))
        return fullest.retrieve(self.plan, chosen, FUSED).ids

    def _scored(self, ids: Ids, total: int) -> tuple[Ids, Scores, int]:
        scores = np.zeros(len(ids), np.float32)
        missing = np.ones(len(ids), np.bool_)
        for one in self.vectors:
            index = one.index
            here = missing & index.holds(ids)
            scores[here] = index.score(one.query.vector, ids[here], offset_weight=one.query.offset_weight)
            missing &= ~here
        return ids, scores, total
