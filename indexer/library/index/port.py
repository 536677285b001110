"""The seams of a library: what it asks of a vector index, and of what makes one."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from indexer.library.catalog.records import IndexChanges
from indexer.library.damage import Damage
from indexer.library.filters import Filter
from indexer.library.index.records import EncoderVectors, IndexEntry, IndexOptions, Neighbors, OffsetWeight, QueryKind
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


@dataclass(frozen=True, slots=True)
class OpenIndex:
    """The index of one encoder, and what the manifest says of it."""

    entry: IndexEntry
    index: VectorIndex


class IndexBackend(Protocol):
    """Makes and opens vector indexes of one kind, for immutable builds of which each has a folder.

    An index belongs to its build: making the next one, or giving it up, changes nothing in it. `takes_ids`: searches
    take selections that no filter says, of which the ids are to be asked. Where they do not, and only a filter is
    handed to the index, its rows are still looked up by their ids (`holds`, `fetch`, `score`).
    """

    takes_ids: bool

    def make(
        self, previous: OpenIndex | None, changes: IndexChanges, vectors: EncoderVectors, options: IndexOptions
    ) -> IndexEntry:
        """Make the index of a new build, durably, and return what it is, as `vectors.describe` puts it.

        `previous` is that of the build in use, as `open` returned it, if it may be taken over, with `changes` since;
        without it, or where it does not suit, everything is in `vectors`. `previous` is not to be changed or closed.
        Raises IndexDamaged, InvalidVectors, OSError, or RuntimeError where it cannot be written.
        """
        ...

    def open(self, folder: Path, entry: IndexEntry) -> VectorIndex:
        """Open an index that was made in the folder of a build. Raises IndexDamaged or BackendNotInstalled."""
        ...

    def damage(self, folder: Path, entry: IndexEntry) -> list[Damage]:
        """Return a sentence for each thing that is not what was made; everything is read in full."""
        ...
