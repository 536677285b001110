"""A plan and the vectors of what it asks -> a page of hits."""

import threading
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from api.search.clauses import language_of
from api.search.cursors import write_next
from api.search.duplicate_collapse import DuplicateCollapser, HitPage, Scores
from api.search.encoders import EncoderSpace, Spaces
from api.search.errors import InvalidQuery
from api.search.explaining import explain_hits
from api.search.fusion import Fusion
from api.search.plan import Encoded, EncoderPlan, Plan, sum_parts
from api.search.query import Query
from api.search.reasons import find_reasons
from api.search.relevance_scoring import (
    Judgement,
    RelevanceScorer,
    cannot_tell,
    depth_of,
    make_relevance_scorer,
    no_good_match,
)
from api.search.results import HitMoment, HitPart, Reason, SearchHit, SearchNote, SearchResult
from api.search.retrievers.vectors import VectorRetriever
from api.search.retrievers.words import WordRetriever
from indexer.library.catalog.lists import read_facts
from indexer.library.catalog.sorting import read_sort
from indexer.library.filters import Filter
from indexer.library.index.base import SCORE_DECIMALS
from indexer.library.index.port import Mask, Selection
from indexer.library.index.selection import FilterSelection
from indexer.library.opened import OpenBuild
from models.foundation.messages import message
from models.foundation.vectors import Ids
from models.pictures.parts import is_region
from models.relevance.curves import GOOD_MATCH

_CACHED_FILTERS = 32
_NOT_JUDGED: Judgement = (None, None)
_MOST_MOMENTS = 5  # of a video, that are told of a hit


@dataclass(frozen=True, slots=True)
class _RankedPage:
    """Hits and what found them, before they are described; `nearest` and `notes` as in an answer."""

    retrievers: Sequence[VectorRetriever]
    scorer: RelevanceScorer | None
    fusion: Fusion | None
    page: HitPage
    nearest: list[SearchHit]
    notes: list[SearchNote]
    turned: list[SearchNote]


class Ranker:
    """Ranks the pictures of one build. Safe to use from several threads."""

    def __init__(self, opened: OpenBuild, spaces: Spaces) -> None:
        self._opened = opened
        self._spaces = spaces
        self.duplicates = DuplicateCollapser(opened)
        self._filtered: OrderedDict[Filter, Selection] = OrderedDict()
        self._filtered_lock = threading.Lock()

    def rank(self, plan: Plan, encoded: Mapping[str, Encoded]) -> SearchResult:
        """Search with the vectors of what `plan` asks each of its encoders, by their names. Raises InvalidQuery."""
        started = time.perf_counter()
        query = plan.query
        found = self._find(plan, encoded, query.offset, query.offset + query.k)
        retrievers, scorer, fusion, page = found.retrievers, found.scorer, found.fusion, found.page
        nearest, notes, turned = found.nearest, found.notes, found.turned
        names = [one.space.name for one in retrievers]
        hits = self._sort(self._hits(plan, page, retrievers, scorer, fusion), query.sort)
        told = query.min_relevance is None and not query.offset and not plan.matches.any
        if scorer and hits and told and scorer.lacks_match:
            notes.append(no_good_match(None))
        likely, is_least = self._count_likely(plan, found)
        done = time.perf_counter()
        names = names or list(self._spaces)[:1]
        build = self._opened.manifest.build
        return SearchResult(
            hits=hits,
            total=page.total,
            likely=likely,
            likely_is_least=is_least,
            offset=query.offset,
            more=page.more,
            next=write_next(plan.question, build, query.offset + query.k) if hits and page.more else None,
            timings_ms={
                "encode": round(1000 * (started - plan.started), 3),
                "search": round(1000 * (done - started), 3),
                "total": round(1000 * (done - plan.started), 3),
            },
            build=build,
            encoder=names[0],
            encoders=names,
            language=language_of(plan.clauses),
            clauses=list(plan.clauses),
            nearest=nearest,
            notes=[*plan.notes, *turned[:1], *notes],
        )

    def _count_likely(self, plan: Plan, found: "_RankedPage") -> tuple[int | None, bool]:
        """Return how many hits are rather right than wrong, None where that is not told, and whether it is the least.

        What says the words, where they rank as well, has no relevance and is not counted.
        """
        query, scorer = plan.query, found.scorer
        if not query.count_likely or scorer is None or not scorer.shows_relevance:
            return None, False
        ids, is_least = scorer.find_likely(max(GOOD_MATCH, query.min_relevance or 0.0))
        if found.fusion:
            ids = ids[~np.isin(ids, found.fusion.said)]
        if query.min_score is not None:
            asked = found.retrievers[0].query
            scores = scorer.index.score(asked.vector, ids, offset_weight=asked.offset_weight)
            ids = ids[scores.round(SCORE_DECIMALS) >= np.float32(query.min_score)]
        return len(ids), is_least

    def find_ids(self, plan: Plan, encoded: Mapping[str, Encoded], most: int) -> tuple[Ids, int]:
        """Return the ids of the first `most` hits, best first, and how many there are. Raises InvalidQuery."""
        page = self._find(plan, encoded, 0, most).page
        return page.ids[page.ids >= 0], page.total

    def _find(self, plan: Plan, encoded: Mapping[str, Encoded], start: int, end: int) -> "_RankedPage":
        """Rank, and return the hits from place `start` up to `end`, with what found them."""
        query = plan.query
        turned: list[SearchNote] = []
        retrievers = [self._make_retriever(query, asked, encoded[asked.encoder], turned) for asked in plan.encoders]
        if len(retrievers) > 1 and query.min_score is not None:
            raise _no_common_score([one.space.name for one in retrievers])
        where = self._select(query.where) if isinstance(query.where, Filter) else None
        if len(retrievers) == 1:
            retrievers = [self._look_ahead(plan, retrievers[0], where, end)]
        scorer = self._make_relevance_scorer(plan, retrievers[0], where) if len(retrievers) == 1 else None
        alone = query.match == "vector" and len(retrievers) == 1
        fusion = None if alone else Fusion(plan, retrievers, WordRetriever(self.holds), where)
        page, nearest, notes = self._find_relevant(plan, retrievers, where, scorer, fusion, (start, end))
        return _RankedPage(retrievers, scorer, fusion, page, nearest, notes, turned)

    def _make_retriever(
        self, query: Query, asked: EncoderPlan, encoded: Encoded, notes: list[SearchNote]
    ) -> VectorRetriever:
        """Return what finds the pictures of one encoder; a note is added where a picture is asked with turned."""
        space = self._spaces[asked.encoder]
        texts, images = encoded
        if asked.turned:
            chosen, said = space.choose_turn(np.stack(images))
            images = [chosen]
            notes.extend(said)
        parts = asked.list_parts(texts, images)
        return VectorRetriever(space, parts, sum_parts(parts, hub_correction=_corrects(space, query)))

    def _look_ahead(self, plan: Plan, retriever: VectorRetriever, where: Selection | None, end: int) -> VectorRetriever:
        """Find in one search the page and the first hits that relevance is told by, where the same scores do both."""
        query = plan.query
        if query.match != "vector" or len(retriever.parts) > 1 or retriever.space.calibration.get() is None:
            return retriever
        return retriever.look_ahead(plan, where, max(depth_of(plan), end))

    def _make_relevance_scorer(
        self, plan: Plan, retriever: VectorRetriever, where: Selection | None
    ) -> RelevanceScorer | None:
        space, hub_correction = retriever.space, _corrects(retriever.space, plan.query)
        return make_relevance_scorer(plan, retriever, where, space.calibration.get(), hub_correction=hub_correction)

    def _find_relevant(
        self,
        plan: Plan,
        retrievers: Sequence[VectorRetriever],
        where: Selection | None,
        scorer: RelevanceScorer | None,
        fusion: Fusion | None,
        places: tuple[int, int],
    ) -> tuple[HitPage, list[SearchHit], list[SearchNote]]:
        """Return the hits at these places, without what is not relevant enough; where nothing is, the nearest apart."""
        query = plan.query
        least = query.min_relevance
        if least is None or scorer is None or not scorer.shows_relevance:
            plain = any(
                one.kind == "text" and one.space.hub_correction and not _corrects(one.space, query)
                for one in retrievers
            )
            notes = [] if least is None else [cannot_tell(plan, plain=plain)]
            return self._find_page(plan, retrievers, where, query.min_score, fusion, places), [], notes
        limits = [limit for limit in (query.min_score, scorer.score_for(least)) if limit is not None]
        among = scorer.among(least, where)
        page = self._find_page(plan, retrievers, among, max(limits, default=None), fusion, places)
        if page.total:
            return page, [], []
        near = self._find_page(plan, retrievers, where, query.min_score, fusion, (0, query.k))
        nearest = self._hits(plan, near, retrievers, scorer, fusion)
        return page, nearest, [no_good_match(least)] if nearest else []

    def _find_page(
        self,
        plan: Plan,
        retrievers: Sequence[VectorRetriever],
        where: Selection | None,
        min_score: float | None,
        fusion: Fusion | None,
        places: tuple[int, int],
    ) -> HitPage:
        """Return the hits from a place up to another in a ranking of `where`, down to `min_score`."""
        query = plan.query

        def find(start: int, end: int) -> tuple[Ids, Scores, int]:
            return fusion.find(start, end) if fusion else retrievers[0].find_range(plan, where, min_score, start, end)

        start, end = places
        if query.hide_duplicates:
            return self.duplicates.find(find, start, end)
        ids, scores, total = find(start, end)
        return HitPage(ids, scores, [0] * len(ids), total, more=end < total)

    def holds(self, ids: Ids) -> Mask:
        """Say which pictures any index has."""
        held = np.zeros(len(ids), np.bool_)
        for space in self._spaces.values():
            held[~held] = space.index.holds(ids[~held])
        return held

    def _select(self, where: Filter) -> Selection:
        """Return the pictures that satisfy `where`, kept for the next page of the same search."""
        with self._filtered_lock:
            selection = self._filtered.setdefault(where, FilterSelection(where, self._opened.catalog.ids_where))
            self._filtered.move_to_end(where)
            if len(self._filtered) > _CACHED_FILTERS:
                self._filtered.popitem(last=False)
        return selection

    def _hits(
        self,
        plan: Plan,
        page: HitPage,
        retrievers: Sequence[VectorRetriever],
        scorer: RelevanceScorer | None,
        fusion: Fusion | None,
    ) -> list[SearchHit]:
        ids = page.ids.tolist()
        rows = self._opened.catalog.get_images(ids)
        is_video = np.array([one in rows and rows[one].is_video for one in ids], np.bool_)
        explained = explain_hits(plan, page.ids, retrievers, fusion) if plan.query.explain else {}
        retrievers = retrievers if plan.query.match != "text" else ()
        parts = self._find_parts(page.ids, is_video, retrievers)
        reasons: Mapping[int, tuple[Reason, ...]] = {}
        said = fusion.said if fusion else np.empty(0, np.int64)
        if fusion and plan.query.match != "vector":
            reasons = find_reasons(self._opened.catalog, rows, plan, fusion)
            parts |= self._find_written(reasons)
        judged = [_NOT_JUDGED] * len(ids)
        if scorer:
            held = np.flatnonzero(scorer.index.holds(page.ids))
            for place, one in zip(held.tolist(), scorer.judge(page.ids[held], page.scores[held]), strict=True):
                judged[place] = one
        # Of what says the words, the score of what it shows does not tell whether it is right.
        by_words = np.isin(page.ids, said).tolist()
        judged = [_NOT_JUDGED if says else one for says, one in zip(by_words, judged, strict=True)]
        moments = self._find_moments(page.ids[is_video], parts, retrievers)
        catalog, asked = self._opened.catalog, plan.query.fields
        facts = catalog.get_facts(ids, read_facts(asked, catalog.fields())) if asked else {}
        return [
            SearchHit(
                id=image_id,
                path=rows[image_id].shown_path,
                root=rows[image_id].root,
                place=rows[image_id].place,
                score=round(float(score), 6),
                width=rows[image_id].width,
                height=rows[image_id].height,
                relevance=relevance,
                likelihood=likelihood,
                duplicates=duplicates,
                part=parts.get(image_id),
                moments=moments.get(image_id, ()),
                reasons=reasons.get(image_id, ()),
                explanation=explained.get(image_id),
                fields=facts.get(image_id, {}),
            )
            for image_id, score, (relevance, likelihood), duplicates in zip(
                ids, page.scores, judged, page.duplicates, strict=True
            )
            if image_id in rows  # the library may have been compacted since this build was opened
        ]

    def _sort(self, hits: list[SearchHit], written: str) -> list[SearchHit]:
        """Return hits in the order of a field; those without a value last, and equal ones as they were."""
        if not written:
            return hits
        catalog = self._opened.catalog
        sort = read_sort(written, catalog.fields())
        values = catalog.sort_values([hit.id for hit in hits], sort)
        valued = [hit for hit in hits if values.get(hit.id) is not None]
        valued.sort(key=lambda hit: _compared(values[hit.id]), reverse=sort.descending)
        return valued + [hit for hit in hits if values.get(hit.id) is None]

    def _find_parts(self, ids: Ids, is_video: Mask, retrievers: Sequence[VectorRetriever]) -> dict[int, HitPart]:
        """Return what of pictures and videos was found, by their ids: by the encoder whose scores are shown."""
        numbers, unknown = np.zeros(len(ids), np.int64), np.ones(len(ids), np.bool_)
        for one in retrievers:
            here = unknown & one.space.index.holds(ids)
            numbers[here] = one.find_parts(ids[here], is_video[here])
            unknown &= ~here
        chosen = np.flatnonzero(numbers)
        known = self._opened.catalog.get_parts(ids[chosen].tolist())
        keys = zip(ids[chosen].tolist(), numbers[chosen].tolist(), strict=True)
        return {key[0]: HitPart.of(key[1], known[key]) for key in keys if key in known}

    def _find_moments(
        self, ids: Ids, parts: Mapping[int, HitPart], retrievers: Sequence[VectorRetriever]
    ) -> dict[int, tuple[HitMoment, ...]]:
        """Return the best moments of videos by their ids, for those of which one was found."""
        found: dict[int, tuple[HitMoment, ...]] = {}
        for image_id in [one for one in ids.tolist() if one in parts]:
            ranked = next(filter(None, (one.rank_moments(image_id, _MOST_MOMENTS) for one in retrievers)), ())
            known = self._opened.catalog.get_parts([image_id])
            found[image_id] = tuple(
                HitMoment(number, at_ms / 1000, round(score, 6))
                for number, score in ranked
                if (image_id, number) in known and (at_ms := known[image_id, number].at_ms) is not None
            )
        return found

    def _find_written(self, reasons: Mapping[int, Sequence[Reason]]) -> dict[int, HitPart]:
        """Return the parts in which the first of what is written there stands, by ids: of long pictures and videos."""
        first = {one: next((r for r in found if r.box), None) for one, found in reasons.items()}
        written = {image_id: reason for image_id, reason in first.items() if reason}
        known: dict[int, list[HitPart]] = {}
        for (image_id, number), part in sorted(self._opened.catalog.get_parts(list(written)).items()):
            if not is_region(number):
                known.setdefault(image_id, []).append(HitPart.of(number, part))
        return {one: _part_of(written[one], parts) for one, parts in known.items()}


def _part_of(reason: Reason, parts: Sequence[HitPart]) -> HitPart:
    """Return the part in which something stands: the moment that has begun then, or the place that has most of it."""
    if reason.at is not None:
        begun = [part for part in parts if part.at is not None and part.at <= reason.at]
        return begun[-1] if begun else parts[0]
    box = reason.box
    return max(parts, key=lambda part: part.box.share_of(box)) if box else parts[0]


def _compared(value: Any) -> Any:
    """Return what of a value decides the order: of a text, in any case."""
    return value.lower() if isinstance(value, str) else value


def _corrects(space: EncoderSpace, query: Query) -> bool:
    """Say whether offsets count in a query; a ranking down to a cosine is one of cosines."""
    return space.hub_correction and query.hub_correction and query.min_score is None


def _no_common_score(names: Sequence[str]) -> InvalidQuery:
    return InvalidQuery(
        message(
            "min_score is a cosine, and {names} answer this together, whose scores cannot be compared. Choose one: "
            "encoders={first}",
            names=tuple(names),
            first=names[0],
        )
    )
