"""Query -> ranked hits."""

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from api.limits import MAX_TEXT_CHARS
from api.search.clauses import language_of, read_clauses
from api.search.errors import ImageNotFound, InvalidQuery
from api.search.fusion import fuse
from api.search.hiding import DuplicateHider, Page, Scores
from api.search.matching import Matches, WordMatcher, among
from api.search.plan import Plan
from api.search.query import Clause, Query
from api.search.results import Hit, Note, SearchResult
from indexer.errors import IndexMismatch
from indexer.index.base import SCORE_DECIMALS, QueryKind
from indexer.library import OpenBuild, check_same, open_build
from indexer.store.filters import Filter
from indexer.store.records import ImageRow
from indexer.thumbnails import DECODED_SIDE
from models.decode import DecodeLimits, decode_image
from models.encoder import ImageEncoder, TextEncoder
from models.errors import NoTextTower, UnknownWords
from models.registry import get_installed_spec, get_preprocess, load_image_encoder, load_text_encoder
from models.runtime import Runtime
from models.spec import EncoderSpec
from models.text import normalize_text
from models.vectors import Ids, Pixels, Vectors
from models.wordings import list_wordings

_CACHED_FILTERS = 32
FUSED = 1_000  # places of each ranking that are fused into one
_LOOSE_WEIGHT = 0.5  # of the ranking by words, where no picture says them all


class Encoders:
    """The two towers of one encoder, each loaded when it is first needed."""

    def __init__(self, name: str, runtime: Runtime) -> None:
        """Look the weights up. Raises UnknownEncoder, WeightsMissing or WeightsCorrupt."""
        self.spec: EncoderSpec = get_installed_spec(name, runtime)
        self.preprocess = get_preprocess(name, runtime)
        self.templates = runtime.uses_templates(self.spec)
        self._runtime = runtime
        self._lock = threading.Lock()
        self._text: TextEncoder | None = None
        self._image: ImageEncoder | None = None

    @property
    def text(self) -> TextEncoder:
        """The text tower."""
        with self._lock:
            if self._text is None:
                self._text = load_text_encoder(self.spec.name, self._runtime)
                check_same(self.spec, self._text.spec)
            return self._text

    @property
    def image(self) -> ImageEncoder:
        """The image tower."""
        with self._lock:
            if self._image is None:
                self._image = load_image_encoder(self.spec.name, self._runtime)
                check_same(self.spec, self._image.spec)
            return self._image


class SearchEngine:
    """Answers queries from one build. Safe to use from several threads."""

    def __init__(self, opened: OpenBuild, encoders: Encoders, limits: DecodeLimits | None = None) -> None:
        """Take a build and its encoders. Raises IndexMismatch if they do not belong together."""
        built_with = opened.entry
        if built_with.fingerprint != encoders.spec.fingerprint:
            raise IndexMismatch(
                f"{built_with.encoder} ({built_with.fingerprint})",
                f"{encoders.spec.name} ({encoders.spec.fingerprint})",
            )
        self.opened = opened
        self.encoders = encoders
        self._limits = limits or DecodeLimits()
        self._words = WordMatcher(opened.catalog)
        self._duplicates = DuplicateHider(opened)
        self._filtered: OrderedDict[Filter, Ids] = OrderedDict()
        self._filtered_lock = threading.Lock()

    @classmethod
    def open(cls, data: Path, limits: DecodeLimits | None = None, *, runtime: Runtime | None = None) -> "SearchEngine":
        """Open the build in use.

        Raises NoIndex, IndexMismatch, IndexDamaged, WeightsMissing, WeightsCorrupt and what the catalog raises.
        """
        opened = open_build(data)
        runtime = runtime or Runtime(weights=data / "weights")
        return cls(opened, Encoders(opened.entry.encoder, runtime), limits)

    def search(self, query: Query) -> SearchResult:
        """Answer `query`. Raises InvalidQuery, UnknownWords, ImageNotFound, DecodeError."""
        plan = self.plan(query)
        texts: list[Vectors] = []
        images: list[Vectors] = []
        if plan.texts:
            texts = list(self.encoders.text.encode_text(plan.wordings))
        if plan.pixels:
            images = list(self.encoders.image.encode_image(np.stack([pixels for _, pixels in plan.pixels])))
        return self.rank(plan, texts, images)

    def plan(self, query: Query) -> Plan:
        """Read texts, decode pictures and look up ids, so that only encoding is left. Raises as `search`."""
        for clause in query.clauses:
            if clause.text is not None:
                _check_text(clause.text)
        plan = Plan(query, time.perf_counter())
        self._read(plan)
        unknown: list[str] = []
        for clause in (read.clause for read in plan.clauses):
            if clause.text is not None:
                unknown += self._plan_text(plan, clause.text, clause.weight)
            elif clause.image is not None:
                plan.pixels.append((clause.weight, self._read_picture(clause.image)))
            else:
                self._plan_image_id(plan, clause)
        weights = [weight for part in (plan.texts, plan.pixels, plan.vectors) for weight, _ in part]
        towards = any(read.clause.weight > 0 for read in plan.clauses)
        if not weights or (towards and max(weights) < 0):  # what was asked for is not understood at all
            if query.match == "vector" or (query.match == "both" and not len(plan.matches.ids)):
                raise UnknownWords(unknown, self.encoders.spec.name)
            plan.forget_vectors()  # its words are found all the same
        if unknown and query.match != "text":
            words = ", ".join(unknown)
            plan.notes.append(
                Note(
                    code="unknown_words",
                    en=f"Not understood, so left out: {words}.",
                    zh=f"不认识，已忽略：{words}。",
                )
            )
        return plan

    def rank(self, plan: Plan, texts: list[Vectors], images: list[Vectors]) -> SearchResult:
        """Search with the vectors of `plan`'s wordings and pixels, in their order. Raises InvalidQuery."""
        encoded = time.perf_counter()
        query = plan.query
        vector = plan.sum_vectors(texts, images) if plan.has_direction else None
        where = None if query.where is None else self._ids_where(query.where)

        def find(start: int, end: int) -> tuple[Ids, Scores, int]:
            if query.match == "vector" and vector is not None:
                return self._nearest(plan, vector, where, start, end)
            return self._matching(plan, vector, where, start, end)

        start, end = query.offset, query.offset + query.k
        if query.hide_duplicates:
            page = self._duplicates.find(find, start, end)
        else:
            ids, scores, total = find(start, end)
            page = Page(ids, scores, [0] * len(ids), total, more=end < total)
        hits = self._hits(page)
        done = time.perf_counter()
        return SearchResult(
            hits=hits,
            total=page.total,
            more=page.more,
            timings_ms={
                "encode": round(1000 * (encoded - plan.started), 3),
                "search": round(1000 * (done - encoded), 3),
                "total": round(1000 * (done - plan.started), 3),
            },
            build=self.opened.manifest.build,
            encoder=self.encoders.spec.name,
            language=language_of(plan.clauses),
            clauses=plan.clauses,
            notes=plan.notes,
        )

    def _nearest(self, plan: Plan, vector: Vectors, where: Ids | None, start: int, end: int) -> tuple[Ids, Scores, int]:
        """Return part of the pictures nearest to a vector, their scores, and how many there are to be paged to."""
        query, index = plan.query, self.opened.index
        excluded = _excluded(plan, where)
        total = index.count(where) - len(excluded)
        if query.min_score is not None:
            above = (index.fetch(excluded) @ vector[0]).round(SCORE_DECIMALS) >= np.float32(query.min_score)
            total = index.count_above(vector, query.min_score, where=where) - int(above.sum())
        wanted = min(end, total)
        if wanted <= start:
            return np.empty(0, np.int64), np.empty(0, np.float32), total
        ids, scores = self._search(plan, vector, where, wanted)
        return ids[start:], scores[start:], total

    def _search(self, plan: Plan, vector: Vectors, where: Ids | None, wanted: int) -> tuple[Ids, Scores]:
        """Return at most `wanted` nearest pictures, without those that were asked about, and their scores."""
        excluded = _excluded(plan, where)
        kind: QueryKind = "text" if plan.texts else "picture"
        found = self.opened.index.search(vector, wanted + len(excluded), where=where, kind=kind)
        kept = (found.ids[0] >= 0) & ~np.isin(found.ids[0], excluded)
        return found.ids[0][kept][:wanted], found.scores[0][kept][:wanted]

    def _matching(
        self, plan: Plan, vector: Vectors | None, where: Ids | None, start: int, end: int
    ) -> tuple[Ids, Scores, int]:
        """Return part of the pictures that say the words, fused with the nearest if asked for, and their number.

        The first FUSED of each ranking are fused; the other near ones follow, so every picture can be paged to.
        """
        query, index = plan.query, self.opened.index
        ids = among(plan.matches.ids, index.list_ids())
        if where is not None:
            ids = among(ids, where)
        ids = ids[~np.isin(ids, plan.excluded)]
        total = len(ids)
        near = index.count(where) - len(_excluded(plan, where))
        if query.match == "both" and vector is not None and near:
            total = near
            nearest, _ = self._search(plan, vector, where, min(FUSED, near))
            ids = fuse([nearest, ids[:FUSED]], [1.0, _LOOSE_WEIGHT if plan.matches.loose else 1.0])
            if end > len(ids):
                others, _ = self._search(plan, vector, where, min(end, near))
                ids = np.concatenate([ids, others[~np.isin(others, ids)]])
        ids = ids[start:end]
        if vector is None or not len(ids):
            return ids, np.zeros(len(ids), np.float32), total
        return ids, index.fetch(ids) @ vector[0], total

    def get_image(self, image_id: int) -> ImageRow:
        """Return what is known of a picture of this build. Raises ImageNotFound."""
        row = self.opened.catalog.get_images([image_id]).get(image_id) if 0 < image_id < 2**63 else None
        if row is None or not self.opened.index.count(np.array([image_id])):
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
                plan.notes += _match_notes(query, plan.matches)
                return
            plan.clauses = read_clauses(query.clauses, literal=True)
        plan.matches = self._words.match([read.clause for read in plan.clauses])
        plan.notes += _match_notes(query, plan.matches)

    def _plan_text(self, plan: Plan, text: str, weight: float) -> list[str]:
        """Add a text to the plan, and return the words the encoder does not know."""
        normal = normalize_text(text)
        try:
            reading = self.encoders.text.read_text(normal)
        except NoTextTower:
            if plan.query.match == "vector":
                raise
            return [normal]
        if reading.known:
            wordings = list_wordings(normal, self.encoders.text, templates=self.encoders.templates)
            plan.texts.append((weight, wordings))
        return list(reading.unknown_words) or ([] if reading.known else [normal])

    def _plan_image_id(self, plan: Plan, clause: Clause) -> None:
        image_id = clause.image_id or 0
        self.get_image(image_id)
        plan.vectors.append((clause.weight, self.opened.index.fetch(np.array([image_id]))[0]))
        plan.excluded.append(image_id)

    def _read_picture(self, data: bytes) -> Pixels:
        """Decode exactly as the indexer does, so that a picture of the library finds itself."""
        decoded = decode_image(
            data,
            short_side=2 * self.encoders.spec.image_size,
            long_side=DECODED_SIDE,
            limits=self._limits,
        )
        return self.encoders.preprocess(decoded.image)

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

    def _hits(self, page: Page) -> list[Hit]:
        ids = page.ids.tolist()
        rows = self.opened.catalog.get_images(ids)
        return [
            Hit(
                id=image_id,
                path=rows[image_id].path,
                root=rows[image_id].root,
                place=rows[image_id].place,
                score=round(float(score), 6),
                width=rows[image_id].width,
                height=rows[image_id].height,
                duplicates=duplicates,
            )
            for image_id, score, duplicates in zip(ids, page.scores, page.duplicates, strict=True)
            if image_id in rows  # the library may have been compacted since this build was opened
        ]


def _excluded(plan: Plan, where: Ids | None) -> Ids:
    """Return the pictures that were asked about, and so are no answer, among those that may be one; ascending."""
    asked = np.unique(np.array(plan.excluded, np.int64))
    return asked if where is None else asked[np.isin(asked, where)]


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


def _match_notes(query: Query, matches: Matches) -> list[Note]:
    """Say where the words were not found as they were asked for."""
    if matches.loose:
        return [
            Note(
                code="words_in_part",
                en="No caption, tag or name has all of these words; some have a part of them.",
                zh="没有说明、标签或文件名包含全部这些词；以下只包含其中一部分。",
            )
        ]
    if query.match == "both" and not len(matches.ids):
        return [
            Note(
                code="words_not_found",
                en="No caption, tag or name has these words; ranked by what the pictures show.",
                zh="没有说明、标签或文件名包含这些词；仅按画面排序。",
            )
        ]
    return []
