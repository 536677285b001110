"""Where pictures were taken, for a map: how many in each cell of a grid."""

from pydantic import BaseModel, Field

from api.schemas.base import MAX_WHERE_CHARS, Strict
from api.schemas.queries import MAX_COUNTED, SearchRequest

MAX_ZOOM = 16
MAX_CELLS = 5_000


class CellOptions(Strict):
    """How pictures are counted by where they were taken."""

    zoom: int = Field(
        2, ge=0, le=MAX_ZOOM, description="At 0, eight cells go around the earth; at each next twice as many"
    )
    bounds: str | None = Field(
        None, max_length=MAX_WHERE_CHARS, description="The part of the map whose cells are told: west,south,east,north"
    )
    limit: int = Field(1_000, ge=1, le=MAX_CELLS, description="Most cells, those with most pictures first")


class PlacesRequest(SearchRequest, CellOptions):
    """A search whose hits are counted by where they were taken; without clauses, all that satisfy the conditions.

    What says which page it is (k, offset, after) and its order mean nothing here.
    """

    first: int = Field(1_000, ge=1, le=MAX_COUNTED, description="So many hits are counted, the best first")


class MapBounds(BaseModel):
    """A part of the map in degrees, its edges included; one whose west lies beyond its east goes over the date line."""

    west: float
    south: float
    east: float
    north: float


class PlaceCell(BaseModel):
    """Pictures that were taken near each other: their middle in degrees, the box of them, and the id of the latest."""

    latitude: float
    longitude: float
    count: int
    bounds: MapBounds
    id: int


class PlaceCounts(BaseModel):
    """Cells, most pictures first: `counted` pictures were looked at, which of hits are the first, of `total`.

    Coordinates are those of the nearest place that has a name, not of the pictures; far from any, whole degrees.
    """

    zoom: int
    total: int
    counted: int
    missing: int = Field(0, description="Pictures of which nobody knows where they were taken")
    cells: list[PlaceCell]
    more: int = Field(0, description="Further cells, beyond the limit")
