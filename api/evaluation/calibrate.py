"""Labelled scores -> which share of hits at a score is right, and how far that holds for things it was not fitted on.

Classes are left out whole, half of them at a time and several times over: the rest is fitted on, and what was left out
is asked for in galleries of half of its pictures, so that half of it is not there, and in small ones. Classes that
nothing asks for are there besides: half of them where is fitted, the others in every gallery that is not small.
Intervals are over these draws, as it is things that differ, not queries. What is kept is fitted on all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np

from api.evaluation.errors import TooFewQueries
from api.evaluation.labelled import Labelled, Mask
from api.evaluation.measures.bootstrap import interval
from api.evaluation.measures.ranking import Floats, Positions
from api.evaluation.measures.samples import Presence
from models.encoders.spec import EncoderSpec
from models.relevance.curves import (
    GOOD_MATCH,
    LIKELY,
    NO_MATCH,
    UNLIKELY,
    Calibration,
    Fit,
    Kind,
    ReliabilityBin,
    Share,
)
from models.relevance.mixture import DEPTH, LikelihoodRatio, read_mixture

MIN_QUERIES = 10  # for things that are there, and as many for things that are not; fewer show nothing
FIRST = 10  # hits of each query that are judged
_DRAWS = 40
_MIN_DRAWS = 20  # in which something must be seen for its share to have an interval
_EDGES = (0.0, 0.02, 0.1, 0.3, 0.5, 0.7, 0.9, np.inf)  # of the bins of a reliability table
_SMALL, _FEW = 4, 4  # galleries of a few classes, and of how many
_CAUTIONS = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 16.0)
_LEVEL_WEIGHTS = (0.0, 0.25, 0.5, 1.0)
_POINTS = 16  # of a ratio, between which as many right pictures lie
_WRONG_POINTS = (
    0.0,
    0.25,
    0.5,
    0.75,
    0.9,
    0.97,
    0.99,
    0.997,
    1.0,
)  # quantiles of wrong pictures that are points besides
_SMALLEST = 1e-4  # of a relevance of which the logarithm is taken
_MAX_WRONG = 200_000  # wrong pictures that a ratio is fitted on
_SEED = 0


def calibrate(
    labelled: Mapping[Kind, Labelled], spec: EncoderSpec, *, hub_correction: bool, source: str
) -> Calibration:
    """Return the fit of every kind of which there are queries enough. Raises TooFewQueries where there is none."""
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
    """Return for how many things there is an answer, in some gallery, and for how many there is none."""
    present = labelled.present
    if labelled.classes is None:
        return int(present.sum()), int((~present).sum())
    things = len(np.unique(labelled.groups[present]))
    return things, things


def fit(labelled: Labelled) -> Fit:
    """Fit on all classes, and say of it what was seen on classes that were left out."""
    said = judge_held_out(labelled)
    rule = _choose_rule(labelled, np.random.default_rng(_SEED))
    auroc, low, high = said.auroc()
    taken = said.relevance >= GOOD_MATCH
    bins = [_bin(said, (said.relevance >= start) & (said.relevance < end)) for start, end in pairwise(_EDGES)]
    return Fit(
        ratio=rule.ratio,
        level_weight=rule.level_weight,
        caution=rule.caution,
        reference=labelled.reference if rule.level_weight else "",
        queries=len(labelled.groups),
        classes=len(np.unique(labelled.groups)),
        auroc=auroc,
        auroc_low=low,
        auroc_high=high,
        precision=said.share_of_hits(taken, said.right),
        recall=said.share_of_hits(said.right, taken),
        likely=said.share_of_hits(said.relevance >= LIKELY, said.right),
        unlikely=said.share_of_hits(said.relevance < UNLIKELY, said.right),
        no_match=said.share_of_queries(said.presence < NO_MATCH, ~said.present),
        reliability=tuple(one for one in bins if one is not None),
    )


@dataclass(frozen=True, slots=True, eq=False)
class HeldOutAnswers:
    """What was said of queries that were left out, and what was so.

    Of their first hits, (h,): `relevance`, whether they are `right`, and the number of the draw, `hit_draws`. Of the
    queries, (q,): `presence`, whether what they ask for is `present`, and the number of the draw, `query_draws`.
    """

    relevance: Floats
    right: Mask
    hit_draws: Positions
    presence: Floats
    present: Mask
    query_draws: Positions

    @classmethod
    def join(cls, parts: Sequence["HeldOutAnswers"]) -> "HeldOutAnswers":
        """Return those of several galleries as one."""
        nothing, no_draws, none = np.empty(0), np.empty(0, np.int64), np.empty(0, np.bool_)
        parts = [cls(nothing, none, no_draws, nothing, none, no_draws), *parts]
        return cls(
            relevance=np.concatenate([part.relevance for part in parts]),
            right=np.concatenate([part.right for part in parts]),
            hit_draws=np.concatenate([part.hit_draws for part in parts]),
            presence=np.concatenate([part.presence for part in parts]),
            present=np.concatenate([part.present for part in parts]),
            query_draws=np.concatenate([part.query_draws for part in parts]),
        )

    def auroc(self) -> tuple[float, float, float]:
        """Return AUROC of presence, the mean of draws, and its interval; 0.5, 0 and 1 where too few have one."""
        drawn = [self._auroc_of(self.query_draws == draw) for draw in range(_DRAWS)]
        seen = np.array([one for one in drawn if one is not None])
        if len(seen) < _MIN_DRAWS:
            return 0.5, 0.0, 1.0
        return float(seen.mean()), *interval(seen)

    def share_of_hits(self, among: Mask, those: Mask) -> Share | None:
        """Return which share of the hits `among` is of `those`."""
        return _share(those[among], self.hit_draws[among])

    def share_of_queries(self, among: Mask, those: Mask) -> Share | None:
        """Return which share of the queries `among` is of `those`."""
        return _share(those[among], self.query_draws[among])

    def _auroc_of(self, chosen: Mask) -> float | None:
        present = self.present[chosen]
        if present.all() or not present.any():
            return None
        sample = Presence(np.arange(len(present)), self.presence[chosen], present)
        return float(sample.measure(np.ones((1, len(present))))["auroc"][0])


def judge_held_out(labelled: Labelled) -> HeldOutAnswers:
    """Say of the first hits of queries how likely they are right, by what was fitted without their classes.

    Whether a thing is there is judged in the large galleries alone: in small ones it is easily told.
    """
    parts = []
    rng = np.random.default_rng(_SEED)
    for draw in range(_DRAWS):
        split = _split(labelled, rng)
        if split.fitted.right.any():
            rule = _choose_rule(split.fitted, rng)
            parts += [_answer(rule.judge(gallery), gallery.present, draw) for gallery in split.halves]
            parts += [_answer(rule.judge(gallery), None, draw) for gallery in split.small]
    return HeldOutAnswers.join(parts)


def _answer(judged: "_Judged", present: Mask | None, draw: int) -> HeldOutAnswers:
    there = np.isfinite(judged.scores)
    presence = judged.presence if present is not None else np.empty(0)
    present = present if present is not None else np.empty(0, np.bool_)
    draws = [np.full(int(count), draw, np.int64) for count in (there.sum(), len(present))]
    return HeldOutAnswers(judged.relevance[there], judged.right[there], draws[0], presence, present, draws[1])


@dataclass(frozen=True, slots=True, eq=False)
class _RankedGallery:
    """The first hits of queries among `count` pictures: scores and whether they are right, (q, k), best first.

    `levels` are those of the queries, `present` says for which there is an answer, (q,).
    """

    scores: Floats
    right: Mask
    levels: Floats
    present: Mask
    count: int

    @classmethod
    def of(cls, labelled: Labelled) -> "_RankedGallery":
        """Ask all queries among all pictures, of both of which there are some."""
        count = labelled.scores.shape[1]
        kept = min(max(DEPTH, FIRST), count)
        columns = np.argpartition(-labelled.scores, kept - 1, axis=1)[:, :kept]
        order = np.argsort(-np.take_along_axis(labelled.scores, columns, axis=1), axis=1, kind="stable")
        columns = np.take_along_axis(columns, order, axis=1)
        scores = np.take_along_axis(labelled.scores, columns, axis=1).astype(np.float64)
        right = np.take_along_axis(labelled.right, columns, axis=1)
        return cls(scores, right, labelled.levels, labelled.present, count)


@dataclass(frozen=True, slots=True, eq=False)
class _Split:
    """What is fitted on, and galleries of other classes: of halves of them, and `small` ones of a few."""

    fitted: Labelled
    halves: Sequence[_RankedGallery]
    small: Sequence[_RankedGallery] = ()


@dataclass(frozen=True, slots=True, eq=False)
class _Judged:
    """The first hits of queries in a gallery, (q, FIRST), and what is said of them."""

    scores: Floats
    relevance: Floats
    right: Mask
    presence: Floats


@dataclass(frozen=True, slots=True)
class _ScoreRule:
    """How scores become shares; see Fit."""

    ratio: LikelihoodRatio
    level_weight: float
    caution: float

    def judge(self, gallery: _RankedGallery) -> _Judged:
        """Say what a search of the gallery would, for each query."""
        heights = gallery.scores - (self.level_weight * gallery.levels)[:, None]
        usable = max(1, int(np.isfinite(heights).sum(axis=1).min()))  # a picture is no answer to itself
        mixture = read_mixture(self.ratio, heights[:, :usable], gallery.count, caution=self.caution)
        first = heights[:, :FIRST]
        return _Judged(first, mixture.relevance(first), gallery.right[:, :FIRST], mixture.presence)


def _split(labelled: Labelled, rng: np.random.Generator) -> _Split:
    """Return half of the classes to fit on, and galleries of the other half.

    In each half of the other half all of it is asked for; in the small galleries what is there, and as much that is
    not: the share that is right differs from library to library, and is to be told in all. A library that is asked as
    it is stays whole; half of the questions are left out, of those with an answer and of those without.
    """
    if labelled.classes is None:
        present = np.unique(labelled.groups[labelled.present])
        absent = np.setdiff1d(labelled.groups, present)
        held = np.concatenate([rng.permutation(part)[: len(part) // 2] for part in (present, absent)])
        out = np.isin(labelled.groups, held)
        every = slice(None)
        asked = labelled.select(out, every)
        return _Split(labelled.select(~out, every), [_RankedGallery.of(asked)] if asked.scores.size else [])
    drawn, others = (rng.permutation(one) for one in (np.unique(labelled.groups), labelled.unasked))
    besides = others[: len(others) // 2]
    held = drawn[: len(drawn) // 2]
    middle = len(held) // 2
    few = [held[start : start + _FEW] for start in range(0, len(held), _FEW)][: _SMALL + 1]
    return _Split(
        labelled.select(~np.isin(labelled.groups, held), ~np.isin(labelled.classes, [*held, *besides])),
        _galleries(labelled, [(np.concatenate([half, besides]), held) for half in (held[:middle], held[middle:])]),
        _galleries(labelled, [(some, np.concatenate([some, others])) for some, others in pairwise(few)]),
    )


def _galleries(labelled: Labelled, shown_asked: Sequence[tuple[Positions, Positions]]) -> list[_RankedGallery]:
    """Return a gallery of the pictures of the first classes for each pair, in which the second are asked for."""
    classes = np.empty(0, np.int64) if labelled.classes is None else labelled.classes
    found = [labelled.select(np.isin(labelled.groups, asked), np.isin(classes, shown)) for shown, asked in shown_asked]
    return [_RankedGallery.of(one) for one in found if one.scores.size]


def _choose_rule(labelled: Labelled, rng: np.random.Generator) -> _ScoreRule:
    """Fit, with the weight of levels and the caution that say best what is right, of classes again left out."""
    weights = _LEVEL_WEIGHTS if labelled.reference else (0.0,)
    split = _split(labelled, rng)
    tried = (weights[0], _CAUTIONS[-1])  # the most careful, where nothing can be left out
    if split.fitted.right.any() and split.halves:
        found = {}
        for weight in weights:
            ratio = _fit_labelled(split.fitted, weight)
            for caution in _CAUTIONS:
                rule = _ScoreRule(ratio, weight, caution)
                kinds = [[_loss(rule.judge(one)) for one in kind] for kind in (split.halves, split.small) if kind]
                found[weight, caution] = sum(np.mean(losses) for losses in kinds)
        tried = min(found, key=found.__getitem__)
    return _ScoreRule(_fit_labelled(labelled, tried[0]), *tried)


def _loss(judged: _Judged) -> float:
    """Return how far what was said of first hits is from what is so: the mean negative logarithm (cross-entropy)."""
    there = np.isfinite(judged.scores)
    said, right = np.clip(judged.relevance[there], _SMALLEST, 1 - _SMALLEST), judged.right[there]
    return float(-np.log(np.where(right, said, 1 - said)).mean())


def _fit_labelled(labelled: Labelled, level_weight: float) -> LikelihoodRatio:
    heights = labelled.scores - (level_weight * labelled.levels)[:, None]
    return fit_ratio(heights[~labelled.right & np.isfinite(heights)], heights[labelled.right])


def fit_ratio(wrong: Floats, right: Floats) -> LikelihoodRatio:
    """Fit how much likelier right pictures have a height than wrong ones, from heights (n,) and (m,) of both.

    Counts between points, as if one more picture were spread over all, made to rise by pooling neighbours that fall
    (isotonic regression; Barlow and others 1972).
    """
    if len(wrong) > _MAX_WRONG:
        wrong = wrong[np.random.default_rng(_SEED).integers(len(wrong), size=_MAX_WRONG)]
    wrong, right = np.sort(wrong).astype(np.float64), np.sort(right).astype(np.float64)
    inner = np.concatenate([np.quantile(right, np.linspace(0, 1, _POINTS + 1)), np.quantile(wrong, _WRONG_POINTS)])
    lowest, highest = min(wrong[0], right[0]), max(wrong[-1], right[-1])
    edges = np.unique(np.concatenate([inner, [lowest - _TINY, highest + _TINY]]))
    counts = [np.histogram(one, edges)[0] for one in (right, wrong)]
    shares = [(one + 1 / len(one)) / (one.sum() + 1) for one in counts]
    rising = _make_rising(shares[0] / (shares[0] + shares[1]), shares[0] + shares[1])
    middles = (edges[:-1] + edges[1:]) / 2
    above = [1 - np.searchsorted(one, middles, side="right") / len(one) for one in (wrong, right)]
    return LikelihoodRatio(
        tuple(middles.tolist()), tuple(np.log(rising / (1 - rising)).tolist()), *(tuple(one.tolist()) for one in above)
    )


_TINY = 1e-6  # beyond the lowest and the highest, for them to be counted


def _make_rising(values: Floats, weights: Floats) -> Floats:
    """Return the values nearest to those given, by weighted squares, that do not fall."""
    blocks: list[tuple[float, float, int]] = []
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        block = (value, weight, 1)
        while blocks and blocks[-1][0] >= block[0]:
            before = blocks.pop()
            total = before[1] + block[1]
            block = ((before[0] * before[1] + block[0] * block[1]) / total, total, before[2] + block[2])
        blocks.append(block)
    return np.concatenate([np.full(length, value) for value, _, length in blocks])


def _bin(said: HeldOutAnswers, among: Mask) -> ReliabilityBin | None:
    right = said.share_of_hits(among, said.right)
    return None if right is None else ReliabilityBin(said=float(said.relevance[among].mean()), right=right)


def _share(those: Mask, draws: Positions) -> Share | None:
    """Return the share of `those` (n,) and its interval over the draws that they are of; None of nothing."""
    if not len(those):
        return None
    value = float(those.mean())
    there, totals = np.unique(draws, return_counts=True)
    drawn = np.bincount(draws, those)[there] / totals
    low, high = interval(drawn) if len(there) >= _MIN_DRAWS else (0.0, 1.0)
    return Share(value=value, low=min(low, value), high=max(high, value), count=len(those))
