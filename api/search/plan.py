"""A query made ready: what is still to be encoded, and how the vectors add up."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from api.search.clauses import ReadClause
from api.search.errors import InvalidQuery
from api.search.matching import Matches
from api.search.query import Query
from api.search.results import Note
from models.vectors import Pixels, Vectors, l2_normalize
from models.wordings import pool_vectors

_CANCELLED = 1e-3  # a sum of unit vectors shorter than this has no direction


@dataclass(slots=True)
class Plan:
    """What is left of a query once it is read.

    `clauses` are those that are searched. `texts` pair a weight with the wordings of one text, `pixels` with a picture
    to be encoded, `vectors` with a vector that is already there. `excluded` are pictures that were asked about, and so
    are no answer. `matches` are those that say the words, where these are looked at.
    """

    query: Query
    started: float
    clauses: list[ReadClause] = field(default_factory=list)
    texts: list[tuple[float, tuple[str, ...]]] = field(default_factory=list)
    pixels: list[tuple[float, Pixels]] = field(default_factory=list)
    vectors: list[tuple[float, Vectors]] = field(default_factory=list)
    excluded: list[int] = field(default_factory=list)
    matches: Matches = field(default_factory=Matches)
    notes: list[Note] = field(default_factory=list)

    @property
    def wordings(self) -> list[str]:
        """Every text to be encoded, in the order in which `sum_vectors` takes their vectors."""
        return [wording for _, wordings in self.texts for wording in wordings]

    @property
    def has_direction(self) -> bool:
        """Whether there is anything to sum."""
        return bool(self.texts or self.pixels or self.vectors)

    def forget_vectors(self) -> None:
        """Leave out everything that would be summed."""
        self.texts, self.pixels, self.vectors = [], [], []

    def sum_vectors(self, texts: Sequence[Vectors], images: Sequence[Vectors]) -> Vectors:
        """Return the direction of the weighted sum, float32 (1, dim).

        `texts` are the vectors (dim,) of `wordings`, `images` those of `pixels`. Raises InvalidQuery.
        """
        encoded = list(self.vectors)
        encoded += [(weight, vector) for (weight, _), vector in zip(self.pixels, images, strict=True)]
        if self.texts:
            pooled = pool_vectors(np.stack(texts), [len(wordings) for _, wordings in self.texts])
            encoded += [(weight, vector) for (weight, _), vector in zip(self.texts, pooled, strict=True)]
        total = np.sum([weight * vector for weight, vector in encoded], axis=0, keepdims=True)
        if np.linalg.norm(total) < _CANCELLED:
            raise InvalidQuery(
                en="The clauses cancel each other out: nothing is left to search for.",
                zh="各条件互相抵消，没有可搜索的内容。",
            )
        return l2_normalize(total)
