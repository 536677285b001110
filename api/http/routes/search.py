"""Searching: by words, by clauses, by an uploaded picture."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, File, Form, Query, UploadFile
from pydantic import Field

from api import limits, schemas
from api.http.mapping import LanguageDep, ServiceDep, to_clause, to_filter, to_response
from api.search import query as core
from models.foundation.errors import ImageTooLarge

router = APIRouter(tags=["search"])

_LEAVE_OUT = "Leave out hits that are less likely right, where that can be told"


class SearchOptionsIn(schemas.FilterIn):
    """What can be said in an address. The conditions can be given one by one, as an expression, or both."""

    q: str = Field("", description="What is in the picture, in Chinese or English")
    where: str | None = Field(
        None,
        max_length=limits.MAX_WHERE_CHARS,
        description="For example: format=jpeg and width>=1000 and taken=2024-05",
    )
    k: int = Field(20, ge=1, le=limits.MAX_K)
    offset: int = Field(0, ge=0, le=limits.MAX_OFFSET)
    min_score: Annotated[float, Field(ge=-1, le=1)] | None = None
    min_relevance: schemas.MinRelevance = None
    match: schemas.Match = "vector"
    hide_duplicates: schemas.HideDuplicates = False
    literal: schemas.LiteralWords = False
    hub_correction: schemas.HubCorrection = True
    spaces: schemas.Spaces = Field([])


@router.get("/search")
async def search_by_words(
    params: Annotated[SearchOptionsIn, Query()], service: ServiceDep, language: LanguageDep
) -> schemas.SearchResponse:
    """Find pictures by a text."""
    query = core.Query(
        clauses=[core.Clause(text=params.q)],
        where=to_filter(service.serving.engine.fields(), params.where, params),
        k=params.k,
        offset=params.offset,
        min_score=params.min_score,
        min_relevance=params.min_relevance,
        match=params.match,
        hide_duplicates=params.hide_duplicates,
        literal=params.literal,
        hub_correction=params.hub_correction,
        spaces=params.spaces,
    )
    return to_response(await service.search(query), offset=params.offset, language=language)


@router.post("/search")
async def search_by_clauses(
    body: schemas.SearchRequest, service: ServiceDep, language: LanguageDep
) -> schemas.SearchResponse:
    """Find pictures by a sum of weighted texts, pictures and ids; a negative weight means away from it."""
    clauses = await asyncio.to_thread(lambda: [to_clause(clause) for clause in body.clauses])
    query = core.Query(
        clauses=clauses,
        where=to_filter(service.serving.engine.fields(), body.where),
        k=body.k,
        offset=body.offset,
        min_score=body.min_score,
        min_relevance=body.min_relevance,
        match=body.match,
        hide_duplicates=body.hide_duplicates,
        literal=body.literal,
        hub_correction=body.hub_correction,
        spaces=body.spaces,
    )
    return to_response(await service.search(query), offset=body.offset, language=language)


@router.post("/search/image")
async def search_by_picture(
    file: Annotated[UploadFile, File(description="A picture")],
    service: ServiceDep,
    language: LanguageDep,
    *,
    text: Annotated[str | None, Form(description="Words to add to the picture")] = None,
    weight: Annotated[float, Form(description="Of the words; negative: away from them")] = 1.0,
    where: Annotated[str | None, Form(max_length=limits.MAX_WHERE_CHARS)] = None,
    k: Annotated[int, Form(ge=1, le=limits.MAX_K)] = 20,
    offset: Annotated[int, Form(ge=0, le=limits.MAX_OFFSET)] = 0,
    min_score: Annotated[float | None, Form(ge=-1, le=1)] = None,
    min_relevance: Annotated[float | None, Form(ge=0, le=1, description=_LEAVE_OUT)] = None,
    hide_duplicates: Annotated[bool, Form()] = False,
    literal: Annotated[bool, Form(description="Search the words as they are, without reading negation")] = False,
    hub_correction: Annotated[bool, Form(description="Take off what a picture scores with any text at all")] = True,
    spaces: Annotated[list[str] | None, Form(max_length=16, description="Encoders that answer, by name")] = None,
) -> schemas.SearchResponse:
    """Find pictures like an uploaded one, and like a text if one is given."""
    limit = service.settings.api.max_upload_bytes
    data = await file.read(limit + 1)
    if len(data) > limit:
        raise ImageTooLarge("too_many_bytes", f"> {limit / 2**20:.0f} MiB")
    clauses = [core.Clause(image=data)]
    if text:
        clauses.append(core.Clause(text=text, weight=weight))
    query = core.Query(
        clauses=clauses,
        where=to_filter(service.serving.engine.fields(), where),
        k=k,
        offset=offset,
        min_score=min_score,
        min_relevance=min_relevance,
        hide_duplicates=hide_duplicates,
        literal=literal,
        hub_correction=hub_correction,
        spaces=spaces or (),
    )
    return to_response(await service.search(query), offset=offset, language=language)
