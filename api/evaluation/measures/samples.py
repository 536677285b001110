"""What was found for each query, and the measures of all of them at given weights.

Every measure takes `weights`, float64 (b, n): how often each of the n queries counts, for each of b ways to count
them, and gives (b,). One way with all ones is the figure itself; others are those of a bootstrap.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from api.evaluation.measures.ranking import Floats, Positions

KS = (1, 5, 10)
TOP_KS = (1, 5)


class Sample(Protocol):
    """One task of one language: n queries. `groups` (n,) number what is drawn together, from 0."""

    kind: ClassVar[str]
    main: ClassVar[str]  # the measure that decides which of two is better

    @property
    def groups(self) -> Positions:
        """The group of each query."""
        ...

    def measure(self, weights: Floats) -> dict[str, Floats]:
        """Return measure -> (b,)."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        ...


@dataclass(frozen=True, eq=False)
class Ranks:
    """The rank of the best right answer to each query, from 1; inf where it was not found."""

    kind: ClassVar[str] = "ranks"
    main: ClassVar[str] = "recall@10"

    groups: Positions
    ranks: Floats

    def measure(self, weights: Floats) -> dict[str, Floats]:
        """Return recall at 1, 5 and 10 (the share of queries that find a right answer so far up), mean and median."""
        total = weights.sum(axis=1)
        found = {f"recall@{k}": weights @ (self.ranks <= k) / total for k in KS}
        return {
            **found,
            "mean_recall": np.mean(list(found.values()), axis=0),
            "median_rank": weighted_median(self.ranks, weights),
        }

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON holds it; null is a rank that was not found."""
        return {"kind": self.kind, "groups": self.groups.tolist(), "ranks": _ranks_to_list(self.ranks)}


@dataclass(frozen=True, eq=False)
class Precisions:
    """The average precision of each query (n,), and its precision at each of KS (n, 3)."""

    kind: ClassVar[str] = "precisions"
    main: ClassVar[str] = "map"

    groups: Positions
    average: Floats
    at_k: Floats

    def measure(self, weights: Floats) -> dict[str, Floats]:
        """Return mean average precision, and the mean precision at 1, 5 and 10."""
        total = weights.sum(axis=1)
        means = {f"precision@{k}": weights @ self.at_k[:, n] / total for n, k in enumerate(KS)}
        return {"map": weights @ self.average / total, **means}

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        average, at_k = self.average.tolist(), self.at_k.tolist()
        return {"kind": self.kind, "groups": self.groups.tolist(), "average": average, "at_k": at_k}


@dataclass(frozen=True, eq=False)
class WholeRankings:
    """The rank of the best right answer to each query, and the precision of its whole ranking."""

    kind: ClassVar[str] = "rankings"
    main: ClassVar[str] = Ranks.main

    ranked: Ranks
    precisions: Precisions

    @property
    def groups(self) -> Positions:
        """The group of each query."""
        return self.ranked.groups

    def measure(self, weights: Floats) -> dict[str, Floats]:
        """Return the measures of both."""
        return self.ranked.measure(weights) | self.precisions.measure(weights)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return self.precisions.to_dict() | self.ranked.to_dict() | {"kind": self.kind}


@dataclass(frozen=True, eq=False)
class NamedPictures:
    """The rank of the best right name of each picture among all names; inf where the encoder knows none of them.

    `groups` are the classes of the pictures.
    """

    kind: ClassVar[str] = "names"
    main: ClassVar[str] = "top1"

    groups: Positions
    ranks: Floats

    def measure(self, weights: Floats) -> dict[str, Floats]:
        """Return top-1 and top-5 accuracy over all pictures, and their means over classes (macro average)."""
        total = weights.sum(axis=1)
        by_class = weights / np.bincount(self.groups)[self.groups]
        classes = by_class.sum(axis=1)
        right = {k: (self.ranks <= k).astype(np.float64) for k in TOP_KS}
        overall = {f"top{k}": weights @ named / total for k, named in right.items()}
        return overall | {f"macro_top{k}": by_class @ named / classes for k, named in right.items()}

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON holds it; null is a rank that no name has."""
        return {"kind": self.kind, "groups": self.groups.tolist(), "ranks": _ranks_to_list(self.ranks)}


@dataclass(frozen=True, eq=False)
class Presence:
    """The best score of each query (n,), and whether what it asks for is there at all (n,)."""

    kind: ClassVar[str] = "presence"
    main: ClassVar[str] = "auroc"

    groups: Positions
    scores: Floats
    present: npt.NDArray[np.bool_]

    @cached_property
    def threshold(self) -> float:
        """The score from which "it is there" is right most often, when both answers count the same (Youden's J).

        Of several the highest. It is chosen on these very queries, so it flatters a little.
        """
        order = np.argsort(-self.scores, kind="stable")
        scores, present = self.scores[order], self.present[order]
        hits = np.cumsum(present) / max(1, present.sum())
        alarms = np.cumsum(~present) / max(1, (~present).sum())
        last = np.append(scores[1:] != scores[:-1], True)  # of queries with the same score
        gain = np.where(last, hits - alarms, -np.inf)
        return float(scores[gain.argmax()])

    def measure(self, weights: Floats) -> dict[str, Floats]:
        """Return AUROC, where a tie counts half, and precision and recall of "it is there" at the threshold."""
        said = self.scores >= self.threshold
        with np.errstate(invalid="ignore", divide="ignore"):  # a draw without a query of one kind has no figure
            right = weights @ (said & self.present)
            return {
                "auroc": self._auroc(weights),
                "precision": right / (weights @ said),
                "recall": right / (weights @ self.present),
                "threshold": np.full(len(weights), self.threshold),
            }

    def _auroc(self, weights: Floats) -> Floats:
        """Return the chance that what is there scores above what is not, by the sum of ranks."""
        values, places = np.unique(self.scores, return_inverse=True)
        order = np.argsort(places, kind="stable")
        starts = np.searchsorted(places[order], np.arange(len(values)))
        there = np.add.reduceat(weights[:, order] * self.present[order], starts, axis=1)
        absent = np.add.reduceat(weights[:, order] * ~self.present[order], starts, axis=1)
        below = np.cumsum(absent, axis=1) - absent / 2
        area: Floats = (there * below).sum(axis=1) / (there.sum(axis=1) * absent.sum(axis=1))
        return area

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        scores, present = self.scores.tolist(), self.present.tolist()
        return {"kind": self.kind, "groups": self.groups.tolist(), "scores": scores, "present": present}


def read_sample(values: Mapping[str, Any]) -> Sample:
    """Return what `to_dict` gave. Raises KeyError, TypeError or ValueError for anything else."""
    groups = np.array(values["groups"], np.int64)
    sample: Sample
    match values["kind"]:
        case Ranks.kind:
            sample = Ranks(groups, _read_ranks(values))
            length = len(sample.ranks)
        case Precisions.kind:
            sample = _read_precisions(groups, values)
            length = len(sample.average)
        case WholeRankings.kind:
            sample = WholeRankings(Ranks(groups, _read_ranks(values)), _read_precisions(groups, values))
            length = len(sample.ranked.ranks)
        case NamedPictures.kind:
            sample = NamedPictures(groups, _read_ranks(values))
            length = len(sample.ranks)
        case Presence.kind:
            scores, present = np.array(values["scores"], float), np.array(values["present"], bool)
            sample, length = Presence(groups, scores, present), len(scores)
        case kind:
            raise ValueError(f"no sample is called {kind!r}")
    if length != len(groups):
        raise ValueError(f"{length} values in {len(groups)} groups")
    return sample


def _ranks_to_list(ranks: Floats) -> list[int | None]:
    return [int(rank) if np.isfinite(rank) else None for rank in ranks]


def _read_ranks(values: Mapping[str, Any]) -> Floats:
    return np.array([np.inf if rank is None else rank for rank in values["ranks"]], float)


def _read_precisions(groups: Positions, values: Mapping[str, Any]) -> Precisions:
    average, at_k = np.array(values["average"], float), np.array(values["at_k"], float).reshape(-1, len(KS))
    if not len(average) == len(at_k) == len(groups):
        raise ValueError(f"{len(average)} and {len(at_k)} precisions in {len(groups)} groups")
    return Precisions(groups, average, at_k)


def number_groups(labels: Sequence[Any]) -> Positions:
    """Return the number of each label, from 0, in the order they come."""
    numbers: dict[Any, int] = {}
    return np.array([numbers.setdefault(label, len(numbers)) for label in labels], np.int64)


def weighted_median(values: Floats, weights: Floats) -> Floats:
    """Return (b,): the median of `values` (n,), each counted `weights` (b, n) times; whole numbers."""
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[:, order], axis=1)
    total = reached[:, -1]
    lower, upper = (
        values[order][(reached > middle[:, None]).argmax(axis=1)] for middle in ((total - 1) // 2, total // 2)
    )
    median: Floats = (lower + upper) / 2
    return median
