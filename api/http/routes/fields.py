"""What pictures of the library can be filtered by and counted by."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import Field

from api import schemas
from api.boards.boards import with_board
from api.http.clauses import count_as_picture, to_clauses
from api.http.connection import while_connected
from api.http.door.gates import Scope, Work, gated
from api.http.door.json_bodies import BoundedRoute
from api.http.headers import check_json
from api.http.mapping import (
    LanguageDep,
    PlaceDep,
    ServiceDep,
    displayable,
    label_of,
    to_filter,
    to_query,
)
from api.search.facets import CountedFields, count_hits, count_library
from api.search.orders import list_orders
from indexer.library.annotations.fields import CatalogField
from indexer.library.catalog.counts import Counting, Counts
from indexer.library.catalog.lists import list_facts
from indexer.library.catalog.sorting import is_sortable

router = APIRouter(tags=["fields"], route_class=BoundedRoute)


@router.get("/fields")
@gated(Scope.SEARCH, Work.TEXT)
async def list_fields(service: ServiceDep, language: LanguageDep) -> schemas.FieldsInfo:
    """List the fields of pictures: the catalog's own, and those that annotators find values for."""
    found = await service.executors.search(service.serving.engine.fields)
    conditions = with_board(found) if await service.executors.files(service.boards.can_be_read) else found
    return schemas.FieldsInfo(
        fields=[
            schemas.FieldInfo(
                name=one.field.name,
                type=one.field.type,
                label=label_of(one.field, language),
                searchable=one.field.searchable,
                filterable=one.field.filterable,
                faceted=one.field.faceted,
                sortable=is_sortable(one),
                choices={choice.name: label_of(choice, language) for choice in one.field.choices},
            )
            for one in conditions
        ],
        sorts=list_orders(found),
        told=list_facts(found),
    )


class FacetParams(schemas.CountOptions):
    """What is counted, and in which pictures."""

    fields: list[str] | None = Field(
        None, max_length=schemas.MAX_CHOICES, description="Names; none: all that are counted"
    )
    where: str | None = Field(None, max_length=schemas.MAX_WHERE_CHARS)


@router.get("/facets")
@gated(Scope.SEARCH, Work.TEXT)
async def count_facets(
    params: Annotated[FacetParams, Query()], service: ServiceDep, language: LanguageDep
) -> schemas.Facets:
    """Count the values that the pictures satisfying some conditions have."""
    engine = service.serving.engine
    where = await to_filter(service, params.where)
    found = await service.executors.search(count_library, engine, params.fields, where, _how(params))
    return _to_facets(found, params.limit, language)


@router.post("/facets", dependencies=[Depends(check_json)])
@gated(Scope.SEARCH, Work.TEXT, pictures=True)
async def count_hit_facets(
    body: schemas.FacetRequest, request: Request, service: ServiceDep, place: PlaceDep, language: LanguageDep
) -> schemas.Facets:
    """Count the values that the hits of a search have; without `q` and clauses, all that satisfy the conditions.

    With `min_relevance` those hits are counted that reach it, where that can be told, and at most `first` in any case.
    """
    count_as_picture(place, body.clauses)
    clauses = await to_clauses(service, body.clauses, typed=body.q)
    where = await to_filter(service, body.where)
    options = body.model_copy(
        update={"k": 1, "offset": 0, "after": "", "fields": [], "sort": "", "count_likely": False}
    )
    query, serving = to_query(clauses, where, options), service.serving
    if clauses:

        async def count() -> CountedFields:
            async with serving.decode(query) as decoded:
                plan = await serving.plan(query, decoded)
            encoded = await serving.encode(plan)
            given = (serving.engine, body.fields, plan, encoded, _how(body), body.first)
            return await service.executors.search(count_hits, *given)

        found = await while_connected(request, count())
    else:
        found = await service.executors.search(count_library, serving.engine, body.fields, where, _how(body))
    return _to_facets(found, body.limit, language)


def _how(asked: schemas.CountOptions) -> Counting:
    folder = asked.folder.strip("/")
    return Counting(by=asked.by, folder=f"{folder}/" if folder else "", depth=asked.depth)


def _to_facets(found: CountedFields, limit: int, language: str) -> schemas.Facets:
    facets = [_facet(one, counts, limit, language) for one, counts in found.fields]
    return schemas.Facets(total=found.total, counted=found.counted, facets=facets)


def _facet(one: CatalogField, counts: Counts, limit: int, language: str) -> schemas.Facet:
    labels = {choice.name: label_of(choice, language) for choice in one.field.choices}
    values = [
        schemas.FacetValue(value=displayable(value), label=labels.get(value, displayable(value)), count=count)
        for value, count in counts.values[:limit]
    ]
    return schemas.Facet(
        field=one.field.name,
        label=label_of(one.field, language),
        values=values,
        missing=counts.missing,
        more=max(0, len(counts.values) - limit),
    )
