"""Searching: by words, by clauses, by an uploaded picture."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, UploadFile
from pydantic import BaseModel, Field

from api import schemas
from api.http.clauses import CROP, CROP_DESCRIPTION, count_as_picture, read_crop, to_clauses
from api.http.connection import while_connected
from api.http.door.gates import Scope, Work, gated
from api.http.door.json_bodies import BoundedRoute
from api.http.headers import check_json
from api.http.mapping import LanguageDep, PlaceDep, ServiceDep, to_filter, to_query, to_response
from api.http.parameters import parameters_of, reader_of
from api.search.query import Clause
from models.pictures.errors import ImageTooLarge

router = APIRouter(tags=["search"], route_class=BoundedRoute)


@schemas.with_options()
class SearchByWords(schemas.FilterParams):
    """What can be said in an address. The conditions can be given one by one, as an expression, or both."""

    q: str = Field("", description=schemas.TYPED)
    where: str | None = Field(
        None,
        max_length=schemas.MAX_WHERE_CHARS,
        description="For example: format=jpeg and width>=1000 and taken=2024-05",
    )
    upload: str | None = Field(
        None, max_length=100, description="A picture to be like that was sent before: see PUT /v1/uploads"
    )
    crop: str | None = Field(None, pattern=CROP, description=CROP_DESCRIPTION)


@schemas.with_options()
class PictureForm(BaseModel):
    """A picture to be like, and words that may join it."""

    file: UploadFile = Field(description="A picture")
    text: str | None = Field(None, description="Words to add to the picture")
    weight: float = Field(1.0, description="Of the words; negative: away from them")
    where: str | None = Field(None, max_length=schemas.MAX_WHERE_CHARS)


@router.get("/search", openapi_extra=parameters_of(SearchByWords))
@gated(Scope.SEARCH, Work.TEXT)
async def search_by_words(
    params: Annotated[SearchByWords, Depends(reader_of(SearchByWords))],
    request: Request,
    service: ServiceDep,
    place: PlaceDep,
    language: LanguageDep,
) -> schemas.SearchResponse:
    """Find pictures by a text, by a picture that was sent before, or by both; without any, list all."""
    crop = read_crop(params.crop)
    typed, beside = params.q, []
    if params.upload is not None:
        beside.append(schemas.ClauseIn(upload=params.upload, crop=crop))
        count_as_picture(place, beside)
    elif crop is not None:  # of a text, which is refused
        typed, beside = "", [schemas.ClauseIn(text=typed, crop=crop)]
    clauses = await to_clauses(service, beside, typed=typed)
    query = to_query(clauses, await to_filter(service, params.where, params), params)
    search = service.search(query)
    return to_response(await (while_connected(request, search) if params.upload else search), language=language)


@router.post("/search", dependencies=[Depends(check_json)])
@gated(Scope.SEARCH, Work.TEXT, pictures=True)
async def search_by_clauses(
    body: schemas.SearchRequest, request: Request, service: ServiceDep, place: PlaceDep, language: LanguageDep
) -> schemas.SearchResponse:
    """Find pictures by a sum of weighted texts, pictures and ids; a negative weight means away from it.

    What `q` says comes before the clauses. Without both, list all pictures in the order `sort` (-taken, if none is
    given), with a score of 0.
    """
    count_as_picture(place, body.clauses)
    clauses = await to_clauses(service, body.clauses, typed=body.q)
    query = to_query(clauses, await to_filter(service, body.where), body)
    return to_response(await while_connected(request, service.search(query)), language=language)


@router.post("/search/image")
@gated(Scope.SEARCH, Work.PICTURE, pictures=True)
async def search_by_picture(
    form: Annotated[PictureForm, Form(media_type="multipart/form-data")],
    request: Request,
    service: ServiceDep,
    language: LanguageDep,
) -> schemas.SearchResponse:
    """Find pictures like an uploaded one, and like a text if one is given."""
    limit = service.settings.api.max_upload_bytes
    data = await form.file.read(limit + 1)
    if len(data) > limit:
        raise ImageTooLarge("too_many_bytes", f"> {limit / 2**20:.0f} MiB")
    clauses = [Clause(image=data)]
    if form.text:
        clauses.append(Clause(text=form.text, weight=form.weight))
    query = to_query(clauses, await to_filter(service, form.where), form)
    return to_response(await while_connected(request, service.search(query)), language=language)
