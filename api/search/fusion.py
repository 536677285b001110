"""Several rankings of the same pictures -> one."""

from collections.abc import Sequence

import numpy as np

from models.foundation.vectors import Ids

_DAMPING = 60  # of the paper: how little the first places of a ranking outweigh the next
_DECIMALS = 12  # sums that agree so far are a tie


def fuse(rankings: Sequence[Ids], weights: Sequence[float]) -> Ids:
    """Return the ids of all rankings by reciprocal rank fusion (Cormack, Clarke and Buettcher 2009), best first.

    A picture counts weight / (60 + rank) for each ranking it is in. Ties: as in the first ranking, then the lower id.
    """
    ids, places = np.unique(np.concatenate([np.empty(0, np.int64), *rankings]), return_inverse=True)
    sums = np.zeros(len(ids))
    first = np.full(len(ids), np.iinfo(np.int64).max)
    done = 0
    for ranking, weight in zip(rankings, weights, strict=True):
        here = places[done : done + len(ranking)]
        if not done:
            first[here] = np.arange(len(ranking))
        sums[here] += weight / (_DAMPING + 1 + np.arange(len(ranking)))
        done += len(ranking)
    fused: Ids = ids[np.lexsort((ids, first, -sums.round(_DECIMALS)))]
    return fused
