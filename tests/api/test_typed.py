"""What is typed into one box, at every door that a person types at."""

import anyio
import pytest
from fastapi.testclient import TestClient

import xuntu
from api.client import AsyncClient, Client
from api.config import Settings
from api.http.app import create_app


@pytest.fixture(scope="module")
def app(library):
    return create_app(Settings(data=library))


@pytest.fixture(scope="module")
def http(app, processes):
    with TestClient(app) as client:
        yield client


def post(http, path="/v1/search", **body):
    return http.post(path, json=body).raise_for_status().json()


def ranked(answer) -> list[tuple[int, float]]:
    return [(hit["id"], hit["score"]) for hit in answer["hits"]]


TYPED = '动物 2:猫 -0.5:"a cup of coffee"'
CLAUSES = [
    {"text": "动物"},
    {"text": "猫", "weight": 2},
    {"text": "a cup of coffee", "weight": -0.5},
]


def test_every_route_reads_it_alike(http):
    asked = {"k": 9, "match": "vector"}
    expected = post(http, clauses=CLAUSES, **asked)
    got = http.get("/v1/search", params={"q": TYPED, **asked}).raise_for_status().json()
    posted = post(http, q=TYPED, **asked)
    both = post(http, q="动物", clauses=CLAUSES[1:], **asked)
    (batched,) = post(http, "/v1/search/batch", searches=[{"q": TYPED, **asked}])["answers"]
    assert ranked(expected) == ranked(got) == ranked(posted) == ranked(both) == ranked(batched)
    for answer in (got, posted, batched):
        read = [{"text": one["text"], "weight": one["weight"]} for one in answer["clauses"]]
        assert read == [{"weight": 1, **clause} for clause in CLAUSES]
    counted = [
        post(http, "/v1/facets", **body, **asked, min_relevance=0.1, fields=["format"], first=3)
        for body in ({"q": TYPED}, {"clauses": CLAUSES})
    ]
    assert counted[0] == counted[1]


def test_an_answer_says_where_in_it_a_clause_was_read(http):
    typed = "没有人的街道 -汽车"
    answer = post(http, q=typed, clauses=[{"image_id": 2}], k=1)
    read = [(one["source"], one["at"], one["text"]) for one in answer["clauses"]]
    assert read == [(0, [0, 6], "街道"), (0, [0, 6], "人"), (1, [7, 10], "汽车"), (2, None, None)]
    assert typed[7:10] == "-汽车"
    assert [one["at"] for one in post(http, clauses=[{"text": "猫"}], k=1)["clauses"]] == [None]
    apart = post(http, q="a street -people at night", k=1)["clauses"]
    assert [(one["at"], one["text"]) for one in apart] == [([0, 25], "a street at night"), ([9, 16], "people")]


def test_only_away_lists_what_is_farthest(http):
    away = post(http, q="-猫", k=9, match="vector")
    assert ranked(away) == ranked(post(http, clauses=[{"text": "猫", "weight": -0.5}], k=9, match="vector"))
    assert away["hits"][-1]["path"] == "cat.png"


def test_nothing_typed_lists_everything(http):
    for body in ({"q": ""}, {"q": " 　"}, {}):
        answer = post(http, **body)
        assert (answer["total"], answer["clauses"]) == (9, [])


@pytest.mark.parametrize(
    ("body", "english", "chinese"),
    [
        ({"q": "-a " * 17}, "17 clauses are too many", "17 个"),
        ({"q": "-a " * 9, "clauses": [{"text": "b"}] * 8}, "q asks for 9 things and there are 8", "q 中有 9 项"),
        ({"q": "猫" * 501}, "501", "501"),
        ({"q": "猫" * 8001}, "8000", "8000"),
        ({"q": "16:猫"}, "weight 16", "权重 16"),
        ({"q": "\u200b"}, "empty", "没有输入文字"),
    ],
)
def test_what_cannot_be_asked_is_said_in_both_languages(http, body, english, chinese):
    for language, sentence in (("en", english), ("zh", chinese)):
        answers = [http.post("/v1/search", json=body, headers={"Accept-Language": language})]
        if "clauses" not in body and len(body["q"]) < 8_000:
            answers.append(http.get("/v1/search", params=body, headers={"Accept-Language": language}))
        for answer in answers:
            assert answer.status_code == 422
            assert sentence in answer.json()["detail"].replace(",", "")


def test_half_a_character_says_nothing(http):
    answer = http.post(
        "/v1/search", content='{"q": "猫\\ud800 -人", "k": 1}'.encode(), headers={"Content-Type": "application/json"}
    )
    assert [one["text"] for one in answer.raise_for_status().json()["clauses"]] == ["猫", "人"]


def test_a_batch_counts_it(http):
    for searches in ([{"q": "-a " * 16}] * 17, [{"q": "猫" * 500}] * 65, [{"q": "x" * 7_000}] * 5):
        assert http.post("/v1/search/batch", json={"searches": searches}).status_code == 422


def test_python_has_it_on_both_sides(app, serve_app, library):
    url = serve_app(create_app(Settings(data=library)))

    async def ask():
        async with AsyncClient(url) as client:
            hits = [hit async for hit in client.search_all(q=TYPED, match="vector")]
            return await client.search(q=TYPED, match="vector", k=9), hits

    answer, everything = anyio.run(ask)
    with Client(url) as client, xuntu.open(library) as opened:
        assert client.search(q=TYPED, match="vector", k=9).hits == answer.hits == everything
        mixed = client.search("2:猫", q="动物", match="vector", k=9)
        assert [(one.text, one.weight, one.at) for one in mixed.clauses] == [("动物", 1, (0, 2)), ("猫", 2, None)]
        assert client.search_facets(q="-猫", names=["format"]).total == 9
        same = opened.search(q=TYPED, match="vector", k=9)
        assert [(hit.id, hit.score) for hit in same.hits] == [(hit.id, hit.score) for hit in answer.hits]
        one_text = client.search("动物 -3d 2:猫", match="vector", k=1)  # a text by itself is one, as it was
        assert [one.text for one in one_text.clauses] == ["动物 -3d 2:猫"]
