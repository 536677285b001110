"""How likely hits are right, and "no good match": on a real library with calibrations made for it, at every door."""

import json
import logging
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import pytest
from fastapi.testclient import TestClient

from api.config import Settings
from api.http.app import create_app
from api.search.engine import SearchEngine
from api.search.errors import InvalidQuery
from api.search.plan import QueryVector
from api.search.query import Clause, Query, parse_terms
from api.search.relevance_scoring import RelevanceScorer, WantedClause
from api.search.retrievers.retriever import Ranking
from models.encoders import starter
from models.relevance.curves import Calibration, Fit
from models.relevance.reference_pictures import read_reference

CAT, COFFEE = "一只猫", "a cup of coffee"
PICTURE = 2  # the first of the library's files is broken


@pytest.fixture(scope="module")
def data(library, tmp_path_factory) -> Path:
    return Path(shutil.copytree(library, tmp_path_factory.mktemp("calibrated") / "library"))


@pytest.fixture(scope="module")
def engine(data) -> SearchEngine:
    return SearchEngine.open(data)


@pytest.fixture(scope="module")
def at(make_fit) -> Callable[..., Fit]:
    """Return what gives a fit of which all holds; right and wrong pictures are as likely at a score."""
    return make_fit


@pytest.fixture
def blind(at) -> Fit:
    """A fit of which nothing holds."""
    return at(auroc=0.55, auroc_low=0.5, auroc_high=0.6, likely=None)


@pytest.fixture
def teach(data, engine, blind):
    """Put a calibration into the library; without kinds, one that can tell nothing."""

    def put(*, hub_correction: bool | None = None, fingerprint: str = "", **kinds: Fit) -> None:
        entry = engine.opened.entry
        path = engine.opened.layout.relevance(entry.encoder, entry.fingerprint)
        path.parent.mkdir(exist_ok=True)
        corrected = engine.hub_correction if hub_correction is None else hub_correction
        calibration = Calibration(
            encoder=entry.encoder,
            fingerprint=fingerprint or entry.fingerprint,
            hub_correction=corrected,
            source="questions",
            created_at="2026-11-20T09:03:00+00:00",
            kinds={"zh": blind, "en": blind, "picture": blind, **kinds},
        )
        path.write_bytes(calibration.to_json())

    yield put
    shutil.rmtree(data / "relevance", ignore_errors=True)


def ask(engine, *terms, **more):
    return engine.search(Query(clauses=parse_terms(terms), **{"k": 9, "match": "vector", **more}))


def codes(result) -> list[str]:
    return [note.code for note in result.notes]


def expected(fit: Fit, hits, *, level: float = 0.0) -> list[float]:
    """Return the relevance of all hits of a query in the library."""
    scores = np.array([hit.score for hit in hits], np.float32).astype(float)
    return fit.read(scores, len(scores), level).relevances(scores).tolist()


def between(hits, place: int) -> float:
    """Return the middle of the scores of a hit and the one before it."""
    return (hits[place - 1].score + hits[place].score) / 2


def test_every_hit_has_the_relevance_of_its_score(engine, teach, at):
    teach(zh=at(0.2))
    result = ask(engine, CAT)
    assert [hit.relevance for hit in result.hits] == pytest.approx(expected(at(0.2), result.hits), abs=1.5e-3)
    assert [hit.relevance for hit in result.hits] == sorted((hit.relevance for hit in result.hits), reverse=True)


def test_min_relevance_leaves_out_what_is_less_likely(engine, teach, at):
    whole = ask(engine, CAT).hits
    teach(zh=at(between(whole, 3), is_steep=True))
    result = ask(engine, CAT, min_relevance=0.5)
    assert [hit.id for hit in result.hits] == [hit.id for hit in whole[:3]]
    assert (result.total, result.nearest, codes(result)) == (3, [], [])
    everything = ask(engine, CAT, min_relevance=0)
    assert (len(everything.hits), everything.total) == (9, 9)
    for hit in everything.hits:  # what is shown as a relevance may be asked for
        assert hit.id in [one.id for one in ask(engine, CAT, min_relevance=hit.relevance).hits]


def test_pages_and_conditions_count_matches_alone(engine, teach, at):
    whole = ask(engine, CAT).hits
    teach(zh=at(between(whole, 5), is_steep=True))
    pages = [ask(engine, CAT, min_relevance=0.5, k=2, offset=offset) for offset in (0, 2, 4, 6)]
    assert [[hit.id for hit in page.hits] for page in pages] == [
        [hit.id for hit in whole[start : min(start + 2, 5)]] for start in (0, 2, 4, 6)
    ]
    assert [(page.total, page.more) for page in pages] == [(5, True), (5, True), (5, False), (5, False)]
    assert not any(page.nearest or page.notes for page in pages)
    where = "format=png"
    kept = ask(engine, CAT, min_relevance=0.5, where=where)
    assert [hit.id for hit in kept.hits] == [hit.id for hit in whole[:5] if hit.path.endswith(".png")]
    assert kept.total == len(kept.hits)


def test_duplicates_are_hidden_among_matches(engine, teach, at):
    whole = ask(engine, CAT).hits
    teach(zh=at(between(whole, 4), is_steep=True))
    result = ask(engine, CAT, min_relevance=0.5, hide_duplicates=True)
    assert [hit.id for hit in result.hits] == [hit.id for hit in whole[:4]]
    none = ask(engine, CAT, min_relevance=1, hide_duplicates=True, k=3)
    assert (none.hits, [hit.id for hit in none.nearest]) == ([], [hit.id for hit in whole[:3]])


def test_where_nothing_reaches_it_the_nearest_are_given_apart(engine, teach, at):
    teach(zh=at(2.0))
    whole = ask(engine, CAT).hits
    for offset in (0, 4):
        result = ask(engine, CAT, min_relevance=0.7, k=3, offset=offset)
        assert (result.hits, result.total, result.more) == ([], 0, False)
        assert [hit.id for hit in result.nearest] == [hit.id for hit in whole[:3]]
        assert all(hit.relevance < 0.7 for hit in result.nearest)
        assert codes(result) == ["no_good_match"]
    assert "70 %" in result.notes[0].text("en")
    assert "70 %" in result.notes[0].text("zh")
    jpeg = ask(engine, CAT, min_relevance=0.7, where="format=jpeg")
    assert {hit.path for hit in jpeg.nearest} == {"rocket.jpg", "china.jpg", "flower.jpg"}
    nothing = ask(engine, CAT, min_relevance=0.7, where="width>=100000")
    assert (nothing.hits, nothing.nearest, codes(nothing)) == ([], [], [])  # no match, however near


def test_hits_of_which_even_the_best_is_a_poor_match_come_with_a_note(engine, teach, at):
    whole = ask(engine, CAT).hits
    nothing = whole[0].score + 0.3
    teach(zh=at(nothing))
    result = ask(engine, CAT)
    assert ([hit.id for hit in result.hits], codes(result)) == ([hit.id for hit in whole], ["no_good_match"])
    assert codes(ask(engine, CAT, k=2, offset=2)) == []  # said once
    teach(zh=at(nothing, no_match=None))
    assert codes(ask(engine, CAT)) == []  # where that does not hold, nothing is said
    teach(zh=at(nothing, reliability=(), likely=None))
    assert codes(ask(engine, CAT)) == ["no_good_match"]  # and may be, where nothing else is
    teach(zh=at(whole[0].score - 0.3))
    assert codes(ask(engine, CAT)) == []
    assert codes(ask(engine, CAT, min_relevance=0.1)) == []


def test_each_kind_of_query_has_its_own_curve(engine, teach, photographs, at):
    teach(zh=at(0.1), en=at(0.3), picture=at(0.5))
    for clauses, middle in (
        ([Clause(text=CAT)], 0.1),
        ([Clause(text="红色 dress")], 0.1),
        ([Clause(text="a cat")], 0.3),
        ([Clause(text="a cat", weight=2.5)], 0.3),
        ([Clause(image_id=PICTURE)], 0.5),
        ([Clause(image=(photographs / "cat.png").read_bytes())], 0.5),
    ):
        hits = engine.search(Query(clauses=clauses, k=9, match="vector")).hits
        assert [hit.relevance for hit in hits] == pytest.approx(expected(at(middle), hits), abs=1.5e-3)


def test_the_relevance_of_a_hit_is_the_same_on_every_page(engine, teach, at):
    teach(zh=at(0.2))
    whole = [(hit.id, hit.relevance) for hit in ask(engine, CAT).hits]
    pages = [ask(engine, CAT, k=2, offset=offset).hits for offset in range(0, 9, 2)]
    assert [(hit.id, hit.relevance) for page in pages for hit in page] == whole
    hidden = ask(engine, CAT, hide_duplicates=True, k=3).hits
    assert [(hit.id, hit.relevance) for hit in hidden] == whole[:3]


def test_where_per_cents_do_not_hold_words_stand_where_they_do(engine, teach, at):
    teach(zh=at(0.2))
    both = ask(engine, CAT).hits
    assert {hit.likelihood for hit in both} <= {"likely", "maybe", "unlikely"}
    teach(zh=at(0.2, auroc_low=0.7))
    result = ask(engine, CAT)
    assert [(hit.relevance, hit.likelihood) for hit in result.hits] == [(None, hit.likelihood) for hit in both]
    assert codes(ask(engine, CAT, min_relevance=0.5)) == ["cannot_tell"]
    teach(zh=at(0.2, likely=None))
    assert [(hit.relevance, hit.likelihood) for hit in ask(engine, CAT).hits] == [(hit.relevance, None) for hit in both]
    teach(zh=at(0.2, auroc_low=0.7, likely=None))
    assert [(hit.id, hit.relevance, hit.likelihood) for hit in ask(engine, CAT).hits] == [
        (hit.id, None, None) for hit in both
    ]
    assert list(engine.list_kinds()) == []


def test_a_sum_is_as_relevant_as_the_least_of_what_it_asks_for(engine, teach, at):
    teach(zh=at(0.15), en=at(0.12))
    alone = [{hit.id: hit.relevance for hit in ask(engine, text).hits} for text in (CAT, COFFEE)]
    clauses = [Clause(text=CAT), Clause(text=COFFEE, weight=2)]
    both = engine.search(Query(clauses=clauses, k=9, match="vector"))
    assert {hit.id: hit.relevance for hit in both.hits} == {
        image_id: min(one[image_id] for one in alone) for image_id in alone[0]
    }
    for least in (0.05, 0.2, 0.4):
        expected = [hit.id for hit in both.hits if hit.relevance >= least]
        kept = engine.search(Query(clauses=clauses, k=2, min_relevance=least))
        assert ([hit.id for hit in kept.hits], kept.total) == (expected[:2], len(expected))
    none = engine.search(Query(clauses=clauses, k=2, min_relevance=1))
    assert (none.hits, [hit.id for hit in none.nearest]) == ([], [hit.id for hit in both.hits[:2]])


def test_what_a_query_leads_away_from_is_not_judged(engine, teach, at):
    teach(zh=at(0.15))
    alone = {hit.id: hit.relevance for hit in ask(engine, CAT).hits}
    for result in (ask(engine, CAT, "-相机"), ask(engine, "没有相机的猫")):
        assert len(result.clauses) == 2
        order = [hit.relevance for hit in result.hits]
        assert None not in order
        if result.clauses[0].clause.text == CAT:
            assert {hit.id: hit.relevance for hit in result.hits} == alone
    kept = ask(engine, CAT, "-相机", min_relevance=0.5)
    assert {hit.id for hit in kept.hits} == {image_id for image_id, value in alone.items() if value >= 0.5}
    assert [hit.relevance for hit in ask(engine, "-相机").hits] == [None] * 9


@pytest.mark.parametrize(
    ("query", "kinds"),
    [
        ({"clauses": [Clause(text=CAT)]}, ["en"]),
        ({"clauses": [Clause(text="a cat")]}, ["zh"]),
        ({"clauses": [Clause(image_id=PICTURE)]}, ["zh", "en"]),
        ({"clauses": [Clause(text=CAT), Clause(image_id=PICTURE)]}, ["zh"]),
        ({"clauses": [Clause(text=CAT), Clause(text="qwertyuiop")]}, ["zh", "en"]),
        ({"clauses": [Clause(text="cat")], "match": "text"}, ["en"]),
        ({"clauses": [Clause(text="cat")], "match": "both"}, ["en"]),
    ],
)
def test_where_it_cannot_be_told_nothing_is_left_out_and_it_is_said(engine, teach, query, kinds, at):
    teach(**dict.fromkeys(kinds, at()))
    whole = engine.search(Query(**{"match": "vector", **query}, k=9))
    asked = engine.search(Query(**query, k=9, min_relevance=0.9))
    assert (asked.hits, asked.total) == (whole.hits, whole.total)
    assert {hit.relevance for hit in asked.hits} == {None}
    assert set(codes(asked)) - set(codes(whole)) == {"cannot_tell"}
    (note,) = [one for one in asked.notes if one.code == "cannot_tell"]
    assert ("match=vector" if "match" in query else "--calibrate") in note.text("en")
    assert ("match=vector" if "match" in query else "--calibrate") in note.text("zh")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"clauses": [Clause(text=CAT)], "min_score": -1}, ("without min_score", "去掉 min_score")),
        ({"clauses": [Clause(text=CAT)], "hub_correction": False}, ("with hub correction", "枢纽校正")),
        ({"clauses": [Clause(text=CAT, weight=-1)]}, ("what to look for", "要找什么")),
        ({"clauses": [Clause(image_id=PICTURE)], "min_score": -1}, ("--calibrate", "--calibrate")),
    ],
)
def test_it_is_said_what_keeps_relevance_from_being_told(engine, teach, query, said, at):
    teach(zh=at())
    (note,) = engine.search(Query(**query, k=9, min_relevance=0.9)).notes
    assert note.code == "cannot_tell"
    assert said[0] in note.text("en")
    assert said[1] in note.text("zh")


def test_a_calibration_of_other_weights_or_other_scores_is_not_used(engine, teach, at):
    before = ask(engine, CAT).hits
    teach(zh=at(0.3), fingerprint="f" * 16)
    assert ask(engine, CAT).hits == before
    teach(zh=at(), picture=at(), hub_correction=not engine.hub_correction)
    assert {hit.relevance for hit in ask(engine, CAT).hits} == {None}
    assert None not in {hit.relevance for hit in engine.search(Query(clauses=[Clause(image_id=PICTURE)])).hits}
    teach(zh=at(), hub_correction=False)
    assert None not in {hit.relevance for hit in ask(engine, CAT, min_score=-1).hits}  # plain cosines
    teach(zh=at(), hub_correction=True)
    assert {hit.relevance for hit in ask(engine, CAT, min_score=-1).hits} == {None}


def test_both_limits_hold(engine, teach, at):
    plain = ask(engine, CAT, min_score=-1).hits
    teach(zh=at(between(plain, 5), is_steep=True), hub_correction=False)
    assert ask(engine, CAT, min_score=between(plain, 3), min_relevance=0.5).total == 3
    assert ask(engine, CAT, min_score=between(plain, 7), min_relevance=0.5).total == 5


def test_a_damaged_file_is_logged_once_and_a_whole_one_used_at_once(engine, teach, data, caplog, at):
    teach(zh=at())
    (path,) = (data / "relevance").iterdir()
    path.write_text("{")
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            result = ask(engine, CAT, min_relevance=0.5)
            assert (len(result.hits), codes(result)) == (9, ["cannot_tell"])
    assert len(caplog.records) == 1
    assert path.name in caplog.text
    teach(zh=at())
    assert None not in {hit.relevance for hit in ask(engine, CAT).hits}


# How many are likely


def test_the_likely_are_counted_on_any_page(engine, teach, at):
    whole = ask(engine, CAT).hits
    teach(zh=at(between(whole, 3), is_steep=True))
    for more in ({}, {"k": 1}, {"k": 2, "offset": 4}, {"hide_duplicates": True}, {"min_relevance": 0.3}):
        found = ask(engine, CAT, count_likely=True, **more)
        assert (found.likely, found.likely_is_least) == (3, False)
        asked = ask(engine, CAT, **more)
        assert ([hit.id for hit in asked.hits], asked.likely) == ([hit.id for hit in found.hits], None)
    png = sum(hit.path.endswith(".png") for hit in whole[:3])
    assert ask(engine, CAT, count_likely=True, where="format=png").likely == png
    most = ask(engine, CAT, count_likely=True, min_relevance=0.999)
    assert most.likely == most.total <= 3
    like = engine.search(Query(clauses=[Clause(image_id=PICTURE)], k=2, count_likely=True))
    assert like.likely is None  # of pictures nothing is told
    teach(picture=at())
    like = engine.search(Query(clauses=[Clause(image_id=PICTURE)], k=9, count_likely=True))
    assert like.likely == sum(hit.relevance >= 0.5 for hit in like.hits)


def test_of_sums_those_are_counted_that_are_likely_to_be_all_of_it(engine, teach, at):
    teach(zh=at(0.15), en=at(0.12))
    for terms in ((CAT, f"2:{COFFEE}"), (CAT, "-相机"), ("没有相机的猫",)):
        found = ask(engine, *terms, count_likely=True)
        assert (found.likely, found.likely_is_least) == (sum(hit.relevance >= 0.5 for hit in found.hits), False)
    plain = ask(engine, CAT, min_score=-1).hits
    teach(zh=at(between(plain, 5), is_steep=True), hub_correction=False)
    assert ask(engine, CAT, min_score=between(plain, 3), count_likely=True).likely == 3
    assert ask(engine, CAT, min_score=between(plain, 7), count_likely=True).likely == 5


def test_where_words_rank_as_well_what_says_them_is_not_counted(engine, teach, at):
    teach(en=at(0.1))
    found = ask(engine, "cat", match="auto", count_likely=True)
    assert [hit.path for hit in found.hits if hit.relevance is None] == ["cat.png"]
    assert found.likely == sum(hit.relevance is not None and hit.relevance >= 0.5 for hit in found.hits)
    for more in ({"match": "both"}, {"match": "text"}):
        assert ask(engine, "cat", count_likely=True, **more).likely is None
    assert engine.search(Query(clauses=[], count_likely=True)).likely is None


def test_where_all_that_was_looked_at_is_likely_there_may_be_more(engine, teach, at):
    hits = ask(engine, CAT).hits
    fit = at(-1.0).read(np.array([hit.score for hit in hits]), len(hits))
    index, query = engine.opened.index, QueryVector(engine.encoders.text.encode_text([CAT]), 0.0)
    ids, scores = np.array([hit.id for hit in hits]), np.array([hit.score for hit in hits], np.float32)
    for looked_at, is_least in ((4, True), (9, False)):
        wanted = WantedClause(fit, query, Ranking(ids[:looked_at], scores[:looked_at]), 9)
        found = RelevanceScorer(index, [wanted], ranks=True).find_likely(0.5)
        assert (found[0].tolist(), found[1]) == (ids[:looked_at].tolist(), is_least)


# Reference pictures


@pytest.fixture(scope="module")
def reference():
    return read_reference(starter.SPEC.fingerprint, starter.SPEC.dim)


def level_of(engine, reference, clause: Clause) -> float:
    if clause.text is not None:
        vector = engine.encoders.text.encode_text([clause.text])[0]
    else:
        vector = engine.opened.index.fetch(np.array([clause.image_id]))[0]
    return float(reference.level(vector[None])[0])


def test_relevance_is_of_the_score_above_the_level_of_its_query(engine, teach, reference, at):
    levels = []
    for kind, clause in (
        ("zh", Clause(text=CAT)),
        ("zh", Clause(text="咖啡")),
        ("en", Clause(text=COFFEE)),
        ("picture", Clause(image_id=PICTURE)),
    ):
        query = Query(clauses=[clause], k=9, match="vector")
        levels.append(level_of(engine, reference, clause))
        middle = engine.search(query).hits[3].score - 0.5 * levels[-1]
        fit = at(middle, level_weight=0.5, reference=reference.digest)
        teach(**{kind: fit})
        hits = engine.search(query).hits
        assert [hit.relevance for hit in hits] == pytest.approx(expected(fit, hits, level=levels[-1]), abs=1.5e-3)
        for hit in hits:
            kept = engine.search(replace(query, min_relevance=hit.relevance))
            assert hit.id in [one.id for one in kept.hits]
            assert all(one.relevance >= hit.relevance for one in kept.hits)
    assert min(abs(np.diff(levels))) > 1e-3


def test_each_part_of_a_sum_has_its_own_level(engine, teach, reference, at):
    middles = {
        kind: ask(engine, text).hits[4].score - level_of(engine, reference, Clause(text=text))
        for kind, text in (("zh", CAT), ("en", COFFEE))
    }
    fits = {kind: at(middle, level_weight=1.0, reference=reference.digest) for kind, middle in middles.items()}
    teach(**fits)
    alone = [{hit.id: hit.relevance for hit in ask(engine, text).hits} for text in (CAT, COFFEE)]
    query = Query(clauses=[Clause(text=CAT), Clause(text=COFFEE)], k=9, match="vector")
    both = engine.search(query)
    least = {image_id: min(one[image_id] for one in alone) for image_id in alone[0]}
    assert {hit.id: hit.relevance for hit in both.hits} == least
    kept = engine.search(replace(query, min_relevance=0.4))
    assert {hit.id for hit in kept.hits} == {image_id for image_id, value in least.items() if value >= 0.4}
    assert 0 < len(kept.hits) < 9


def test_reference_pictures_change_no_ranking_and_no_fit_of_scores_alone(engine, teach, reference, at):
    teach(zh=at(0.2))
    alone = ask(engine, CAT).hits
    teach(zh=at(0.2, level_weight=1.0, reference=reference.digest))
    assert [(hit.id, hit.score) for hit in ask(engine, CAT).hits] == [(hit.id, hit.score) for hit in alone]


def test_without_its_reference_pictures_a_fit_is_not_used_and_it_is_logged(engine, teach, caplog, at):
    teach(zh=at(level_weight=1.0, reference="f" * 16), en=at(0.2))
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            result = ask(engine, CAT, min_relevance=0.5)
            assert ({hit.relevance for hit in result.hits}, codes(result)) == ({None}, ["cannot_tell"])
    assert caplog.text.count("f" * 16) == 1
    assert list(engine.list_kinds()) == ["en"]
    assert None not in {hit.relevance for hit in ask(engine, "a cat").hits}


def test_a_file_of_an_earlier_version_is_not_used_and_it_is_logged_once(engine, teach, data, caplog, at):
    teach(zh=at())
    (path,) = (data / "relevance").iterdir()
    old = {"slope": 20.0, "intercept": -5.0, "auroc": 0.9, "auroc_low": 0.85, "auroc_high": 0.94}
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 1, "kinds": {"zh": old}}))
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            result = ask(engine, CAT, min_relevance=0.5)
            assert (len(result.hits), codes(result)) == (9, ["cannot_tell"])
    assert len(caplog.records) == 1
    assert "--calibrate" in caplog.text


def test_the_service_judges_as_the_engine_does(engine, data, teach, reference, at):
    teach(zh=at(-0.1, level_weight=1.0, reference=reference.digest))
    with TestClient(create_app(Settings(data=data))) as client:
        found = client.get("/v1/search", params={"q": CAT, "k": 9}).raise_for_status().json()["hits"]
    hits = ask(engine, CAT).hits
    assert [hit["relevance"] for hit in found] == pytest.approx([hit.relevance for hit in hits], abs=1.5e-3)
    assert [hit["likelihood"] for hit in found] == [hit.likelihood for hit in hits]
    assert None not in {hit["relevance"] for hit in found}


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_a_relevance_is_a_share(value):
    with pytest.raises(InvalidQuery, match="min_relevance"):
        Query(clauses=[Clause(text=CAT)], min_relevance=value)


# REST


@pytest.fixture(scope="module")
def http(data, serve):
    with httpx.Client(base_url=serve(data), timeout=120) as client:
        yield client


def test_every_way_of_searching_takes_it(http, engine, teach, photographs, at):
    teach(zh=at(2.0), picture=at(2.0))
    file = (photographs / "cat.png").read_bytes()
    answers = [
        http.get("/v1/search", params={"q": CAT, "min_relevance": 0.5, "k": 4}),
        http.post("/v1/search", json={"clauses": [{"text": CAT}], "min_relevance": 0.5, "k": 4}),
        http.post("/v1/search/image", files={"file": file}, data={"min_relevance": "0.5", "k": "4"}),
        http.get(f"/v1/images/{PICTURE}/similar", params={"min_relevance": 0.5, "k": 4}),
    ]
    for answer in (response.raise_for_status().json() for response in answers):
        assert (answer["hits"], answer["total"], answer["next_offset"], len(answer["nearest"])) == ([], 0, None, 4)
        assert all(0 <= hit["relevance"] < 0.5 for hit in answer["nearest"])
        assert [note["code"] for note in answer["notes"]] == ["no_good_match"]


def test_hits_over_http_have_their_relevance_and_the_notes_a_language(http, teach, at):
    teach(zh=at(0.2))
    answer = http.get("/v1/search", params={"q": CAT, "k": 9, "count_likely": True}).json()
    assert (answer["nearest"], answer["hits"][0]["path"]) == ([], "cat.png")
    likely = sum(hit["relevance"] >= 0.5 for hit in answer["hits"])
    assert (answer["likely"], answer["likely_is_least"]) == (likely, False)
    assert all(isinstance(hit["relevance"], float) for hit in answer["hits"])
    told = http.get("/v1/search", params={"q": "a cat", "min_relevance": 0.5}, headers={"Accept-Language": "zh"}).json()
    assert [(note["code"], "校准" in note["message"]) for note in told["notes"]] == [("cannot_tell", True)]
    assert {hit["relevance"] for hit in told["hits"]} == {None}


def test_the_index_says_what_can_be_told(http, teach, at):
    teach(zh=at())
    (kind, told), *others = http.get("/v1/index").json()["relevance"].items()
    assert (kind, others) == ("zh", [])
    assert [told[name] for name in ("auroc", "low", "high")] == [0.9, 0.85, 0.94]
    assert told["reliability"][1] == {"said": 0.9, "right": 0.9, "low": 0.85, "high": pytest.approx(0.95), "hits": 500}


@pytest.mark.parametrize("value", ["1.5", "-1", "much"])
def test_a_value_that_is_none_is_a_problem(http, value):
    response = http.get("/v1/search", params={"q": CAT, "min_relevance": value})
    assert (response.status_code, response.headers["content-type"]) == (422, "application/problem+json")
    assert "min_relevance" in response.json()["detail"]


def test_the_documentation_says_what_it_means(http):
    described = http.get("/openapi.json").json()
    assert "seven in ten" in described["components"]["schemas"]["Hit"]["description"]
    names = [one["name"] for one in described["paths"]["/v1/search"]["get"]["parameters"]]
    assert "min_relevance" in names


# The command


def test_the_command_shows_per_cents_and_the_nearest_apart(xuntu, data, engine, teach, at):
    whole = ask(engine, CAT).hits
    teach(zh=at(between(whole, 2), is_steep=True))
    lines = xuntu("search", "--data", data, CAT, "--min-relevance", 0.5).stdout.splitlines()
    assert lines[0].split() == ["rank", "score", "relevance", "id", "file"]
    assert len(lines) == 3
    assert " % " in lines[1]
    seen = xuntu("search", "--data", data, CAT, "--count-likely").stderr
    assert "so many were right: zh 90 %." in seen
    assert "About 2 of them are likely right." in seen
    none = xuntu("search", "--data", data, CAT, "--min-relevance", 1, "--k", 2)
    assert "No good match" in none.stderr
    assert "0 pictures ranked" in none.stderr
    assert none.stdout.splitlines()[0] == "The nearest, of which none is relevant enough:"
    assert len(none.stdout.splitlines()) == 4
    chinese = xuntu("search", "--data", data, CAT, "--min-relevance", 1, LANG="zh_CN.UTF-8")
    assert chinese.stdout.startswith("最接近的")
    answer = json.loads(xuntu("search", "--data", data, CAT, "--min-relevance", 1, "--json", "--k", 2).stdout)
    assert (answer["hits"], len(answer["nearest"])) == ([], 2)
    assert answer["nearest"][0]["relevance"] == ask(engine, CAT).hits[0].relevance
    untold = xuntu("search", "--data", data, "a cat", "--min-relevance", 0.5)
    assert "--calibrate" in untold.stderr
    assert untold.stdout.splitlines()[0].split() == ["rank", "score", "id", "file"]
    assert xuntu("search", "--data", data, CAT, "--min-relevance", 2).returncode == 2


def test_a_sheet_shows_it(xuntu, data, teach, tmp_path, at):
    teach(zh=at(0.2))
    done = xuntu("search", "--data", data, CAT, "--sheet", "told.png")
    assert done.returncode == 0, done.stderr
    teach()
    xuntu("search", "--data", data, CAT, "--sheet", "untold.png")
    assert (tmp_path / "told.png").read_bytes() != (tmp_path / "untold.png").read_bytes()


def test_the_command_shows_words_where_there_are_no_per_cents(xuntu, data, teach, at):
    teach(zh=at(0.2, auroc_low=0.7))
    for tongue, words in (
        ("C.UTF-8", ("likely", "maybe", "unlikely")),
        ("zh_CN.UTF-8", ("很可能", "也许", "不太可能")),
    ):
        lines = xuntu("search", "--data", data, CAT, LANG=tongue).stdout.splitlines()
        assert len(lines) == 10
        assert {line.split()[2] for line in lines[1:]} <= set(words)
    hits = json.loads(xuntu("search", "--data", data, CAT, "--json").stdout)["hits"]
    assert {hit["relevance"] for hit in hits} == {None}
    assert {hit["likelihood"] for hit in hits} <= {"likely", "maybe", "unlikely"}
