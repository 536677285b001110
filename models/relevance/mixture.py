"""The scores of a query in a library -> which share of its hits at a score is right: the local false discovery rate.

Pictures are a mixture: a share of them is right, and they score as right pictures do, the others as wrong ones do
(Efron 2010, Large-Scale Inference). How both score is fitted once for an encoder; the share is read from the scores of
this query in this library, so that a score says more where such pictures are many than where there are hardly any.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

DEPTH = 8  # first hits by which the share is told; of the other pictures only how many there are counts

_SHARES = 32  # that are weighed, from one picture to nearly all
_LARGEST_SHARE = 0.95
_ABSENT = 0.5  # how likely the library has nothing that is asked for, before any score is seen
_MOST_LOG = 50.0  # of a ratio, either way
_LEAST = 1e-9  # of a share of which the logarithm is taken

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LikelihoodRatio:
    """How much likelier right pictures have a height than wrong ones do, at points from low to high.

    A height is a score, less what its query scores with any picture where that is taken off. `heights` ascend strictly;
    `logs` (natural, of the ratio) do not fall; `wrong_above` and `right_above` are the shares of wrong and of right
    pictures above a height, and do not rise. Between points it is linear, beyond the ends all stay as they are. Raises
    ValueError for anything else.
    """

    heights: Sequence[float]
    logs: Sequence[float]
    wrong_above: Sequence[float]
    right_above: Sequence[float]

    def __post_init__(self) -> None:
        table = np.array([self.heights, self.logs, self.wrong_above, self.right_above], np.float64)
        if table.ndim != 2 or table.shape[1] < 2 or not np.isfinite(table).all():
            raise ValueError("too few points, or some that are no numbers")
        steps, shares = np.diff(table, axis=1), table[2:]
        if not (shares.min() >= 0 and shares.max() <= 1 and (steps[0] > 0).all() and (steps[1] >= 0).all()):
            raise ValueError("heights or ratios that fall, or shares that are none")
        if not (steps[2:] <= 0).all() or np.abs(table[1]).max() > _MOST_LOG:
            raise ValueError("shares that rise, or ratios that are none")

    def log_at(self, heights: Floats) -> Floats:
        """Return the logarithm of the ratio at each height."""
        found: Floats = np.interp(heights, self.heights, self.logs)
        return found

    def log_below(self, heights: Floats) -> Floats:
        """Return the logarithm of the ratio for pictures of which only is known that they are below each height."""
        right, wrong = (1 - np.interp(heights, self.heights, above) for above in (self.right_above, self.wrong_above))
        found: Floats = np.log(np.maximum(right, _LEAST) / np.maximum(wrong, _LEAST))
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Mixture:
    """What the scores of queries say of a library: `shares` (g,) of right pictures, `weights` (q, g): how likely each.

    `presence` (q,) is how likely any of its pictures is right, 0..1.
    """

    ratio: LikelihoodRatio
    shares: Floats
    weights: Floats
    presence: Floats

    def relevance(self, heights: Floats) -> Floats:
        """Return how likely pictures (q, n) of each query are right, 0..1; it does not fall while heights rise."""
        ratios = np.exp(self.ratio.log_at(heights))[..., None]
        right = self.shares * ratios
        found: Floats = np.einsum("qng,qg->qn", right / (1 - self.shares + right), self.weights)
        return found


def read_mixture(ratio: LikelihoodRatio, first: Floats, count: int, *, caution: float = 1.0) -> Mixture:
    """Return what the heights of the first hits of queries, (q, k), best first, say of a library of `count` pictures.

    Each share of right pictures is weighed by how likely it makes these heights, and that all others lie below; that
    none is right, too. Queries differ in how they score, so scores of one query are no independent witnesses: their
    evidence is divided by `caution`.
    """
    first = first[:, :DEPTH]
    found, count = first.shape[1], max(count, first.shape[1], 2)
    shares = np.concatenate([[0.0], np.geomspace(min(1 / count, _ABSENT), _LARGEST_SHARE, _SHARES)])
    prior = np.concatenate([[_ABSENT], np.full(_SHARES, (1 - _ABSENT) / _SHARES)])
    evidence = np.log1p(np.expm1(ratio.log_at(first))[..., None] * shares).sum(axis=1)
    if 0 < found < count:
        evidence += (count - found) * np.log1p(np.expm1(ratio.log_below(first[:, -1]))[:, None] * shares)
    evidence /= caution
    likely = np.exp(evidence - evidence.max(axis=1, keepdims=True))
    total = likely @ prior
    none = likely[:, 0] * (prior @ (1 - shares) ** count) / total
    return Mixture(ratio, shares, likely * prior / total[:, None], 1 - np.minimum(none, 1.0))
