"""The contract of a vector index."""

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from indexer.library.index.hub_offsets import Offsets
from models.foundation.vectors import Ids, Vectors

QueryKind = Literal["picture", "text"]  # what a query vector was made of; "text" also where both were mixed
SCORE_DECIMALS = 6  # scores that agree so far are a tie, which the lower id wins


@dataclass(frozen=True, slots=True)
class Neighbors:
    """What a search found: `ids` int64 (n, k) and `scores` float32 (n, k), best first.

    Where fewer than k were found the rest of a row is id -1, score -inf.
    """

    ids: Ids
    scores: npt.NDArray[np.float32]


class VectorIndex(Protocol):
    """A searchable structure over image ids. Score: inner product of unit vectors; ties: the lower id first.

    A query may be one number longer than `dim`: its last number times a row's offset is added to the score. Rows that
    came without an offset have 0.
    """

    @property
    def dim(self) -> int:
        """Length of a vector."""
        ...

    def __len__(self) -> int: ...

    def list_ids(self) -> Ids:
        """Return all ids, ascending."""
        ...

    def upsert(self, ids: Ids, vectors: Vectors, offsets: Offsets | None = None) -> None:
        """Add vectors `float32 (n, dim)` and their offsets, or replace those of ids already there."""
        ...

    def remove(self, ids: Ids) -> int:
        """Remove vectors; return how many there were. Unknown ids are ignored."""
        ...

    def search(self, queries: Vectors, k: int, *, where: Ids | None = None, kind: QueryKind = "text") -> Neighbors:
        """Return the k best for each row of `queries`, among the ids in `where` only, if given.

        Texts lie apart from the pictures they are compared with, so an index that does not look at everything
        looks further for them. An array `where` that is read-only may be remembered for the next search.
        """
        ...

    def count(self, where: Ids | None = None) -> int:
        """Return how many ids of `where` the index holds; all of its own if None."""
        ...

    def count_above(self, query: Vectors, score: float, *, where: Ids | None = None) -> int:
        """Return how many vectors score at least `score` for the one row of `query`."""
        ...

    def fetch(self, ids: Ids) -> Vectors:
        """Return the vectors of `ids`. Raises KeyError for an id that is not there."""
        ...

    def score(self, query: Vectors, ids: Ids) -> npt.NDArray[np.float32]:
        """Return the score of each of `ids` for the one row of `query`. Raises KeyError for an id that is not there."""
        ...

    def close(self) -> None:
        """Release memory and files."""
        ...


def rank(ids: Ids, scores: npt.NDArray[np.float32], k: int) -> tuple[Ids, npt.NDArray[np.float32]]:
    """Return the k best of one row, ordered by rounded score and then id, padded with -1 and -inf."""
    scores = scores.round(SCORE_DECIMALS)
    order = np.lexsort((ids, -scores))[:k]
    padding = k - len(order)
    return (
        np.concatenate([ids[order], np.full(padding, -1, np.int64)]),
        np.concatenate([scores[order], np.full(padding, -np.inf, np.float32)]),
    )


def last_of_each(ids: Ids) -> tuple[Ids, npt.NDArray[np.int64]]:
    """Return the ids in ascending order without repeats, and where each stands last."""
    unique, from_the_end = np.unique(ids[::-1], return_index=True)
    return unique.astype(np.int64), len(ids) - 1 - from_the_end


def positions_of(sorted_ids: Ids, ids: Ids) -> npt.NDArray[np.int64]:
    """Return where those of `ids` that are there stand in `sorted_ids`, ascending and without repeats."""
    if not len(sorted_ids):
        return np.empty(0, np.int64)
    wanted = np.unique(ids)
    found = np.minimum(np.searchsorted(sorted_ids, wanted), len(sorted_ids) - 1)
    positions: npt.NDArray[np.int64] = found[sorted_ids[found] == wanted]
    return positions
