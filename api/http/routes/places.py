"""Where pictures were taken, counted for a map."""

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
from api.http.service import Service
from api.search.places import CountedPlaces, count_hit_places, count_places
from indexer.library.catalog.cells import LOCATION

router = APIRouter(tags=["places"], route_class=BoundedRoute)


class PlacesParams(schemas.CellOptions):
    """Which pictures are counted, and in which cells."""

    where: str | None = Field(None, max_length=schemas.MAX_WHERE_CHARS)


@router.get("/places")
@gated(Scope.SEARCH, Work.TEXT)
async def count_library_places(params: Annotated[PlacesParams, Query()], service: ServiceDep) -> schemas.PlaceCounts:
    """Count the pictures that satisfy some conditions by where they were taken."""
    where = await to_filter(service, params.where, await _seen(service, params.bounds))
    found = await service.executors.search(count_places, service.serving.engine, where, params.zoom)
    return _to_places(found, params)


@router.post("/places", dependencies=[Depends(check_json)])
@gated(Scope.SEARCH, Work.TEXT, pictures=True)
async def count_search_places(
    body: schemas.PlacesRequest, request: Request, service: ServiceDep, place: PlaceDep
) -> schemas.PlaceCounts:
    """Count the hits of a search by where they were taken; without clauses, all pictures that satisfy the conditions.

    With `min_relevance` those hits are counted that reach it, where that can be told, and at most `first` in any case.
    """
    count_as_picture(place, body.clauses)
    clauses = await to_clauses(service, body.clauses)
    seen, serving = await _seen(service, body.bounds), service.serving
    if not clauses:
        where = await to_filter(service, body.where, seen)
        return _to_places(await service.executors.search(count_places, serving.engine, where, body.zoom), body)
    options = body.model_copy(update={"k": 1, "offset": 0, "after": "", "fields": [], "sort": ""})
    query = to_query(clauses, await to_filter(service, body.where), options)
    among = await to_filter(service, None, seen)

    async def count() -> CountedPlaces:
        async with serving.decode(query) as decoded:
            plan = await serving.plan(query, decoded)
        given = (serving.engine, plan, await serving.encode(plan), among, body.zoom, body.first)
        return await service.executors.search(count_hit_places, *given)

    return _to_places(await while_connected(request, count()), body)


async def _seen(service: Service, bounds: str | None) -> schemas.FilterParams | None:
    """Return the condition that pictures lie in a part of the map; none where the library has no coordinates at all."""
    fields = await service.executors.search(service.serving.engine.fields)
    return schemas.FilterParams(bounds=bounds) if bounds is not None and fields.find(LOCATION) else None


def _to_places(found: CountedPlaces, asked: schemas.CellOptions) -> schemas.PlaceCounts:
    cells = found.cells.cells
    return schemas.PlaceCounts(
        zoom=asked.zoom,
        total=found.total,
        counted=found.counted,
        missing=found.cells.missing,
        cells=[
            schemas.PlaceCell(
                latitude=cell.latitude,
                longitude=cell.longitude,
                count=cell.count,
                bounds=schemas.MapBounds(
                    west=cell.box.west, south=cell.box.south, east=cell.box.east, north=cell.box.north
                ),
                id=cell.image_id,
            )
            for cell in cells[: asked.limit]
        ],
        more=max(0, len(cells) - asked.limit),
    )
