"""What pictures of the library can be filtered by and counted by."""

from typing import Annotated

from fastapi import APIRouter, Query

from api import schemas
from api.http.door.gates import Scope, Work, gated
from api.http.mapping import LanguageDep, ServiceDep, label_of, read_filter
from api.search.engine import SearchEngine
from indexer.library.annotations.fields import CatalogField
from indexer.library.catalog.sorting import is_sortable
from indexer.library.errors import InvalidFilter
from indexer.library.filters import Filter
from models.foundation.messages import message

router = APIRouter(tags=["fields"])


@router.get("/fields")
@gated(Scope.SEARCH, Work.TEXT)
async def list_fields(service: ServiceDep, language: LanguageDep) -> schemas.FieldsInfo:
    """List the fields of pictures: the catalog's own, and those that annotators find values for."""
    found = await service.executors.search(service.serving.engine.fields)
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
            for one in found
        ]
    )


@router.get("/facets")
@gated(Scope.SEARCH, Work.TEXT)
async def count_facets(
    service: ServiceDep,
    language: LanguageDep,
    fields: Annotated[
        list[str] | None, Query(max_length=schemas.MAX_CHOICES, description="Names; none: all that are counted")
    ] = None,
    where: Annotated[str | None, Query(max_length=schemas.MAX_WHERE_CHARS)] = None,
) -> schemas.Facets:
    """Count the values that the pictures satisfying some conditions have."""
    engine = service.serving.engine
    return await service.executors.search(_count, engine, fields, where, language)


def _count(engine: SearchEngine, names: list[str] | None, where: str | None, language: str) -> schemas.Facets:
    known = engine.fields()
    conditions = read_filter(known, where) or Filter()
    chosen = [one for one in known if one.field.faceted]
    if names is not None:
        by_name = {one.field.name: one for one in chosen}
        missing = next((name for name in names if name not in by_name), None)
        if missing is not None:
            raise InvalidFilter(
                missing,
                0,
                message(
                    "{missing} is no field that is counted; those are {counted}",
                    missing=missing,
                    counted=tuple(by_name),
                ),
            )
        chosen = [by_name[name] for name in dict.fromkeys(names)]
    catalog = engine.opened.catalog
    return schemas.Facets(
        total=len(catalog.ids_where(conditions)),
        facets=[_facet(one, catalog.count_values(one, conditions), language) for one in chosen],
    )


def _facet(one: CatalogField, counts: list[tuple[str, int]], language: str) -> schemas.Facet:
    labels = {choice.name: label_of(choice, language) for choice in one.field.choices}
    values = [schemas.FacetValue(value=value, label=labels.get(value, value), count=count) for value, count in counts]
    return schemas.Facet(field=one.field.name, label=label_of(one.field, language), values=values)
