"""The lines that were read in a picture, and where they stand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from indexer.library.catalog.records import ImageRow
from models.pictures.parts import Box

_UNITS = 10_000  # of the width and the height, in which corners are kept


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenLine:
    """A line as it was read, and how sure that is, 0..1. Places are in pixels of the upright picture.

    `corners` are four, from the beginning of the line clockwise, and `box` is around them. `at` is when it is seen, in
    seconds of a video.
    """

    text: str
    confidence: float
    corners: tuple[tuple[int, int], ...]
    box: Box
    at: float | None


def list_lines(row: ImageRow, found: Mapping[str, Any]) -> list[WrittenLine]:
    """Return the lines that were read in a picture, in reading order; `found` is what annotators found in it."""
    return [
        WrittenLine(
            text=line["text"],
            confidence=line["confidence"],
            corners=tuple(_scale(line["corners"], row)),
            box=box_around(line["corners"], row),
            at=to_seconds(line.get("at")),
        )
        for line in found.get("ocr_lines") or ()
    ]


def box_around(corners: Sequence[int], row: ImageRow) -> Box:
    """Return the box around corners x, y, x, y and so on, as the catalog keeps them."""
    points = _scale(corners, row)
    across, down = zip(*points, strict=True)
    left, top = min(across), min(down)
    return Box(left, top, max(1, max(across) - left), max(1, max(down) - top))


def _scale(corners: Sequence[int], row: ImageRow) -> list[tuple[int, int]]:
    across = [round(corner * row.width / _UNITS) for corner in corners[::2]]
    down = [round(corner * row.height / _UNITS) for corner in corners[1::2]]
    return list(zip(across, down, strict=True))


def to_seconds(at_ms: int | None) -> float | None:
    """Return a time that is kept in milliseconds."""
    return None if at_ms is None else at_ms / 1000
