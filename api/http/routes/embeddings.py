"""Vectors of texts and pictures, in the shape of OpenAI's API."""

import base64
from collections.abc import Sequence
from datetime import datetime

from fastapi import APIRouter, Depends, Request

from api import schemas
from api.http.connection import while_connected
from api.http.door.gates import Scope, Work, gated
from api.http.door.json_bodies import BoundedRoute
from api.http.embedding import decode_picture, embed
from api.http.headers import check_json
from api.http.mapping import PlaceDep, ServiceDep
from api.http.refusals import ModelNotFound
from api.search.encoders import EncoderSpace
from api.search.engine import SearchEngine
from api.search.errors import InvalidQuery
from api.search.query import Clause
from models.foundation.messages import message
from models.foundation.vectors import Vectors

router = APIRouter(tags=["embeddings"], route_class=BoundedRoute)

_MAIN = "default"


@router.post("/embeddings", dependencies=[Depends(check_json)])
@gated(Scope.SEARCH, Work.TEXT, pictures=True)
async def create_embeddings(
    body: schemas.EmbeddingRequest, request: Request, service: ServiceDep, place: PlaceDep
) -> schemas.EmbeddingResponse:
    """Return the vectors of texts and pictures as a search makes them: of length 1, to be compared by inner product."""
    serving = service.serving
    space = _get_space(serving.engine, body.model)
    dim = space.index.dim
    if body.dimensions not in (None, dim):
        raise InvalidQuery(
            message("The vectors of {encoder} have {dim} dimensions, and are not cut.", encoder=space.name, dim=dim)
        )
    items = body.items
    if any(not isinstance(one, str) and one.picture is not None for one in items):
        place.become(Work.PICTURE)
        clauses = await service.executors.search(lambda: list(map(_to_clause, items)))
    else:
        clauses = list(map(_to_clause, items))
    vectors = await while_connected(request, embed(serving, clauses, space.name))
    return schemas.EmbeddingResponse(data=_list_embeddings(vectors, body.encoding_format), model=space.name)


@router.get("/models")
@gated(Scope.SEARCH, Work.LIGHT)
async def list_models(service: ServiceDep) -> schemas.ModelList:
    """List the encoders of the library as models, the main one first."""
    engine = service.serving.engine
    return schemas.ModelList(data=[_describe(engine, space) for space in engine.spaces.values()])


@router.get("/models/{model}")
@gated(Scope.SEARCH, Work.LIGHT)
async def describe_model(model: str, service: ServiceDep) -> schemas.ModelInfo:
    """Say what a model is; `default` is the main encoder."""
    engine = service.serving.engine
    return _describe(engine, _get_space(engine, model))


def _get_space(engine: SearchEngine, model: str) -> EncoderSpace:
    """Return the encoder that a model is. Raises ModelNotFound."""
    if model != _MAIN and model not in engine.spaces:
        raise ModelNotFound(model, (_MAIN, *engine.spaces))
    return engine.get_space(None if model == _MAIN else model)


def _to_clause(item: str | schemas.EmbeddingItem) -> Clause:
    if isinstance(item, str) or item.text is not None:
        text = item if isinstance(item, str) else item.text or ""
        return Clause(text=text.encode("utf-8", "ignore").decode())  # JSON can hold half a character
    return Clause(image=decode_picture(item.picture or ""))


def _list_embeddings(vectors: Sequence[Vectors], form: str) -> list[schemas.Embedding]:
    return [
        schemas.Embedding(
            index=place,
            embedding=base64.b64encode(vector.astype("<f4").tobytes()).decode()
            if form == "base64"
            else vector.astype(float).tolist(),
        )
        for place, vector in enumerate(vectors)
    ]


def _describe(engine: SearchEngine, space: EncoderSpace) -> schemas.ModelInfo:
    return schemas.ModelInfo(
        id=space.name,
        created=int(datetime.fromisoformat(engine.opened.manifest.created_at).timestamp()),
        dim=space.entry.dim,
        languages=list(space.encoders.spec.languages),
        space=space.entry.space,
    )
