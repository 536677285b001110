"""Embeddings and models in the shape of OpenAI's API, as its own client and ours ask for them."""

import base64

import anyio
import httpx
import numpy as np
import openai
import pytest
from starlette.responses import PlainTextResponse

import xuntu
from api.config import Settings
from api.http.app import create_app
from api.search.engine import SearchEngine
from api.search.query import Clause, Query

TEXTS = ["一只猫", "a rocket"]


@pytest.fixture(scope="module")
def url(library, serve_app) -> str:
    return serve_app(create_app(Settings(data=library)))


@pytest.fixture(scope="module")
def client(url):
    with openai.OpenAI(base_url=f"{url}/v1", api_key="not looked at", max_retries=0) as made:
        yield made


@pytest.fixture(scope="module")
def expected(library, photographs):
    """The vectors of TEXTS, and that of a picture of the library, as a library on this machine makes them."""
    with xuntu.open(library) as opened:
        return np.vstack([opened.encode_text(*TEXTS), opened.encode_image(photographs / "cat.png")])


@pytest.fixture(scope="module")
def cat(photographs) -> str:
    return base64.b64encode((photographs / "cat.png").read_bytes()).decode()


def vectors(answer) -> np.ndarray:
    assert [one.index for one in answer.data] == list(range(len(answer.data)))
    return np.array([one.embedding for one in answer.data], np.float32)


def ask(url, **body):
    return httpx.post(f"{url}/v1/embeddings", json=body)


def assert_problem(response, status, code):
    assert (response.status_code, response.json()["code"]) == (status, code), response.text
    return response.json()["detail"]


@pytest.mark.parametrize("form", [{}, {"encoding_format": "float"}, {"encoding_format": "base64"}])
def test_the_client_of_openai_gets_the_vectors_of_texts(client, expected, form):
    answer = client.embeddings.create(input=TEXTS, model="default", **form)
    if form.get("encoding_format") == "base64":
        found = np.stack([np.frombuffer(base64.b64decode(one.embedding), "<f4") for one in answer.data])
    else:  # without a form it asks for base64, and reads it
        found = vectors(answer)
    assert found == pytest.approx(expected[:2], abs=1e-5)
    assert np.linalg.norm(found, axis=1) == pytest.approx(1, abs=1e-5)
    assert (answer.object, answer.model, answer.usage.total_tokens) == ("list", "starter", 0)


def test_a_text_may_stand_alone(client, expected):
    answer = client.embeddings.create(input=TEXTS[0], model="starter", dimensions=expected.shape[1])
    assert vectors(answer) == pytest.approx(expected[:1], abs=1e-5)


def test_pictures_and_texts_are_embedded_together(url, expected, cat):
    uri = f"data:image/png;base64,{cat}"
    pictures = [
        {"image": cat},
        {"image": uri},
        {"type": "image_url", "image_url": {"url": uri, "detail": "low"}},
        {"image_url": uri},
    ]
    answer = ask(url, input=[*pictures, TEXTS[0], {"type": "text", "text": TEXTS[1]}]).raise_for_status().json()
    found = np.array([one["embedding"] for one in answer["data"]])
    assert found == pytest.approx(expected[[2, 2, 2, 2, 0, 1]], abs=1e-4)
    alone = ask(url, input=pictures[0]).raise_for_status().json()
    assert alone["data"][0]["embedding"] == pytest.approx(expected[2].tolist(), abs=1e-4)


def test_a_text_is_embedded_as_it_is(url, library):
    texts = ["2024年5月", "a cat without flowers"]
    found = ask(url, input=texts).raise_for_status().json()
    engine = SearchEngine.open(library)
    for text, one in zip(texts, found["data"], strict=True):
        query = Query(clauses=[Clause(text=text)], literal=True, match="vector", k=1, hub_correction=False)
        best = engine.search(query).hits[0]
        _, vector = engine.get_space().index, engine.get_space().index.fetch(np.array([best.id]))[0]
        assert float(np.dot(one["embedding"], vector)) == pytest.approx(best.score, abs=1e-5)


def test_models_are_the_encoders_of_the_library(client, expected):
    (model,) = client.models.list()
    assert (model.id, model.object, model.owned_by) == ("starter", "model", "xuntu")
    assert (model.dim, model.languages) == (expected.shape[1], ["zh", "en"])
    for name in ("starter", "default"):
        assert client.models.retrieve(name) == model


def test_what_the_service_refuses_is_an_exception_of_the_client(client):
    with pytest.raises(openai.NotFoundError, match="nobody") as caught:
        client.embeddings.create(input="a cat", model="nobody")
    assert caught.value.code == "model_not_found"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("nobody")
    with pytest.raises(openai.UnprocessableEntityError, match="256 dimensions"):
        client.embeddings.create(input="a cat", model="default", dimensions=12)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"input": [1, 2, 3]}, "tokens are not taken"),
        ({"input": [[1, 2, 3]]}, "tokens are not taken"),
        ({"input": 7}, "tokens are not taken"),
        ({"input": []}, "at least 1"),
        ({"input": ["a cat"] * 65}, "at most 64"),
        ({}, "Field required"),
        ({"input": {}}, "exactly one"),
        ({"input": {"text": "a cat", "image": "aGk="}}, "exactly one"),
        ({"input": "a cat", "encoding_format": "int8"}, "float"),
        ({"input": "a cat", "surprise": 1}, "Extra"),
    ],
)
def test_what_cannot_be_read_is_said(url, body, said):
    assert said in assert_problem(ask(url, **body), 422, "invalid_request")


@pytest.mark.parametrize(
    ("one", "code", "said"),
    [
        ("", "invalid_query", "empty"),
        ("猫" * 501, "invalid_query", "501"),
        ({"image": "no base64!"}, "invalid_query", "not base64"),
        ({"image": "bm8gcGljdHVyZQ=="}, "unreadable_image", "not a picture"),
        ({"image_url": {"url": "http://pictures.test/cat.jpg"}}, "invalid_query", "fetches no addresses"),
        ({"image_url": "file:///etc/passwd"}, "invalid_query", "fetches no addresses"),
    ],
)
def test_what_cannot_be_embedded_is_said(url, one, code, said):
    assert said in assert_problem(ask(url, input=["a cat", one]), 422, code)


def test_it_is_said_in_chinese(url):
    headers = {"Accept-Language": "zh"}
    for body in ({"input": "a cat", "model": "nobody"}, {"input": [1]}, {"input": "a cat", "dimensions": 3}):
        answer = httpx.post(f"{url}/v1/embeddings", json=body, headers=headers)
        assert any("\u4e00" <= letter <= "\u9fff" for letter in answer.json()["detail"]), answer.text


def test_many_who_ask_at_once_get_their_own(url, expected):
    async def run():
        async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="-") as client:
            found = {}

            async def one(place):
                text = TEXTS[place % 2]
                found[place] = vectors(await client.embeddings.create(input=[text] * 3, model="default"))

            async with anyio.create_task_group() as tasks:
                for place in range(12):
                    tasks.start_soon(one, place)
            return found

    for place, found in anyio.run(run).items():
        assert found == pytest.approx(np.repeat(expected[[place % 2]], 3, axis=0), abs=1e-4)


def test_the_client_of_openai_asks_again_where_there_was_no_room(library, serve_app):
    app, refused = create_app(Settings(data=library)), []

    async def refuse_once(scope, receive, send):
        if scope["type"] == "http" and not refused:
            refused.append(scope["path"])
            await PlainTextResponse("full", 503, {"Retry-After": "0"})(scope, receive, send)
        else:
            await app(scope, receive, send)

    with openai.OpenAI(base_url=f"{serve_app(refuse_once)}/v1", api_key="-", max_retries=1) as client:
        assert len(client.embeddings.create(input="a cat", model="default").data) == 1
    assert refused == ["/v1/embeddings"]


def test_a_token_is_the_key(library, serve_app):
    url = serve_app(create_app(Settings(data=library, api={"token": "s3cret"})))
    with openai.OpenAI(base_url=f"{url}/v1", api_key="wrong", max_retries=0) as client:
        with pytest.raises(openai.AuthenticationError, match="token"):
            client.embeddings.create(input="a cat", model="default")
        right = client.with_options(api_key="s3cret")
        assert len(right.embeddings.create(input="a cat", model="default").data) == 1
