"""A query made ready: what is still to be encoded, and how the vectors add up."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from api.search.clauses import ReadClause
from api.search.errors import InvalidQuery
from api.search.query import Query
from api.search.reading.spans import Span
from api.search.results import SearchNote
from indexer.library.index.port import Mask
from models.encoders.wordings import pool_vectors
from models.foundation.messages import message
from models.foundation.vectors import Ids, Pixels, Vectors, l2_normalize
from models.relevance.curves import Kind, kind_of

_CANCELLED = 1e-3  # a sum of unit vectors shorter than this has no direction


Encoded: TypeAlias = tuple[Sequence[Vectors], Sequence[Vectors]]  # of one encoder: of its wordings, and of its pixels


@dataclass(frozen=True, slots=True)
class WordMatches:
    """The pictures that say the words of a query: ids, best first. `loose`: none says all, these say some of them.

    Where they are too many to be listed, `tell` says of given ones which do.
    """

    ids: Ids = field(default_factory=lambda: np.empty(0, np.int64))
    loose: bool = False
    tell: Callable[[Ids], Mask] | None = None

    @property
    def any(self) -> bool:
        """Whether there are any."""
        return self.tell is not None or len(self.ids) > 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Preference:
    """A date, a place, or words that are to be there, as a query names them, and the pictures that have them.

    `ids` are in the order in which they are found without anything else. Others are not left out for it.
    """

    span: Span
    ids: Ids


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """What is left of a query once it is read.

    `started` is when that began, by `time.perf_counter`. What is looked at is settled in `query`: where a person leaves
    that open, it is the pictures alone if nothing else says anything of it. `clauses` are those that are searched,
    `asked` are the places of those among them that a picture may show, and `encoders` what each encoder that answers is
    asked of these, the one whose scores are shown first. `excluded` are pictures
    that were asked about, and so are no answer. `matches` are those that say the words, where these are looked at, and
    `preferences` what is rather to be found.
    """

    query: Query
    question: Query  # as a person left it
    started: float
    clauses: tuple[ReadClause, ...] = ()
    asked: tuple[int, ...] = ()
    encoders: tuple["EncoderPlan", ...] = ()
    excluded: tuple[int, ...] = ()
    matches: WordMatches = field(default_factory=WordMatches)
    preferences: tuple[Preference, ...] = ()
    notes: tuple[SearchNote, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class QueryVector:
    """What an index is searched with: a unit vector, float32 (1, dim), and how much offsets weigh in its scores.

    `length` is that of the sum which the vector is, before it was brought to 1.
    """

    vector: Vectors
    offset_weight: float
    length: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class QueryPart:
    """A clause as it is summed: its weight, what kind of query it is, and its unit vector, float32 (dim,).

    The kind is None for words that are neither Chinese nor English.
    """

    weight: float
    kind: Kind | None
    vector: Vectors

    @property
    def is_text(self) -> bool:
        """Whether it is made of words."""
        return self.kind != "picture"

    def as_query(self, *, hub_correction: bool) -> QueryVector:
        """Return the clause alone as an index takes it."""
        return QueryVector(self.vector[None], 1.0 if hub_correction and self.is_text else 0.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EncoderPlan:
    """What is to be encoded by one encoder, which is named.

    `texts` pair a weight with the wordings of one text, `pixels` with a picture to be encoded, `vectors` with a vector
    that is already there. `turned` is the one picture that is asked with, as it looks turned, where it is to be looked
    for so: see turns.py. `places` say for each of `vectors`, `pixels` and `texts` in this order, as `list_parts` has
    them, which of what is asked it is (`Plan.asked`).
    """

    encoder: str
    texts: tuple[tuple[float, tuple[str, ...]], ...] = ()
    pixels: tuple[tuple[float, Pixels], ...] = ()
    vectors: tuple[tuple[float, Vectors], ...] = ()
    turned: tuple[Pixels, ...] = ()
    places: tuple[int, ...] = ()

    @property
    def weights(self) -> list[float]:
        """The weights of what the encoder understands."""
        return [weight for part in (self.texts, self.pixels, self.vectors) for weight, _ in part]

    @property
    def wordings(self) -> list[str]:
        """Every text to be encoded, in the order in which `list_parts` takes their vectors."""
        return [wording for _, wordings in self.texts for wording in wordings]

    @property
    def pictures(self) -> list[Pixels]:
        """Every picture to be encoded: `pixels`, then `turned`."""
        return [*(pixels for _, pixels in self.pixels), *self.turned]

    def list_parts(self, texts: Sequence[Vectors], images: Sequence[Vectors]) -> list[QueryPart]:
        """Return what is summed; `texts` are the vectors (dim,) of `wordings`, `images` those of `pixels`."""
        parts = [QueryPart(weight, "picture", vector) for weight, vector in self.vectors]
        parts += [QueryPart(weight, "picture", image) for (weight, _), image in zip(self.pixels, images, strict=True)]
        if self.texts:
            pooled = pool_vectors(np.stack(texts), [len(wordings) for _, wordings in self.texts])
            read = zip(self.texts, pooled, strict=True)
            parts += [QueryPart(weight, kind_of("\n".join(wordings)), vector) for (weight, wordings), vector in read]
        return parts


def sum_parts(parts: Sequence[QueryPart], *, hub_correction: bool) -> QueryVector:
    """Return the weighted sum as an index takes it. Raises InvalidQuery.

    With `hub_correction` offsets weigh as much as the texts do together, in lengths of the sum, and never less than
    nothing.
    """
    total = np.sum([part.weight * part.vector for part in parts], axis=0, keepdims=True)
    length = float(np.linalg.norm(total))
    if length < _CANCELLED:
        raise InvalidQuery(message("The clauses cancel each other out: nothing is left to search for."))
    texts = sum(part.weight for part in parts if part.is_text) if hub_correction else 0.0
    return QueryVector(l2_normalize(total), max(texts, 0.0) / length, length)
