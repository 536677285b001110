"""Results and differences as tables for people: shares in per cent, each with its interval."""

import math
from collections.abc import Mapping, Sequence

from api.evaluation.library import DEPTH
from api.evaluation.measures.bootstrap import Estimate
from api.evaluation.results import Difference, Result
from indexer.library.routing import Routing
from models.foundation.messages import Message, Readable, Word, join, mark, message, verbatim
from models.relevance.curves import Calibration, Share

Head = Readable | str
Table = tuple[tuple[Head, ...], list[Sequence[object]]]

# The measure that decides -> all those of a table, each with its head. A result stands in every table of which it has
# the measures, as in that of recall and in that of precision.
_TABLES: dict[str, dict[str, Head]] = {
    "recall@10": {
        "recall@1": "R@1",
        "recall@5": "R@5",
        "recall@10": "R@10",
        "mean_recall": message("mean recall"),
        "median_rank": message("median rank"),
    },
    "map": {"map": "mAP", "precision@1": "P@1", "precision@5": "P@5", "precision@10": "P@10"},
    "top1": {
        "top1": message("top-1"),
        "top5": message("top-5"),
        "macro_top1": message("top-1, mean of classes"),
        "macro_top5": message("top-5, mean of classes"),
    },
    "auroc": {
        "auroc": "AUROC",
        "threshold": message("threshold"),
        "precision": message("precision"),
        "recall": message("recall"),
    },
}


def result_tables(results: Sequence[Result]) -> list[Table]:
    """Return a table for each kind of measures there is; `gallery` is how many were ranked for each query."""
    tables = []
    for measures in _TABLES.values():
        rows: list[Sequence[object]] = [
            (
                Word(result.task),
                Word(result.language),
                result.queries,
                result.gallery,
                *_cells(measures, result.metrics),
            )
            for result in results
            if measures.keys() <= result.metrics.keys()
        ]
        if rows:
            head = (message("task"), message("language"), message("queries"), message("gallery"))
            tables.append(((*head, *measures.values()), rows))
    return tables


def difference_tables(differences: Sequence[Difference]) -> list[Table]:
    """Return a table of what changed for each kind of measures there is, with a verdict by the one that decides."""
    tables = []
    for main, measures in _TABLES.items():
        rows: list[Sequence[object]] = [
            (
                Word(one.task),
                Word(one.language),
                *_cells(measures, one.metrics, signed=True),
                Word(one.verdict_by(main)),
            )
            for one in differences
            if measures.keys() <= one.metrics.keys()
        ]
        if rows:
            tables.append(((message("change in"), message("language"), *measures.values(), message("verdict")), rows))
    return tables


def calibration_table(calibration: Calibration) -> Table:
    """Return a table of the fits, as they did on classes that were left out, and of what may be said by each.

    Precision and recall are of taking hits from a relevance of 50 % for right.
    """
    rows: list[Sequence[object]] = []
    for kind, fit in calibration.kinds.items():
        auroc = Estimate(fit.auroc, fit.auroc_low, fit.auroc_high)
        shares = (fit.precision, fit.recall, fit.likely, fit.unlikely, fit.no_match)
        holds = (fit.can_tell, fit.has_words, fit.tells_absence)
        said = [name for name, may in zip(_SAID, holds, strict=True) if may]
        told = join([Word(name) for name in said], ", ") if said else message("nothing")
        rows.append((Word(kind), fit.classes, fit.queries, show("auroc", auroc), *map(_show_share, shares), told))
    head = (
        message("relevance of"),
        message("things"),
        message("queries"),
        "AUROC",
        message("precision"),
        message("recall"),
        message("right if likely"),
        message("right if unlikely"),
        message("none if no match"),
        message("is said"),
    )
    return head, rows


_SAID = (mark("relevance"), mark("words"), mark("no match"))


def reliability_table(calibration: Calibration) -> Table:
    """Return a table of which share of hits was said to be right, and which was, of classes that were left out."""
    rows: list[Sequence[object]] = [
        (Word(kind), one.right.count, f"{100 * one.said:.1f}", _show_share(one.right))
        for kind, fit in calibration.kinds.items()
        for one in fit.reliability
    ]
    return (message("hits of"), message("hits"), message("said to be right"), message("right")), rows


def _show_share(share: Share | None) -> Message:
    if share is None:
        return verbatim("–")
    return show("share", Estimate(share.value, share.low, share.high))


def routing_table(routing: Routing) -> Table:
    """Return a table of what was measured for each kind of query, and which way answers it."""
    rows: list[Sequence[object]] = [
        (
            Word(kind),
            " + ".join(one.encoders),
            one.queries,
            show("recall@10", Estimate(one.recall, one.low, one.high)),
            message("yes") if routing.routes.get(kind) == one.encoders else "",
        )
        for kind, found in routing.measured.items()
        for one in found
    ]
    return (message("kind"), message("encoders"), message("queries"), "R@10", message("answers")), rows


def show(name: str, estimate: Estimate, *, signed: bool = False) -> Message:
    """Return a figure and its interval as `9.2 (8.5 to 9.9)`, of a difference with signs."""
    if math.isnan(estimate.value):
        return verbatim("–")
    value, low, high = (_number(name, end, signed=signed) for end in (estimate.value, estimate.low, estimate.high))
    if name == "threshold":
        return verbatim(value)
    return message("{value} ({low} to {high})", value=value, low=low, high=high)


def _cells(measures: Mapping[str, Head], metrics: Mapping[str, Estimate], *, signed: bool = False) -> list[Message]:
    return [show(name, metrics[name], signed=signed) for name in measures]


def _number(name: str, value: float, *, signed: bool) -> str:
    sign = "+" if signed else ""
    if math.isnan(value):
        return "–"
    if name == "median_rank":
        return f"{value:{sign}g}" if math.isfinite(value) else f"> {DEPTH}"
    return f"{value:{sign}.3f}" if name == "threshold" else f"{100 * value:{sign}.1f}"
