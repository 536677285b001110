"""How many pictures were taken where: counted by SQLite in the cells of a grid, so that no picture comes back."""

from dataclasses import dataclass

from indexer.library.annotations.points import BITS, MASK, UNITS, to_latitude, to_longitude
from indexer.library.catalog.counts import CountDatabase, Counting
from indexer.library.catalog.sql import join_tables
from indexer.library.filters import Filter, MapBox

LOCATION = "location"  # the field that cells are made of
_AT_ZOOM_0 = 8  # cells around the earth; twice as many at each further zoom: each has 64 pixels of a map of 512


@dataclass(frozen=True, slots=True)
class Cell:
    """Pictures that were taken near each other: their middle in degrees, the box of them, and the id of the latest."""

    latitude: float
    longitude: float
    count: int
    box: MapBox
    image_id: int


@dataclass(frozen=True, slots=True)
class CellCounts:
    """Cells, most pictures first; `missing` are the pictures of which nobody knows where they were taken."""

    cells: tuple[Cell, ...]
    missing: int


class CellDatabase(CountDatabase):
    """Counts of pictures by where they were taken."""

    def count_cells(self, where: Filter, how: Counting, zoom: int) -> CellCounts:
        """Return the cells of a zoom (0: eight around the earth) in which indexed pictures satisfying `where` lie.

        Only `ids` and `but` of `how` matter. Raises InvalidFilter.
        """
        field = self.fields().find(LOCATION)
        if field is None:  # nothing has looked for it yet
            return CellCounts((), self.count_pictures(where, how))
        north, east = f"({field.expression} >> {BITS})", f"({field.expression} & {MASK})"
        step = max(1, 360 * UNITS // (_AT_ZOOM_0 << zoom))
        select = (
            f"SELECT {north} / {step}, {east} / {step}, count(*), avg({north}), avg({east}), "
            f"min({east}), min({north}), max({east}), max({north}), max(images.id) {{}} GROUP BY 1, 2"
        )
        rows = self._aggregate(select, join_tables({field.table: None}), where, how)
        cells = [
            Cell(
                to_latitude(row[3]),
                to_longitude(row[4]),
                int(row[2]),
                MapBox(to_longitude(row[5]), to_latitude(row[6]), to_longitude(row[7]), to_latitude(row[8])),
                int(row[9]),
            )
            for row in rows
            if row[0] is not None
        ]
        missing = sum(int(row[2]) for row in rows if row[0] is None)
        return CellCounts(tuple(sorted(cells, key=lambda cell: (-cell.count, cell.image_id))), missing)
