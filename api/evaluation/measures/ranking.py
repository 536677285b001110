"""Exact rankings by inner product, a block of queries at a time.

A tie counts against us: whatever scores within TIE of a right answer is placed before it, so that a collapsed encoder,
which gives everything the same vector, finds nothing.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from models.foundation.messages import mark
from models.foundation.vectors import Vectors

Floats = npt.NDArray[np.float64]
Positions = npt.NDArray[np.int64]
OnStep = Callable[[str, int, int], None]  # what, done, of all

TIE = np.float32(1e-6)  # float32 sums of a thousand products differ by less
_BLOCK_SCORES = 1 << 24  # 64 MB


def rank_first(
    queries: Vectors, gallery: Vectors, right: Sequence[Positions], *, on_step: OnStep = lambda *_: None
) -> Floats:
    """Return float64 (n,): the rank, from 1, of the best right answer of each query; inf where it has none.

    `right` are the rows of the gallery that answer each query. Other right answers are not counted before it.
    """
    ranks = np.full(len(queries), np.inf)
    for start, scores in _blocks(queries, gallery, on_step):
        for row, (line, rows) in enumerate(zip(scores, right[start : start + len(scores)], strict=True), start=start):
            if len(rows):
                best = line[rows].max() - TIE
                line[rows] = -np.inf
                ranks[row] = 1 + np.count_nonzero(line >= best)
    return ranks


def rank_classes(
    vectors: Vectors, classes: Positions, ks: Sequence[int], *, on_step: OnStep = lambda *_: None
) -> tuple[Floats, Floats, Positions]:
    """Rank all other pictures for each picture that shares its class with another.

    Return the average precision (m,), the precision at each of `ks` (m, len(ks)), and which pictures these are (m,).
    Average precision is the mean, over the pictures of the class, of the precision at the rank of each.
    """
    asked = np.flatnonzero(np.bincount(classes)[classes] > 1)
    average, at_k = np.empty(len(asked)), np.empty((len(asked), len(ks)))
    for start, scores in _blocks(vectors[asked], vectors, on_step):
        for row, line in enumerate(scores, start=start):
            own = asked[row]
            alike = classes == classes[own]
            line[alike] -= TIE
            line[own] = -np.inf
            found = alike[np.argsort(-line, kind="stable")[:-1]]
            places = np.flatnonzero(found) + 1
            average[row] = (np.arange(1, len(places) + 1) / places).mean()
            at_k[row] = [found[:k].sum() / k for k in ks]
    return average, at_k, asked


def best_by_class(
    queries: Vectors, vectors: Vectors, classes: Positions, count: int, *, on_step: OnStep = lambda *_: None
) -> npt.NDArray[np.float32]:
    """Return float32 (n, count): the best score of each query among the pictures of each class."""
    best = np.full((len(queries), count), -np.inf, np.float32)
    order = np.argsort(classes, kind="stable")
    present, starts = np.unique(classes[order], return_index=True)
    for start, scores in _blocks(queries, vectors[order], on_step):
        best[start : start + len(scores), present] = np.maximum.reduceat(scores, starts, axis=1)
    return best


def _blocks(queries: Vectors, gallery: Vectors, on_step: OnStep) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
    """Yield the first query of each block, and its scores, float32 (rows, len(gallery)), for the caller to change."""
    rows = max(1, _BLOCK_SCORES // max(1, len(gallery)))
    for start in range(0, len(queries), rows):
        on_step(mark("Ranking"), start, len(queries))
        yield start, queries[start : start + rows] @ gallery.T
