"""Hub correction in searches: how much it counts in which query, and how it is switched off."""

import json
import urllib.request
from urllib.parse import urlencode

import numpy as np
import pytest

from api.evaluation.library import Asking
from api.search.engine import SearchEngine
from api.search.plan import QueryPart, sum_parts
from api.search.query import Clause, Query
from indexer.library.opened import open_build
from indexer.pipeline.query_bank import encode_query_bank
from models.foundation.vectors import l2_normalize

A, B, PICTURE = l2_normalize(np.random.default_rng(0).standard_normal((3, 32)))
CAT = [Clause(text="一只猫")]


@pytest.fixture(scope="module")
def engine(library) -> SearchEngine:
    return SearchEngine.open(library)


def scores(engine, query) -> dict[int, float]:
    return {hit.id: hit.score for hit in engine.search(query).hits}


@pytest.mark.parametrize(
    ("parts", "texts"),
    [
        ([QueryPart(1.0, "en", A)], 1.0),
        ([QueryPart(2.5, "zh", A)], 2.5),
        ([QueryPart(1.0, None, A)], 1.0),
        ([QueryPart(1.0, "zh", A), QueryPart(1.0, "en", B)], 2.0),
        ([QueryPart(2.0, "zh", A), QueryPart(-0.5, "en", B)], 1.5),
        ([QueryPart(0.5, "zh", A), QueryPart(-2.0, "en", B)], 0.0),
        ([QueryPart(1.0, "picture", PICTURE)], 0.0),
        ([QueryPart(1.0, "picture", PICTURE), QueryPart(0.5, "en", B)], 0.5),
        ([QueryPart(-1.0, "picture", PICTURE), QueryPart(1.0, "en", B)], 1.0),
    ],
)
def test_offsets_weigh_as_much_as_the_texts_of_a_query(parts, texts):
    total = np.sum([part.weight * part.vector for part in parts], axis=0)
    query = sum_parts(parts, hub_correction=True)
    assert (query.vector.shape, query.vector.dtype) == ((1, 32), np.float32)
    np.testing.assert_allclose(query.vector[0], total / np.linalg.norm(total), rtol=0, atol=1e-6)
    assert query.offset_weight == pytest.approx(texts / np.linalg.norm(total), rel=1e-6)
    assert sum_parts(parts, hub_correction=False).offset_weight == 0


def test_a_corrected_sum_is_the_sum_of_corrected_scores():
    rows = l2_normalize(np.random.default_rng(1).standard_normal((50, 32)))
    offsets = np.random.default_rng(2).uniform(-0.3, 0, 50)
    parts = [QueryPart(2.0, "zh", A), QueryPart(-0.5, "en", B), QueryPart(1.0, "picture", PICTURE)]
    query = sum_parts(parts, hub_correction=True)
    expected = 2 * (rows @ A + offsets) - 0.5 * (rows @ B + offsets) + rows @ PICTURE
    length = np.linalg.norm(2 * A - 0.5 * B + PICTURE)
    found = rows @ query.vector[0] + query.offset_weight * offsets
    np.testing.assert_allclose(found, expected / length, rtol=0, atol=1e-5)


@pytest.fixture(scope="module")
def bank(engine):
    return encode_query_bank(engine.encoders.text)


def test_a_hit_of_a_text_scores_its_cosine_and_its_offset(engine, bank):
    index, text = engine.opened.index, engine.encoders.text
    assert engine.opened.entry.bank == bank.id
    plain = scores(engine, Query(clauses=CAT, hub_correction=False))
    corrected = scores(engine, Query(clauses=CAT))
    vectors = index.fetch(np.array(list(plain)))
    cosines = vectors @ text.encode_text(["一只猫"])[0]
    np.testing.assert_allclose(list(plain.values()), cosines, rtol=0, atol=2e-5)
    expected = dict(zip(plain, cosines + bank.measure(vectors), strict=True))
    np.testing.assert_allclose([corrected[number] for number in plain], list(expected.values()), rtol=0, atol=3e-5)
    assert list(corrected.values()) == sorted(corrected.values(), reverse=True)


@pytest.mark.parametrize("query", [Query(clauses=CAT, hub_correction=False), Query(clauses=CAT, min_score=-1)])
def test_a_query_may_ask_for_plain_cosines(library, engine, query):
    never = SearchEngine.open(library, hub_correction=False)
    assert scores(engine, query) == scores(never, Query(clauses=CAT)) != scores(engine, Query(clauses=CAT))


def test_pictures_are_ranked_by_their_cosines(engine):
    like = [Clause(image_id=int(engine.opened.index.list_ids()[0]))]
    assert scores(engine, Query(clauses=like)) == scores(engine, Query(clauses=like, hub_correction=False))


def test_words_and_vectors_fused_show_the_score_that_ranks(engine):
    alone, both = scores(engine, Query(clauses=CAT)), scores(engine, Query(clauses=CAT, match="both"))
    assert both == pytest.approx(alone, abs=2e-6)


def test_the_service_and_the_command_take_the_switch(library, server, serve, xuntu):
    opened = open_build(library)
    assert opened.entry.bank

    def ask(address: str, **more: str) -> dict[int, float]:
        with urllib.request.urlopen(f"{address}/v1/search?{urlencode({'q': '一只猫', **more})}") as response:
            return {hit["id"]: hit["score"] for hit in json.load(response)["hits"]}

    corrected, plain = ask(server), ask(server, hub_correction="false")
    assert corrected != plain
    assert ask(serve(library, XUNTU_HUB_CORRECTION="0")) == plain

    def command(*flags: str, **environment: str) -> dict[int, float]:
        done = xuntu("search", "一只猫", "--data", library, "--json", *flags, **environment)
        return {hit["id"]: hit["score"] for hit in json.loads(done.stdout)["hits"]}

    assert command() == corrected
    assert command("--no-hub-correction") == command(XUNTU_HUB_CORRECTION="0") == plain


def test_questions_are_asked_as_they_are_searched():
    assert Asking().make_query("a cat").hub_correction
    asking = Asking(hub_correction=False)
    assert not asking.make_query("a cat").hub_correction
    assert asking.to_dict()["hub_correction"] is False
