"""Which pictures a search may find: those that satisfy a filter, or those of a list (`Selection`)."""

from collections.abc import Callable
from functools import cached_property

import numpy as np

from indexer.library.filters import Filter
from models.foundation.vectors import Ids


class FilterSelection:
    """The pictures that satisfy a filter. Their ids are looked up when they are first asked for."""

    def __init__(self, where: Filter, resolve: Callable[[Filter], Ids]) -> None:
        """Take a filter, and what returns the ids that satisfy it, ascending."""
        self.filter = where
        self._resolve = resolve

    def ids(self) -> Ids:
        """Return the ids, the same array each time. Raises what looking them up raises."""
        return self._ids

    @cached_property
    def _ids(self) -> Ids:
        return _frozen(self._resolve(self.filter))


class IdSelection:
    """The pictures of a list, in any order and with repeats."""

    filter = None

    def __init__(self, ids: Ids) -> None:
        ordered = np.sort(ids)
        self._ids = _frozen(ordered[np.diff(ordered, prepend=ordered[:1] - 1) != 0])  # np.unique takes far longer

    def ids(self) -> Ids:
        """Return the ids, ascending and without repeats."""
        return self._ids


def _frozen(ids: Ids) -> Ids:
    ids.flags.writeable = False  # everybody gets the same array
    return ids
