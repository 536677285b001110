"""Dates, places, names of files and words that are to be there, as queries name them -> the pictures that have them."""

import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property

import numpy as np
import numpy.typing as npt

from api.search.clauses import ReadClause
from api.search.plan import Preference
from api.search.reading.places import PlaceNames
from api.search.reading.reader import read_text, scene_of
from api.search.reading.spans import Span
from api.search.results import SearchNote
from api.search.retrievers.words import WordSearch
from indexer.library.catalog.words.queries import ask_for_phrase
from indexer.library.catalog.writer import Catalog
from indexer.library.filters import AnyOf, Filter
from models.foundation.messages import message
from models.foundation.vectors import Ids

_LEAST_DIGITS = 4  # of what is a number, and nothing that can be seen
_KEPT_SECONDS = 30.0  # at least: of a million pictures they take a second, and a library may change all the time


@dataclass(frozen=True)
class _Known:
    """What is known of the pictures of a library, as of a version of it; looked up when it is first asked for."""

    catalog: Catalog
    version: int
    read_at: float

    @cached_property
    def places(self) -> PlaceNames:
        """Where its pictures were taken."""
        field = self.catalog.fields().find("place")
        return PlaceNames(self.catalog.list_values(field) if field is not None and field.table else ())

    @cached_property
    def moments(self) -> tuple[Ids, npt.NDArray[np.datetime64]]:
        """Its pictures and when they were taken, the latest first."""
        field = self.catalog.fields().find("taken")
        return self.catalog.list_moments(field) if field else (np.empty(0, np.int64), np.empty(0, "datetime64[s]"))

    @cached_property
    def has_videos(self) -> bool:
        """Whether any of them is a video."""
        return self.catalog.has_videos()


class PreferenceReader:
    """Reads texts to look for into spans, and finds what has what they name. Safe to use from several threads."""

    def __init__(self, catalog: Catalog, words: WordSearch, today: Callable[[], date] = date.today) -> None:
        self._catalog = catalog
        self._words = words
        self._today = today
        self._lock = threading.Lock()
        self._kept: _Known | None = None

    @property
    def _known(self) -> _Known:
        """What is known of places and dates: looked up when it is first asked for, and again after changes."""
        with self._lock:
            now, version = time.monotonic(), self._words.version()
            if self._kept is None or (version != self._kept.version and now - self._kept.read_at >= _KEPT_SECONDS):
                self._kept = _Known(self._catalog, version, now)
            return self._kept

    def read(self, clauses: Sequence[ReadClause], plain: Collection[str]) -> list[ReadClause]:
        """Return clauses with the spans of those texts that are to be looked for."""
        today, known = self._today(), self._known
        return [
            replace(read, spans=read_text(text, known.places, today, plain, videos=known.has_videos))
            if (text := read.clause.text) and read.clause.weight > 0
            else read
            for read in clauses
        ]

    def find(self, clauses: Sequence[ReadClause]) -> tuple[list[Preference], list[ReadClause], list[SearchNote]]:
        """Return what the spans of clauses prefer, as far as any picture has it, and what they say that may be seen.

        What no picture has is told to the person: it is left out, but where it may be seen, or is all there is.
        """
        spans = [span for read in clauses for span in read.spans if span.kind != "scene"]
        found = [Preference(span=span, ids=self._find(span)) for span in spans]
        missing = [one.span for one in found if not len(one.ids)]
        preferences = [one for one in found if len(one.ids)]
        shown = _without_preferences(clauses, missing)
        if not shown and not preferences:
            return [], list(clauses), _notes(missing, seen=missing)
        return preferences, shown, _notes(missing, seen=[span for span in missing if _may_be_seen(span)])

    def _find(self, span: Span) -> Ids:
        if span.period is not None:
            ids, moments = self._known.moments
            start, end = (np.datetime64(one, "s") if one else None for one in (span.period.start, span.period.end))
            inside = np.ones(len(ids), np.bool_)
            inside &= True if start is None else moments >= start
            inside &= True if end is None else moments < end
            found: Ids = ids[inside]
            return found
        if span.kind == "video":
            return self._catalog.ids_where(Filter.of({"kind": AnyOf(("video",))}))
        phrase = ask_for_phrase(span.said, begins=span.kind == "code", names=span.kind == "file")
        return self._words.find(phrase)


def _without_preferences(clauses: Sequence[ReadClause], missing: Sequence[Span]) -> list[ReadClause]:
    """Return what of clauses a picture may show: without dates, places and the like, and without what is no more."""

    def see(span: Span) -> Span:
        return replace(span, shown=span.said) if span in missing and _may_be_seen(span) else span

    shown = [
        replace(read, clause=replace(read.clause, text=scene_of([see(span) for span in read.spans])))
        if read.spans
        else read
        for read in clauses
    ]
    return [read for read in shown if read.clause.text != ""]


def _may_be_seen(span: Span) -> bool:
    """Say whether what no picture says may still be what one shows: "stop", ps5 and F-16, but no plate or number."""
    few_digits = sum(char.isdigit() for char in span.said) < _LEAST_DIGITS
    return span.kind == "quoted" or (span.kind == "code" and span.said.isascii() and few_digits)


def _notes(missing: Sequence[Span], seen: Sequence[Span]) -> list[SearchNote]:
    left_out = tuple(dict.fromkeys(span.said for span in missing if span not in seen))
    looked_for = tuple(dict.fromkeys(span.said for span in missing if span in seen))
    said = []
    if left_out:
        said.append(message("No picture of the library has {what}, so it was left out.", what=left_out))
    if looked_for:
        said.append(
            message(
                "No picture of the library has {what}, so it was looked for as what a picture shows.",
                what=looked_for,
            )
        )
    return [SearchNote(code="nothing_has", said=one) for one in said]
