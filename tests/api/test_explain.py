"""What scores and places are made of: shares add up to what was computed, for every kind of search."""

import base64
import csv
import json

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from api.config import Settings
from api.http.app import create_app
from api.search.engine import SearchEngine
from api.search.query import Clause, Query
from indexer.config import IndexerSettings
from indexer.pipeline.commands import BuildOptions, build
from models.pictures.parts import FIRST_REGION

CAPTIONS = {
    "2023-05-03 cat.png": ("cat.png", "a cat on a sofa"),
    "2021-07-01 coffee.png": ("coffee.png", "a cup of coffee, no cat"),
    "rocket.png": ("rocket.jpg", "a rocket before the launch"),
    "flower.png": ("flower.jpg", ""),
    "china.png": ("china.jpg", ""),
}


@pytest.fixture(scope="module")
def data(photographs, tmp_path_factory):
    """A library of two encoders, with regions, captions and dates. In one picture there is a small cat."""
    folder = tmp_path_factory.mktemp("explain")
    with (folder / "list.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "caption"])
        for name, (photograph, caption) in CAPTIONS.items():
            Image.open(photographs / photograph).convert("RGB").resize((240, 180)).save(folder / name)
            rows.writerow([name, caption])
        pair = Image.open(photographs / "coffee.png").convert("RGB").resize((520, 400))
        pair.paste(Image.open(photographs / "cat.png").convert("RGB").resize((200, 133)), (310, 10))
        pair.save(folder / "pair.png")
        rows.writerow(["pair.png", ""])
    settings = IndexerSettings(data=folder / "data", workers=0, regions=True)
    build(settings, [folder / "list.csv"], BuildOptions(encoders=["starter", "hash"]))
    return folder / "data"


@pytest.fixture(scope="module")
def engine(data):
    return SearchEngine.open(data)


@pytest.fixture(scope="module")
def fusing(data):
    """The same, asking both encoders."""
    return SearchEngine.open(data, routing="zh=starter+hash en=starter+hash picture=starter+hash")


@pytest.fixture(scope="module")
def cat(photographs) -> bytes:
    return (photographs / "cat.png").read_bytes()


def explain(engine, *clauses, **options):
    """Ask, hold every sum to what was computed, and return the result."""
    query = Query(clauses=clauses, explain=True, **{"k": 6, **options})
    result = engine.search(query)
    assert result.hits
    places = []
    for hit in [*result.hits, *result.nearest]:
        found = hit.explanation
        for one in found.scores:
            assert sum(share.share for share in one.shares) == pytest.approx(one.score, abs=2e-6)
            for share in one.shares:
                if share.kind == "clause":
                    assert share.share == pytest.approx(share.weight * share.similarity, abs=1e-9)
                    assert (share.weight > 0) == (result.clauses[share.clause].clause.weight > 0)
        shown = found.scores[0].score if found.scores else 0.0
        assert hit.score == pytest.approx(shown, abs=2e-6)
        if found.fused is not None:
            assert sum(one.share for one in found.rankings) == pytest.approx(found.fused, abs=1e-12)
        places.append(shown if found.fused is None else found.fused)
    assert places == sorted(places, reverse=True)
    plain = engine.search(Query(clauses=clauses, **{"k": 6, **options}))
    assert [(hit.id, hit.score) for hit in plain.hits] == [(hit.id, hit.score) for hit in result.hits]
    assert all(hit.explanation is None for hit in plain.hits)
    return result


def shares(hit, number=0):
    return {(one.kind, one.clause): one for one in hit.explanation.scores[number].shares}


def test_of_vectors_alone_each_clause_and_the_hub_correction(engine):
    clauses = [Clause(text="a cat", weight=2), Clause(text="雪山", weight=-0.5)]
    result = explain(engine, *clauses, match="vector", literal=True)
    for hit in result.hits:
        found = shares(hit)
        assert found.keys() == {("clause", 0), ("clause", 1), ("hub_correction", None)}
        assert hit.explanation.fused is None
        assert found["clause", 0].weight == pytest.approx(-4 * found["clause", 1].weight)
    without = explain(engine, *clauses, match="vector", literal=True, hub_correction=False)
    assert all(("hub_correction", None) not in shares(hit) for hit in without.hits)


def test_of_negation_in_words_the_clause_that_it_became(engine):
    result = explain(engine, Clause(text="a street without people"), match="vector")
    assert [read.clause.text for read in result.clauses] == ["a street", "people"]
    assert {kind for kind, _ in shares(result.hits[0])} == {"clause", "hub_correction"}
    assert shares(result.hits[0])["clause", 1].weight < 0


def test_of_a_region_what_is_taken_off(engine, cat):
    result = explain(engine, Clause(image=cat), match="vector")
    pair = next(hit for hit in result.hits if hit.path == "pair.png")
    (score,) = pair.explanation.scores
    assert score.part == pair.part.number >= FIRST_REGION
    assert shares(pair)["region", None].share < 0
    whole = result.hits[0].explanation.scores[0]
    assert (whole.part, [one.kind for one in whole.shares]) == (0, ["clause"])


def test_of_several_encoders_the_rank_in_each(fusing, cat):
    result = explain(fusing, Clause(text="a cat"), Clause(image=cat, weight=3), Clause(text="雪", weight=-1))
    for hit in result.hits:
        assert [one.encoder for one in hit.explanation.scores] == ["starter", "hash"]
        by = {one.encoder: one for one in hit.explanation.rankings if one.by == "vectors"}
        assert by.keys() == {"starter", "hash"}
        assert all(one.share == one.weight / (60 + one.rank) for one in by.values())
        assert {clause for kind, clause in shares(hit, 1) if kind == "clause"} == {0, 1, 2}


def test_of_everything_the_words_and_what_is_preferred(engine):
    result = explain(engine, Clause(text="a cat in 2023"), Clause(text="a rocket", weight=-1))
    first = result.hits[0]
    assert first.path == "2023-05-03 cat.png"
    preferred = next(one for one in first.explanation.rankings if one.by == "preference")
    assert (preferred.rank, preferred.said) == (1, ("in 2023",))
    assert {one.by for hit in result.hits for one in hit.explanation.rankings} == {"vectors", "words", "preference"}
    dated = explain(engine, Clause(text="拍摄于2023年5月"), Clause(text="a cat", weight=-1))
    assert shares(dated.hits[0]).keys() == {("clause", 1)}  # the first is a date, which no picture shows
    unknown = explain(engine, Clause(text="2023"), Clause(text="a cat", weight=-1))
    assert unknown.hits[0].explanation.scores == ()  # what it may show is not understood


@pytest.mark.parametrize("match", ["text", "both"])
def test_of_words_their_rank(engine, match):
    result = explain(engine, Clause(text="cat"), match=match)
    said = next(hit for hit in result.hits if hit.path == "2023-05-03 cat.png")
    assert "words" in [one.by for one in said.explanation.rankings]
    explain(engine, Clause(text="cat"), match=match, hide_duplicates=True)


def test_a_vector_that_is_given_has_its_share(engine):
    _, vector = engine.get_vector(engine.search(Query(clauses=[Clause(text="a cat")])).hits[0].id, "starter")
    given = Clause(vector=(3 * vector).tolist(), encoder="starter", weight=2)
    result = explain(engine, given, Clause(text="a cup"), match="vector", encoders=["starter"])
    assert shares(result.hits[0])["clause", 0].similarity == pytest.approx(1, abs=1e-5)


def test_over_http_and_on_the_command_line(data, cat, xuntu):
    with TestClient(create_app(Settings(data=data))) as http:
        asked = {"clauses": [{"text": "a cat"}, {"image": base64.b64encode(cat).decode()}], "explain": True}
        by_body = http.post("/v1/search", json=asked).raise_for_status().json()["hits"]
        by_address = http.get("/v1/search?q=a+cat&explain=true").raise_for_status().json()["hits"]
        assert http.get("/v1/search?q=a+cat").json()["hits"][0]["explanation"] is None
    for hit in by_body + by_address:
        for score in hit["explanation"]["scores"]:
            assert sum(one["share"] for one in score["shares"]) == pytest.approx(score["score"], abs=2e-6)
    done = xuntu("search", "--data", data, "a cat", "--explain", "--json")
    assert [hit["explanation"] for hit in json.loads(done.stdout)["hits"]] == [hit["explanation"] for hit in by_address]
    said = xuntu("search", "--data", data, "a cat", "--explain").stdout
    assert "a cat" in said
    assert "hub correction" in said
