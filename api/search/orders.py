"""The orders that the pictures of a build are listed in, kept for the next page; and places in them."""

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from api.kept import Kept
from api.search.cursors import Key, Placed
from api.search.errors import InvalidCursor
from indexer.library.annotations.fields import Field, FieldSet, FieldType
from indexer.library.catalog.reader import CatalogReader
from indexer.library.catalog.sorting import Sort, list_sorts, read_sort
from indexer.library.errors import InvalidSort
from indexer.library.filters import Filter
from indexer.library.index.port import Mask
from models.foundation.messages import mark
from models.foundation.vectors import Ids

_KEPT = 8  # of a million pictures, 8 MB each
RANDOM = "random"


@dataclass(frozen=True, slots=True)
class Shuffle:
    """A random order, the same for the same seed: of any two pictures the same comes first, whatever comes and goes."""

    seed: int

    @property
    def written(self) -> str:
        """What `read_order` reads as this."""
        return f"{RANDOM}:{self.seed}"

    def keys(self, ids: Ids) -> npt.NDArray[np.uint64]:
        """Return what decides where pictures stand: their ids, mixed as in splitmix64, which gives no two the same."""
        mixed = ids.astype(np.uint64) + np.uint64(self.seed * 0x9E3779B97F4A7C15 % 2**64)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
        return mixed ^ (mixed >> np.uint64(31))


Order: TypeAlias = Sort | Shuffle
_SHUFFLED = Field(name=RANDOM, type=FieldType.WHOLE, label=mark("Random"))


def read_order(written: str, fields: FieldSet) -> Order:
    """Read a field, added, or random, which may name its seed: random:42. Raises InvalidSort."""
    random = re.fullmatch(rf"\s*{RANDOM}(?::([0-9]{{1,18}}))?\s*", written)
    if random:
        return Shuffle(int(random[1]) if random[1] else secrets.randbelow(2**31))
    try:
        return read_sort(written, fields)
    except InvalidSort as error:
        raise InvalidSort(written, list_orders(fields)) from error


def list_orders(fields: FieldSet) -> list[str]:
    """Return the names that `read_order` takes."""
    return [*list_sorts(fields), RANDOM]


def field_of(order: Order) -> Field:
    """Return what the pictures are sorted by."""
    return order.field.field if isinstance(order, Sort) else _SHUFFLED


class Orders:
    """The pictures of one build in order. Safe to use from several threads."""

    def __init__(self, catalog: CatalogReader, holds: Callable[[Ids], Mask]) -> None:
        self._catalog = catalog
        self._holds = holds
        self._kept: Kept[tuple[Filter, str], tuple[int, Ids]] = Kept(_KEPT)

    def list_ids(self, where: Filter, order: Order, *, going_on: bool = False) -> Ids:
        """Return the ids of the pictures that satisfy `where`, in order. Raises InvalidFilter.

        It is made anew when the catalog has changed; `going_on` takes one that is there all the same: the page before
        was of it.
        """
        key = (where, order.written)
        version = self._catalog.version()
        kept = self._kept.get(key)
        if kept and (going_on or kept[0] == version):
            return kept[1]
        ids = self._make(where, order)
        self._kept.put(key, (version, ids))
        return ids

    def _make(self, where: Filter, order: Order) -> Ids:
        ids = self._catalog.sort_ids(where, order if isinstance(order, Sort) else read_sort("added", FieldSet(())))
        ids = ids[self._holds(ids)]  # what a run is adding just now is not in this build yet
        return ids if isinstance(order, Sort) else ids[np.argsort(order.keys(ids))]

    def place_of(self, image_id: int, order: Order) -> Placed:
        """Return where a picture stands."""
        return Placed.of(order.written, self._key(image_id, order), image_id)

    def known(self, place: Placed, order: Order) -> Placed:
        """Return a place of a cursor with what the cursor does not say. Raises InvalidCursor."""
        if not place.is_withheld:
            return place
        known = self.place_of(place.id, order)
        if known.key is None:
            raise InvalidCursor
        return known

    def _key(self, image_id: int, order: Order) -> Key:
        if isinstance(order, Shuffle):
            return int(order.keys(np.array([image_id]))[0])
        key: Key = self._catalog.sort_keys([image_id], order).get(image_id)
        return key

    def find(self, ids: Ids, place: Placed, order: Order, *, after: bool) -> int:
        """Return how many of `ids`, which are in order, stand before a place, or up to it with `after`."""
        there: int = next(iter(np.flatnonzero(ids == place.id).tolist()), -1)
        if there >= 0 and self.place_of(place.id, order) == place:
            return there + after
        sought, descending = _compared(place, order), isinstance(order, Sort) and order.descending
        low, high = 0, len(ids)
        while low < high:
            middle = (low + high) // 2
            here = _compared(self.place_of(int(ids[middle]), order), order)
            if _is_before(here, sought, descending=descending, or_same=after):
                low = middle + 1
            else:
                high = middle
        return low


def _compared(place: Placed, order: Order) -> tuple[Any, int]:
    """Return the key as SQLite compares it, None or numbers before texts, which go by their bytes; and the id."""
    key = place.key
    if isinstance(order, Sort) and order.written in ("added", "-added"):
        key = place.id
    if key is None:
        return None, place.id
    return (1, key.encode("utf-8", "surrogateescape")) if isinstance(key, str) else (0, key), place.id


def _is_before(one: tuple[Any, int], other: tuple[Any, int], *, descending: bool, or_same: bool) -> bool:
    if one[0] == other[0]:
        return one[1] < other[1] or (or_same and one[1] == other[1])
    if one[0] is None or other[0] is None:  # those without a value are last either way
        return other[0] is None
    return bool((one[0] > other[0]) if descending else (one[0] < other[0]))
