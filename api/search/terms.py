"""What a person types -> terms, each with a weight, and back: `雪山 2:湖 -人 -1:"red car"`.

Words without sign and weight are one text. `2:word` counts twice; `-word` is away from it with half the weight of one
to look for, as "without word" is, `-1:word` with all of it (which finds less: tests/benchmarks, A without B); `+word`
counts once, apart from the rest. Each is for one word, up to the next space, or for a phrase in quotation marks
("…", “…”, 「…」, 『…』), in which nothing is a sign. Full-width signs, digits and colons count as narrow ones. What is
no weight stays as it is: 16:9, 12:30, 007:…, "2001: …"; so do a minus inside of a word or alone, --, -> and -5°C.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# Of years, times and titles the numbers are no weights: "2001: A Space Odyssey", "007:…", "16:9", "9: …".
_WEIGHT = "(?:0|[1-9][0-9]?)(?:[.][0-9]+)?"
_PREFIX = re.compile(rf"(?P<sign>[+-]?)(?:(?P<weight>{_WEIGHT}):(?![\d\s]))?")
AWAY = -0.5  # what a minus without a number counts
_NUMBER = re.compile(r"\d[\d.,]*(?:%|°[CF]?|℃|℉|度)?", re.ASCII | re.IGNORECASE)
_PHRASE = re.compile(r'"([^"]*)"|「([^「」]*)」|『([^『』]*)』')
_MARKS = '"「」『』'
_CHUNK = re.compile(rf"(?:{_PHRASE.pattern}|\S)+")  # a word, with all of the phrases that are part of it
_NARROW = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | str.maketrans("−–﹣“”", '---""')
_QUOTED = ('"{}"', "「{}」", "『{}』")


@dataclass(frozen=True, slots=True)
class QueryTerm:
    """A text to look for, or with a negative weight to be away from.

    It was read from what stands between the characters `start` and before `end`, with its sign and quotation marks; of
    words that stand apart, from the first to the last.
    """

    text: str
    weight: float = 1.0
    start: int = 0
    end: int = 0


def read_query_text(text: str) -> list[QueryTerm]:
    """Return the terms of what was typed: first the words without sign and weight, if there are any."""
    narrow = text.translate(_NARROW)
    runs: list[tuple[int, int]] = []  # of words without a sign, that stand together
    signed: list[QueryTerm] = []
    place, together = 0, False
    while chunk := _CHUNK.search(narrow, place):
        start, place = chunk.span()
        term = _read_signed(text, narrow, start, place) if not start or narrow[start - 1].isspace() else None
        if term:
            signed.append(term)
            place = term.end
        else:
            runs.append((runs.pop()[0], place) if together else (start, place))
        together = term is None
    if not runs:
        return signed
    plain = " ".join(text[start:end] for start, end in runs)
    return [QueryTerm(plain, 1.0, runs[0][0], runs[-1][1]), *signed]


def write_query_text(terms: Iterable[QueryTerm]) -> str:
    """Return a text that is read as these terms. Marks of a text that has all kinds of them are left out."""
    return " ".join(_write(term, first=not number) for number, term in enumerate(terms))


def read_terms(terms: Sequence[str]) -> list[tuple[str, float]]:
    """Return the texts and weights of the words of a command line: `2:雪山` counts twice, `-人` is away from it.

    Each is a term as a whole, whatever spaces are in it; those without sign and weight are one text.
    """
    plain: list[str] = []
    signed: list[tuple[str, float]] = []
    for term in terms:
        narrow = term.translate(_NARROW)
        found = _read_prefix(narrow, 0, len(narrow))
        if found is None:
            plain.append(term)
            continue
        weight, place = found
        phrase = _PHRASE.fullmatch(narrow, place)
        inside = phrase.span(phrase.lastindex or 0) if phrase else (place, len(term))
        signed.append((term[slice(*inside)], weight))
    return ([(" ".join(plain), 1.0)] if plain else []) + signed


def _read_signed(text: str, narrow: str, start: int, end: int) -> QueryTerm | None:
    """Return the term that begins at `start`, in a word up to before `end`; None where it has no sign or weight."""
    found = _read_prefix(narrow, start, end)
    if found is None:
        return None
    weight, place = found
    inside = (place, end)
    if narrow[place] in _MARKS:
        phrase = _PHRASE.match(narrow, place)
        if phrase is None:
            return None
        inside, end = phrase.span(phrase.lastindex or 0), phrase.end()
    said = text[slice(*inside)].strip()
    return QueryTerm(said, weight, start, end) if said else None


def _read_prefix(narrow: str, start: int, end: int) -> tuple[float, int] | None:
    """Return the weight that a word begins with, and where what it is of begins; None where it has none."""
    prefix = _PREFIX.match(narrow, start, end)
    if prefix is None or not (prefix["sign"] or prefix["weight"]):
        return None
    place = prefix.end()
    if not any(char.isalnum() for char in narrow[place:end]) and narrow[place:end][:1] not in ('"', "「", "『"):
        return None
    if prefix["weight"] is None and (narrow[place] in "+-" or _NUMBER.fullmatch(narrow, place, end)):
        return None
    if prefix["weight"] is None:
        return (AWAY if prefix["sign"] == "-" else 1.0), place
    return float(prefix["weight"]) * (-1 if prefix["sign"] == "-" else 1), place


def _write(term: QueryTerm, *, first: bool) -> str:
    text = term.text
    if first and term.weight == 1 and _reads_as(text, text, 1.0) and not _opens(text):
        return text
    size = f"{abs(term.weight):.6f}".rstrip("0").rstrip(".")
    sign = "-" if term.weight < 0 else ""
    prefix = sign if term.weight == AWAY else f"{sign}{size}:"
    has_marks = bool(set(text.translate(_NARROW)) & set(_MARKS))
    for body in [*([] if has_marks else [text]), *(pair.format(text) for pair in _QUOTED)]:
        if _reads_as(prefix + body, text, float(sign + size)):
            return prefix + body
    bare = "".join(" " if char.translate(_NARROW) in _MARKS else char for char in text).strip()
    return f'{prefix}"{bare}"'


def _reads_as(written: str, text: str, weight: float) -> bool:
    return [(one.text, one.weight) for one in read_query_text(written)] == [(text, weight)]


def _opens(text: str) -> bool:
    """Say whether a text has a quotation mark without its other one, which might be that of another term."""
    return bool(set(_PHRASE.sub("", text.translate(_NARROW))) & set(_MARKS))
