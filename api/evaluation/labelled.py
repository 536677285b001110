"""Queries whose right answers are known -> scores of all pictures, each labelled right or wrong, to calibrate on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from api.evaluation.data.datasets import ClassName
from api.evaluation.measures.ranking import Floats, OnStep, Positions
from api.evaluation.measures.samples import number_groups
from models.foundation.messages import mark
from models.foundation.vectors import Vectors
from models.relevance.curves import KINDS, Kind, kind_of
from models.relevance.reference_pictures import Reference

_MAX_QUERIES = 2_000
_MAX_PICTURES = 5_000
_SEED = 0

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Labelled:
    """All queries of a kind, with the scores of pictures.

    `scores` float32 (q, n), -inf for a picture that is no answer because it is the query; `right` (q, n) says which
    pictures answer which query. `groups` (q,) number what belongs together: a thing, whatever it is called. `classes`
    (n,) are the groups that pictures show, or others that nothing asks for; None where a library is asked as it is.
    `levels` (q,) are those of the queries among the pictures of `reference`, its digest; 0 and "" where there is none.
    """

    scores: npt.NDArray[np.float32]
    right: Mask
    groups: Positions
    classes: Positions | None
    levels: Floats
    reference: str = ""

    def select(self, queries: Mask | slice, pictures: Mask | slice) -> "Labelled":
        """Return some queries, and some pictures."""
        return Labelled(
            self.scores[queries][:, pictures],
            self.right[queries][:, pictures],
            self.groups[queries],
            None if self.classes is None else self.classes[pictures],
            self.levels[queries],
            self.reference,
        )

    @property
    def unasked(self) -> Positions:
        """The classes that nothing asks for, ascending."""
        return np.empty(0, np.int64) if self.classes is None else np.setdiff1d(self.classes, self.groups)

    @property
    def present(self) -> Mask:
        """Which queries any picture answers, (q,)."""
        return np.asarray(self.right.any(axis=1))


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
    `reference`, the names have levels. A name that several classes share is left out: it could not be held out.
    """
    pictures = _sample(len(gallery), _MAX_PICTURES)
    labelled: dict[Kind, Labelled] = {}
    for number, kind in enumerate(KINDS):
        on_step(mark("Ranking"), number, len(KINDS))
        fitting = [row for row, one in enumerate(names) if kind_of(one.text) == kind and len(one.classes) == 1]
        if fitting:
            chosen = np.array(fitting)[_sample(len(fitting), _MAX_QUERIES)]
            groups = np.array([names[row].classes[0] for row in chosen])
            labelled[kind] = Labelled(
                queries[chosen] @ gallery[pictures].T,
                groups[:, None] == classes[pictures],
                groups,
                classes[pictures],
                *levels_of(queries[chosen], reference),
            )
    return labelled


def label_pictures(
    gallery: Vectors,
    classes: Positions,
    on_step: OnStep,
    *,
    asked_for: Positions | None = None,
    reference: Reference | None = None,
) -> Labelled:
    """Ask with pictures, each for the others of its class; with some of them, where they are many.

    Where classes are `asked_for`, with pictures of no others.
    """
    on_step(mark("Ranking"), 0, 1)
    pictures = _sample(len(gallery), _MAX_PICTURES)
    gallery, classes = gallery[pictures], classes[pictures]
    asked = np.flatnonzero(np.bincount(classes)[classes] > 1)
    if asked_for is not None:
        asked = asked[np.isin(classes[asked], asked_for)]
    asked = asked[_sample(len(asked), _MAX_QUERIES)]
    scores = gallery[asked] @ gallery.T
    right = classes[asked][:, None] == classes
    rows = np.arange(len(asked))
    scores[rows, asked], right[rows, asked] = -np.inf, False
    return Labelled(scores, right, classes[asked], classes, *levels_of(gallery[asked], reference))


def label_scores(
    scores: Sequence[npt.NDArray[np.float32]],
    right: Sequence[Mask],
    queries: Sequence[Vectors],
    groups: Sequence[object],
    *,
    reference: Reference | None = None,
) -> Labelled:
    """Return scores (n,) of the same pictures that were found elsewhere, for each of `queries`, float32 (dim,)."""
    levels, digest = levels_of(np.stack(queries), reference)
    numbers = number_groups(groups)
    return Labelled(np.stack(scores), np.stack(right), numbers, None, levels, digest)


def levels_of(queries: Vectors, reference: Reference | None) -> tuple[Floats, str]:
    """Return the levels of queries, which may have a weight of offsets behind their vector, and whose they are.

    They are 0, and nobody's, without reference pictures.
    """
    if reference is None:
        return np.zeros(len(queries)), ""
    vectors = np.ascontiguousarray(queries[:, : reference.vectors.shape[1]])
    return reference.level(vectors).astype(np.float64), reference.digest


def _sample(count: int, most: int) -> Positions:
    """Return at most so many of `count` places, ascending."""
    return np.sort(np.random.default_rng(_SEED).permutation(count)[:most])
