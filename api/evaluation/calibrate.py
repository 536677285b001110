"""Labelled hits -> how likely a hit of a score is right: logistic calibration, judged on queries that were held out.

The curve is Platt's (1999), with his targets and fitted as Lin, Lin and Weng (2007) do: Newton's method with a
backtracking line search. How many of the hits were right is a matter of the gallery and says nothing of another, so it
is taken out again: the intercept is moved to where right and wrong hits would be equally many (King and Zeng 2001).
"""

from collections.abc import Mapping
from datetime import UTC, datetime

import numpy as np

from api.evaluation.errors import TooFewQueries
from api.evaluation.labelled import Labelled, Mask
from api.evaluation.measures.bootstrap import estimate
from api.evaluation.measures.ranking import Floats, Positions
from models.encoders.spec import EncoderSpec
from models.relevance.curves import GOOD_MATCH, Calibration, Fit, Kind

MIN_QUERIES = 10  # for things that are there, and as many for things that are not; fewer show nothing
_FOLDS = 5
_BINS = 10
_SEED = 0
_STEPS, _SMALLEST_STEP, _GRADIENT, _RIDGE = 100, 1e-10, 1e-9, 1e-12  # the paper's, but for a finer gradient


def calibrate(
    labelled: Mapping[Kind, Labelled], spec: EncoderSpec, *, hub_correction: bool, source: str
) -> Calibration:
    """Return the curves of every kind of which there are queries enough. Raises TooFewQueries where there is none."""
    enough = {kind: one for kind, one in labelled.items() if min(count_queries(one)) >= MIN_QUERIES}
    if not enough:
        raise TooFewQueries({kind: count_queries(one) for kind, one in labelled.items()}, MIN_QUERIES)
    return Calibration(
        encoder=spec.name,
        fingerprint=spec.fingerprint,
        hub_correction=hub_correction,
        source=source,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        kinds={kind: fit(one) for kind, one in enough.items()},
    )


def count_queries(labelled: Labelled) -> tuple[int, int]:
    """Return for how many things, in some gallery, there was an answer, and for how many there was none."""
    present = labelled.present
    return len(np.unique(labelled.groups[present])), len(np.unique(labelled.groups[~present]))


def fit(labelled: Labelled) -> Fit:
    """Fit the curve on all hits, and measure it on hits of queries that a curve was not fitted on."""
    there = np.isfinite(labelled.scores)
    heights, right = labelled.heights[there], labelled.right[there]
    slope, intercept = fit_even(heights, right)
    relevance = hold_out(heights, right, np.broadcast_to(labelled.groups[:, None], there.shape)[there])
    taken = relevance >= GOOD_MATCH
    auroc = estimate(labelled.presence)["auroc"]
    return Fit(
        slope=slope,
        intercept=intercept,
        auroc=auroc.value,
        auroc_low=auroc.low,
        auroc_high=auroc.high,
        queries=labelled.queries,
        precision=float(right[taken].mean()) if taken.any() else None,
        recall=float(taken[right].mean()) if right.any() else None,
        calibration_error=calibration_error(relevance, right),
        reference=labelled.reference,
        auroc_of_scores=estimate(labelled.presence_by_score)["auroc"].value if labelled.reference else None,
    )


def hold_out(scores: Floats, right: Mask, groups: Positions) -> Floats:
    """Return the relevance (n,) that curves fitted on the hits of other groups give to each."""
    folds = np.random.default_rng(_SEED).permutation(int(groups.max()) + 1) % _FOLDS
    relevance = np.empty(len(scores))
    for fold in np.unique(folds[groups]):
        held = folds[groups] == fold
        slope, intercept = fit_even(scores[~held], right[~held])
        relevance[held] = _logistic(slope * scores[held] + intercept)
    return relevance


def calibration_error(relevance: Floats, right: Mask) -> float:
    """Return the expected calibration error (Naeini, Cooper and Hauskrecht 2015) over ten equal parts of 0..1.

    Right and wrong hits count as much as each other, as they do in relevance.
    """
    bins = np.minimum((relevance * _BINS).astype(int), _BINS - 1)
    weights = np.where(right, 0.5 / max(1, right.sum()), 0.5 / max(1, (~right).sum()))
    said = np.bincount(bins, weights * relevance, minlength=_BINS)
    was = np.bincount(bins, weights * right, minlength=_BINS)
    return float(np.abs(said - was).sum() / weights.sum())


def fit_even(scores: Floats, right: Mask) -> tuple[float, float]:
    """Return slope and intercept of the curve, where right and wrong hits were equally many."""
    slope, intercept = fit_logistic(scores, right)
    hits = int(right.sum())
    return slope, intercept + float(np.log((len(right) - hits + 1) / (hits + 1)))


def fit_logistic(scores: Floats, right: Mask) -> tuple[float, float]:
    """Return slope and intercept of the likeliest curve, the slope not below 0.

    Where higher scores are wrong rather than right, the slope is 0 and every score has the same relevance. Scores are
    scaled while fitting, so that how they spread does not matter.
    """
    count, hits = len(right), int(right.sum())
    targets = np.where(right, (hits + 1) / (hits + 2), 1 / (count - hits + 2))
    middle, scale = float(scores.mean()), float(scores.std()) or 1.0
    slope, intercept = _newton((scores - middle) / scale, targets, (count, hits))
    if slope <= 0:
        mean = float(targets.mean())
        return 0.0, float(np.log(mean / (1 - mean)))
    return slope / scale, intercept - slope * middle / scale


def _newton(scores: Floats, targets: Floats, counts: tuple[int, int]) -> tuple[float, float]:
    count, hits = counts
    at = np.array([0.0, np.log((hits + 1) / (count - hits + 1))])
    design = np.stack([scores, np.ones(count)], axis=1)
    loss = _loss(design @ at, targets)
    for _ in range(_STEPS):
        likely = _logistic(design @ at)
        gradient = design.T @ (likely - targets)
        if np.abs(gradient).max() < _GRADIENT * count:
            break
        curvature = design.T @ (design * (likely * (1 - likely))[:, None]) + _RIDGE * np.eye(2)
        step = -np.linalg.solve(curvature, gradient)
        size = 1.0
        while size >= _SMALLEST_STEP:
            there = at + size * step
            new = _loss(design @ there, targets)
            if new < loss + 1e-4 * size * float(gradient @ step):
                at, loss = there, new
                break
            size /= 2
        else:
            break
    return float(at[0]), float(at[1])


def _loss(logits: Floats, targets: Floats) -> float:
    return float((np.logaddexp(0, logits) - targets * logits).sum())


def _logistic(logits: Floats) -> Floats:
    half: Floats = 0.5 * (1 + np.tanh(0.5 * logits))  # the same, and nothing overflows
    return half
