"""Why a picture was found: what of it says the words, and where; its date; or that it looks like what is asked for."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from api.search.fusion import Fusion
from api.search.plan import Plan
from api.search.results import Reason
from api.search.written import box_around, to_seconds
from indexer.library.annotations.fields import FieldSet
from indexer.library.catalog.records import ImageRow
from indexer.library.catalog.sorting import read_sort
from indexer.library.catalog.words.queries import WordMatcher
from indexer.library.catalog.words.tokens import name_words
from indexer.library.catalog.writer import Catalog

_MOST = 8  # of a picture
_MOST_CHARS = 200
_BY_WORDS = ("quoted", "file", "code", "place")  # kinds of spans that words say
_NEAREST = 100  # pictures, or a tenth of those that vectors rank: these are found by what they show
_LINES = {"ocr": "ocr_lines"}  # fields whose lines have places, and the fields of these


def find_reasons(
    catalog: Catalog, rows: Mapping[int, ImageRow], plan: Plan, fusion: Fusion
) -> dict[int, tuple[Reason, ...]]:
    """Return why each picture was found, by its id: what says most of the words first."""
    matcher, fields = WordMatcher(_texts_of(plan), pinyin=catalog.finds_pinyin), catalog.fields()
    found = catalog.get_annotations([row.content_id for row in rows.values()])
    said = [fusion.said, *(one.ids for one in plan.preferences if one.span.kind in _BY_WORDS)]
    by_words = set(np.intersect1d(np.concatenate(said), list(rows)).tolist())
    reasons = {
        image_id: _of(row, found[row.content_id], fields, matcher) if image_id in by_words else ()
        for image_id, row in rows.items()
    }
    nearest = set(fusion.near[: min(_NEAREST, max(1, len(fusion.near) // 10))].tolist())
    dated = [one.ids for one in plan.preferences if one.span.kind == "date"]
    films = [one.ids for one in plan.preferences if one.span.kind == "video"]
    taken = catalog.sort_values(list(rows), read_sort("taken", fields)) if dated else {}
    for image_id in rows:
        if any((ids == image_id).any() for ids in dated):
            reasons[image_id] += (Reason("taken", str(taken[image_id])),)
        if any((ids == image_id).any() for ids in films):
            reasons[image_id] += (Reason("kind", "video"),)
        if image_id in nearest:
            reasons[image_id] += (Reason("picture", ""),)
    return reasons


def _texts_of(plan: Plan) -> list[str]:
    """Return the words that are looked for, without what no words say."""
    return [
        piece
        for read in plan.clauses
        if read.clause.text and read.clause.weight > 0
        for piece in (
            [span.said for span in read.spans if span.kind in (*_BY_WORDS, "scene")]
            if read.spans
            else [read.clause.text]
        )
    ]


def _of(row: ImageRow, found: Mapping[str, Any], fields: FieldSet, matcher: WordMatcher) -> tuple[Reason, ...]:
    said = [(matcher.count(reason.text), reason) for reason in _list_said(row, found, fields)]
    said += [(matcher.count(name_words(row.path)), Reason("name", row.shown_path.rpartition("/")[2]))]
    chosen = sorted((pair for pair in said if pair[0]), key=lambda pair: -pair[0])[:_MOST]
    return tuple(replace(reason, text=matcher.cut(reason.text, _MOST_CHARS)) for _, reason in chosen)


def _list_said(row: ImageRow, found: Mapping[str, Any], fields: FieldSet) -> Iterator[Reason]:
    """Yield all that is said of a picture, apart from its name, line by line."""
    for one in fields:
        value = found.get(one.field.name)
        if not one.field.searchable or not value:
            continue
        lines = found.get(_LINES.get(one.field.name, ""))
        if lines:
            yield from (
                Reason(one.field.name, line["text"], box_around(line["corners"], row), to_seconds(line.get("at")))
                for line in lines
            )
        else:
            texts = value if isinstance(value, list) else str(value).split("\n")
            yield from (Reason(one.field.name, text) for text in texts)
    yield from (Reason("caption", line) for line in row.caption.split("\n") if line)
    yield from (Reason("tag", tag) for tag in row.tags.split("\n") if tag)
