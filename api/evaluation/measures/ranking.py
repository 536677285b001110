"""Exact rankings by inner product, a block of queries at a time.

A tie counts against us: whatever scores within TIE of a right answer is placed before it, so that a collapsed encoder,
which gives everything the same vector, finds nothing.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

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


def nearest_scores(queries: Vectors, gallery: Vectors) -> npt.NDArray[np.float32]:
    """Return the score of the best of the gallery for each query, (n,)."""
    parts = [scores.max(axis=1) for _, scores in _blocks(queries, gallery, lambda *_: None)]
    return np.concatenate([np.empty(0, np.float32), *parts])


@dataclass(frozen=True, eq=False)
class Rankings:
    """What whole rankings say of each of n queries.

    `first` (n,) is the rank, from 1, of the best right answer, inf where there is none; `average` (n,) the average
    precision, the mean of the precision at the rank of each right answer; `at_k` (n, len(ks)) the precision at each k:
    right answers among the first k, divided by k. It is divided by k where fewer than k are right as well, as trec_eval
    does it: that is the share of a page of hits that is right, and every query is measured alike. Its best value may
    then be below 1.
    """

    first: Floats
    average: Floats
    at_k: Floats


def rank_all(
    queries: Vectors,
    gallery: Vectors,
    right: Iterable[Positions],
    ks: Sequence[int],
    *,
    own: Positions | None = None,
    on_step: OnStep = lambda *_: None,
) -> Rankings:
    """Rank the whole gallery for each query; `right` are the rows that answer it.

    `own` (n,) are the rows of the queries themselves, which are not ranked. A tie counts against every right answer, as
    in `rank_first`. A query without a right answer has a precision of 0.
    """
    found = Rankings(np.full(len(queries), np.inf), np.zeros(len(queries)), np.zeros((len(queries), len(ks))))
    answers = iter(right)
    for start, scores in _blocks(queries, gallery, on_step):
        for row, line in enumerate(scores, start=start):
            if own is not None:
                line[own[row]] = -np.inf
            places = _places(line, next(answers))
            if len(places):
                found.first[row] = places[0]
                found.average[row] = (np.arange(1, len(places) + 1) / places).mean()
                found.at_k[row] = [np.count_nonzero(places <= k) / k for k in ks]
    return found


def rank_classes(
    vectors: Vectors, classes: Positions, ks: Sequence[int], *, on_step: OnStep = lambda *_: None
) -> tuple[Rankings, Positions]:
    """Rank all other pictures for each picture that shares its class with another.

    Return what is found, and which pictures these are (m,).
    """
    asked = np.flatnonzero(np.bincount(classes)[classes] > 1)
    members = {number: np.flatnonzero(classes == number) for number in np.unique(classes[asked]).tolist()}
    alike = ((row, members[classes[row]]) for row in asked.tolist())
    right = (rows[rows != row] for row, rows in alike)  # never all at once, which would be the square of a class
    return rank_all(vectors[asked], vectors, right, ks, own=asked, on_step=on_step), asked


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


def _places(scores: npt.NDArray[np.float32], right: Positions) -> Positions:
    """Return the ranks of the rows `right`, from 1 and ascending; other rows within TIE of one stand before it."""
    best = np.sort(scores[right])[::-1] - TIE
    others = np.sort(np.delete(scores, right))
    before: Positions = len(others) - np.searchsorted(others, best)
    return before + np.arange(1, len(best) + 1)


def _blocks(queries: Vectors, gallery: Vectors, on_step: OnStep) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
    """Yield the first query of each block, and its scores, float32 (rows, len(gallery)), for the caller to change."""
    rows = max(1, _BLOCK_SCORES // max(1, len(gallery)))
    for start in range(0, len(queries), rows):
        on_step(mark("Ranking"), start, len(queries))
        yield start, queries[start : start + rows] @ gallery.T
