"""Query -> ranked hits."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from PIL.Image import Image

from api.search.clauses import language_of, read_clauses
from api.search.duplicate_collapse import DuplicateCollapser, HitPage, Scores
from api.search.encoders import EncoderSpace, EncoderTowers, load_encoders
from api.search.errors import ImageNotFound, InvalidQuery
from api.search.plan import Encoded, Plan, SpacePlan, sum_parts
from api.search.query import MAX_TEXT_CHARS, Clause, Query
from api.search.ranking import Aim, find_fused, find_nearest
from api.search.relevance_scoring import RelevanceScorer, cannot_tell, list_kinds, make_relevance_scorer, no_good_match
from api.search.results import SearchHit, SearchNote, SearchResult
from api.search.routing import RoutingFile, assign, can_answer, default_routes, kind_of_clause, parse_routes
from api.search.word_search import WordSearch, match_notes
from indexer.library.catalog.fields import FieldSet
from indexer.library.catalog.filter_parser import parse_filter
from indexer.library.catalog.filters import Filter
from indexer.library.catalog.records import ImageRow
from indexer.library.opened import OpenBuild, open_build
from indexer.library.routing import Routes
from indexer.library.thumbnails import DECODED_SIDE, decoded_side
from models.encoders.runtime import Runtime
from models.encoders.wordings import list_wordings
from models.foundation.errors import NoTextTower, UnknownWords
from models.foundation.vectors import Ids, Vectors
from models.language.text import normalize_text
from models.pictures.decode import DecodeLimits, decode_image
from models.relevance.curves import Fit

_CACHED_FILTERS = 32


class SearchEngine:
    """Answers queries from one build. Safe to use from several threads."""

    def __init__(
        self,
        opened: OpenBuild,
        encoders: Sequence[EncoderTowers],
        limits: DecodeLimits | None = None,
        *,
        hub_correction: bool = True,
        routing: str = "",
    ) -> None:
        """Take a build and its encoders, in their order. Raises IndexMismatch if they do not belong together.

        `hub_correction`: what a picture scores with any text is taken off its score, if the index has it. `routing`
        goes before the library's own routes; it is read as `parse_routes` does, and raises InvalidRouting.
        """
        self.opened = opened
        self.spaces = [
            EncoderSpace(opened, position, one, hub_correction=hub_correction) for position, one in enumerate(encoders)
        ]
        self._limits = limits or DecodeLimits()
        self._words = WordSearch(opened.catalog)
        self._duplicates = DuplicateCollapser(opened)
        self._specs = [space.encoders.spec for space in self.spaces]
        self._given_routes = parse_routes(routing, self._specs)
        self.routing = RoutingFile(opened.layout.routing)
        self._filtered: OrderedDict[Filter, Ids] = OrderedDict()
        self._filtered_lock = threading.Lock()

    @classmethod
    def open(
        cls,
        data: Path,
        limits: DecodeLimits | None = None,
        *,
        runtime: Runtime | None = None,
        hub_correction: bool = True,
        routing: str = "",
    ) -> "SearchEngine":
        """Open the build in use.

        Raises NoIndex, IndexMismatch, IndexDamaged, InvalidRouting, what the catalog raises, and WeightsMissing or
        WeightsCorrupt if no encoder can be used; one of several that cannot raises them when it is asked.
        """
        opened = open_build(data)
        encoders = load_encoders(opened, runtime or Runtime(weights=data / "weights"))
        return cls(opened, encoders, limits, hub_correction=hub_correction, routing=routing)

    def get_space(self, name: str | None = None) -> EncoderSpace:
        """Return a space by its encoder's name, without one the main one. Raises InvalidQuery."""
        for space in self.spaces:
            if name in (None, space.name):
                return space
        known = [space.name for space in self.spaces]
        raise InvalidQuery(
            en=f"This library has no encoder {name!r}; it has {', '.join(known)}.",
            zh=f"这个图片库没有编码器 {name!r}；现有：{'、'.join(known)}。",
        )

    @property
    def encoders(self) -> EncoderTowers:
        """The towers of the main encoder."""
        return self.spaces[0].encoders

    @property
    def hub_correction(self) -> bool:
        """Whether the main encoder's scores of texts are corrected for pictures that are near to everything."""
        return self.spaces[0].hub_correction

    @property
    def routes(self) -> Routes:
        """Which encoders answer which kind of query: as given, else as measured, else by what they are made for."""
        measured = self.routing.get()
        fingerprints = {space.name: space.entry.fingerprint for space in self.spaces}
        own = measured.routes_for(fingerprints) if measured else {}
        able = {kind: names for kind, names in own.items() if can_answer(kind, names, self._specs)}
        return {**default_routes(self._specs), **able, **self._given_routes}

    def search(self, query: Query) -> SearchResult:
        """Answer `query`. Raises InvalidQuery, UnknownWords, ImageNotFound, DecodeError, and what loading raises."""
        plan = self.plan(query)
        encoded: list[Encoded] = []
        for asked in plan.spaces:
            encoders = self.spaces[asked.position].encoders
            pixels = [pixels for _, pixels in asked.pixels]
            encoded.append((encoders.encode_texts(asked.wordings), encoders.encode_images(pixels)))
        return self.rank(plan, encoded)

    def plan(self, query: Query) -> Plan:
        """Read texts, decode pictures and look up ids, so that only encoding is left. Raises as `search`."""
        for clause in query.clauses:
            if clause.text is not None:
                _check_text(clause.text)
        started = time.perf_counter()
        if isinstance(query.where, str):
            query = replace(query, where=parse_filter(query.where, self.fields()))
        plan = Plan(query, started)
        self._read(plan)
        clauses = [read.clause for read in plan.clauses]
        for clause in clauses:
            if clause.image_id is not None:
                self.get_image(clause.image_id)
                plan.excluded.append(clause.image_id)
        pictures = {
            place: self._decode(clause.image) for place, clause in enumerate(clauses) if clause.image is not None
        }
        unknown: dict[int, list[list[str]]] = {}  # by clause: the words that each encoder asked does not know
        assigned = assign(clauses, self._route(query.encoders), self._takes)
        for name, places in assigned.items():
            asked = SpacePlan(position=self.spaces.index(self.get_space(name)))
            for place in places:
                words = self._plan_clause(plan, asked, clauses[place], pictures.get(place))
                unknown.setdefault(place, []).append(words)
            towards = any(clauses[place].weight > 0 for place in places)
            if asked.weights and (max(asked.weights) > 0 or not towards):  # something asked for is understood
                plan.spaces.append(asked)
        self._tell_unknown(plan, [_common(words) for _, words in sorted(unknown.items())], next(iter(assigned)))
        return plan

    def rank(self, plan: Plan, encoded: Sequence[Encoded]) -> SearchResult:
        """Search with the vectors of what `plan` asks each of its spaces, in their order. Raises InvalidQuery."""
        started = time.perf_counter()
        query = plan.query
        aims = [self._aim(query, asked, *vectors) for asked, vectors in zip(plan.spaces, encoded, strict=True)]
        if len(aims) > 1 and query.min_score is not None:
            raise _no_common_score([aim.space.name for aim in aims])
        where = self._ids_where(query.where) if isinstance(query.where, Filter) else None
        scorer = self._make_relevance_scorer(plan, aims[0]) if len(aims) == 1 else None
        page, nearest, notes = self._find_relevant(plan, aims, where, scorer)
        hits = self._hits(page, scorer)
        if scorer and query.min_relevance is None and not query.offset and scorer.doubts(hits):
            notes.append(no_good_match(None))
        done = time.perf_counter()
        names = [aim.space.name for aim in aims] or [self.spaces[0].name]
        return SearchResult(
            hits=hits,
            total=page.total,
            more=page.more,
            timings_ms={
                "encode": round(1000 * (started - plan.started), 3),
                "search": round(1000 * (done - started), 3),
                "total": round(1000 * (done - plan.started), 3),
            },
            build=self.opened.manifest.build,
            encoder=names[0],
            encoders=names,
            language=language_of(plan.clauses),
            clauses=plan.clauses,
            nearest=nearest,
            notes=plan.notes + notes,
        )

    def list_kinds(self) -> dict[str, Fit]:
        """Return how well relevance tells what is there, for each kind of query that has one: zh, en, picture."""
        found: dict[str, Fit] = {}
        for kind, names in self.routes.items():
            space = self.get_space(names[0])
            fits = list_kinds(space.calibration.get(), hub_correction=space.hub_correction)
            if len(names) == 1 and kind in fits:
                found[kind] = fits[kind]
        return found

    def _aim(self, query: Query, asked: SpacePlan, texts: Sequence[Vectors], images: Sequence[Vectors]) -> Aim:
        space = self.spaces[asked.position]
        parts = asked.list_parts(texts, images)
        return Aim(space, parts, sum_parts(parts, hub_correction=_corrects(space, query)))

    def _make_relevance_scorer(self, plan: Plan, aim: Aim) -> RelevanceScorer | None:
        space, hub_correction = aim.space, _corrects(aim.space, plan.query)
        return make_relevance_scorer(
            plan, aim.parts, space.index, space.calibration.get(), hub_correction=hub_correction
        )

    def _route(self, named: Sequence[str]) -> Callable[[Clause], Sequence[str]]:
        """Return what says which encoders a clause goes to: those `named`, or else its route. Raises InvalidQuery."""
        for name in named:
            self.get_space(name)
        known = [space.name for space in self.spaces]
        routes = self.routes
        for_text = [space.name for space in self.spaces if space.reads_text] or known

        def route(clause: Clause) -> Sequence[str]:
            kind = kind_of_clause(clause)
            wanted = tuple(dict.fromkeys(named)) or (routes[kind] if kind else for_text[:1])
            able = [name for name in wanted if self._takes(name, clause)]
            if clause.image_id is not None and not able:  # added when the encoder could not see the picture
                able = [name for name in known if self._takes(name, clause)][:1]
            return able or wanted[:1]

        return route

    def _takes(self, name: str, clause: Clause) -> bool:
        """Say whether an encoder can answer a clause."""
        space = self.get_space(name)
        if clause.text is not None:
            return space.reads_text
        return clause.image_id is None or space.holds(clause.image_id)

    def _find_relevant(
        self, plan: Plan, aims: Sequence[Aim], where: Ids | None, scorer: RelevanceScorer | None
    ) -> tuple[HitPage, list[SearchHit], list[SearchNote]]:
        """Return the page asked for, without what is not relevant enough; where nothing is, the nearest apart."""
        query = plan.query
        least = query.min_relevance
        if least is None or scorer is None:
            plain = any(
                aim.kind == "text" and aim.space.hub_correction and not _corrects(aim.space, query) for aim in aims
            )
            notes = [] if least is None else [cannot_tell(plan, plain=plain)]
            return self._find_page(plan, aims, where, query.min_score), [], notes
        limits = [limit for limit in (query.min_score, scorer.score_for(least)) if limit is not None]
        page = self._find_page(plan, aims, scorer.among(least, where), max(limits, default=None))
        if page.total:
            return page, [], []
        first = replace(plan, query=replace(query, offset=0))
        nearest = self._hits(self._find_page(first, aims, where, query.min_score), scorer)
        return page, nearest, [no_good_match(least)] if nearest else []

    def _find_page(self, plan: Plan, aims: Sequence[Aim], where: Ids | None, min_score: float | None) -> HitPage:
        """Return the page of a ranking of `where`, down to `min_score`."""
        query = plan.query

        def find(start: int, end: int) -> tuple[Ids, Scores, int]:
            if query.match == "vector" and len(aims) == 1:
                return find_nearest(plan, aims[0], where, min_score, start, end)
            return find_fused(plan, aims, where, self._ids, start, end)

        start, end = query.offset, query.offset + query.k
        if query.hide_duplicates:
            return self._duplicates.find(find, start, end)
        ids, scores, total = find(start, end)
        return HitPage(ids, scores, [0] * len(ids), total, more=end < total)

    @cached_property
    def _ids(self) -> Ids:
        """The ids of all pictures that any index has, ascending."""
        first, *others = (space.index.list_ids() for space in self.spaces)
        for ids in others:
            first = first if np.array_equal(first, ids) else np.union1d(first, ids)
        return first

    def fields(self) -> FieldSet:
        """Return the fields that pictures of the library have."""
        return self.opened.catalog.fields()

    def get_annotations(self, row: ImageRow) -> dict[str, Any]:
        """Return what annotators found in a picture, by the names of their fields."""
        return self.opened.catalog.get_annotations([row.content_id])[row.content_id]

    def get_image(self, image_id: int) -> ImageRow:
        """Return what is known of a picture of this build. Raises ImageNotFound."""
        row = self.opened.catalog.get_images([image_id]).get(image_id) if 0 < image_id < 2**63 else None
        if row is None or not any(space.holds(image_id) for space in self.spaces):
            raise ImageNotFound(image_id)
        return row

    def _read(self, plan: Plan) -> None:
        """Read the clauses, and find their words if these are looked at."""
        query = plan.query
        plan.clauses = read_clauses(query.clauses, literal=query.literal)
        if query.match == "vector":
            return
        if _names_words(query.clauses) and not _names_words([read.clause for read in plan.clauses]):
            if query.match == "both":  # "without people" names nothing that could be found in words
                plan.notes += match_notes(query, plan.matches)
                return
            plan.clauses = read_clauses(query.clauses, literal=True)
        plan.matches = self._words.match([read.clause for read in plan.clauses])
        plan.notes += match_notes(query, plan.matches)

    def _plan_clause(self, plan: Plan, asked: SpacePlan, clause: Clause, picture: Image | None) -> list[str]:
        """Add a clause to what a space is asked, and return the words its encoder does not know."""
        space = self.spaces[asked.position]
        if clause.text is not None:
            return self._plan_text(plan, asked, clause.text, clause.weight)
        if picture is not None:
            asked.pixels.append((clause.weight, space.encoders.preprocess(picture)))
        else:
            asked.vectors.append((clause.weight, space.index.fetch(np.array([clause.image_id]))[0]))
        return []

    def _plan_text(self, plan: Plan, asked: SpacePlan, text: str, weight: float) -> list[str]:
        """Add a text to what a space is asked, and return the words its encoder does not know."""
        normal = normalize_text(text)
        encoders = self.spaces[asked.position].encoders
        try:
            reading = encoders.text.read_text(normal)
        except NoTextTower:
            if plan.query.match == "vector":
                raise
            return [normal]
        if reading.known:
            wordings = list_wordings(normal, encoders.text, templates=encoders.templates)
            asked.texts.append((weight, wordings))
        return list(reading.unknown_words) or ([] if reading.known else [normal])

    def _tell_unknown(self, plan: Plan, unknown: Sequence[Sequence[str]], name: str) -> None:
        """Say which words nobody understands, a list for each clause. Raises UnknownWords where nothing is left."""
        query, words = plan.query, [word for one in unknown for word in one]
        if not plan.spaces and (query.match == "vector" or (query.match == "both" and not len(plan.matches.ids))):
            raise UnknownWords(words, name)
        if words and query.match != "text":
            said = ", ".join(words)
            plan.notes.append(
                SearchNote(
                    code="unknown_words",
                    en=f"Not understood, so left out: {said}.",
                    zh=f"不认识，已忽略：{said}。",
                )
            )

    def _decode(self, data: bytes) -> Image:
        """Decode exactly as the indexer does, so that a picture of the library finds itself."""
        side = decoded_side([spec.image_size for spec in self._specs])
        return decode_image(data, short_side=side, long_side=DECODED_SIDE, limits=self._limits).image

    def _ids_where(self, where: Filter) -> Ids:
        """Return the ids that satisfy `where`, kept for the next page of the same search."""
        with self._filtered_lock:
            if where in self._filtered:
                self._filtered.move_to_end(where)
                return self._filtered[where]
        ids = self.opened.catalog.ids_where(where)
        ids.flags.writeable = False  # so that the index may remember what they stand for
        with self._filtered_lock:
            self._filtered[where] = ids
            if len(self._filtered) > _CACHED_FILTERS:
                self._filtered.popitem(last=False)
        return ids

    def _hits(self, page: HitPage, scorer: RelevanceScorer | None) -> list[SearchHit]:
        ids = page.ids.tolist()
        rows = self.opened.catalog.get_images(ids)
        relevances = scorer.relevances(page.ids, page.scores) if scorer else [None] * len(ids)
        return [
            SearchHit(
                id=image_id,
                path=rows[image_id].path,
                root=rows[image_id].root,
                place=rows[image_id].place,
                score=round(float(score), 6),
                width=rows[image_id].width,
                height=rows[image_id].height,
                relevance=relevance,
                duplicates=duplicates,
            )
            for image_id, score, relevance, duplicates in zip(
                ids, page.scores, relevances, page.duplicates, strict=True
            )
            if image_id in rows  # the library may have been compacted since this build was opened
        ]


def _corrects(space: EncoderSpace, query: Query) -> bool:
    """Say whether offsets count in a query; a ranking down to a cosine is one of cosines."""
    return space.hub_correction and query.hub_correction and query.min_score is None


def _common(words: Sequence[Sequence[str]]) -> list[str]:
    """Return the words that are in every list, in the order of the first."""
    first, *others = words
    return [word for word in first if all(word in other for other in others)]


def _no_common_score(names: Sequence[str]) -> InvalidQuery:
    return InvalidQuery(
        en=f"min_score is a cosine, and {', '.join(names)} answer this together, whose scores cannot be compared. "
        f"Choose one: encoders={names[0]}",
        zh=f"min_score 是余弦值，而此查询由 {'、'.join(names)} 共同回答，它们的分数无法比较。"
        f"请选择一个：encoders={names[0]}",
    )


def _check_text(text: str) -> None:
    """Refuse a text that is too long, or empty. Raises InvalidQuery."""
    if len(text) > MAX_TEXT_CHARS:
        raise InvalidQuery(
            en=f"The text is too long: {len(text)} characters; the most is {MAX_TEXT_CHARS}.",
            zh=f"文字过长：{len(text)} 个字符，最多 {MAX_TEXT_CHARS} 个。",
        )
    if not normalize_text(text):
        raise InvalidQuery(en="The text is empty. Say what is in the picture.", zh="没有输入文字。请描述图片里有什么。")


def _names_words(clauses: Sequence[Clause]) -> bool:
    return any(clause.text is not None and clause.weight > 0 for clause in clauses)
