"""Queries whose words are read: negation, languages, long texts and names, through the engine on a real library."""

import numpy as np
import pytest

from api.search.clauses import NEGATION_WEIGHT, language_of, read_clauses
from api.search.engine import SearchEngine
from api.search.query import Clause, Query
from models.encoders.runtime import Runtime
from models.encoders.wordings import encode_wordings, list_wordings


@pytest.fixture(scope="module")
def engine(library) -> SearchEngine:
    return SearchEngine.open(library)


def ask(engine, *clauses, **more):
    given = [Clause(text=one) if isinstance(one, str) else one for one in clauses]
    return engine.search(Query(clauses=given, **{"k": 9, **more}))


def names(result) -> list[str]:
    return [hit.path for hit in result.hits]


def score_of(name: str, result) -> float:
    return next(hit.score for hit in result.hits if hit.path == name)


def searched(result) -> list[tuple[str | None, float]]:
    return [(read.clause.text, round(read.clause.weight, 4)) for read in result.clauses]


@pytest.mark.parametrize(
    ("text", "positive", "negative"),
    [
        ("cat without flowers", "cat", "flowers"),
        ("猫，不要花", "猫", "花"),
        ("沒有花的貓", "貓", "花"),
        ("猫 without 花", "猫", "花"),
    ],
)
def test_negation_in_words_is_a_clause_of_its_own(engine, text, positive, negative):
    result = ask(engine, text)
    explicit = ask(engine, Clause(text=positive), Clause(text=negative, weight=-NEGATION_WEIGHT))
    assert result.hits == explicit.hits
    assert searched(result) == [(positive, 1), (negative, -NEGATION_WEIGHT)]
    read = result.clauses[1].negation
    assert text[read.start : read.end] == read.words
    assert negative in read.words


def test_literal_searches_the_words_as_they_are(engine):
    text = "flowers without cat"
    result = ask(engine, text, literal=True, hub_correction=False)
    assert searched(result) == [(text, 1)]
    vector = engine.encoders.text.encode_text([text])[0]
    stored = engine.opened.index.fetch(np.array([hit.id for hit in result.hits]))
    assert np.allclose(stored @ vector, [hit.score for hit in result.hits], atol=2e-6)
    assert names(ask(engine, text)).index("cat.png") > names(result).index("cat.png")


def test_several_negations_share_their_weight(engine):
    assert searched(ask(engine, Clause(text="beach, no people, cars or dogs", weight=2))) == [
        ("beach", 2),
        *((word, round(-2 * NEGATION_WEIGHT / 3**0.5, 4)) for word in ("people", "cars", "dogs")),
    ]


def test_only_negation_leads_away(engine):
    for text in ("不要猫", "没有猫的照片", "photos without a cat"):
        result = ask(engine, text)
        assert result.hits == ask(engine, Clause(text=result.clauses[0].clause.text, weight=-1)).hits
        assert names(result)[-1] == "cat.png"
        assert [weight for _, weight in searched(result)] == [-NEGATION_WEIGHT]


def test_what_is_avoided_already_is_not_read(engine):
    away = Clause(text="without people", weight=-1)
    assert searched(ask(engine, "cat", away)) == [("cat", 1), ("without people", -1)]


def test_each_clause_says_where_it_was_read_from(engine):
    cat = ask(engine, "cat", k=1).hits[0].id
    result = ask(engine, Clause(image_id=cat), "花 不要猫", Clause(text="rocket"))
    assert [(read.source, read.clause.text, read.language) for read in result.clauses] == [
        (0, None, None),
        (1, "花", "zh"),
        (1, "猫", "zh"),
        (2, "rocket", "en"),
    ]
    assert result.language == "mixed"
    assert ask(engine, Clause(image_id=cat)).language is None


@pytest.mark.parametrize(
    ("texts", "language"),
    [(["猫"], "zh"), (["a cat"], "en"), (["红色 dress"], "mixed"), (["猫", "dog house"], "mixed"), (["123"], "other")],
)
def test_a_query_has_a_language(texts, language):
    assert language_of(read_clauses([Clause(text=text) for text in texts], literal=False)) == language


@pytest.mark.parametrize("text", ["一只 cat", "猫 cat", "a 猫"])
def test_two_languages_in_one_text_find_the_picture(engine, text):
    assert names(ask(engine, text))[0] == "cat.png"


def test_words_to_avoid_leave_out_the_pictures_that_say_them(engine):
    result = ask(engine, "cat without rocket", match="both")
    assert names(result)[0] == "cat.png"
    excluded = ask(engine, "jpg png without rocket", match="text")
    assert "rocket.jpg" not in names(excluded)


def test_where_nothing_but_negation_is_said_words_are_looked_for_as_they_are(engine):
    result = ask(engine, "not a cat", match="text")
    assert searched(result) == [("not a cat", 1)]
    both = ask(engine, "不要猫", match="both")
    assert names(both) == names(ask(engine, "不要猫"))
    assert "words_not_found" in [note.code for note in both.notes]


def test_a_long_text_is_read_to_its_end(engine):
    long = "一只猫坐在桌子上看着窗外。" * 4
    longer = ask(engine, long + "一朵橙色的花，绿色的叶子。" * 4)
    assert "unknown_words" not in [note.code for note in longer.notes]
    assert score_of("flower.jpg", longer) > score_of("flower.jpg", ask(engine, long)) + 0.05
    wordings = list_wordings(long, engine.encoders.text)
    vector = encode_wordings(engine.encoders.text, [wordings])[0]
    hits = ask(engine, long, hub_correction=False).hits
    stored = engine.opened.index.fetch(np.array([hit.id for hit in hits]))
    assert np.allclose(stored @ vector, [hit.score for hit in hits], atol=2e-6)


def test_names_in_sentences_are_searched_by_their_mean(library, engine):
    with_templates = SearchEngine.open(library, runtime=Runtime(weights=library / "weights", templates="on"))
    result = with_templates.search(Query(clauses=[Clause(text="猫")], k=9, hub_correction=False))
    wordings = list_wordings("猫", engine.encoders.text, templates=True)
    vector = encode_wordings(engine.encoders.text, [wordings])[0]
    stored = engine.opened.index.fetch(np.array([hit.id for hit in result.hits]))
    assert np.allclose(stored @ vector, [hit.score for hit in result.hits], atol=2e-6)
    assert [hit.score for hit in result.hits] != [hit.score for hit in ask(engine, "猫").hits]
    assert names(result)[0] == "cat.png"
