"""Queries whose right answers are known -> their first hits, each labelled right or wrong: what relevance is fitted on.

Half of what is asked for is not there, as in life: names are asked in galleries of half of the classes, drawn at random
several times, and a person's questions contain some for what the library has not.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from api.evaluation.data.datasets import ClassName
from api.evaluation.measures.ranking import Floats, OnStep, Positions
from api.evaluation.measures.samples import Presence, number_groups
from models.foundation.messages import mark
from models.foundation.vectors import Vectors
from models.relevance.curves import KINDS, Kind, kind_of
from models.relevance.reference_pictures import Reference

FIRST = 10  # hits of each query
_DRAWS = 5  # of halves of the classes; each is a gallery, and so is the other half
_MAX_PICTURES = 2_000  # that are asked with
_SEED = 0
_BLOCK_SCORES = 1 << 24  # 64 MB

Mask = npt.NDArray[np.bool_]
IsRight = Callable[[int, Positions], Mask]  # a query, rows of the gallery -> which of them answer it


@dataclass(frozen=True, eq=False)
class Labelled:
    """The first hits of all queries of a kind, each query once for each gallery it was asked in.

    `scores` float64 (q, FIRST) are those that rank, -inf where there are fewer hits; `right` (q, FIRST) says which hits
    answer the query, `present` (q,) whether the gallery has an answer at all. `groups` (q,) number what belongs
    together: a thing, whatever it is called and wherever it was asked for. `queries` counts each query once. `levels`
    (q,) are those of the queries among the pictures of `reference`, its digest; 0 and "" where there is none.
    """

    scores: Floats
    right: Mask
    present: Mask
    groups: Positions
    queries: int
    levels: Floats
    reference: str = ""

    @cached_property
    def heights(self) -> Floats:
        """By how much scores are above the level of their query, float64 (q, FIRST): what curves are fitted on."""
        heights: Floats = self.scores - self.levels[:, None]
        return heights

    @cached_property
    def presence(self) -> Presence:
        """How high the best hit of each query is, and whether what it asks for is there."""
        return Presence(self.groups, self.heights.max(axis=1), self.present)

    @cached_property
    def presence_by_score(self) -> Presence:
        """The same by scores alone."""
        return Presence(self.groups, self.scores.max(axis=1), self.present)


def label_names(
    names: Sequence[ClassName],
    queries: Vectors,
    gallery: Vectors,
    classes: Positions,
    on_step: OnStep,
    *,
    reference: Reference | None = None,
) -> dict[Kind, Labelled]:
    """Ask for the names of classes, in Chinese and in English apart.

    `queries` are the vectors of the names, `gallery` those of pictures in `classes`; score is their inner product. With
    `reference`, the names have levels.
    """
    kinds = [kind_of(name.text) for name in names]
    labelled: dict[Kind, Labelled] = {}
    for kind in KINDS:
        chosen = [place for place, one in enumerate(kinds) if one == kind]
        if chosen:
            wanted = [names[place].classes for place in chosen]

            def is_right(query: int, rows: Positions, wanted: Sequence[tuple[int, ...]] = wanted) -> Mask:
                return np.isin(classes[rows], wanted[query])

            groups = number_groups([one[0] for one in wanted])
            found = _label(queries[chosen], gallery, classes, is_right, groups, on_step)
            labelled[kind] = _with_levels(found, queries[chosen], reference)
    return labelled


def label_pictures(
    gallery: Vectors, classes: Positions, on_step: OnStep, *, reference: Reference | None = None
) -> Labelled:
    """Ask with pictures, each for the others of its class; with some of them, where they are many."""
    asked = np.flatnonzero(np.bincount(classes)[classes] > 1)
    asked = np.sort(np.random.default_rng(_SEED).permutation(asked)[:_MAX_PICTURES])

    def is_right(query: int, rows: Positions) -> Mask:
        own = asked[query]
        alike: Mask = (classes[rows] == classes[own]) & (rows != own)
        return alike

    groups = number_groups(classes[asked].tolist())
    found = _label(gallery[asked], gallery, classes, is_right, groups, on_step, own=asked)
    return _with_levels(found, gallery[asked], reference)


def label_hits(
    scores: Sequence[Sequence[float]],
    right: Sequence[Sequence[bool]],
    present: Sequence[bool],
    queries: Sequence[Vectors],
    *,
    reference: Reference | None = None,
) -> Labelled:
    """Return hits that were found elsewhere, at most FIRST for each query, as a sample; every query is on its own.

    `queries` are its vectors, each float32 (dim,).
    """
    padded, labels = np.full((len(scores), FIRST), -np.inf), np.zeros((len(scores), FIRST), np.bool_)
    for row, (values, answers) in enumerate(zip(scores, right, strict=True)):
        padded[row, : len(values)], labels[row, : len(answers)] = values, answers
    count = len(scores)
    found = Labelled(padded, labels, np.array(present, np.bool_), np.arange(count), count, np.zeros(count))
    return _with_levels(found, np.stack(queries), reference)


def _label(
    queries: Vectors,
    gallery: Vectors,
    classes: Positions,
    is_right: IsRight,
    groups: Positions,
    on_step: OnStep,
    *,
    own: Positions | None = None,
) -> Labelled:
    """Ask each query in every half of the classes; `own` are rows of the gallery that are no answer to themselves."""
    halves = list(_draw_halves(classes))
    scores = np.full((len(halves), len(queries), FIRST), -np.inf)
    right = np.zeros((len(halves), len(queries), FIRST), np.bool_)
    present = np.zeros((len(halves), len(queries)), np.bool_)
    block = max(1, _BLOCK_SCORES // max(1, len(gallery)))
    for start in range(0, len(queries), block):
        on_step(mark("Ranking"), start, len(queries))
        part = queries[start : start + block] @ gallery.T
        if own is not None:
            part[np.arange(len(part)), own[start : start + block]] = -np.inf
        for half, rows in enumerate(halves):
            best, values = _first_of(part[:, rows])
            for place, query in enumerate(range(start, start + len(part))):
                scores[half, query, : len(best[place])] = values[place]
                right[half, query, : len(best[place])] = is_right(query, rows[best[place]])
                present[half, query] = is_right(query, rows).any()
    flat = (len(halves) * len(queries), FIRST)
    return Labelled(
        scores.reshape(flat),
        right.reshape(flat) & np.isfinite(scores.reshape(flat)),
        present.ravel(),
        np.tile(groups, len(halves)),
        len(queries),
        np.zeros(flat[0]),
    )


def _with_levels(labelled: Labelled, queries: Vectors, reference: Reference | None) -> Labelled:
    """Return a sample with the levels of its queries, which may have a weight of offsets behind their vector."""
    if reference is None:
        return labelled
    levels = reference.level(np.ascontiguousarray(queries[:, : reference.vectors.shape[1]])).astype(np.float64)
    times = len(labelled.scores) // len(queries)
    return replace(labelled, levels=np.tile(levels, times), reference=reference.digest)


def _draw_halves(classes: Positions) -> Iterator[Positions]:
    """Yield rows of the gallery, those of half of the classes and then those of the other half, for every draw."""
    rng = np.random.default_rng(_SEED)
    there = np.unique(classes)
    for _ in range(_DRAWS):
        drawn = np.isin(classes, rng.permutation(there)[: len(there) // 2])
        yield np.flatnonzero(drawn)
        yield np.flatnonzero(~drawn)


def _first_of(scores: npt.NDArray[np.float32]) -> tuple[Positions, npt.NDArray[np.float32]]:
    """Return the columns of the first hits of each row, in any order, and their scores."""
    count = min(FIRST, scores.shape[1])
    columns = np.argpartition(-scores, count - 1, axis=1)[:, :count]
    return columns, np.take_along_axis(scores, columns, axis=1)
