"""A segment of an index, and which of its rows are alive."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np

from indexer.library.index.base import positions_of
from indexer.library.index.faiss.flat import FEW_ROWS, Allowed, FlatSegment, Positions
from indexer.library.index.faiss.ivf import IvfSegment
from indexer.library.index.port import Mask
from indexer.library.vectors.query_bank import Offsets
from models.foundation.vectors import Ids

_DENSE = 8  # ids that span at most this many times their number are looked up in a table
Segment: TypeAlias = FlatSegment | IvfSegment


@dataclass(frozen=True, slots=True)
class IndexPart:
    """A segment of an index. `live` marks the rows that are alive, None if all are.

    `files` are the files that hold it, by role, with what the manifest says of them; none before it is saved.
    """

    number: int
    segment: Segment
    live: Allowed | None = None
    files: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.segment) if self.live is None else self.live.count

    @property
    def live_ids(self) -> Ids:
        """The ids that are alive, ascending."""
        return self.segment.ids if self.live is None else self.segment.ids[self.live.mask]

    @property
    def live_offsets(self) -> Offsets | None:
        """The offsets of the rows that are alive, None where there are none."""
        offsets = self.segment.offsets
        return offsets if offsets is None or self.live is None else offsets[self.live.mask]

    def without(self, positions: Positions) -> "IndexPart":
        """Return the part with rows dead, whether or not they were before."""
        mask = np.ones(len(self.segment), np.bool_) if self.live is None else self.live.mask.copy()
        mask[positions] = False
        return replace(self, live=Allowed(len(mask), mask=mask))

    def alive(self, positions: Positions) -> Positions:
        """Return those of `positions` that are alive."""
        return positions if self.live is None else positions[self.live.mask[positions]]

    def allowed(self, where: Ids) -> Allowed:
        """Return the living rows whose ids are in `where`."""
        ids = self.segment.ids
        if len(where) <= FEW_ROWS or not len(ids):
            return Allowed(len(ids), positions=self.alive(positions_of(ids, where)))
        mask = _members(ids, where)
        return Allowed(len(ids), mask=mask if self.live is None else mask & self.live.mask)


def _members(ids: Ids, where: Ids) -> Mask:
    """Return for each of the ascending `ids` whether it is in `where`."""
    low, high = int(ids[0]), int(ids[-1])
    if high - low < _DENSE * len(ids):
        table = np.zeros(high - low + 1, np.bool_)
        table[where[(where >= low) & (where <= high)] - low] = True
        mask: Mask = table[ids - low]
    else:
        mask = np.zeros(len(ids), np.bool_)
        mask[positions_of(ids, where)] = True
    return mask
