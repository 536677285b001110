"""A piece that goes out of a text, and what is left."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

# Stand for characters that cannot be read: those of a quotation, and those of a word that negates nothing.
QUOTED, MASKED = "\ufffb", "\ufffc"


@dataclass(frozen=True, slots=True)
class Cut:
    """Words that negate something: the text from `start` to `end`; `things` are the places of what they negate."""

    start: int
    end: int
    things: tuple[tuple[int, int], ...]


def mask(text: str, pattern: re.Pattern[str], sign: str = MASKED) -> str:
    """Return `text` with everything that matches made unreadable, each character in its place."""
    return pattern.sub(lambda match: sign * len(match[0]), text)


def trim(text: str, start: int, end: int, edges: str) -> tuple[int, int]:
    """Return the place of a piece of a text without the characters `edges` at its ends."""
    while start < end and text[start] in edges:
        start += 1
    while start < end and text[end - 1] in edges:
        end -= 1
    return start, end


def without_overlaps(cuts: Iterable[Cut]) -> list[Cut]:
    """Return the cuts in order; of two that overlap, the one that begins first."""
    kept: list[Cut] = []
    for cut in sorted(cuts, key=lambda cut: (cut.start, -cut.end)):
        if not kept or cut.start >= kept[-1].end:
            kept.append(cut)
    return kept
