"""Several rankings of the same pictures -> one."""

from collections.abc import Sequence

import numpy as np

from api.search.duplicate_collapse import Scores
from api.search.plan import Plan
from api.search.retrievers.retriever import Retriever
from api.search.retrievers.vectors import VectorRetriever
from indexer.library.index.port import Selection
from models.foundation.vectors import Ids

FUSED = 1_000  # places of each ranking that are fused into one
_LOOSE_WEIGHT = 0.5  # of the ranking by words, where no picture says them all
_DAMPING = 60  # of the paper: how little the first places of a ranking outweigh the next
_DECIMALS = 12  # sums that agree so far are a tie


def fuse(rankings: Sequence[Ids], weights: Sequence[float]) -> Ids:
    """Return the ids of all rankings by reciprocal rank fusion (Cormack, Clarke and Buettcher 2009), best first.

    A picture counts weight / (60 + rank) for each ranking it is in. Ties: as in the first ranking, then the lower id.
    """
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
    fused: Ids = ids[np.lexsort((ids, first, -sums.round(_DECIMALS)))]
    return fused


def find_fused(
    plan: Plan, vectors: Sequence[VectorRetriever], words: Retriever, where: Selection | None, start: int, end: int
) -> tuple[Ids, Scores, int]:
    """Return part of the rankings by vectors, and by words if they are looked at, fused; and their number.

    The first FUSED of each ranking are fused; the others that are near in the fullest space follow, so every picture
    can be paged to. Scores are those of the first space whose index has the picture, 0 where there is none.
    """
    near = vectors if plan.query.match != "text" else ()
    share = sum(one.weight for one in near)
    ways: list[tuple[Retriever, float]] = [(one, one.weight / share) for one in near]
    if plan.query.match != "vector":
        ways.append((words, _LOOSE_WEIGHT if plan.matches.loose else 1.0))
    rankings = [way.retrieve(plan, where, FUSED).ids for way, _ in ways]
    if not any(map(len, rankings[: len(near)])):
        said = words.retrieve(plan, where, len(plan.matches.ids)).ids
        return _scored(vectors, said[start:end], len(said))
    ids = fuse(rankings, [weight for _, weight in ways])
    fullest = max(vectors, key=lambda one: one.space.index.count(where))
    total = max(len(ids), fullest.count(plan, where))
    if end > len(ids):
        others = fullest.retrieve(plan, where, min(end, total)).ids
        ids = np.concatenate([ids, others[~np.isin(others, ids)]])
    return _scored(vectors, ids[start:end], total)


def _scored(vectors: Sequence[VectorRetriever], ids: Ids, total: int) -> tuple[Ids, Scores, int]:
    scores = np.zeros(len(ids), np.float32)
    missing = np.ones(len(ids), np.bool_)
    for one in vectors:
        index = one.index
        here = missing & index.holds(ids)
        scores[here] = index.score(one.query.vector, ids[here], offset_weight=one.query.offset_weight)
        missing &= ~here
    return ids, scores, total
