"""Results and differences as tables for people: shares in per cent, each with its interval."""

import math
from collections.abc import Mapping, Sequence

from api.evaluation.bootstrap import Estimate
from api.evaluation.library import DEPTH
from api.evaluation.results import Difference, Result

Table = tuple[tuple[str, ...], list[Sequence[object]]]

# kind of sample -> measure -> its head
_MEASURES = {
    "ranks": {
        "recall@1": "R@1",
        "recall@5": "R@5",
        "recall@10": "R@10",
        "mean_recall": "mean recall",
        "median_rank": "median rank",
    },
    "precisions": {"map": "mAP", "precision@1": "P@1", "precision@5": "P@5", "precision@10": "P@10"},
    "presence": {"auroc": "AUROC", "threshold": "threshold", "precision": "precision", "recall": "recall"},
}


def result_tables(results: Sequence[Result]) -> list[Table]:
    """Return a table for each kind of task there is."""
    tables = []
    for kind, measures in _MEASURES.items():
        rows: list[Sequence[object]] = [
            (result.task, result.language, result.queries, result.gallery, *_cells(measures, result.metrics))
            for result in results
            if result.sample.kind == kind
        ]
        if rows:
            tables.append((("task", "language", "queries", "gallery", *measures.values()), rows))
    return tables


def difference_tables(differences: Sequence[Difference]) -> list[Table]:
    """Return a table of what changed for each kind of task there is."""
    tables = []
    for measures in _MEASURES.values():
        rows: list[Sequence[object]] = [
            (one.task, one.language, *_cells(measures, one.metrics, signed=True), one.verdict)
            for one in differences
            if one.main in measures
        ]
        if rows:
            tables.append((("change in", "language", *measures.values(), "verdict"), rows))
    return tables


def show(name: str, estimate: Estimate, *, signed: bool = False) -> str:
    """Return a figure and its interval as `9.2 (8.5 to 9.9)`, of a difference with signs."""
    if math.isnan(estimate.value):
        return "–"
    value, low, high = (_number(name, end, signed=signed) for end in (estimate.value, estimate.low, estimate.high))
    return value if name == "threshold" else f"{value} ({low} to {high})"


def _cells(measures: Mapping[str, str], metrics: Mapping[str, Estimate], *, signed: bool = False) -> list[str]:
    return [show(name, metrics[name], signed=signed) for name in measures]


def _number(name: str, value: float, *, signed: bool) -> str:
    sign = "+" if signed else ""
    if math.isnan(value):
        return "–"
    if name == "median_rank":
        return f"{value:{sign}g}" if math.isfinite(value) else f"> {DEPTH}"
    return f"{value:{sign}.3f}" if name == "threshold" else f"{100 * value:{sign}.1f}"
