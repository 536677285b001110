"""Several searches in one request, and searches with vectors of one's own."""

import base64
import json
import math

import anyio
import numpy as np
import pytest
from fastapi.testclient import TestClient

from api.client import AsyncClient, Client
from api.config import Settings
from api.http.app import create_app
from api.schemas import ClauseIn, Problem, SearchResponse
from api.search.engine import SearchEngine
from api.search.errors import InvalidQuery
from api.search.query import Clause, Query
from indexer.config import IndexerSettings
from indexer.pipeline.commands import BuildOptions, build


@pytest.fixture(scope="module")
def app(library):
    return create_app(Settings(data=library))


@pytest.fixture(scope="module")
def http(app, processes):
    with TestClient(app) as client:
        yield client


def body(text: str, **options) -> dict:
    return {"clauses": [{"text": text}], **options}


def ask(http, *searches, headers=None):
    return http.post("/v1/search/batch", json={"searches": searches}, headers=headers)


def refusal(answer) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


# Batches


def test_answers_come_in_order_and_are_those_of_single_searches(http, photographs):
    cat = base64.b64encode((photographs / "cat.png").read_bytes()).decode()
    searches = [
        body("一只猫", k=2),
        body("a rocket", where="format=jpeg"),
        {"clauses": [{"image": cat}, {"text": "花", "weight": -0.5}]},
        body("a street without people", offset=3, k=3, hide_duplicates=True),
    ]
    answers = ask(http, *searches).raise_for_status().json()["answers"]
    assert len(answers) == len(searches)
    for one, answer in zip(searches, answers, strict=True):
        alone = http.post("/v1/search", json=one).raise_for_status().json()
        assert {**answer, "timings_ms": None} == {**alone, "timings_ms": None}


def test_one_that_cannot_be_answered_does_not_fail_the_others(http):
    answers = ask(
        http,
        body("一只猫"),
        body("a cat", k=1000),
        body("  "),
        {"clauses": [{"image_id": 9999}]},
        body("a cat", where="nonsense>3"),
        {"clauses": [{"image": "?"}]},
        {"clauses": [{"upload": "sha256-1"}]},
        {"words": "a cat"},
        body("a cat", encoders=["starter"], spaces=["other"]),
        body("a cat", k=1),
        headers={"accept-language": "zh"},
    )
    found = answers.raise_for_status().json()["answers"]
    assert [one.get("code") for one in found] == [
        *(None, "invalid_request", "invalid_query", "image_not_found", "invalid_filter", "invalid_query"),
        *("upload_gone", "invalid_request", "invalid_query", None),
    ]
    assert found[3]["status"] == 404
    assert "9999" in found[3]["detail"]
    assert "图片" in found[3]["detail"]
    assert found[1]["detail"].startswith("k")
    assert found[3]["request_id"] == answers.headers["x-request-id"]
    assert len(found[9]["hits"]) == 1


@pytest.mark.parametrize(
    "searches",
    [
        [],
        [body("a cat")] * 65,
        ["a cat"],
        [{"clauses": [{"text": "a cat"}] * 16}] * 17,
        [{"clauses": [{"text": "a" * 500}] * 2}] * 33,
        [body("a cat", k=500)] * 11,
        [body("a cat", offset=600_000)] * 2,
    ],
    ids=["none", "too many", "no object", "clauses", "characters", "hits", "pages"],
)
def test_what_costs_too_much_is_a_problem_of_the_whole_request(http, searches):
    assert refusal(ask(http, *searches))[0] == 422


def test_what_is_asked_together_is_encoded_together(http, app):
    metric = 'xuntu_encode_batch_size_count{tower="text"}'

    def count() -> float:
        lines = http.get("/metrics").text.splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(metric))

    before = count()
    assert len(ask(http, *(body(f"a cat {number}") for number in range(32))).json()["answers"]) == 32
    assert count() - before <= 2


def test_a_batch_with_pictures_counts_as_one_and_without_a_library_it_is_a_problem(http, app, tmp_path, photographs):
    cat = base64.b64encode((photographs / "cat.png").read_bytes()).decode()
    admission = app.state.libraries.admission
    room = admission._rooms["picture"]
    room.inside += room.limit
    try:
        assert refusal(ask(http, {"clauses": [{"image": cat[:100]}]}, body("a cat"))) == (503, "overloaded")
        assert ask(http, body("a cat")).status_code == 200
    finally:
        room.inside -= room.limit
    with TestClient(create_app(Settings(data=tmp_path))) as empty:
        assert refusal(ask(empty, body("a cat"))) == (503, "no_index")


def test_the_clients_ask_several_at_once_send_pictures_and_read_vectors(library, photographs, serve_app):
    url = serve_app(create_app(Settings(data=library)))
    with Client(url) as client:
        found = client.search_batch(["一只猫", {"clauses": [{"text": "a cat"}], "k": 999}])
        assert [type(one) for one in found] == [SearchResponse, Problem]
        kept = client.upload(photographs / "cat.png")
        assert client.search(upload=kept.id, k=1).hits[0].path == "cat.png"
        assert client.search(ClauseIn(upload=kept.id), k=1, explain=True).hits[0].explanation.scores
        assert client.upload_thumbnail(kept.id)[8:12] == b"WEBP"
        cat = found[0].hits[0]
        vector = client.vector(cat.id, encoder="starter").vector
        clause = Clause(vector=np.array(vector))
        assert client.search(clause, k=1).hits[0].path == "cat.png"
        part = client.similar(cat.id, crop=(0, 0, 200, 200), k=2)
        assert cat.id not in [hit.id for hit in part.hits]
        assert client.delete_upload(kept.id) is None

    async def run():
        async with AsyncClient(url) as client:
            kept = await client.upload(photographs / "cat.png")
            hits = (await client.search(upload=kept.id, k=1)).hits
            batch = await client.search_batch(["一只猫"])
            await client.delete_upload(kept.id)
            return hits[0].path, batch[0].hits[0].path, len((await client.vector(hits[0].id)).vector)

    assert anyio.run(run) == ("cat.png", "cat.png", len(vector))


# Vectors


def test_a_picture_s_vector_finds_it(http, library):
    cat = http.get("/v1/search?q=一只猫&k=1").json()["hits"][0]["id"]
    found = http.get(f"/v1/images/{cat}/vector").raise_for_status().json()
    assert (found["id"], found["encoder"], found["dim"]) == (cat, "starter", len(found["vector"]))
    assert math.hypot(*found["vector"]) == pytest.approx(1, abs=1e-5)
    packed = http.get(f"/v1/images/{cat}/vector?format=packed&encoder=starter").json()
    assert packed["vector"] is None
    exact = np.frombuffer(base64.b64decode(packed["packed"]), "<f4")
    assert np.array_equal(exact, np.array(found["vector"], np.float32))
    for vector in (found["vector"], [1_000 * one for one in found["vector"]], packed["packed"]):
        answer = http.post("/v1/search", json={"clauses": [{"vector": vector}]}).raise_for_status().json()
        assert answer["hits"][0]["id"] == cat
        assert answer["hits"][0]["score"] == pytest.approx(1, abs=1e-5)
        assert answer["hits"][0]["relevance"] is None
    assert refusal(http.get("/v1/images/9999/vector")) == (404, "image_not_found")
    assert refusal(http.get(f"/v1/images/{cat}/vector?encoder=other")) == (422, "invalid_query")
    assert refusal(http.get(f"/v1/images/{cat}/vector?format=csv")) == (422, "invalid_request")


@pytest.mark.parametrize(
    ("clause", "code"),
    [
        ({"vector": [1, 2, 3]}, "invalid_query"),
        ({"vector": []}, "invalid_request"),
        ({"vector": "?"}, "invalid_query"),
        ({"vector": base64.b64encode(b"12345").decode()}, "invalid_query"),
        ({"vector": "ones", "encoder": "other"}, "invalid_query"),
        ({"vector": "ones", "text": "a cat"}, "invalid_query"),
        ({"vector": "ones", "crop": {"x": 0, "y": 0, "width": 1, "height": 1}}, "invalid_query"),
        ({"vector": "zeros"}, "invalid_query"),
        ({"vector": "nan"}, "invalid_query"),
        ({"text": "a cat", "encoder": "starter"}, "invalid_query"),
    ],
)
def test_a_vector_that_cannot_be_used_has_its_sentence(http, library, clause, code):
    dim = http.get("/v1/index").json()["encoder"]["dim"]
    made = {"ones": [1.0] * dim, "zeros": [0.0] * dim, "nan": [math.nan] * dim}.get(str(clause.get("vector")))
    given = json.dumps({"clauses": [{**clause, "vector": made} if made else clause]})
    answer = http.post("/v1/search", content=given, headers={"content-type": "application/json"})
    assert refusal(answer) == (422, code)


@pytest.fixture(scope="module")
def two(photographs, tmp_path_factory):
    """A library of two encoders."""
    folder = tmp_path_factory.mktemp("two")
    build(IndexerSettings(data=folder, workers=0), [photographs], BuildOptions(encoders=["starter", "hash"]))
    return SearchEngine.open(folder)


def test_only_the_encoder_whose_vector_it_is_answers_and_clauses_add_up(two):
    _, vector = two.get_vector(3, "hash")
    given = Clause(vector=vector.tolist(), encoder="hash")
    found = two.search(Query(clauses=[given], k=3))
    assert (found.encoders, found.hits[0].id) == (["hash"], 3)
    _, other = two.get_vector(5, "hash")
    mixed = two.search(Query(clauses=[given, Clause(vector=(9 * other).tolist(), encoder="hash", weight=0.5)]))
    total = vector + 0.5 * other
    expected = vector @ total / np.linalg.norm(total)
    assert next(hit.score for hit in mixed.hits if hit.id == 3) == pytest.approx(expected, abs=1e-5)
    fused = two.search(Query(clauses=[given, Clause(text="a cat")]))
    assert set(fused.encoders) == {"hash", "starter"}
    away = two.search(Query(clauses=[Clause(text="a cat"), Clause(vector=given.vector, encoder="hash", weight=-1)]))
    assert set(away.encoders) == {"hash", "starter"}


def test_with_several_encoders_a_vector_names_its_own(two):
    _, vector = two.get_vector(3, "hash")
    with pytest.raises(InvalidQuery, match="Say whose vector it is"):
        two.search(Query(clauses=[Clause(vector=vector.tolist())]))
    with pytest.raises(InvalidQuery, match="only starter"):
        two.search(Query(clauses=[Clause(vector=vector.tolist(), encoder="hash")], encoders=["starter"]))
