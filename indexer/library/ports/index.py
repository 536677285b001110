"""The seams of a library: what it asks of a vector index, whoever makes it."""

from typing import Protocol

import numpy as np
import numpy.typing as npt

from indexer.library.filters import Filter
from indexer.library.index_records import Neighbors, OffsetWeight, QueryKind
from models.foundation.vectors import Ids, Vectors

Mask = npt.NDArray[np.bool_]


class Selection(Protocol):
    """Which pictures a search may find. It is hashed by identity: what an index works out for it, it may keep."""

    @property
    def filter(self) -> Filter | None:
        """The condition that these pictures and no others satisfy, for an index that evaluates it.

        None where no condition says it: then they are listed by `ids` alone.
        """
        ...

    def ids(self) -> Ids:
        """Return their ids, ascending and without repeats; an index need not have all of them. Not to be changed."""
        ...


class VectorIndex(Protocol):
    """A searchable structure over image ids. Score: inner product of unit vectors; ties: the lower id first.

    A row's offset times the query's `offset_weight` is added to its score. Rows that came without an offset have 0.
    """

    @property
    def dim(self) -> int:
        """Length of a vector."""
        ...

    def __len__(self) -> int: ...

    def list_ids(self) -> Ids:
        """Return all ids, ascending: for checks and samples, not on the way of a search."""
        ...

    def holds(self, ids: Ids) -> Mask:
        """Return for each of `ids` whether it is there, bool (n,)."""
        ...

    def search(
        self,
        queries: Vectors,
        k: int,
        *,
        where: Selection | None = None,
        offset_weight: OffsetWeight = 0.0,
        kind: QueryKind = "text",
    ) -> Neighbors:
        """Return the k best for each row of `queries`, float32 (n, dim), among the pictures of `where` only, if given.

        Texts lie apart from the pictures they are compared with, so an index that does not look at everything
        looks further for them.
        """
        ...

    def count(self, where: Selection | None = None) -> int:
        """Return how many pictures of `where` the index holds; all of its own if None."""
        ...

    def count_above(
        self, query: Vectors, score: float, *, where: Selection | None = None, offset_weight: float = 0.0
    ) -> int:
        """Return how many vectors score at least `score` for the one row of `query`."""
        ...

    def fetch(self, ids: Ids) -> Vectors:
        """Return the vectors of `ids`. Raises KeyError for an id that is not there."""
        ...

    def score(self, query: Vectors, ids: Ids, *, offset_weight: float = 0.0) -> npt.NDArray[np.float32]:
        """Return the score of each of `ids` for the one row of `query`. Raises KeyError for an id that is not there."""
        ...

    def close(self) -> None:
        """Release memory and files."""
        ...
