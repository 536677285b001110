"""Searches in a library that was built with no encoder named: its encoder is the built-in one."""

import io

import numpy as np
import pytest
from PIL import Image

from api.search.engine import SearchEngine
from api.search.query import Clause, Query, parse_terms
from indexer.config import IndexerSettings
from indexer.pipeline.commands import BuildOptions, build
from models.encoders.registry import DEFAULT_ENCODER, get_spec
from models.foundation.errors import UnknownWords

pytestmark = pytest.mark.usefixtures("heavy")


@pytest.fixture(scope="module")
def engine(photographs, tmp_path_factory) -> SearchEngine:
    data = tmp_path_factory.mktemp("built-in")
    build(IndexerSettings(data=data, workers=0), [photographs], BuildOptions())
    return SearchEngine.open(data)


def ask(engine, *texts, **more):
    return engine.search(Query(clauses=parse_terms(texts), **more))


def test_the_library_has_vectors_of_the_built_in_encoder(engine):
    assert list(engine.spaces) == [DEFAULT_ENCODER]
    assert engine.get_space(DEFAULT_ENCODER).index.dim == get_spec(DEFAULT_ENCODER).dim


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
        ("一杯咖啡", "coffee.png"),
        ("花", "flower.jpg"),
        ("摩托车", "motorcycle.png"),
        ("a motorcycle", "motorcycle.png"),
        ("a man with a camera", "people/camera.png"),
    ],
)
def test_words_in_both_languages_find_the_picture(engine, text, name):
    result = ask(engine, text, k=3)
    assert name in [hit.path for hit in result.hits]
    assert result.encoder == DEFAULT_ENCODER


def test_a_picture_finds_itself(engine, photographs):
    for name in ("cat.png", "people/astronaut.png", "china.jpg"):
        result = engine.search(Query(clauses=[Clause(image=(photographs / name).read_bytes())], k=1))
        assert result.hits[0].path == name
        assert result.hits[0].score > 0.999


def turned(path, degrees: int) -> bytes:
    """Return a photograph as somebody else has it: turned, smaller, and compressed again."""
    with Image.open(path) as image:
        file = io.BytesIO()
        small = image.convert("RGB").rotate(degrees, expand=True)
        small.thumbnail((300, 300))
        small.save(file, "JPEG", quality=85)
        return file.getvalue()


@pytest.mark.parametrize("name", ["cat.png", "coffee.png", "people/astronaut.png", "china.jpg"])
def test_a_picture_that_lies_on_its_side_finds_itself(engine, photographs, name):
    for degrees in (90, 180, 270):
        result = engine.search(Query(clauses=[Clause(image=turned(photographs / name, degrees))], k=3))
        assert result.hits[0].path == name
        (note,) = [note for note in result.notes if note.code == "turned"]
        assert f"{360 - degrees}°" in note.text("en")
        upright = engine.search(Query(clauses=[Clause(image=turned(photographs / name, 0))], k=3))
        assert [hit.path for hit in upright.hits] == [hit.path for hit in result.hits]
        assert not [note for note in upright.notes if note.code == "turned"]


def test_a_picture_that_is_in_the_library_in_no_turn_is_asked_with_as_it_is(engine):
    random = np.random.default_rng(0)
    file = io.BytesIO()
    Image.fromarray(random.integers(0, 255, (64, 96, 3), np.uint8)).save(file, "PNG")
    assert not engine.search(Query(clauses=[Clause(image=file.getvalue())], k=3)).notes


def test_beside_words_a_picture_is_not_turned(engine, photographs):
    clauses = [Clause(image=turned(photographs / "cat.png", 90)), Clause(text="a cat")]
    assert not engine.search(Query(clauses=clauses, k=3)).notes


@pytest.mark.parametrize("text", ["zorp", "❤", "张伟", "犇骉"])
def test_a_text_of_which_nothing_is_known_is_refused_by_name(engine, text):
    with pytest.raises(UnknownWords) as failure:
        ask(engine, text)
    assert text in (*failure.value.words, *failure.value.names)


@pytest.mark.parametrize(("text", "rest"), [("a cat on the zorp", "a cat on the"), ("张伟和猫", "和猫")])
def test_what_is_not_known_is_left_out_as_if_it_had_not_been_said(engine, text, rest):
    found, alone = ask(engine, text), ask(engine, rest)
    assert [(hit.id, round(hit.score, 5)) for hit in found.hits] == [
        (hit.id, round(hit.score, 5)) for hit in alone.hits
    ]
    assert {note.code for note in found.notes} & {"unknown_words", "names"}
