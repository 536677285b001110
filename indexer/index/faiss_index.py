"""Exact inner product on FAISS.

The file is an IndexIDMap over an IndexFlatIP whose rows stand in ascending order of id. It is memory-mapped
when opened, so opening takes no time and processes that serve the same build share its memory.
"""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from indexer.errors import IndexDamaged
from indexer.index.base import SCORE_DECIMALS, Neighbors, QueryKind, merge_rows, positions_of, rank
from models.errors import BackendNotInstalled
from models.vectors import Ids, Vectors

_MARGIN = 16  # candidates asked for beyond k, so that a tie at the edge is nearly always seen at once


def _import_faiss() -> Any:
    try:
        import faiss
    except ImportError as error:
        raise BackendNotInstalled("faiss", "cpu") from error
    return faiss


class FaissIndex:
    """A flat index: every search is exact, with and without `where`."""

    def __init__(self, dim: int) -> None:
        self._faiss = _import_faiss()
        self.dim = dim
        self._ids: Ids = np.empty(0, np.int64)
        self._flat = self._faiss.IndexFlatIP(dim)
        self._owner: Any = None

    @classmethod
    def open(cls, path: Path) -> "FaissIndex":
        """Map an index file. Raises IndexDamaged."""
        faiss = _import_faiss()
        try:
            owner = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
            flat = faiss.downcast_index(owner.index)
        except (RuntimeError, AttributeError, MemoryError) as error:
            raise IndexDamaged(path, "FAISS cannot read it") from error
        index = cls(flat.d)
        index._owner, index._flat = owner, flat  # the owner keeps the mapping alive
        index._ids = faiss.vector_to_array(owner.id_map)
        return index

    def __len__(self) -> int:
        return len(self._ids)

    def list_ids(self) -> Ids:
        """Return all ids."""
        return self._ids

    def upsert(self, ids: Ids, vectors: Vectors) -> None:
        """Add or replace. Ids above all those present are appended in place."""
        new = np.asarray(ids, np.int64)
        appends = len(new) and (np.diff(new) > 0).all() and (not len(self._ids) or new[0] > self._ids[-1])
        if appends and self._owner is None:  # a mapped index cannot grow in place
            self._flat.add(np.ascontiguousarray(vectors, np.float32))
            self._ids = np.concatenate([self._ids, new])
        else:
            self._replace(*merge_rows(self._ids, self._all_vectors(), new, vectors))

    def remove(self, ids: Ids) -> int:
        """Remove; return how many there were."""
        gone = positions_of(self._ids, ids)
        if len(gone):
            self._replace(np.delete(self._ids, gone), np.delete(self._all_vectors(), gone, axis=0))
        return len(gone)

    def search(
        self,
        queries: Vectors,
        k: int,
        *,
        where: Ids | None = None,
        kind: QueryKind = "text",  # noqa: ARG002 - everything is looked at, whatever is asked
    ) -> Neighbors:
        """Search exactly; `where` becomes a bitmap inside the scan."""
        positions = None if where is None else positions_of(self._ids, where)
        rows = [self._search_one(query, k, positions) for query in queries]
        return Neighbors(
            np.array([row[0] for row in rows], np.int64).reshape(len(queries), k),
            np.array([row[1] for row in rows], np.float32).reshape(len(queries), k),
        )

    def count(self, where: Ids | None = None) -> int:
        """Count."""
        return len(self) if where is None else len(positions_of(self._ids, where))

    def count_above(self, query: Vectors, score: float, *, where: Ids | None = None) -> int:
        """Count by a range search, which FAISS bounds from below exclusively."""
        params = self._parameters(None if where is None else positions_of(self._ids, where))
        below = score - 10**-SCORE_DECIMALS  # wide enough for every score that rounds up to the one asked for
        _, scores, _ = self._flat.range_search(np.ascontiguousarray(query), below, params=params)
        return int((scores.round(SCORE_DECIMALS) >= np.float32(score)).sum())

    def fetch(self, ids: Ids) -> Vectors:
        """Return the vectors of `ids`. Raises KeyError."""
        positions = np.minimum(np.searchsorted(self._ids, ids), max(len(self) - 1, 0))
        if not len(ids):
            return np.empty((0, self.dim), np.float32)
        if not len(self) or (self._ids[positions] != ids).any():
            raise KeyError(ids)
        vectors: Vectors = self._flat.reconstruct_batch(positions)
        return vectors

    def save(self, path: Path) -> None:
        """Write the index file."""
        mapped = self._faiss.IndexIDMap(self._faiss.IndexFlatIP(self.dim))
        mapped.index = self._flat  # wrapping a filled index is refused, and adding to a new one would copy it
        mapped.ntotal = len(self)
        self._faiss.copy_array_to_vector(self._ids, mapped.id_map)
        self._faiss.write_index(mapped, str(path))

    def close(self) -> None:
        """Release the mapping."""
        self._owner, self._ids = None, np.empty(0, np.int64)
        self._flat = self._faiss.IndexFlatIP(self.dim)

    def _search_one(
        self, query: npt.NDArray[np.float32], k: int, positions: npt.NDArray[np.int64] | None
    ) -> tuple[Ids, npt.NDArray[np.float32]]:
        """Return the k best ids and scores. The window grows until no tie runs over its edge."""
        available = len(self) if positions is None else len(positions)
        params = self._parameters(positions)
        window = min(k + _MARGIN, available)
        while window:
            scores, found = self._flat.search(query[None], window, params=params)
            rounded = scores[0].round(SCORE_DECIMALS)
            if window == available or rounded[-1] < rounded[k - 1]:
                return rank(self._ids[found[0]], scores[0], k)
            window = min(2 * window, available)
        return rank(np.empty(0, np.int64), np.empty(0, np.float32), k)

    def _parameters(self, positions: npt.NDArray[np.int64] | None) -> Any:
        if positions is None:
            return None
        member = np.zeros(len(self), np.bool_)
        member[positions] = True
        bitmap = np.packbits(member, bitorder="little")
        selector = self._faiss.IDSelectorBitmap(bitmap)
        return self._faiss.SearchParameters(sel=selector)

    def _all_vectors(self) -> Vectors:
        vectors: Vectors = self._flat.reconstruct_n(0, len(self)) if len(self) else np.empty((0, self.dim), np.float32)
        return vectors

    def _replace(self, ids: Ids, vectors: Vectors) -> None:
        self._owner = None
        self._flat = self._faiss.IndexFlatIP(self.dim)
        self._flat.add(np.ascontiguousarray(vectors))
        self._ids = ids
