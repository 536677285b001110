"""Where pictures were taken: those of the library, or the hits of a search."""

from collections.abc import Mapping
from dataclasses import dataclass

from api.search.engine import SearchEngine
from api.search.plan import Encoded, Plan
from indexer.library.catalog.cells import CountedPoints
from indexer.library.catalog.counts import Counting
from indexer.library.filters import Filter


@dataclass(frozen=True, slots=True)
class CountedPlaces:
    """The points at which pictures were taken, of `total` pictures that there are."""

    total: int
    points: CountedPoints


def count_places(engine: SearchEngine, where: Filter | None) -> CountedPlaces:
    """Count the pictures of a build that satisfy `where`, anew when it has changed. Raises InvalidFilter."""
    catalog, where = engine.opened.catalog, where or Filter()
    how = Counting(but=tuple(engine.find_unpublished()))
    key = (catalog.version(), where, how)
    points = engine.points.get(key)
    if points is None:
        points = catalog.count_points(where, how)
        engine.points.put(key, points)
    return CountedPlaces(points.total, points)


def count_hit_places(engine: SearchEngine, plan: Plan, encoded: Mapping[str, Encoded], most: int) -> CountedPlaces:
    """Count the first `most` hits of a plan, or all there are. Raises InvalidQuery or InvalidFilter."""
    ids, total = engine.find_ids(plan, encoded, most)
    return CountedPlaces(total, engine.opened.catalog.count_points(Filter(), Counting(ids=ids.tolist())))
