"""Conditions on the fields of pictures: the `where` of a query, as data.

How one is read from text: filter_parser.py. As SQL: sql.py.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

import numpy as np

from models.foundation.vectors import Ids


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers from `low` to `high`, both included; None is open."""

    low: float | None = None
    high: float | None = None

    def within(self, other: "Range") -> "Range":
        """Return the numbers that are in both."""
        lows = [r.low for r in (self, other) if r.low is not None]
        highs = [r.high for r in (self, other) if r.high is not None]
        return Range(max(lows, default=None), min(highs, default=None))


@dataclass(frozen=True, slots=True)
class Period:
    """Moments from `start`, included, to `end`, excluded; None is open. Without a time zone."""

    start: datetime | None = None
    end: datetime | None = None

    def within(self, other: "Period") -> "Period":
        """Return the moments that are in both."""
        starts = [p.start for p in (self, other) if p.start is not None]
        ends = [p.end for p in (self, other) if p.end is not None]
        return Period(max(starts, default=None), min(ends, default=None))


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Names of choices, of which a picture has at least one."""

    names: tuple[str, ...]

    def within(self, other: "AnyOf") -> "AnyOf":
        """Return the names of both: conditions on one field of choices unite."""
        return AnyOf(tuple(dict.fromkeys((*self.names, *other.names))))


@dataclass(frozen=True, slots=True)
class AllOf:
    """Texts of which all must fit, each one by any of its alternatives."""

    texts: tuple[tuple[str, ...], ...]

    def within(self, other: "AllOf") -> "AllOf":
        """Return the texts of both."""
        return AllOf(tuple(dict.fromkeys((*self.texts, *other.texts))))


@dataclass(frozen=True, slots=True)
class Begins:
    """A beginning that a path has, in whichever way Unicode writes its characters; `folded`: in any case, too."""

    prefixes: tuple[tuple[str, bool], ...]  # each with `folded`

    def within(self, other: "Begins") -> "Begins":
        """Return the beginnings of both, all of which are to be had."""
        return Begins(tuple(dict.fromkeys((*self.prefixes, *other.prefixes))))


@dataclass(frozen=True, slots=True)
class Listed:
    """Pictures of some lists, by what the lists are called and by their ids, int64 in the order of the machine."""

    names: tuple[str, ...]
    ids: bytes = field(repr=False)

    @classmethod
    def of(cls, names: Iterable[str], ids: Ids) -> "Listed":
        """Return the pictures with these ids, which may repeat."""
        return cls(tuple(names), np.unique(ids).astype(np.int64).tobytes())

    def list_ids(self) -> Ids:
        """Return the ids, ascending."""
        return np.frombuffer(self.ids, np.int64)

    def within(self, other: "Listed") -> "Listed":
        """Return the pictures that are in both."""
        names = dict.fromkeys((*self.names, *other.names))
        return Listed.of(names, np.intersect1d(self.list_ids(), other.list_ids()))


@dataclass(frozen=True, slots=True)
class MapBox:
    """A part of a map in degrees, its edges included; one whose west lies east of its east goes over the date line."""

    west: float
    south: float
    east: float
    north: float


@dataclass(frozen=True, slots=True)
class Within:
    """Boxes in all of which a point lies."""

    boxes: tuple[MapBox, ...]

    def within(self, other: "Within") -> "Within":
        """Return the boxes of both."""
        return Within(tuple(dict.fromkeys((*self.boxes, *other.boxes))))


OfField: TypeAlias = Range | Period | AnyOf | AllOf | Begins | Within  # of the values of a field
Condition: TypeAlias = OfField | Listed


@dataclass(frozen=True, slots=True)
class Filter:
    """Conditions by the names of their fields, in the order of the names. All must hold; an empty one always does."""

    conditions: tuple[tuple[str, Condition], ...] = ()

    @classmethod
    def of(cls, conditions: Mapping[str, Condition]) -> "Filter":
        """Return these conditions as a filter."""
        return cls(tuple(sorted(conditions.items())))

    def get(self, field: str) -> Condition | None:
        """Return the condition on a field, None if there is none."""
        return dict(self.conditions).get(field)

    def narrowed(self, field: str, condition: Condition) -> "Filter":
        """Return the filter with another condition on a field. Raises TypeError for one of another kind."""
        before = self.get(field)
        if before is not None:
            if type(before) is not type(condition):
                raise TypeError(f"{field} has a {type(before).__name__}, not a {type(condition).__name__}")
            condition = before.within(condition)  # type: ignore[arg-type]
        return Filter.of({**dict(self.conditions), field: condition})
