"""A page of hits without those that are duplicates of better ones."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from indexer.library.duplicates.grouping import Grouping, Rule, calibrate_build, group
from indexer.library.looks import Looks
from indexer.library.opened import OpenBuild
from models.foundation.vectors import Ids, Vectors

Scores = npt.NDArray[np.float32]
FindRange = Callable[[int, int], tuple[Ids, Scores, int]]  # from and to a place -> ids, scores; how many in all

_FIRST_WINDOW = 64


@dataclass(frozen=True, slots=True)
class HitPage:
    """Hits, best first; for each how many duplicates of it are left out; `total` counts those too.

    `more`: there are hits after this page.
    """

    ids: Ids
    scores: Scores
    duplicates: list[int]
    total: int
    more: bool


class DuplicateCollapser:
    """Leaves out duplicates in the pages of one build. Safe to use from several threads."""

    def __init__(self, opened: OpenBuild) -> None:
        self._opened = opened
        self._rule: Rule | None = None
        self._lock = threading.Lock()

    def find(self, find: FindRange, start: int, end: int) -> HitPage:
        """Return the hits from place `start` up to `end`, counting only those that are shown.

        The ranking is read from its beginning, twice as far each time, until the page is full. A hit is left out if it
        is a duplicate of one shown before it, so what a page holds does not depend on how far was read. How many
        duplicates a hit has does: those in the part that was read are counted.
        """
        window = _FIRST_WINDOW
        while window <= end:
            window *= 2
        while True:
            ids, scores, total = find(0, window)
            ids, scores = ids[ids >= 0], scores[ids >= 0]
            looks, grouping = self.group(ids)
            leaders = grouping.leaders
            known = np.isin(ids, looks.ids)
            ids, scores = ids[known], scores[known]
            shown = np.flatnonzero(leaders == np.arange(len(ids)))
            if len(shown) > end or window >= total:
                break
            window *= 2
        folded = np.bincount(leaders, minlength=len(ids)) - 1
        page = shown[start:end]
        return HitPage(ids[page], scores[page], folded[page].tolist(), total, more=len(shown) > end)

    def group(self, ids: Ids) -> tuple[Looks, Grouping]:
        """Group pictures, which are given best first, and return what they look like, in the same order.

        Those that the library no longer has are left out: it may have been compacted since this build was opened.
        """
        looks = self._opened.catalog.get_looks(ids.tolist())
        return looks, group(looks, self._fetch, self._get_rule())

    def _fetch(self, ids: Ids) -> Vectors:
        """Return the main encoder's vectors; of a picture that it has not seen zeros, which resemble nothing."""
        index = self._opened.index
        held = index.holds(ids)
        vectors = np.zeros((len(ids), index.dim), np.float32)
        vectors[held] = index.fetch(ids[held])
        return vectors

    def _get_rule(self) -> Rule:
        with self._lock:
            if self._rule is None:
                self._rule = calibrate_build(self._opened)
            return self._rule
