"""What a picture scores with any text at all, which is taken off what it scores with the one that is asked.

Some pictures lie near every text, and so turn up for every one: hubs. A bank of ordinary queries B tells which. The
offset of a picture x is -log(mean of exp(b * B.x)) / b, its score with all of them, in which the best of them count
most. Adding it to the score of a query ranks like the inverted softmax (Smith et al. 2017; Bogolin et al., "Cross Modal
Retrieval with Querybank Normalisation", 2022). That is too much where the bank is not of the kind of the library, as
queries that are written for any library are not; so only a share of it is kept. Each query says how much offsets weigh
in it: 1 for a text, 0 for a picture.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from indexer.library.index_records import OffsetWeight
from models.foundation.vectors import Vectors

Offsets: TypeAlias = npt.NDArray[np.float32]  # (n,), one for each row

_DECIMALS = 5  # so that copies in different places of a library get the same
_BLOCK_ROWS = 512  # their scores with two thousand queries stay in the processor's cache
# In codes, offsets count this much and their weight in a query so much less: then both ends lose about as little to
# rounding, for offsets that spread by 0.01 to 0.05.
_IN_CODES = 6.0


@dataclass(frozen=True, slots=True, eq=False)
class QueryBank:
    """Ordinary queries as an encoder reads them: `vectors` float32 (m, dim).

    `sharpness` is the inverse temperature b: the larger, the more only the best of them count; `share` how much of what
    comes out is the offset. `id` stands for all that decides what offsets come out, beside the encoder.
    """

    id: str
    vectors: Vectors
    sharpness: float
    share: float = 1.0

    def measure(self, vectors: Vectors) -> Offsets:
        """Return the offset of each row."""
        scaled = np.ascontiguousarray(self.vectors.T * np.float32(self.sharpness))
        offsets = np.empty(len(vectors), np.float32)
        for start in range(0, len(vectors), _BLOCK_ROWS):
            scores = vectors[start : start + _BLOCK_ROWS] @ scaled
            np.exp(scores, out=scores)
            offsets[start : start + _BLOCK_ROWS] = np.log(scores.mean(axis=1)) * (-self.share / self.sharpness)
        return offsets.round(_DECIMALS)


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
