"""Where pictures were taken, counted for a map."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import Field

from api import schemas
from api.http.clauses import count_as_picture, to_clauses
from api.http.connection import while_connected
from api.http.door.gates import Scope, Work, gated
from api.http.door.json_bodies import BoundedRoute
from api.http.headers import check_json
from api.http.mapping import PlaceDep, ServiceDep, to_filter, to_query
from api.search.places import CountedPlaces, count_hit_places, count_places
from indexer.library.catalog.cells import gather_cells
from indexer.library.catalog.filter_parser import parse_box
from indexer.library.filters import MapBox

router = APIRouter(tags=["places"], route_class=BoundedRoute)


class PlacesParams(schemas.CellOptions):
    """Which pictures are counted, and in which cells."""

    where: str | None = Field(None, max_length=schemas.MAX_WHERE_CHARS)


@router.get("/places")
@gated(Scope.SEARCH, Work.TEXT)
async def count_library_places(params: Annotated[PlacesParams, Query()], service: ServiceDep) -> schemas.PlaceCounts:
    """Count the pictures that satisfy some conditions by where they were taken."""
    box = _read_bounds(params)
    where = await to_filter(service, params.where)
    found = await service.executors.search(count_places, service.serving.engine, where)
    return await service.executors.search(_to_places, found, box, params)


@router.post("/places", dependencies=[Depends(check_json)])
@gated(Scope.SEARCH, Work.TEXT, pictures=True)
async def count_search_places(
    body: schemas.PlacesRequest, request: Request, service: ServiceDep, place: PlaceDep
) -> schemas.PlaceCounts:
    """Count the hits of a search by where they were taken; without clauses, all pictures that satisfy the conditions.

    With `min_relevance` those hits are counted that reach it, where that can be told, and at most `first` in any case.
    """
    box, serving = _read_bounds(body), service.serving
    count_as_picture(place, body.clauses)
    clauses = await to_clauses(service, body.clauses)
    where = await to_filter(service, body.where)
    options = body.model_copy(update={"k": 1, "offset": 0, "after": "", "fields": [], "sort": ""})
    query = to_query(clauses, where, options)
    if clauses:

        async def count() -> CountedPlaces:
            async with serving.decode(query) as decoded:
                plan = await serving.plan(query, decoded)
            encoded = await serving.encode(plan)
            return await service.executors.search(count_hit_places, serving.engine, plan, encoded, body.first)

        found = await while_connected(request, count())
    else:
        found = await service.executors.search(count_places, serving.engine, where)
    return await service.executors.search(_to_places, found, box, body)


def _read_bounds(asked: schemas.CellOptions) -> MapBox | None:
    return None if asked.bounds is None else parse_box(asked.bounds)


def _to_places(found: CountedPlaces, box: MapBox | None, asked: schemas.CellOptions) -> schemas.PlaceCounts:
    cells = gather_cells(found.points, asked.zoom, box)
    return schemas.PlaceCounts(
        zoom=asked.zoom,
        total=found.total,
        counted=found.points.total,
        missing=found.points.missing,
        cells=[
            schemas.PlaceCell(
                latitude=cell.latitude,
                longitude=cell.longitude,
                count=cell.count,
                bounds=schemas.MapBounds(**asdict(cell.box)),
                id=cell.image_id,
            )
            for cell in cells[: asked.limit]
        ],
        more=max(0, len(cells) - asked.limit),
    )
