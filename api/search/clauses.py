"""Clauses as a person gave them -> clauses as they are searched: negation in words becomes a clause of its own."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from api.search.negation.parser import Negative, parse_negation
from api.search.query import Clause
from api.search.reading.spans import Span
from models.language.text import Language, detect_language

# What a text negates counts half as much, and several things together so much as the length of their sum if they have
# nothing in common. Less leaves pictures of it in, more loses what was asked for.
NEGATION_WEIGHT = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadClause:
    """A clause that is searched.

    `source` is the position of the clause that it was read from; `language` that of its text, None for a picture;
    `negation` says which words of the source were read as something to stay away from. `spans` are what its text says,
    piece by piece, where it was read so.
    """

    clause: Clause
    source: int
    language: Language | None = None
    negation: Negative | None = None
    spans: tuple[Span, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return what was read, as JSON holds it; of a picture without an id, only its weight."""
        negation = self.negation
        return {
            "source": self.source,
            "at": self.clause.at,
            "text": self.clause.text,
            "image_id": self.clause.image_id,
            "weight": round(self.clause.weight, 6),
            "language": self.language,
            "negation": negation and {"words": negation.words, "start": negation.start, "end": negation.end},
            "spans": [span.to_dict() for span in self.spans],
        }


def read_clauses(clauses: Sequence[Clause], *, literal: bool) -> list[ReadClause]:
    """Return the clauses to search, in the order of those given; `literal`: each as it is.

    Only texts to look for are read: what is to be avoided already, is avoided as it is written.
    """
    return [
        read
        for source, clause in enumerate(clauses)
        for read in (_as_it_is(source, clause) if literal else _read(source, clause))
    ]


def language_of(clauses: Sequence[ReadClause]) -> Language | None:
    """Return the language of a whole query, None where it has no text."""
    texts = [read.clause.text for read in clauses if read.clause.text is not None]
    return detect_language("\n".join(texts)) if texts else None


def _as_it_is(source: int, clause: Clause) -> Iterator[ReadClause]:
    language = None if clause.text is None else detect_language(clause.text)
    yield ReadClause(clause=clause, source=source, language=language)


def _read(source: int, clause: Clause) -> Iterator[ReadClause]:
    reading = parse_negation(clause.text) if clause.text is not None and clause.weight > 0 else None
    if reading is None or not reading.negatives:
        yield from _as_it_is(source, clause)
        return
    if reading.positive:
        yield from _as_it_is(source, Clause(text=reading.positive, weight=clause.weight, at=clause.at))
    weight = -clause.weight * NEGATION_WEIGHT / len(reading.negatives) ** 0.5
    for negative in reading.negatives:
        yield ReadClause(
            clause=Clause(text=negative.text, weight=weight, at=clause.at),
            source=source,
            language=detect_language(negative.text),
            negation=negative,
        )
