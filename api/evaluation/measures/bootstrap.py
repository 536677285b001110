"""How sure a figure is: percentile intervals of a bootstrap over groups of queries (Efron 1979).

Groups are drawn, not queries: five captions of one picture are found or missed together. Draws begin from a fixed seed,
so two samples of the same queries are drawn alike, and the difference of each draw is a paired one.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from api.evaluation.measures.ranking import Floats, Positions
from api.evaluation.measures.samples import Sample

DRAWS = 2_000
LEVEL = 0.95
_SEED = 0
_BLOCK_WEIGHTS = 1 << 21


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure, or a difference of two, and the ends of its interval; nan where there is none."""

    value: float
    low: float
    high: float

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON holds it: null is a rank beyond those looked at, or no figure."""
        ends = {"value": self.value, "low": self.low, "high": self.high}
        return {name: round(end, 6) if np.isfinite(end) else None for name, end in ends.items()}


def estimate(sample: Sample) -> dict[str, Estimate]:
    """Return measure -> its value and interval."""
    drawn = _draw(sample)
    return {name: Estimate(float(value), *interval(drawn[name])) for name, value in _measure_once(sample).items()}


def compare(new: Sample, old: Sample) -> dict[str, Estimate]:
    """Return measure -> `new` minus `old`, both of the same queries in the same order.

    Only of measures that both have: an earlier version may have measured less.
    """
    news, olds = _draw(new), _draw(old)
    before = _measure_once(old)
    with np.errstate(invalid="ignore"):  # two ranks that were not found have no difference
        return {
            name: Estimate(float(value - before[name]), *interval(news[name] - olds[name]))
            for name, value in _measure_once(new).items()
            if name in before
        }


def _measure_once(sample: Sample) -> dict[str, np.float64]:
    return {name: values[0] for name, values in sample.measure(np.ones((1, len(sample.groups)))).items()}


def _draw(sample: Sample) -> dict[str, Floats]:
    """Return measure -> (DRAWS,)."""
    parts: dict[str, list[Floats]] = defaultdict(list)
    for weights in _draw_weights(sample.groups):
        for name, values in sample.measure(weights).items():
            parts[name].append(values)
    return {name: np.concatenate(values) for name, values in parts.items()}


def _draw_weights(groups: Positions) -> Iterator[Floats]:
    """Yield blocks of weights, in all DRAWS rows: how often each query's group was drawn."""
    rng = np.random.default_rng(_SEED)
    count = int(groups.max()) + 1
    rows = max(1, _BLOCK_WEIGHTS // len(groups))
    for start in range(0, DRAWS, rows):
        part = min(rows, DRAWS - start)
        drawn = rng.integers(count, size=(part, count)) + count * np.arange(part)[:, None]
        times = np.bincount(drawn.ravel(), minlength=part * count).reshape(part, count)
        yield times[:, groups].astype(np.float64)


def interval(drawn: Floats) -> tuple[float, float]:
    """Return the ends of the middle LEVEL of what was drawn, rounded outwards."""
    drawn = np.sort(drawn[~np.isnan(drawn)])
    if not len(drawn):
        return float("nan"), float("nan")
    last, outside = len(drawn) - 1, (1 - LEVEL) / 2
    return float(drawn[int(outside * last)]), float(drawn[int(np.ceil((1 - outside) * last))])
