"""The search core on a real library: what is asked, what comes back."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from api.search.engine import SearchEngine
from api.search.errors import ImageNotFound, InvalidQuery
from api.search.query import Clause, Query, parse_terms
from indexer.library.filters import Filter, Range
from models.foundation.errors import UnknownWords
from models.pictures.errors import DecodeError, ImageTooLarge


@pytest.fixture(scope="module")
def engine(library) -> SearchEngine:
    return SearchEngine.open(library)


def names(result) -> list[str]:
    return [hit.path for hit in result.hits]


def ask(engine, *texts, **more):
    return engine.search(Query(clauses=parse_terms(texts), **more))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("一只猫", "cat.png"),
        ("一隻貓", "cat.png"),
        ("a cat", "cat.png"),
        ("Ａ ＣＡＴ", "cat.png"),
        ("火箭发射", "rocket.jpg"),
        ("火箭發射", "rocket.jpg"),
        ("a cup of coffee", "coffee.png"),
        ("花", "flower.jpg"),
        ("摩托车", "motorcycle.png"),
        ("a man with a camera", "people/camera.png"),
    ],
)
def test_words_in_both_languages_find_the_picture(engine, text, name):
    assert name in names(ask(engine, text, k=3))


def test_simplified_and_traditional_give_the_same_answer(engine):
    assert ask(engine, "一隻貓").hits == ask(engine, "一只猫").hits


def test_a_picture_of_the_library_finds_itself(engine, photographs):
    for path in sorted(photographs.rglob("*.[pj][np]g")):
        if path.name != "broken.jpg":
            result = engine.search(Query(clauses=[Clause(image=path.read_bytes())], k=1))
            assert photographs / result.hits[0].path == path
            assert result.hits[0].score > 0.999


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_rotated_photograph_finds_the_upright_one(engine, photographs, orientation):
    """EXIF says how the stored pixels are turned; the picture as seen is the same for all eight values."""
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Image.Transpose that stores a picture for each orientation
    image = Image.open(photographs / "flower.jpg").convert("RGB")
    stored = image.transpose(Image.Transpose(undo[orientation])) if orientation > 1 else image
    exif = Image.Exif()
    exif[274] = orientation
    file = BytesIO()
    stored.save(file, "JPEG", quality=95, exif=exif)
    hit = engine.search(Query(clauses=[Clause(image=file.getvalue())], k=1)).hits[0]
    assert hit.path == "flower.jpg"
    assert hit.score > 0.99


def test_more_like_one_leaves_that_one_out(engine):
    cat = ask(engine, "cat", k=1).hits[0]
    result = engine.search(Query(clauses=[Clause(image_id=cat.id)], k=100))
    assert cat.id not in [hit.id for hit in result.hits]
    assert result.total == len(result.hits) == 8


def test_a_negative_clause_leads_away(engine):
    towards = names(ask(engine, "男人", k=9))
    away = names(ask(engine, "男人", "-0.9:相机", k=9))
    assert away.index("people/camera.png") > towards.index("people/camera.png")


def test_a_sum_of_picture_and_words_ranks_both(engine, photographs):
    picture = Clause(image=(photographs / "cat.png").read_bytes())
    result = engine.search(Query(clauses=[picture, Clause(text="花")], k=2))
    assert set(names(result)) == {"cat.png", "flower.jpg"}


def test_clauses_that_cancel_out_are_refused(engine):
    with pytest.raises(InvalidQuery, match="cancel"):
        ask(engine, "cat", "-1:cat")


def test_pages_follow_each_other(engine):
    whole = ask(engine, "一只猫", k=9)
    pages = [hit for offset in range(0, 9, 2) for hit in ask(engine, "一只猫", k=2, offset=offset).hits]
    assert pages == whole.hits
    assert whole.total == 9
    beyond = ask(engine, "一只猫", k=2, offset=500)
    assert (beyond.hits, beyond.total) == ([], 9)


def test_min_score_leaves_out_what_is_below_it(engine):
    whole = ask(engine, "一只猫", k=9, hub_correction=False).hits
    cut = whole[3].score
    result = ask(engine, "一只猫", k=9, min_score=cut)
    assert result.hits == whole[:4]
    assert result.total == 4
    assert ask(engine, "一只猫", min_score=0.99).hits == []


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("format=jpeg", {"rocket.jpg", "china.jpg", "flower.jpg"}),
        ("path=people/", {"people/astronaut.png", "people/camera.png"}),
        ("path=people/ and format=jpeg", set()),
        ("aspect<1.01 and width>=512", {"people/astronaut.png", "people/camera.png", "moon.png"}),
        ("taken>=2990", set()),
    ],
)
def test_a_filter_is_exact(engine, where, expected):
    result = ask(engine, "cat", where=where, k=100)
    assert set(names(result)) == expected
    assert result.total == len(expected)


def test_scores_do_not_depend_on_the_filter(engine):
    scores = {hit.id: hit.score for hit in ask(engine, "花", k=9).hits}
    for hit in ask(engine, "花", k=9, where=Filter.of({"width": Range(low=500)})).hits:
        assert hit.score == pytest.approx(scores[hit.id], abs=2e-6)


def test_scores_are_the_inner_products(engine):
    result = ask(engine, "一只猫", k=9, hub_correction=False)
    vector = engine.encoders.text.encode_text(["一只猫"])[0]
    stored = engine.opened.index.fetch(np.array([hit.id for hit in result.hits]))
    assert np.allclose(stored @ vector, [hit.score for hit in result.hits], atol=2e-6)
    assert [hit.score for hit in result.hits] == sorted((hit.score for hit in result.hits), reverse=True)


def test_unknown_words_are_said_and_never_ranked(engine):
    with pytest.raises(UnknownWords) as caught:
        ask(engine, "zorp blick")
    assert caught.value.words == ("zorp", "blick")
    for terms in (("a zorp",), ("zorp", "-人"), ("of the",), ("的",)):
        with pytest.raises(UnknownWords):
            ask(engine, *terms)
    result = ask(engine, "cat", "-zorp", k=9)
    assert result.hits == ask(engine, "cat", k=9).hits
    assert result.notes[0].code == "unknown_words"
    assert "zorp" in result.notes[0].text("en")
    assert "zorp" in result.notes[0].text("zh")


def test_names_are_said_to_be_names_and_the_rest_is_searched(engine):
    with pytest.raises(UnknownWords) as caught:
        ask(engine, "张伟")
    assert (caught.value.words, caught.value.names) == ((), ("张伟",))
    result = ask(engine, "张伟和二维码在海滩", k=9, match="vector")
    assert result.hits == ask(engine, "和 在海滩", k=9, match="vector").hits
    assert [note.code for note in result.notes][:2] == ["unknown_words", "names"]
    assert "二维码" in result.notes[0].text("zh")
    for language, where in (("zh", "说明、标签和文件名"), ("en", "captions, tags and file names")):
        assert "张伟" in result.notes[1].text(language)
        assert where in result.notes[1].text(language)


def test_names_are_looked_for_in_words_where_these_are_looked_at(engine):
    assert "names" not in [note.code for note in ask(engine, "张伟在海滩", match="text").notes]
    notes = {note.code: note for note in ask(engine, "张伟在海滩", match="both").notes}
    assert "alone" in notes["names"].text("en")


@pytest.mark.parametrize("text", ["", "   ", "\u3000", "\u200b"])
def test_an_empty_text_is_refused(engine, text):
    with pytest.raises(InvalidQuery, match="empty"):
        engine.search(Query(clauses=[Clause(text=text)]))


def test_long_texts(engine):
    assert "unknown_words" not in [note.code for note in ask(engine, "雪山下的湖" * 100).notes]
    with pytest.raises(InvalidQuery, match="too long"):
        ask(engine, "雪" * 501)


def test_pictures_that_are_none_are_refused(engine, library, heavy):
    for data, error in ((b"", DecodeError), (b"hello", DecodeError)):
        with pytest.raises(error):
            engine.search(Query(clauses=[Clause(image=data)]))
    big = BytesIO()
    Image.new("1", (20_000, 20_000)).save(big, "PNG")
    with pytest.raises(ImageTooLarge, match="400 megapixels"):
        engine.search(Query(clauses=[Clause(image=big.getvalue())]))


@pytest.mark.parametrize("image_id", [0, -1, 999, 2**63, -(2**70)])
def test_an_unknown_id_is_refused(engine, image_id):
    with pytest.raises(ImageNotFound):
        engine.search(Query(clauses=[Clause(image_id=image_id)]))


@pytest.mark.parametrize(
    "wrong",
    [
        {"clauses": [], "min_score": 0.5},
        {"clauses": [Clause(text="a")] * 17},
        {"clauses": [Clause(text="a")], "k": 0},
        {"clauses": [Clause(text="a")], "k": 501},
        {"clauses": [Clause(text="a")], "offset": -1},
        {"clauses": [Clause(text="a")], "min_score": 1.5},
    ],
)
def test_impossible_queries_are_refused(wrong):
    with pytest.raises(InvalidQuery):
        Query(**wrong)


@pytest.mark.parametrize(
    "wrong", [{}, {"text": "a", "image_id": 1}, {"text": "a", "weight": 0.0}, {"text": "a", "weight": float("nan")}]
)
def test_impossible_clauses_are_refused(wrong):
    with pytest.raises(InvalidQuery):
        Clause(**wrong)


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        (["雪山"], [("雪山", 1)]),
        (["2:雪山", "-人"], [("雪山", 2), ("人", -0.5)]),
        (["a", "cup", "of", "coffee"], [("a cup of coffee", 1)]),
        (["-1:人", "cat"], [("cat", 1), ("人", -1)]),
        (["+cat", "2：狗"], [("cat", 1), ("狗", 2)]),
        (["16:9", "wallpaper"], [("16:9 wallpaper", 1)]),
        (["a:b"], [("a:b", 1)]),
        (["2001: A Space Odyssey"], [("2001: A Space Odyssey", 1)]),
        (["2001:", "A", "Space", "Odyssey"], [("2001: A Space Odyssey", 1)]),
        (["007:skyfall"], [("007:skyfall", 1)]),
        (["9: the film"], [("9: the film", 1)]),
        (["0.5:cat", "10:狗"], [("cat", 0.5), ("狗", 10)]),
    ],
)
def test_terms_of_a_command_line(terms, expected):
    assert [(clause.text, clause.weight) for clause in parse_terms(terms)] == expected


def test_a_weight_beyond_the_limit_is_said_not_taken_for_a_text():
    with pytest.raises(InvalidQuery, match="weight 16"):
        parse_terms(["16:猫"])


def test_a_search_of_one_row_says_where_it_came_from(engine, photographs):
    result = ask(engine, "cat", k=1)
    assert (result.encoder, result.build) == ("starter", engine.opened.manifest.build)
    assert result.hits[0].root == Path(photographs)
    assert set(result.timings_ms) == {"encode", "search", "total"}
