"""What indexes have in common: which scores tie, and in what order hits and ids stand."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from indexer.library.index.records import Neighbors
from models.foundation.vectors import Ids

SCORE_DECIMALS = 6  # scores that agree so far are a tie, which the lower id wins


def rank(ids: Ids, scores: npt.NDArray[np.float32], k: int) -> tuple[Ids, npt.NDArray[np.float32]]:
    """Return the k best of one row, ordered by rounded score and then id, padded with -1 and -inf."""
    scores = scores.round(SCORE_DECIMALS)
    order = np.lexsort((ids, -scores))[:k]
    padding = k - len(order)
    return (
        np.concatenate([ids[order], np.full(padding, -1, np.int64)]),
        np.concatenate([scores[order], np.full(padding, -np.inf, np.float32)]),
    )


def stack_rows(rows: Sequence[tuple[Ids, npt.NDArray[np.float32]]], k: int) -> Neighbors:
    """Return what `rank` returned for each query as the answer to all of them."""
    return Neighbors(
        np.array([ids for ids, _ in rows], np.int64).reshape(len(rows), k),
        np.array([scores for _, scores in rows], np.float32).reshape(len(rows), k),
    )


def last_of_each(ids: Ids) -> tuple[Ids, npt.NDArray[np.int64]]:
    """Return the ids in ascending order without repeats, and where each stands last."""
    unique, from_the_end = np.unique(ids[::-1], return_index=True)
    return unique.astype(np.int64), len(ids) - 1 - from_the_end


def positions_of(sorted_ids: Ids, ids: Ids) -> npt.NDArray[np.int64]:
    """Return where those of `ids` that are there stand in `sorted_ids`, ascending and without repeats."""
    if not len(sorted_ids):
        return np.empty(0, np.int64)
    wanted = np.unique(ids)
    found = np.minimum(np.searchsorted(sorted_ids, wanted), len(sorted_ids) - 1)
    positions: npt.NDArray[np.int64] = found[sorted_ids[found] == wanted]
    return positions
