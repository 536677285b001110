"""How likely the hits of a query are right, where the scores of the encoder can tell it.

A sum such as "a cat" and "snow" asks for both, so a hit is as relevant as it is to the least of what is looked for:
that is an upper bound of the chance that all of it is there, and one perfect half does not make up for the other. What
a query leads away from changes the order of hits, not what they are hits of, and is not judged.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from api.search.duplicate_collapse import Scores
from api.search.plan import Plan, QueryPart, QueryVector
from api.search.reloading_file import ReloadingFile
from api.search.results import SearchHit, SearchNote
from indexer.library.index.base import SCORE_DECIMALS
from indexer.library.index.port import Selection, VectorIndex
from indexer.library.index.selection import IdSelection
from models.foundation.errors import CalibrationUnreadable, ReferenceUnreadable
from models.foundation.messages import message
from models.foundation.vectors import Ids, Vectors
from models.relevance.curves import KINDS, POOR_MATCH, Calibration, Fit, Kind, read_calibration
from models.relevance.reference_pictures import Reference, read_reference

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Curves:
    """The curves of an encoder, and the reference pictures that it has."""

    calibration: Calibration
    reference: Reference | None

    def fit_for(self, kind: Kind | None, *, hub_correction: bool) -> Fit | None:
        """Return the curve for queries of a kind, None where it cannot be told how likely their hits are right."""
        digest = self.reference.digest if self.reference else ""
        return self.calibration.fit_for(kind, hub_correction=hub_correction, reference=digest)

    def level(self, fit: Fit, vector: Vectors) -> float:
        """Return what a curve takes off the scores of a query, whose vector is float32 (dim,)."""
        return float(self.reference.level(vector[None])[0]) if self.reference and fit.reference else 0.0


class CalibrationFile:
    """The curves of an encoder, read again when a library's own file has changed. Safe to use from threads."""

    def __init__(self, path: Path, fingerprint: str) -> None:
        self._path = path
        self._fingerprint = fingerprint
        self._file = ReloadingFile(path, self._read)

    def get(self) -> Curves | None:
        """Return the curves; None if there are none, or, which is logged, they cannot be read."""
        return self._file.get()

    def _read(self) -> Curves | None:
        try:
            calibration = read_calibration(self._path, self._fingerprint)
        except CalibrationUnreadable as error:
            logger.warning("no hit gets a relevance: %s", error)
            return None
        if calibration is None:
            return None
        reference = self._read_reference() if calibration.references else None
        missing = calibration.references - {reference.digest if reference else ""}
        if missing:
            logger.warning("some hits get no relevance: there are no reference pictures %s", ", ".join(sorted(missing)))
        return Curves(calibration, reference)

    def _read_reference(self) -> Reference | None:
        try:
            return read_reference(self._fingerprint)
        except ReferenceUnreadable as error:
            logger.warning("%s", error)
            return None


@dataclass(frozen=True, slots=True)
class WantedClause:
    """A thing that is looked for: its curve, its query to the index, and the query's level."""

    fit: Fit
    query: QueryVector
    level: float

    def relevance(self, score: float) -> float:
        """Return the relevance of a hit."""
        return self.fit.relevance(score - self.level)

    def score_for(self, relevance: float) -> float:
        """Return the least score whose relevance is at least so much."""
        return self.fit.score_for(relevance) + self.level


@dataclass(frozen=True, slots=True)
class RelevanceScorer:
    """Tells the relevance of the hits of one query.

    `wanted` is what is looked for. `ranks`: the scores that hits are ranked by are those of the only one.
    """

    index: VectorIndex
    wanted: Sequence[WantedClause]
    ranks: bool

    def relevances(self, ids: Ids, scores: Scores) -> list[float]:
        """Return the relevance of hits; `scores` (n,) are those they are ranked by."""
        if not len(ids):
            return []
        if self.ranks:
            (only,) = self.wanted
            return [only.relevance(round(score, SCORE_DECIMALS)) for score in scores.tolist()]
        parts = [(one, self._score(one.query, ids).round(SCORE_DECIMALS).tolist()) for one in self.wanted]
        return [min(one.relevance(row[place]) for one, row in parts) for place in range(len(ids))]

    def _score(self, query: QueryVector, ids: Ids) -> Scores:
        return self.index.score(query.vector, ids, offset_weight=query.offset_weight)

    def doubts(self, hits: Sequence[SearchHit]) -> bool:
        """Say whether even the best of some hits, and there are some, is a poor match."""
        return bool(hits) and max(hit.relevance or 0.0 for hit in hits) < POOR_MATCH

    def score_for(self, relevance: float) -> float | None:
        """Return the least score of a hit that is so relevant; None where scores do not say it."""
        return self.wanted[0].score_for(relevance) if self.ranks else None

    def among(self, relevance: float, where: Selection | None) -> Selection | None:
        """Return the pictures of `where` that may be hits of that relevance; all of them if `score_for` parts them."""
        if self.ranks:
            return where
        for one in self.wanted:
            least, query = one.score_for(relevance), one.query
            count = self.index.count_above(query.vector, least, where=where, offset_weight=query.offset_weight)
            if not count:
                return IdSelection(np.empty(0, np.int64))
            found = self.index.search(query.vector, count, where=where, offset_weight=query.offset_weight)
            where = IdSelection(found.ids[0][(found.ids[0] >= 0) & (found.scores[0] >= np.float32(least))])
        return where


def make_relevance_scorer(
    plan: Plan, parts: Sequence[QueryPart], index: VectorIndex, curves: Curves | None, *, hub_correction: bool
) -> RelevanceScorer | None:
    """Return what tells the relevance of the hits of a plan; None where it cannot be told how likely they are right.

    So it is where words rank, and where a thing that is looked for is not understood or of a kind that cannot be told.
    """
    looked_for = [part for part in parts if part.weight > 0]
    asked = sum(read.clause.weight > 0 for read in plan.clauses)
    if curves is None or plan.query.match != "vector" or not looked_for or len(looked_for) < asked:
        return None
    fits = [curves.fit_for(part.kind, hub_correction=hub_correction) for part in looked_for]
    wanted = [
        WantedClause(fit, part.as_query(hub_correction=hub_correction), curves.level(fit, part.vector))
        for fit, part in zip(fits, looked_for, strict=True)
        if fit is not None
    ]
    return RelevanceScorer(index, wanted, ranks=len(parts) == 1) if len(wanted) == len(fits) else None


def list_kinds(curves: Curves | None, *, hub_correction: bool) -> dict[str, Fit]:
    """Return the curves of the kinds of query whose hits have a relevance."""
    fits = {kind: curves.fit_for(kind, hub_correction=hub_correction) for kind in KINDS} if curves else {}
    return {kind: fit for kind, fit in fits.items() if fit is not None}


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
    """Say that nothing is relevant enough: not as `min_relevance` asks, or without it, that all is a poor match."""
    if min_relevance is None:
        return SearchNote(
            code="no_good_match",
            said=message(
                "No good match: even the best of these has a relevance below {percent:.0f} %.", percent=100 * POOR_MATCH
            ),
        )
    return SearchNote(
        code="no_good_match",
        said=message(
            "No good match: nothing has a relevance of {percent:g} % or more. The nearest are given apart.",
            percent=100 * min_relevance,
        ),
    )
