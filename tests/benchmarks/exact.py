"""The exact answers that recall is measured against, a block of vectors at a time."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from models.foundation.vectors import Ids, Vectors

_BLOCK_ROWS = 8_192


def read_blocks(store: Path, count: int) -> Iterator[tuple[Ids, Vectors]]:
    """Yield (ids, vectors) through the first `count` rows of shards NNNNN.npy; ids follow the rows, from 1."""
    first = 0
    for path in sorted(store.glob("[0-9]*.npy")):
        vectors = np.load(path, mmap_mode="r")[: max(count - first, 0)]
        for start in range(0, len(vectors), _BLOCK_ROWS):
            block = vectors[start : start + _BLOCK_ROWS]
            yield first + start + 1 + np.arange(len(block)), block
        first += len(vectors)


def find_best(blocks: Iterable[tuple[Ids, Vectors]], queries: Vectors, k: int, *, where: Ids | None = None) -> Ids:
    """Return the ids of the `k` best of each query, the best first; int64 (n, k). `where`: among these ids alone."""
    scores = np.empty((len(queries), 0), np.float32)
    best = np.empty((len(queries), 0), np.int64)
    for ids, vectors in blocks:
        kept = np.arange(len(ids)) if where is None else np.flatnonzero(np.isin(ids, where))
        scores = np.concatenate([scores, queries @ vectors[kept].T], axis=1)
        best = np.concatenate([best, np.broadcast_to(ids[kept], (len(queries), len(kept)))], axis=1)
        if scores.shape[1] > k:
            top = np.argpartition(-scores, k - 1, axis=1)[:, :k]
            scores, best = np.take_along_axis(scores, top, 1), np.take_along_axis(best, top, 1)
    return np.take_along_axis(best, np.argsort(-scores, axis=1), 1)
