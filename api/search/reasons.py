"""Why a picture was found by words: what of it says them, and where, if that is in the picture itself."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from indexer.library.annotations.fields import FieldSet
from indexer.library.catalog.records import ImageRow
from indexer.library.catalog.texts import WordMatcher, name_words
from indexer.library.catalog.writer import Catalog
from models.pictures.parts import Box

_MOST = 8  # of a picture
_MOST_CHARS = 200
_LINES = {"ocr": "ocr_lines"}  # fields whose lines have places, and the fields of these
_UNITS = 10_000  # of the width and the height, in which corners are kept


@dataclass(frozen=True, slots=True)
class Reason:
    """Something that says what was asked for: the name of its field, what it says, and where in the picture.

    The fields are those of the library, and caption, tag and name. The box is in pixels of the upright picture; `at` is
    when it is there, seconds from the beginning of a video.
    """

    field: str
    text: str
    box: Box | None = None
    at: float | None = None


def find_reasons(catalog: Catalog, rows: Mapping[int, ImageRow], texts: Sequence[str]) -> dict[int, tuple[Reason, ...]]:
    """Return what of each picture says some of the words of `texts`, by its id; what says most of them first."""
    matcher, fields = WordMatcher(texts), catalog.fields()
    found = catalog.get_annotations([row.content_id for row in rows.values()])
    return {image_id: _of(row, found[row.content_id], fields, matcher) for image_id, row in rows.items()}


def _of(row: ImageRow, found: Mapping[str, Any], fields: FieldSet, matcher: WordMatcher) -> tuple[Reason, ...]:
    said = [(matcher.count(reason.text), reason) for reason in _list_said(row, found, fields)]
    said += [(matcher.count(name_words(row.path)), Reason("name", row.path.rpartition("/")[2]))]
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
                Reason(one.field.name, line["text"], _box(line["corners"], row), _seconds(line.get("at")))
                for line in lines
            )
        else:
            texts = value if isinstance(value, list) else str(value).split("\n")
            yield from (Reason(one.field.name, text) for text in texts)
    yield from (Reason("caption", line) for line in row.caption.split("\n") if line)
    yield from (Reason("tag", tag) for tag in row.tags.split("\n") if tag)


def _seconds(at_ms: int | None) -> float | None:
    return None if at_ms is None else at_ms / 1000


def _box(corners: Sequence[int], row: ImageRow) -> Box:
    """Return the box around corners x, y, x, y and so on."""
    across = [corner * row.width / _UNITS for corner in corners[::2]]
    down = [corner * row.height / _UNITS for corner in corners[1::2]]
    left, top = round(min(across)), round(min(down))
    return Box(left, top, max(1, round(max(across)) - left), max(1, round(max(down)) - top))
