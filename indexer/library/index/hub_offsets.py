"""Offsets of rows (see vectors/query_bank.py) as an index scores with them: one dimension more of rows and queries."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from indexer.library.index.records import OffsetWeight
from indexer.library.vectors.query_bank import Offsets
from models.foundation.vectors import Vectors

# In codes, offsets count this much and their weight in a query so much less: then both ends lose about as little to
# rounding, for offsets that spread by 0.01 to 0.05.
_IN_CODES = 6.0


def with_column(vectors: Vectors, column: npt.NDArray[np.float32], width: int) -> Vectors:
    """Return rows of `width`: the vectors, then the number of each, then zeros."""
    count, dim = vectors.shape
    rows = np.zeros((count, width), np.float32)
    rows[:, :dim] = vectors
    rows[:, dim] = column
    return rows


def with_offsets(vectors: Vectors, offsets: Offsets) -> Vectors:
    """Return rows whose product with a query that weighs offsets is their score, float32 (n, dim + 1)."""
    return with_column(vectors, offsets, vectors.shape[1] + 1)


@dataclass(frozen=True, slots=True, eq=False)
class WeightedQueries:
    """Queries `vectors`, float32 (n, dim), and how much offsets weigh in each, `weights` float32 (n,)."""

    vectors: Vectors
    weights: npt.NDArray[np.float32]

    @classmethod
    def of(cls, vectors: Vectors, weight: OffsetWeight) -> "WeightedQueries":
        """Take queries and the weight that all of them have, or the weights of each."""
        return cls(vectors, np.broadcast_to(np.asarray(weight, np.float32), len(vectors)))

    def __len__(self) -> int:
        return len(self.vectors)

    def __getitem__(self, chosen: slice | Sequence[int]) -> "WeightedQueries":
        return WeightedQueries(self.vectors[chosen], self.weights[chosen])

    def __iter__(self) -> Iterator["WeightedQueries"]:
        """Yield each query by itself."""
        return (self[number : number + 1] for number in range(len(self)))

    def as_rows(self, width: int, *, scale: float = 1.0) -> Vectors:
        """Return queries as long as rows of `width`, which have offsets if that is more than `dim`.

        Weights are divided by `scale`.
        """
        if width == self.vectors.shape[1]:
            return np.ascontiguousarray(self.vectors)
        return with_column(self.vectors, self.weights / np.float32(scale), width)


def coded_dim(dim: int) -> int:
    """Return the length of vectors with their offset as codes stand for them: even, for parts of two dimensions."""
    return dim + 2 - dim % 2


def coded_offsets(offsets: Offsets) -> Offsets:
    """Return offsets as codes stand for them: around 0, which changes no ranking and loses less to rounding."""
    coded: Offsets = np.float32(_IN_CODES) * (offsets - offsets.mean(dtype=np.float64).astype(np.float32))
    return coded


def coded_queries(queries: WeightedQueries, width: int) -> Vectors:
    """Return queries as they are compared with codes of rows of `width`."""
    return queries.as_rows(width, scale=_IN_CODES)


def offsets_at(offsets: Offsets | None, positions: npt.NDArray[np.int64]) -> Offsets | None:
    """Return the offsets of some rows, None where there are none."""
    return None if offsets is None else offsets[positions]
