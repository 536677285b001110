"""How likely the hits of a query are right, as far as the scores of the encoder tell it.

A sum such as "a cat" and "snow" asks for both, so a hit is as relevant as it is to the least of what is looked for:
that is an upper bound of the chance that all of it is there, and one perfect half does not make up for the other. What
a query leads away from changes the order of hits, not what they are hits of, and is not judged.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from api.search.calibration_file import Curves
from api.search.duplicate_collapse import Scores
from api.search.plan import Plan, QueryPart, QueryVector
from api.search.results import SearchNote
from api.search.retrievers.retriever import Ranking
from api.search.retrievers.vectors import VectorRetriever
from indexer.library.index.base import SCORE_DECIMALS
from indexer.library.index.port import Selection, VectorIndex
from indexer.library.index.selection import IdSelection
from models.foundation.messages import message
from models.foundation.vectors import Ids
from models.relevance.curves import KINDS, Fit, Likelihood, QueryFit, word_for
from models.relevance.mixture import DEPTH, Floats

LOOKED_AT = 1_000  # first hits among which those are counted that are likely right

Judgement = tuple[float | None, Likelihood | None]  # of a hit: its relevance, and what it is called; None: not said


@dataclass(frozen=True, slots=True)
class WantedClause:
    """A thing that is looked for: what its scores say in this library, and its query to the index.

    `first` are the pictures that are nearest to it alone, of `total` that there are.
    """

    fit: QueryFit
    query: QueryVector
    first: Ranking = field(default_factory=lambda: Ranking(np.empty(0, np.int64), np.empty(0, np.float32)))
    total: int = 0


@dataclass(frozen=True, slots=True)
class RelevanceScorer:
    """Tells the relevance of the hits of one query.

    `wanted` is what is looked for. `ranks`: the scores that hits are ranked by are those of the only one.
    """

    index: VectorIndex
    wanted: Sequence[WantedClause]
    ranks: bool

    @property
    def shows_relevance(self) -> bool:
        """Whether the relevance of hits may be said."""
        return all(one.fit.fit.can_tell for one in self.wanted)

    @property
    def lacks_match(self) -> bool:
        """Whether it is said that there is nothing of what is looked for, or of a part of it."""
        return any(one.fit.lacks_match for one in self.wanted)

    def judge(self, ids: Ids, scores: Scores) -> list[Judgement]:
        """Return what is said of hits; `scores` (n,) are those they are ranked by."""
        if not len(ids):
            return []
        least = self._find_least(ids, scores)
        has_words = all(one.fit.fit.has_words for one in self.wanted)
        return [
            (value if self.shows_relevance else None, word_for(value) if has_words else None)
            for value in least.tolist()
        ]

    def find_likely(self, relevance: float) -> tuple[Ids, bool]:
        """Return the pictures that are at least so relevant, and whether there may be more than those.

        What is so relevant to all that is looked for is among what is to the one thing that has fewest: the others are
        asked about those alone. There may be more where all of its first are.
        """
        reached = [one.fit.relevances(_rounded(one.first.scores)) >= relevance for one in self.wanted]
        fewest = min(range(len(reached)), key=lambda place: int(reached[place].sum()))
        one, there = self.wanted[fewest], reached[fewest]
        ids, scores = one.first.ids[there], one.first.scores[there]
        held = self.index.holds(ids)
        ids, scores = ids[held], scores[held]
        found = ids[self._find_least(ids, scores) >= relevance] if len(ids) else ids
        return found, bool(there.all()) and len(there) < one.total

    def _find_least(self, ids: Ids, scores: Scores) -> Floats:
        """Return how relevant pictures are to what they are least relevant to of what is looked for."""
        found: Floats = np.min([one.fit.relevances(self._score(one, ids, scores)) for one in self.wanted], axis=0)
        return found

    def _score(self, one: WantedClause, ids: Ids, scores: Scores) -> Floats:
        if not self.ranks:
            scores = self.index.score(one.query.vector, ids, offset_weight=one.query.offset_weight)
        return _rounded(scores)

    def score_for(self, relevance: float) -> float | None:
        """Return the least score of a hit that is so relevant; None where scores do not say it."""
        return self.wanted[0].fit.score_for(relevance) if self.ranks else None

    def among(self, relevance: float, where: Selection | None) -> Selection | None:
        """Return the pictures of `where` that may be hits of that relevance; all of them if `score_for` parts them."""
        if self.ranks:
            return where
        for one in self.wanted:
            least, query = one.fit.score_for(relevance), one.query
            count = self.index.count_above(query.vector, least, where=where, offset_weight=query.offset_weight)
            if not count:
                return IdSelection(np.empty(0, np.int64))
            found = self.index.search(query.vector, count, where=where, offset_weight=query.offset_weight)
            where = IdSelection(found.ids[0][(found.ids[0] >= 0) & (found.scores[0] >= np.float32(least))])
        return where


def _rounded(scores: Scores) -> Floats:
    rounded: Floats = scores.round(SCORE_DECIMALS).astype(np.float64)
    return rounded


def depth_of(plan: Plan) -> int:
    """Return how many of the first hits are looked at, to tell how relevant hits are, and how many are likely."""
    return LOOKED_AT if plan.query.count_likely else DEPTH


def make_relevance_scorer(
    plan: Plan, retriever: VectorRetriever, where: Selection | None, curves: Curves | None, *, hub_correction: bool
) -> RelevanceScorer | None:
    """Return what tells the relevance of the hits of a plan among `where`; None where nothing may be said of them.

    So it is where words rank, or a date or a place, and where a thing that is looked for is not understood or of a kind
    that cannot be told. A sum takes a search more for each of its parts.
    """
    looked_for = [part for part in retriever.parts if part.weight > 0]
    asked = sum(read.clause.weight > 0 for read in plan.clauses)
    is_given = any(read.clause.vector is not None for read in plan.clauses)  # whether made of words or of a picture
    by_words = plan.query.match in ("text", "both") or plan.preferences
    if curves is None or by_words or is_given or not looked_for or len(looked_for) < asked:
        return None
    fits = [curves.fit_for(part.kind, hub_correction=hub_correction) for part in looked_for]
    ranks = len(retriever.parts) == 1
    wanted = []
    for fit, part in zip(fits, looked_for, strict=True):
        if fit is None:
            return None
        alone = retriever if ranks else _ask_alone(retriever, part, hub_correction=hub_correction)
        first, total = alone.retrieve(plan, where, depth_of(plan)), alone.count(plan, where)
        read = fit.read(first.scores[:DEPTH].astype(np.float64), total, curves.level(fit, part.vector))
        wanted.append(WantedClause(read, part.as_query(hub_correction=hub_correction), first, total))
    return RelevanceScorer(retriever.index, wanted, ranks)


def _ask_alone(retriever: VectorRetriever, part: QueryPart, *, hub_correction: bool) -> VectorRetriever:
    return VectorRetriever(retriever.space, [part], part.as_query(hub_correction=hub_correction))


def list_kinds(curves: Curves | None, *, hub_correction: bool) -> dict[str, Fit]:
    """Return the fits of the kinds of query whose hits have a relevance."""
    fits = {kind: curves.fit_for(kind, hub_correction=hub_correction) for kind in KINDS} if curves else {}
    return {kind: fit for kind, fit in fits.items() if fit is not None and fit.can_tell}


def cannot_tell(plan: Plan, *, plain: bool) -> SearchNote:
    """Say that nothing was left out by relevance, why, and what to do; `plain`: the query took scores as they are."""
    if plan.query.match != "vector":
        return SearchNote(
            code="cannot_tell",
            said=message(
                "Where words rank there is no relevance, so nothing was left out by it. Search with match=vector."
            ),
        )
    if len(plan.encoders) > 1:
        return SearchNote(
            code="cannot_tell",
            said=message(
                "Several encoders answer this together, and a fused ranking has no relevance, so nothing was left out. "
                "Choose one of them with encoders=NAME."
            ),
        )
    if all(read.clause.weight < 0 for read in plan.clauses):
        return SearchNote(
            code="cannot_tell",
            said=message(
                "What only leads away from something has no relevance, so nothing was left out by it. Say what to look "
                "for."
            ),
        )
    if plain:
        return SearchNote(
            code="cannot_tell",
            said=message(
                "Relevance is told from scores with hub correction, and this query is ranked without it, so nothing "
                "was left out. Search without min_score, and with hub correction."
            ),
        )
    return SearchNote(
        code="cannot_tell",
        said=message(
            "For this query the encoder's scores do not tell what is a match, so nothing was left out. Questions of "
            "your own may teach it: xuntu evaluate questions.csv --calibrate"
        ),
    )


def no_good_match(min_relevance: float | None) -> SearchNote:
    """Say that nothing is relevant enough: not as `min_relevance` asks, or without it, that nothing seems to be."""
    if min_relevance is None:
        return SearchNote(
            code="no_good_match",
            said=message("No good match: by their scores, probably none of the pictures is right. These are nearest."),
        )
    return SearchNote(
        code="no_good_match",
        said=message(
            "No good match: nothing has a relevance of {percent:g} % or more. The nearest are given apart.",
            percent=100 * min_relevance,
        ),
    )
