"""How many pictures were taken where: counted by SQLite at each point, then put together in the cells of a grid.

Points are those of places (annotations/points.py), tens of thousands at most, so that every view of a map is made of
one count.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from indexer.library.annotations.points import BITS, MASK, UNITS, to_east, to_latitude, to_longitude, to_north
from indexer.library.catalog.counts import CountDatabase, Counting
from indexer.library.catalog.sql import join_tables
from indexer.library.filters import Filter, MapBox
from models.foundation.vectors import Ids

LOCATION = "location"  # the field that cells are made of
_AT_ZOOM_0 = 8  # cells around the earth; twice as many at each further zoom: each has 64 pixels of a map of 512
_ONE_ROW = 1 << BITS


@dataclass(frozen=True, slots=True, eq=False)
class CountedPoints:
    """Points at which pictures were taken: arrays int64 (n,), and `missing`, pictures of which nobody knows where.

    `north` and `east` are units from the south pole and from the date line, `counts` how many pictures were taken
    there, `latest` the id of the latest.
    """

    north: Ids
    east: Ids
    counts: Ids
    latest: Ids
    missing: int

    @property
    def total(self) -> int:
        """How many pictures there are."""
        return self.missing + int(self.counts.sum())


@dataclass(frozen=True, slots=True)
class Cell:
    """Pictures that were taken near each other: their middle in degrees, the box of them, and the id of the latest."""

    latitude: float
    longitude: float
    count: int
    box: MapBox
    image_id: int


class CellDatabase(CountDatabase):
    """Counts of pictures by where they were taken."""

    def count_points(self, where: Filter, how: Counting) -> CountedPoints:
        """Return the points at which indexed pictures satisfying `where` were taken. Raises InvalidFilter.

        Only `ids` and `but` of `how` matter.
        """
        field = self.fields().find(LOCATION)
        if field is None:  # nothing has looked for it yet
            return _points([], self.count_pictures(where, how))
        select = f"SELECT {field.expression}, count(*), max(images.id) {{}} GROUP BY 1"
        rows = self._aggregate(select, join_tables({field.table: None}), where, how)
        missing = sum(int(row[1]) for row in rows if row[0] is None)
        return _points([row for row in rows if row[0] is not None], missing)


def _points(rows: list[tuple[int, int, int]], missing: int) -> CountedPoints:
    found = np.array(rows, np.int64).reshape(-1, 3)
    return CountedPoints(found[:, 0] >> BITS, found[:, 0] & MASK, found[:, 1], found[:, 2], missing)


def gather_cells(points: CountedPoints, zoom: int, box: MapBox | None = None) -> list[Cell]:
    """Return the cells of a zoom (0: eight around the earth) that have points in a box, most pictures first."""
    step = max(1, 360 * UNITS // (_AT_ZOOM_0 << zoom))
    keys = (points.north // step) * _ONE_ROW + points.east // step
    inside = np.flatnonzero(_inside(points, box))
    if not len(inside):
        return []
    inside = inside[np.argsort(keys[inside], kind="stable")]
    starts = np.flatnonzero(np.diff(keys[inside], prepend=-1))
    north, east, counts = (part[inside] for part in (points.north, points.east, points.counts))
    sums = np.add.reduceat(counts, starts)
    columns = (
        np.add.reduceat(north * counts, starts) / sums,
        np.add.reduceat(east * counts, starts) / sums,
        sums,
        np.minimum.reduceat(east, starts),
        np.minimum.reduceat(north, starts),
        np.maximum.reduceat(east, starts),
        np.maximum.reduceat(north, starts),
        np.maximum.reduceat(points.latest[inside], starts),
    )
    cells = [_cell(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]
    return sorted(cells, key=lambda cell: (-cell.count, cell.image_id))


def _inside(points: CountedPoints, box: MapBox | None) -> npt.NDArray[np.bool_]:
    if box is None:
        return np.ones(len(points.counts), np.bool_)
    high = (points.north >= to_north(box.south)) & (points.north <= to_north(box.north))
    after, before = points.east >= to_east(box.west), points.east <= to_east(box.east)
    return high & ((after & before) if box.west <= box.east else (after | before))


def _cell(north: float, east: float, count: int, west: int, south: int, last: int, top: int, image_id: int) -> Cell:
    box = MapBox(to_longitude(west), to_latitude(south), to_longitude(last), to_latitude(top))
    return Cell(to_latitude(north), to_longitude(east), count, box, image_id)
