"""What a person asks: a sum of weighted clauses, and conditions."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.search.errors import InvalidQuery
from api.search.options import MAX_CLAUSES, MAX_QUERY_CHARS, OPTIONS, Option, SearchOptions
from api.search.terms import read_query_text, read_terms
from indexer.library.filters import Filter
from models.foundation.messages import message
from models.pictures.parts import Box

MAX_TEXT_CHARS = 500
_OF_A_PAGE = ("k", "offset", "after", "fields", "count_likely")
MAX_HIDING = 10_000  # offset and k together, where duplicates are hidden: all better hits are compared


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """One part of a query: exactly one of `text`, `image` (a picture file's bytes), `image_id` and `vector`.

    A negative weight means away from it. `crop` is the part of a picture that is asked with, None for all of it, in
    pixels of the upright picture. `vector` is one of the space of `encoder`, which is to be named where a library has
    several; it counts by its direction alone. `at` is where it stands in the text that it was read from, from and to
    before a character, None where it was given by itself.
    """

    text: str | None = None
    image: bytes | None = None
    image_id: int | None = None
    weight: float = 1.0
    crop: Box | None = None
    vector: Sequence[float] | None = None
    encoder: str | None = None
    at: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if sum(part is not None for part in (self.text, self.image, self.image_id, self.vector)) != 1:
            raise InvalidQuery(message("Each clause takes exactly one of text, image, image_id and vector."))
        if self.encoder is not None and self.vector is None:
            raise InvalidQuery(
                message("Only a vector names its encoder. For a whole search choose them with encoders=NAME.")
            )
        if self.crop is not None and self.image is None and self.image_id is None:
            raise InvalidQuery(message("Only a picture has a part to ask with (crop)."))
        if self.weight == 0 or not abs(self.weight) <= 10:
            raise InvalidQuery(
                message(
                    "The weight {weight:g} cannot be used: give a number from -10 to 10 that is not 0.",
                    weight=self.weight,
                )
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Query(SearchOptions):
    """Clauses whose weighted vectors are summed; conditions, read or as an expression; and the options of the search.

    Without clauses nothing is searched for: all pictures that satisfy the conditions are listed, in the order `sort`.
    Where words are looked at (`match`), only texts are looked up; texts to stay away from leave out the pictures that
    say them. Negation in a text to look for ("a street without people") becomes a clause of its own, if not `literal`.
    """

    clauses: Sequence[Clause]
    where: Filter | str | None = None

    def __post_init__(self) -> None:
        if len(self.clauses) > MAX_CLAUSES:
            raise InvalidQuery(
                message(
                    "{count} clauses are too many; the most is {most}.",
                    count=len(self.clauses),
                    most=MAX_CLAUSES,
                )
            )
        for option in OPTIONS:
            value = getattr(self, option.name)
            if not option.accepts(value):
                raise InvalidQuery(option.refuse(value))
        self._check_together()

    def fingerprint(self) -> str:
        """Return what tells this question from others, whichever page of it is asked for; a `where` has to be read."""
        pictures = [hashlib.sha256(clause.image or b"").hexdigest() for clause in self.clauses]
        asked = [
            (
                one.text,
                one.image_id,
                one.weight,
                one.crop,
                one.encoder,
                None if one.vector is None else [*map(float, one.vector)],
            )
            for one in self.clauses
        ]
        options = [getattr(self, option.name) for option in OPTIONS if option.name not in _OF_A_PAGE]
        return hashlib.sha256(repr((pictures, asked, self.where, options)).encode("utf-8", "replace")).hexdigest()[:16]

    def _check_together(self) -> None:
        """Refuse options that contradict each other, or the clauses."""
        if self.after and self.offset:
            raise InvalidQuery(message("after and offset both say where the page begins: give one of them."))
        if not self.clauses and (self.min_score is not None or self.min_relevance is not None):
            raise InvalidQuery(
                message("min_score and min_relevance say how well hits fit, and nothing was asked that they could fit.")
            )
        if self.hide_duplicates and self.offset + self.k > MAX_HIDING:
            raise InvalidQuery(
                message("With duplicates hidden, only the first {most} hits can be paged to.", most=MAX_HIDING)
            )
        if self.match == "text" and any(clause.text is None for clause in self.clauses):
            raise InvalidQuery(
                message(
                    "match=text looks for words in captions, tags and names only. With pictures use vector or both."
                )
            )
        if self.match in ("text", "both") and self.min_score is not None:
            raise InvalidQuery(message("min_score is a cosine, and words have none: use it with match=vector."))


def read_options(given: Mapping[str, Any], *, flags: bool = False) -> dict[str, Any]:
    """Return the value of every option: as `given` by its name or a former one, else its default. Raises InvalidQuery.

    What is None is not given. `flags`: a sentence about names spells them as the command line does.
    """
    found: dict[str, Any] = {}
    for option in OPTIONS:
        now, former = (_value(option, given, name) for name in (option.name, option.former))
        if former not in (option.default, now):
            if now != option.default:
                new, old = (option.flag, option.former_flag) if flags else (option.name, option.former)
                raise InvalidQuery(
                    message(
                        "{old} is the former name of {new}, and they say different things. Give {new} alone.",
                        old=old,
                        new=new,
                    )
                )
            now = former
        found[option.name] = now
    return found


def _value(option: Option, given: Mapping[str, Any], name: str) -> Any:
    value = given.get(name)
    if value is None:
        return option.default
    return tuple(value) if option.is_list else value


def parse_terms(terms: Sequence[str]) -> list[Clause]:
    """Read the words of a command line: `2:雪山` counts twice, `-人` or `-0.5:人` is away from it.

    Words without sign and weight are one text, as they would be inside quotes; the 16 of 16:9 is no weight.
    """
    return [Clause(text=text, weight=weight) for text, weight in read_terms(terms)]


def parse_query_text(text: str) -> list[Clause]:
    """Read what was typed into one box, as `read_query_text` does: `雪山 2:湖 -人`. Raises InvalidQuery."""
    if len(text) > MAX_QUERY_CHARS:
        raise InvalidQuery(
            message(
                "The text is too long: {length} characters; the most is {most}.",
                length=len(text),
                most=MAX_QUERY_CHARS,
            )
        )
    return [Clause(text=one.text, weight=one.weight, at=(one.start, one.end)) for one in read_query_text(text)]
