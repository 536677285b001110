"""Where pictures were taken, counted in the cells of a map: those of the library, or the hits of a search."""

from collections.abc import Mapping
from dataclasses import dataclass

from api.search.engine import SearchEngine
from api.search.plan import Encoded, Plan
from indexer.library.catalog.cells import CellCounts
from indexer.library.catalog.counts import Counting
from indexer.library.filters import Filter


@dataclass(frozen=True, slots=True)
class CountedPlaces:
    """The cells of a map. `counted` pictures were looked at, of `total` that there are."""

    total: int
    counted: int
    cells: CellCounts


def count_places(engine: SearchEngine, where: Filter | None, zoom: int) -> CountedPlaces:
    """Count the pictures of a build that satisfy `where`, anew when it has changed. Raises InvalidFilter."""
    catalog, where = engine.opened.catalog, where or Filter()
    how = Counting(but=tuple(engine.find_unpublished()))
    key = (catalog.version(), where, how, zoom)
    found = engine.cells.get(key)
    if found is None:
        found = catalog.count_cells(where, how, zoom)
        engine.cells.put(key, found)
    total = _count(found)
    return CountedPlaces(total, total, found)


def count_hit_places(
    engine: SearchEngine, plan: Plan, encoded: Mapping[str, Encoded], where: Filter | None, zoom: int, most: int
) -> CountedPlaces:
    """Count those of the first `most` hits of a plan, or of all, that satisfy `where`. Raises InvalidFilter."""
    ids, total = engine.find_ids(plan, encoded, most)
    found = engine.opened.catalog.count_cells(where or Filter(), Counting(ids=ids.tolist()), zoom)
    return CountedPlaces(total, _count(found), found)


def _count(found: CellCounts) -> int:
    return found.missing + sum(cell.count for cell in found.cells)
