"""Vectors and words -> one ranking of pictures: of one space, or fused of several and of what says the words."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from api.search.duplicate_collapse import Scores
from api.search.encoders import EncoderSpace
from api.search.fusion import fuse
from api.search.plan import Plan, QueryPart
from api.search.word_search import among
from indexer.library.index.base import SCORE_DECIMALS, QueryKind
from models.foundation.vectors import Ids, Vectors

FUSED = 1_000  # places of each ranking that are fused into one
_LOOSE_WEIGHT = 0.5  # of the ranking by words, where no picture says them all


@dataclass(frozen=True, slots=True, eq=False)
class Aim:
    """What is looked for in one space: its parts, and their sum as the index takes it, float32 (1, dim + 1)."""

    space: EncoderSpace
    parts: Sequence[QueryPart]
    vector: Vectors

    @property
    def kind(self) -> QueryKind:
        """What the index is to be searched with."""
        return "text" if any(part.is_text for part in self.parts) else "picture"

    @property
    def weight(self) -> float:
        """How much of the query the space answers: the weights of what leads towards, if anything does."""
        towards = sum(part.weight for part in self.parts if part.weight > 0)
        return towards or -sum(part.weight for part in self.parts)


def find_nearest(
    plan: Plan, aim: Aim, where: Ids | None, min_score: float | None, start: int, end: int
) -> tuple[Ids, Scores, int]:
    """Return part of the pictures nearest to an aim, their scores, and how many there are to be paged to.

    An index that does not look at everything may count more above `min_score` than it finds: those found count then.
    """
    index = aim.space.index
    excluded = _excluded(plan, aim, where)
    total = index.count(where) - len(excluded)
    if min_score is not None:
        above = index.score(aim.vector, excluded).round(SCORE_DECIMALS) >= np.float32(min_score)
        total = index.count_above(aim.vector, min_score, where=where) - int(above.sum())
    wanted = min(end, total)
    if wanted <= start:
        return np.empty(0, np.int64), np.empty(0, np.float32), total
    ids, scores = _search(plan, aim, where, wanted)
    if min_score is not None:
        reach = int((scores >= np.float32(min_score)).sum())
        ids, scores, total = ids[:reach], scores[:reach], total if reach == wanted else reach
    return ids[start:], scores[start:], total


def find_fused(
    plan: Plan, aims: Sequence[Aim], where: Ids | None, held: Ids, start: int, end: int
) -> tuple[Ids, Scores, int]:
    """Return part of the rankings of several aims, and of the words if they are looked at, fused; and their number.

    The first FUSED of each ranking are fused; the others that are near in the fullest space follow, so every picture
    can be paged to. `held` are the pictures of the build, ascending. Scores are those of the first aim whose index has
    the picture, 0 where there is none.
    """
    said = _said(plan, where, held)
    rankings, weights = [], []
    if plan.query.match != "text":
        share = sum(aim.weight for aim in aims)
        rankings = [_search(plan, aim, where, FUSED)[0] for aim in aims]
        weights = [aim.weight / share for aim in aims]
    near = any(map(len, rankings))
    if plan.query.match != "vector":
        rankings.append(said[:FUSED])
        weights.append(_LOOSE_WEIGHT if plan.matches.loose else 1.0)
    if not near:
        return _scored(aims, said[start:end], len(said))
    ids = fuse(rankings, weights)
    fullest = max(aims, key=lambda aim: aim.space.index.count(where))
    total = max(len(ids), fullest.space.index.count(where) - len(_excluded(plan, fullest, where)))
    if end > len(ids):
        others, _ = _search(plan, fullest, where, min(end, total))
        ids = np.concatenate([ids, others[~np.isin(others, ids)]])
    return _scored(aims, ids[start:end], total)


def _said(plan: Plan, where: Ids | None, held: Ids) -> Ids:
    """Return the pictures that say the words, best first."""
    ids = among(plan.matches.ids, held)
    if where is not None:
        ids = among(ids, where)
    return ids[~np.isin(ids, plan.excluded)]


def _search(plan: Plan, aim: Aim, where: Ids | None, wanted: int) -> tuple[Ids, Scores]:
    """Return at most `wanted` nearest pictures, without those that were asked about, and their scores."""
    index, excluded = aim.space.index, _excluded(plan, aim, where)
    wanted = min(wanted, index.count(where) - len(excluded))
    if wanted <= 0:
        return np.empty(0, np.int64), np.empty(0, np.float32)
    found = index.search(aim.vector, wanted + len(excluded), where=where, kind=aim.kind)
    kept = (found.ids[0] >= 0) & ~np.isin(found.ids[0], excluded)
    return found.ids[0][kept][:wanted], found.scores[0][kept][:wanted]


def _excluded(plan: Plan, aim: Aim, where: Ids | None) -> Ids:
    """Return the pictures that were asked about, and so are no answer, among those that may be one; ascending."""
    asked = np.array(sorted({one for one in plan.excluded if aim.space.holds(one)}), np.int64)
    return asked if where is None else asked[np.isin(asked, where)]


def _scored(aims: Sequence[Aim], ids: Ids, total: int) -> tuple[Ids, Scores, int]:
    scores = np.zeros(len(ids), np.float32)
    missing = np.ones(len(ids), np.bool_)
    for aim in aims:
        index = aim.space.index
        here = missing & np.isin(ids, index.list_ids())
        scores[here] = index.score(aim.vector, ids[here])
        missing &= ~here
    return ids, scores, total
