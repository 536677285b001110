"""Parameters that are read as one model: what the framework would make of them, and say of them."""

from typing import Annotated

import pytest
from fastapi import Depends, FastAPI, Query
from fastapi.testclient import TestClient
from pydantic import BaseModel

from api.http.parameters import parameters_of, reader_of
from api.http.routes.images import SimilarParams
from api.http.routes.search import SearchByWords


def ask_both(model: type[BaseModel]) -> TestClient:
    """Return a client of two routes: /theirs reads the model as the framework does, /ours with `reader_of`."""
    app = FastAPI()

    @app.get("/theirs/{number}")
    async def theirs(number: int, params: Annotated[model, Query()]) -> dict:
        return {"number": number, **params.model_dump()}

    @app.get("/ours/{number}", openapi_extra=parameters_of(model))
    async def ours(number: int, params: Annotated[model, Depends(reader_of(model))]) -> dict:
        return {"number": number, **params.model_dump()}

    return TestClient(app)


def without_input(answer: dict) -> dict:
    """Return an answer without what was given for fields that are wrong: no answer of the service repeats it."""
    wrong = answer.get("detail", [])
    return {**answer, "detail": [{key: value for key, value in one.items() if key != "input"} for one in wrong]}


@pytest.fixture(scope="module", params=[SearchByWords, SimilarParams])
def http(request):
    with ask_both(request.param) as client:
        yield client


@pytest.mark.parametrize(
    "query",
    [
        "",
        "q=",
        "q=%E4%B8%80%E5%8F%AA%E7%8C%AB&k=5&explain=true",
        "q=a&q=b",
        "fields=taken&fields=tags",
        "fields=taken,tags",
        "fields=",
        "formats=png&formats=jpeg&min_width=100&min_aspect=1.5",
        "min_score=0.25&hide_duplicates=yes&match=both",
        "k=0",
        "k=ten&offset=-1",
        "k=",
        "match=neither",
        "nobody=knows",
        "nobody=knows&nobody=this",
        "crop=none",
        f"where={'a' * 3000}",
        "&".join(["tags=a"] * 40),
    ],
)
def test_a_query_is_read_as_the_framework_reads_it(http, query):
    theirs, ours = (http.get(f"/{who}/7?{query}") for who in ("theirs", "ours"))
    assert ours.status_code == theirs.status_code
    assert without_input(ours.json()) == without_input(theirs.json())


def test_parameters_are_described_as_the_framework_describes_them(http):
    paths = http.get("/openapi.json").json()["paths"]
    theirs, ours = (paths[f"/{who}/{{number}}"]["get"]["parameters"] for who in ("theirs", "ours"))
    assert len(ours) > 10
    assert ours == theirs
