"""What routes ask for: the service, and the translation of schemas into queries."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import Depends, Request
from pydantic import BaseModel

from api import schemas
from api.boards.boards import with_board
from api.config import DEFAULT_LIBRARY
from api.http.door.admission import Place
from api.http.errors import language_of
from api.http.libraries import Libraries
from api.http.service import Service
from api.search.query import Clause, Query, read_options
from api.search.results import HitPart, SearchHit, SearchResult
from indexer.library.addresses.shown import shown_address
from indexer.library.annotations.fields import Choice, Field, FieldSet
from indexer.library.catalog.filter_parser import narrow, parse_filter
from indexer.library.filters import Filter


async def get_service(request: Request) -> Service:
    """Return the service of the library that the address names, or else of the default one. Raises LibraryUnknown."""
    libraries: Libraries = request.app.state.libraries
    return libraries.find(request.path_params.get("library", DEFAULT_LIBRARY))


async def get_libraries(request: Request) -> Libraries:
    """Return the libraries of the application."""
    libraries: Libraries = request.app.state.libraries
    return libraries


_OPERATOR = re.compile(r"\s*(>=|<=|\^=|~=|=|>|<)\s*")


async def get_language(request: Request) -> str:
    """Return "zh" if the client would rather read Chinese, else "en"."""
    return language_of(request)


async def get_place(request: Request) -> Place:
    """Return the place that the request has among others."""
    place: Place = request.state.place
    return place


PlaceDep = Annotated[Place, Depends(get_place)]
LibrariesDep = Annotated[Libraries, Depends(get_libraries)]
ServiceDep = Annotated[Service, Depends(get_service)]
LanguageDep = Annotated[str, Depends(get_language)]


async def to_filter(
    service: Service, where: schemas.FilterIn | str | None, extra: schemas.FilterParams | None = None
) -> Filter | None:
    """Return conditions as the engine takes them, read beside the loop: the catalog is asked which fields it has.

    Without conditions nothing is asked. Raises InvalidFilter and BoardNotFound.
    """
    given = [one for one in (where, extra) if isinstance(one, schemas.FilterParams)]
    has_text = isinstance(where, str) and bool(where.strip())
    if not has_text and not any(_has_conditions(one) for one in given):
        return None
    engine = service.serving.engine

    def read() -> Filter | None:
        read = read_filter(with_board(engine.fields()), where, extra)
        return service.boards.narrow(read, engine.opened, engine.holds)

    return await service.executors.search(read)


def _has_conditions(given: schemas.FilterParams) -> bool:
    return any(getattr(given, name) is not None for name in schemas.FilterParams.model_fields) or bool(
        isinstance(given, schemas.FilterIn) and given.fields
    )


def read_filter(
    fields: FieldSet, where: schemas.FilterIn | str | None, extra: schemas.FilterParams | None = None
) -> Filter | None:
    """Return conditions on the fields of a library as the engine takes them. Raises InvalidFilter."""
    result = Filter()
    if isinstance(where, str) and where.strip():
        result = parse_filter(where.strip(), fields)
    for given in (where, extra):
        if isinstance(given, schemas.FilterParams):
            result = narrow(result, fields, _conditions(given))
        if isinstance(given, schemas.FilterIn):
            result = narrow(result, fields, _further_conditions(given))
    return result if result != Filter() else None


def _conditions(fields: schemas.FilterParams) -> Iterator[tuple[str, str, str]]:
    choices = (("format", fields.formats), ("colour", fields.colours), ("tag", fields.tags))
    given: list[tuple[str, str, Any]] = [("path", "=", fields.path), ("board", "=", fields.board)]
    given += [(name, "=", choice) for name, several in choices for choice in several or ()]
    for name in ("width", "height", "aspect"):
        given += [(name, ">=", getattr(fields, f"min_{name}")), (name, "<=", getattr(fields, f"max_{name}"))]
    for name in ("taken", "modified"):
        given += [(name, ">=", getattr(fields, f"{name}_from")), (name, "<=", getattr(fields, f"{name}_to"))]
    given.append(("location", "=", fields.bounds))
    yield from ((name, operator, str(value)) for name, operator, value in given if value is not None)


def _further_conditions(given: schemas.FilterIn) -> Iterator[tuple[str, str, str]]:
    for name, values in given.fields.items():
        for value in values:
            match = _OPERATOR.match(value)
            yield name.strip().lower(), match[1] if match else "=", value[match.end() :] if match else value


def to_query(clauses: Sequence[Clause], where: Filter | None, options: BaseModel) -> Query:
    """Return a query with the options of a request, whose model is made `with_options`. Raises InvalidQuery."""
    return Query(clauses=clauses, where=where, **read_options(dict(options)))


def to_response(result: SearchResult, *, language: str) -> schemas.SearchResponse:
    """Return a result as it travels; roots by name only."""
    end = result.offset + len(result.hits)
    return schemas.SearchResponse(
        hits=list(map(_to_hit, result.hits)),
        nearest=list(map(_to_hit, result.nearest)),
        total=result.total,
        likely=result.likely,
        likely_is_least=result.likely_is_least,
        next_offset=end if result.hits and result.more else None,
        next=result.next,
        timings_ms=schemas.Timings(**result.timings_ms),
        build=result.build,
        encoder=result.encoder,
        encoders=list(result.encoders),
        language=result.language,
        clauses=[schemas.ClauseRead(**read.to_dict()) for read in result.clauses],
        notes=[schemas.Note(code=note.code, message=note.text(language)) for note in result.notes],
    )


def _to_hit(hit: SearchHit) -> schemas.Hit:
    return schemas.Hit(
        id=hit.id,
        path=shown_path(hit.path),
        root=displayable(hit.root.name),
        score=hit.score,
        relevance=hit.relevance,
        likelihood=hit.likelihood,
        width=hit.width,
        height=hit.height,
        duplicates=hit.duplicates,
        part=to_part(hit.part) if hit.part else None,
        moments=[schemas.FoundMoment(**asdict(one)) for one in hit.moments],
        reasons=[
            schemas.FoundIn(
                field=reason.field,
                text=displayable(reason.text),
                box=schemas.Region(**asdict(reason.box)) if reason.box else None,
                at=reason.at,
            )
            for reason in hit.reasons
        ],
        explanation=schemas.HitExplanation(**asdict(hit.explanation)) if hit.explanation else None,
        fields=shown_values(hit.fields),
    )


def shown_values(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is told of a picture as it travels: names as valid Unicode, and no more of a path than elsewhere."""
    return {name: shown_path(value) if name == "path" and value else _valid(value) for name, value in found.items()}


def _valid(value: Any) -> Any:
    if isinstance(value, str):
        return displayable(value)
    return [_valid(one) for one in value] if isinstance(value, list) else value


def to_part(part: HitPart) -> schemas.Part:
    """Return a part of a picture as it travels."""
    return schemas.Part(number=part.number, region=part.is_region, at=part.at, **asdict(part.box))


def shown_path(path: str) -> str:
    """Return the path of a picture as it is shown; of one that a list names by its absolute path, the end only."""
    path = shown_address(path)
    return displayable("/".join(["…", *path.split("/")[-2:]]).replace("…//", "…/") if path.startswith("/") else path)


def displayable(name: str) -> str:
    """Return a file name as valid Unicode; bytes that are none are shown as replacement characters."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


_SAID_ELSEWHERE = ("taken", "camera", "has_gps", "place", "dominant")  # fields of ImageDetail of their own


def list_annotations(fields: FieldSet, found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that somebody can make use of."""
    useful = [one.field for one in fields if one.field.shown or one.field.filterable or one.field.searchable]
    return {field.name: found[field.name] for field in useful if field.name in found}


def list_details(fields: FieldSet, found: Mapping[str, Any], language: str) -> list[schemas.ShownValue]:
    """Return the values that are to be shown and have no place of their own; what is not the case is not shown."""
    return [
        schemas.ShownValue(
            name=one.field.name,
            label=label_of(one.field, language),
            value=_shown(one.field, found[one.field.name], language),
        )
        for one in fields
        if one.field.shown and one.field.name not in _SAID_ELSEWHERE and _is_said(found.get(one.field.name))
    ]


def _is_said(value: Any) -> bool:
    return value is not False and value not in (None, "", [])


def _shown(field: Field, value: Any, language: str) -> Any:
    """Return a value with the names that its choices have for people."""
    labels = {choice.name: label_of(choice, language) for choice in field.choices}
    if not labels:
        return value
    return [labels.get(one, one) for one in value] if isinstance(value, list) else labels.get(value, value)


def label_of(named: Field | Choice, language: str) -> str:
    """Return what people call a field or one of its choices."""
    if isinstance(named, Field):
        return named.title(language)
    return (named.zh if language == "zh" else "") or named.name
