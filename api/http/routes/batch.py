"""Several searches in one request."""

from collections.abc import Sequence

from fastapi import APIRouter, Depends, Request
from pydantic import ValidationError

from api import schemas
from api.http.clauses import count_as_picture, to_clauses
from api.http.connection import while_connected
from api.http.door.gates import Scope, Work, gated
from api.http.door.json_bodies import BoundedRoute
from api.http.errors import describe_error, describe_invalid
from api.http.headers import check_json
from api.http.mapping import LanguageDep, PlaceDep, ServiceDep, to_filter, to_query, to_response
from api.http.service import Service
from api.schemas.batches import MAX_BATCH_CHARS, MAX_BATCH_CLAUSES, MAX_BATCH_HITS, MAX_BATCH_OFFSET
from api.search.cursors import offset_of
from api.search.errors import InvalidQuery
from api.search.query import Query
from api.search.terms import read_query_text
from models.foundation.errors import ImageSearchError
from models.foundation.messages import message

router = APIRouter(tags=["search"], route_class=BoundedRoute)


@router.post("/search/batch", dependencies=[Depends(check_json)])
@gated(Scope.SEARCH, Work.TEXT, pictures=True)
async def search_batch(
    body: schemas.BatchRequest, request: Request, service: ServiceDep, place: PlaceDep, language: LanguageDep
) -> schemas.BatchResponse:
    """Answer up to 64 searches together, in their order; one that cannot be answered does not fail the others."""
    answers: list[schemas.SearchResponse | schemas.Problem | None] = [None] * len(body.searches)
    read: dict[int, schemas.SearchRequest] = {}
    for number, one in enumerate(body.searches):
        try:
            read[number] = schemas.SearchRequest.model_validate(one)
        except ValidationError as error:
            answers[number] = describe_invalid(request, error)
    _check_cost(list(read.values()))
    count_as_picture(place, [clause for one in read.values() for clause in one.clauses])
    queries: dict[int, Query] = {}
    uploads: dict[str, bytes] = {}  # each is read once
    for number, search in read.items():
        try:
            queries[number] = await _to_query(service, search, uploads)
        except ImageSearchError as error:
            answers[number] = describe_error(request, error)
    place.hold(sum(map(len, uploads.values())))
    results = await while_connected(request, service.search_many(list(queries.values())))
    for number, result in zip(queries, results, strict=True):
        if isinstance(result, ImageSearchError):
            answers[number] = describe_error(request, result)
        else:
            answers[number] = to_response(result, language=language)
    return schemas.BatchResponse(answers=[one for one in answers if one is not None])


async def _to_query(service: Service, search: schemas.SearchRequest, uploads: dict[str, bytes]) -> Query:
    clauses = await to_clauses(service, search.clauses, uploads, typed=search.q)
    return to_query(clauses, await to_filter(service, search.where), search)


def _check_cost(searches: Sequence[schemas.SearchRequest]) -> None:
    """Refuse what would cost more than one request may. Raises InvalidQuery."""
    clauses = [clause for one in searches for clause in one.clauses]
    options = [dict(one) for one in searches]
    chars = sum(len(one.q) for one in searches) + sum(len(clause.text or "") for clause in clauses)
    terms = sum(len(read_query_text(one.q)) for one in searches) if chars <= MAX_BATCH_CHARS else 0
    asked = (
        ("text", chars, MAX_BATCH_CHARS),
        ("clauses", terms + len(clauses), MAX_BATCH_CLAUSES),
        ("k", sum(given["k"] for given in options), MAX_BATCH_HITS),
        ("offset", sum(given["offset"] + offset_of(given["after"]) for given in options), MAX_BATCH_OFFSET),
    )
    for name, count, most in asked:
        if count > most:
            raise InvalidQuery(
                message(
                    "The searches of this request ask for too much together: {name} is {count}, the most is {most}. "
                    "Send them in several.",
                    name=name,
                    count=count,
                    most=most,
                )
            )
