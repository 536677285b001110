"""Rows on a GPU: it finds candidates among all rows of a segment, and they are scored exactly.

The rows lie on the GPU in half precision, with their offsets as one dimension more, and a query is scored against
every one of them; the best are scored again with the float32 rows on disk. Half precision moves a score by no more than
a known amount, so the scores tell whether the best are all among the candidates. Then the answer is exact. Where they
do not tell it (few rows pass a filter, a page far down, thousands of ties), and wherever the GPU fails, the segment
itself answers.

FAISS has neither 4-bit codes nor filters on a GPU. So codes stay with the processor, dead and filtered rows are left
out after the search, and an index on disk is the same whether or not there is a GPU.
"""

import logging
import math
import threading
from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from indexer.library.errors import GpuNotUsed, IndexDamaged
from indexer.library.index.base import SCORE_DECIMALS
from indexer.library.index.faiss.flat import Allowed, Positions, Scores, import_faiss
from indexer.library.index.faiss.gpu import Gpu, failure, open_gpu
from indexer.library.index.faiss.ivf import IvfSegment
from indexer.library.index.faiss.part import IndexPart, Segment
from indexer.library.index.hub_offsets import WeightedQueries, with_column
from indexer.library.index.records import IndexOptions, QueryKind
from indexer.library.vectors.shard_files import shards_of
from models.foundation.messages import message
from models.foundation.vectors import Vectors

Found: TypeAlias = tuple[Positions, Scores]

_log = logging.getLogger(__name__)
_MOST_CANDIDATES = 2_048  # what FAISS selects on a GPU
_SPARE, _MARGIN = 1.5, 32  # candidates for each hit asked for, and beyond: nearly always enough to tell
_LEAST_SPARE = 1.2  # with fewer for each it is not tried
_LEAST_VALUES = 2**22  # rows times dim: fewer are scored by a processor in about half a millisecond
_LANES = 8  # one thread block selects the best of one query, so a part of the rows each, side by side, is faster
_LANE_ROWS = 2**17
_CHUNK_BYTES = 32 * 2**20  # with its copy in half precision it fits into a lane's scratch memory
_GRAIN = 8  # halves: rows that begin at a multiple of 16 bytes are multiplied faster
_TOGETHER = 8  # queries; their scores fit there too


@dataclass(slots=True)
class _Copy:
    """The rows of a segment on a GPU, as FAISS indexes of consecutive parts; none once it has been given up."""

    size: int  # bytes
    parts: list[Any] = field(default_factory=list)
    index: Any = None  # all parts, searched together


class GpuVectors:
    """The rows of one library's segments on a GPU, in half precision. Safe to use from several threads."""

    def __init__(self, gpu: Gpu, *, share: float = 0.5, least_values: int = _LEAST_VALUES) -> None:
        """Take at most `share` of the memory that is free, for segments of at least so many rows times dim."""
        self._gpu, self._share, self._least_values = gpu, share, least_values
        self._lock = threading.Lock()  # what FAISS has on a GPU is used by one thread at a time
        self._copies: dict[Hashable, _Copy] = {}
        self._said: set[str] = set()
        self._closed = False

    @classmethod
    def open(cls, options: IndexOptions) -> "GpuVectors | None":
        """Open the GPU that `options` choose; None, and why in the log, if there is none that can be used."""
        gpu = open_gpu(options.device)
        return None if gpu is None else cls(gpu, share=options.gpu_share)

    def hold(self, parts: Sequence[IndexPart]) -> "dict[Segment, SegmentOnGpu]":
        """Copy the segments of an index, the largest first, as far as there is room; return those that are there.

        What is there already stays, also of an earlier index; everything else gives way.
        """
        wanted = {
            _content(part): part.segment
            for part in sorted(parts, key=lambda part: -len(part.segment))
            if len(part.segment) * part.segment.dim >= self._least_values
        }
        with self._lock:
            self._release(self._copies.keys() - wanted.keys())
        found: dict[Segment, SegmentOnGpu] = {}
        for content, segment in wanted.items():
            copy = self._copies.get(content) or self._copy(content, segment)
            if copy is not None:
                found[segment] = SegmentOnGpu(segment, self, copy)
        if found:
            rows = sum(map(len, found))
            _log.info("%s finds candidates among %d of %d vectors", self._gpu.name, rows, sum(map(len, parts)))
        return found

    def find(self, copy: _Copy, queries: Vectors, wanted: int) -> Found | None:
        """Return positions and approximate scores, (n, wanted) each, best first; None if the GPU does not have them."""
        positions = np.empty((len(queries), wanted), np.int64)
        scores = np.empty((len(queries), wanted), np.float32)
        with self._lock:
            if not copy.parts:
                return None
            try:
                for start in range(0, len(queries), _TOGETHER):
                    some = slice(start, start + _TOGETHER)
                    scores[some], positions[some] = copy.index.search(queries[some], wanted)
            except (RuntimeError, MemoryError) as error:
                self._give_up(error)
                return None
        return positions, scores

    def close(self) -> None:
        """Give everything up, and copy no more."""
        self._closed = True
        with self._lock:
            self._release(list(self._copies))

    def _copy(self, content: Hashable, segment: Segment) -> _Copy | None:
        lanes = min(max(len(segment) // _LANE_ROWS, 1), _LANES)
        copy = _Copy(size=(2 * _width(segment) + 4) * len(segment))  # FAISS keeps the norm of each row
        edges = [len(segment) * lane // lanes for lane in range(lanes + 1)]
        try:
            with self._lock:
                held = sum(one.size for one in self._copies.values())
                room = int(self._share * (self._gpu.free_bytes() + held)) - held
            if copy.size + copy.size // lanes > room:  # a part is moved when it grows
                self._say(_no_room(self._gpu.name, len(segment), copy.size, room))
                return None
            for lane in range(lanes):
                if not self._fill(copy, segment, lane, edges[lane], edges[lane + 1]):
                    break
            else:
                with self._lock:
                    copy.index = _together(_width(segment), copy.parts)
                    self._copies[content] = copy
                return copy
        except (RuntimeError, MemoryError, OSError, IndexDamaged) as error:
            self._say(failure(self._gpu.name, error))
        with self._lock:
            copy.parts.clear()
        return None

    def _fill(self, copy: _Copy, segment: Segment, lane: int, start: int, stop: int) -> bool:
        """Copy rows to a lane, unless this has been closed. Searches of other segments come in between."""
        width = _width(segment)
        step = max(_CHUNK_BYTES // (4 * width), 1)
        with self._lock:
            part = self._gpu.make_index(width, half=True, lane=lane)
            copy.parts.append(part)
        for first in range(start, stop, step):
            if self._closed:
                return False
            rows = segment.fetch(np.arange(first, min(first + step, stop)))
            if segment.offsets is not None:
                rows = with_column(rows, segment.offsets[first : first + len(rows)], width)
            with self._lock:
                part.add(rows)
        return True

    def _give_up(self, error: Exception) -> None:
        self._release(list(self._copies))
        self._say(failure(self._gpu.name, error))

    def _release(self, contents: Collection[Hashable]) -> None:
        for content in contents:
            copy = self._copies.pop(content)
            copy.index = None
            copy.parts.clear()

    def _say(self, refusal: GpuNotUsed) -> None:
        if refusal.en not in self._said:
            self._said.add(refusal.en)
            _log.warning("%s", refusal)


class SegmentOnGpu:
    """A segment whose rows are on a GPU too."""

    def __init__(self, segment: Segment, vectors: GpuVectors, copy: _Copy) -> None:
        self.segment, self._vectors, self._copy = segment, vectors, copy
        self._width = _width(segment)
        self._row_norm = 1.0 if segment.offsets is None else math.hypot(1.0, float(np.abs(segment.offsets).max()))

    def __bool__(self) -> bool:
        """Say whether the rows are still there."""
        return bool(self._copy.parts)

    def search(self, queries: WeightedQueries, k: int, allowed: Allowed | None, kind: QueryKind) -> list[Found]:
        """Return for each query positions and exact scores, the k best among them; or what the segment itself finds."""
        found = self._find(queries, k, allowed)
        missing = [number for number, one in enumerate(found) if one is None]
        others = iter(self.segment.search(queries[missing], k, allowed, kind) if missing else ())
        return [next(others) if one is None else one for one in found]

    def _find(self, queries: WeightedQueries, k: int, allowed: Allowed | None) -> list[Found | None]:
        """Return what the GPU surely finds; None where it may have missed one of the k best."""
        found: list[Found | None] = [None] * len(queries)
        rows = len(self.segment)
        count = rows if allowed is None else allowed.count
        if not k or not count:
            return found
        k = min(k, count)
        most = min(_MOST_CANDIDATES, rows)
        each = rows / count  # rows for each that is allowed
        if most < rows and most < _LEAST_SPARE * k * each:
            return found
        fitted = queries.as_rows(self._width)
        for wanted in sorted({min(math.ceil((_SPARE * k + _MARGIN) * each), most), most}):
            untold = [number for number, one in enumerate(found) if one is None]
            near = self._vectors.find(self._copy, fitted[untold], wanted) if untold else None
            if near is None:
                break
            for number, positions, scores in zip(untold, *near, strict=True):
                found[number] = self._confirm(queries[number : number + 1], positions, scores, k, allowed)
        return found

    def _confirm(
        self, query: WeightedQueries, positions: Positions, scores: Scores, k: int, allowed: Allowed | None
    ) -> Found | None:
        """Return those of the candidates that are allowed, and their exact scores, if no other row can be as good."""
        everything = len(positions) == len(self.segment)
        others = (
            -np.inf if everything else float(scores[-1]) + error_of_half(query.as_rows(self._width)[0], self._row_norm)
        )
        if others == -np.inf and not everything:  # the weight of offsets is more than half precision holds
            return None
        kept = np.sort(positions if allowed is None else positions[allowed.mask[positions]])
        if len(kept) < k:
            return None
        exact = self.segment.score(query, kept)
        last = np.partition(exact, len(exact) - k)[len(exact) - k]
        tie = 2 * 10**-SCORE_DECIMALS
        return (kept, exact) if last - tie > others else None


def error_of_half(query: npt.NDArray[np.float32], row_norm: float = 1.0) -> float:
    """Return a bound of how far a score moves when `query` and a row are rounded to half precision.

    Rounding moves a component by at most 2**-11 of it, or 2**-25 where it is tiny. Products are summed in float32, in
    any order, here and there. No row is longer than `row_norm`, to one in a thousand.
    """
    dim, norm = len(query), float(np.linalg.norm(query))
    rounding = 1.01 * 2**-10 * norm * row_norm + 2**-24 * math.sqrt(dim) * (norm + row_norm)
    return rounding + 1.01 * 2**-22 * dim * norm * row_norm


def _width(segment: Segment) -> int:
    """Return the length of a row on a GPU: with its offset and zeros beside it, where there are offsets."""
    return segment.dim if segment.offsets is None else -(-(segment.dim + 1) // _GRAIN) * _GRAIN


def _content(part: "IndexPart") -> Hashable:
    """Return what rows that are the same have in common: the checksums of their files, where there are any."""
    segment = part.segment
    if not part.files:
        return segment
    checksums = [part.files[role][1].sha256 for role in ("vectors", "places", "offsets") if role in part.files]
    if isinstance(segment, IvfSegment):
        checksums += map(segment.shards.checksum, np.unique(shards_of(segment.places)).tolist())
    return tuple(checksums)


def _together(dim: int, parts: Sequence[Any]) -> Any:
    """Return an index that searches all parts at once, and counts positions on from one to the next."""
    index = import_faiss().IndexShards(dim, True, True)  # threaded, successive ids
    for part in parts:
        index.add_shard(part)
    return index


def _no_room(name: str, rows: int, size: int, room: int) -> GpuNotUsed:
    takes, may = (f"{max(count, 0) / 2**30:.2f} GiB" for count in (size, room))
    return GpuNotUsed(
        name,
        message(
            "{rows} vectors take {takes} of its memory and may take {may}. Raise XUNTU_INDEX__GPU_SHARE",
            rows=rows,
            takes=takes,
            may=may,
        ),
    )
