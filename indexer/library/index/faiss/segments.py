"""A library's index: immutable segments, and which of their rows are alive.

What is added becomes a segment of its own; what is removed is marked dead where it stands. So adding a thousand
pictures to millions takes a second, and a search merges what each segment finds. An id is alive in one segment.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from indexer.library.index.base import last_of_each, positions_of, rank, stack_rows
from indexer.library.index.faiss.files import open_parts, save_parts
from indexer.library.index.faiss.flat import Allowed, FlatSegment, Positions, Scores
from indexer.library.index.faiss.gpu_vectors import GpuVectors, SegmentOnGpu
from indexer.library.index.faiss.part import IndexPart, Segment
from indexer.library.index.hub_offsets import WeightedQueries, offsets_at
from indexer.library.index.port import Mask, Selection
from indexer.library.index.records import Neighbors, OffsetWeight, QueryKind
from indexer.library.vectors.query_bank import Offsets
from models.foundation.vectors import Ids, Vectors


class SegmentedIndex:
    """A VectorIndex over parts. Searching is safe from several threads, changing is not."""

    def __init__(self, dim: int, parts: Sequence[IndexPart] = ()) -> None:
        self.dim = dim
        self.parts = tuple(parts)
        self._ids: Ids | None = None
        self._on_gpu: Mapping[Segment, SegmentOnGpu] = {}
        self._chosen: WeakKeyDictionary[Selection, tuple[Allowed | None, ...]] = WeakKeyDictionary()

    @classmethod
    def open(cls, folder: Path, segments: Sequence[Any]) -> "SegmentedIndex":
        """Open what `save` wrote. Raises IndexDamaged or BackendNotInstalled."""
        return cls(*open_parts(folder, segments))

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    @property
    def on_gpu(self) -> int:
        """How many vectors a GPU looks through."""
        return sum(len(part) for part in self.parts if self._on_gpu.get(part.segment))

    def use(self, gpu: GpuVectors) -> None:
        """Have a GPU look through the segments that it has room for. Another index that did gives way."""
        self._on_gpu = gpu.hold(self.parts)

    def list_ids(self) -> Ids:
        """Return all ids."""
        if self._ids is None:
            living = [part.live_ids for part in self.parts]
            self._ids = np.sort(np.concatenate([np.empty(0, np.int64), *living]))
        return self._ids

    def holds(self, ids: Ids) -> Mask:
        """Say which are alive."""
        held = np.zeros(len(ids), np.bool_)
        for _, here, _ in self._locate(ids):
            held |= here
        return held

    def upsert(self, ids: Ids, vectors: Vectors, offsets: Offsets | None = None) -> None:
        """Add or replace: a new segment, and the old rows dead."""
        new_ids, last = last_of_each(ids)
        if offsets is None and any(part.segment.offsets is not None for part in self.parts):
            offsets = np.zeros(len(ids), np.float32)
        self.remove(new_ids)
        if len(new_ids):
            number = 1 + max((part.number for part in self.parts), default=0)
            segment = FlatSegment(new_ids, vectors[last], offsets_at(offsets, last))
            self._change([*self.parts, IndexPart(number, segment)])

    def remove(self, ids: Ids) -> int:
        """Mark rows dead; return how many there were."""
        found = [part.alive(positions_of(part.segment.ids, ids)) for part in self.parts]
        if any(map(len, found)):
            pairs = zip(self.parts, found, strict=True)
            self._change([part.without(positions) if len(positions) else part for part, positions in pairs])
        return sum(map(len, found))

    def search(
        self,
        queries: Vectors,
        k: int,
        *,
        where: Selection | None = None,
        offset_weight: OffsetWeight = 0.0,
        kind: QueryKind = "text",
    ) -> Neighbors:
        """Search each segment and merge what they find, scored exactly."""
        weighted = WeightedQueries.of(queries, offset_weight)
        choices = self._choose(where)
        ids: list[list[Ids]] = [[np.empty(0, np.int64)] for _ in queries]
        scores: list[list[Any]] = [[np.empty(0, np.float32)] for _ in queries]
        for part, allowed in zip(self.parts, choices, strict=True):
            if not len(queries) or (allowed is not None and not allowed.count):
                continue
            searched = self._on_gpu.get(part.segment, part.segment)
            for row, (positions, found) in enumerate(searched.search(weighted, k, allowed, kind)):
                ids[row].append(part.segment.ids[positions])
                scores[row].append(found)
        rows = [rank(np.concatenate(ids[row]), np.concatenate(scores[row]), k) for row in range(len(queries))]
        return stack_rows(rows, k)

    def count(self, where: Selection | None = None) -> int:
        """Count."""
        if where is None:
            return len(self)
        pairs = zip(self.parts, self._choose(where), strict=True)
        return sum(len(part) if allowed is None else allowed.count for part, allowed in pairs)

    def count_above(
        self, query: Vectors, score: float, *, where: Selection | None = None, offset_weight: float = 0.0
    ) -> int:
        """Count in each segment."""
        weighted = WeightedQueries.of(query, offset_weight)
        pairs = zip(self.parts, self._choose(where), strict=True)
        return sum(part.segment.count_above(weighted, score, allowed) for part, allowed in pairs)

    def fetch(self, ids: Ids) -> Vectors:
        """Return the vectors of `ids`. Raises KeyError."""
        vectors = np.empty((len(ids), self.dim), np.float32)
        for part, here, positions in self._locate_all(ids):
            vectors[here] = part.segment.fetch(positions)
        return vectors

    def score(self, query: Vectors, ids: Ids, *, offset_weight: float = 0.0) -> Scores:
        """Score rows exactly. Raises KeyError."""
        weighted = WeightedQueries.of(query, offset_weight)
        scores = np.empty(len(ids), np.float32)
        for part, here, positions in self._locate_all(ids):
            scores[here] = part.segment.score(weighted, positions)
        return scores

    def _locate(self, ids: Ids) -> Iterator[tuple[IndexPart, Mask, Positions]]:
        """Yield each part that has some of `ids`, which of them, and where."""
        missing = np.ones(len(ids), np.bool_)
        for part in self.parts:
            held = part.segment.ids
            if not len(held) or not missing.any():
                continue
            positions = np.minimum(np.searchsorted(held, ids), len(held) - 1)
            here = missing & (held[positions] == ids)
            if part.live is not None:
                here &= part.live.mask[positions]
            if here.any():
                yield part, here, positions[here]
            missing &= ~here

    def _locate_all(self, ids: Ids) -> Iterator[tuple[IndexPart, Mask, Positions]]:
        """Yield as `_locate`. Raises KeyError if one is missing."""
        found = 0
        for part, here, positions in self._locate(ids):
            found += len(positions)
            yield part, here, positions
        if found < len(ids):
            raise KeyError(ids)

    def save(
        self, folder: Path, *, prefix: str = "", link: Callable[[Path, Path], None] | None = None
    ) -> tuple[Any, ...]:
        """Write the index durably into `folder`, and return what its files are. Raises OSError."""
        return save_parts(self.parts, folder, prefix=prefix, link=link)

    def close(self) -> None:
        """Release memory and files."""
        self._on_gpu = {}
        self._change([])

    def _change(self, parts: Sequence[IndexPart]) -> None:
        self.parts = tuple(part for part in parts if len(part))
        self._ids = None
        self._chosen = WeakKeyDictionary()

    def _choose(self, where: Selection | None) -> tuple[Allowed | None, ...]:
        """Return what may be found in each part, worked out once for each selection."""
        if where is None:
            return tuple(part.live for part in self.parts)
        choices = self._chosen.get(where)
        if choices is None:
            choices = tuple(part.allowed(where.ids()) for part in self.parts)
            self._chosen[where] = choices
        return choices
