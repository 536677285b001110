"""How well labels fit pictures, and from where on one counts.

How high a text scores with a picture depends on the encoder and on the picture, so it is compared with how the ordinary
queries (indexer/library/vectors/query_bank.py) score with it: the fit of a label is how many of their standard
deviations it scores above their mean. That means the same for every encoder and for libraries of any size. A label
counts for a picture where it fits by DEFAULT, and by nearly as much as the label that fits best, so that long lists of
like things do not all stick to one picture. Where a person has tagged pictures with a label themselves, they say from
where on it counts.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from models.foundation.vectors import Vectors

Fits: TypeAlias = npt.NDArray[np.float32]  # (n pictures, m labels)

DEFAULT = 3.0
NEARLY = 0.9  # of the fit of the best label
LEAST_EXAMPLES = 8  # with a label, and without it
_LEAST = 1.5  # that examples can bring it down to
_FOLDS = 5


@dataclass(frozen=True, slots=True, eq=False)
class Background:
    """The scores of ordinary queries with any picture x: their mean is x.mean, their variance x.covariance.x."""

    mean: npt.NDArray[np.float32]
    covariance: npt.NDArray[np.float32]

    @classmethod
    def of(cls, queries: Vectors) -> "Background":
        """Return it for the vectors of queries, float32 (m, dim)."""
        centred = queries - queries.mean(axis=0)
        return cls(queries.mean(axis=0), centred.T @ centred / len(queries))

    def fits(self, pictures: Vectors, labels: Vectors) -> Fits:
        """Return how well labels, float32 (m, dim), fit pictures, float32 (n, dim): float32 (n, m)."""
        spread = np.sqrt(np.maximum(np.einsum("ij,ij->i", pictures @ self.covariance, pictures), 1e-12))
        found: Fits = (pictures @ labels.T - (pictures @ self.mean)[:, None]) / spread[:, None]
        return found


def choose_labels(fits: Fits, thresholds: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """Return which labels count for which pictures; a threshold that is not a number stands for the default rule."""
    by_default = (fits >= DEFAULT) & (fits >= NEARLY * fits.max(axis=1, keepdims=True, initial=0.0))
    return np.where(np.isnan(thresholds), by_default, fits >= thresholds)


def fit_threshold(with_it: npt.NDArray[np.float32], without: npt.NDArray[np.float32]) -> float | None:
    """Return from which fit on a label counts, by its fits to examples with and without it; None: by default.

    It is the threshold of the best F1, the median of those of several folds. Unless on the fold that each of them has
    not seen they do at least as well as the default does, that stays.
    """
    if min(len(with_it), len(without)) < LEAST_EXAMPLES:
        return None
    fits = np.concatenate([with_it, without])
    right = np.arange(len(fits)) < len(with_it)
    fold = np.concatenate([np.arange(len(with_it)), np.arange(len(without))]) % _FOLDS
    thresholds = [max(_best(fits[fold != one], right[fold != one]), _LEAST) for one in range(_FOLDS)]
    said = fits >= np.array(thresholds)[fold]
    if _f1(said, right) < _f1(fits >= DEFAULT, right):
        return None
    return float(np.median(thresholds))


def _best(fits: npt.NDArray[np.float32], right: npt.NDArray[np.bool_]) -> float:
    """Return the threshold of the best F1, half way to the next lower fit."""
    order = np.argsort(-fits, kind="stable")
    found = np.cumsum(right[order])
    f1 = 2 * found / (np.arange(1, len(fits) + 1) + right.sum())
    place = int(np.argmax(f1))
    here = fits[order[place]]
    return float((here + fits[order[place + 1]]) / 2 if place + 1 < len(fits) else here)


def _f1(said: npt.NDArray[np.bool_], right: npt.NDArray[np.bool_]) -> float:
    return float(2 * (said & right).sum() / max(said.sum() + right.sum(), 1))
