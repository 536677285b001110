"""Suggestions while a person types, from a library with tags, places, cameras, persons and folders."""

import asyncio

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from api.client import Client
from api.config import Settings
from api.http.app import create_app
from api.http.suggesting import SuggestionTables
from api.search.engine import SearchEngine
from api.search.suggesting import KnownValue, SuggestionTable
from indexer.config import IndexerSettings
from indexer.library.annotations.fields import Field, FieldType
from indexer.pipeline.commands import BuildOptions, build

HANGZHOU, BERLIN = (30.25, 120.15), (52.52, 13.405)


def draw(path, number, camera=None, where=None, tags=(), person=None):
    """Save a picture like no other, and what is said of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    if camera:
        exif[0x0110] = camera
    if where:
        gps = exif.get_ifd(0x8825)
        gps[1], gps[2], gps[3], gps[4] = "N", (where[0], 0.0, 0.0), "E", (where[1], 0.0, 0.0)
    named = "".join(f"<rdf:li>{tag}</rdf:li>" for tag in tags)
    persons = f"<Iptc4xmpExt:PersonInImage><rdf:Bag><rdf:li>{person}</rdf:li></rdf:Bag></Iptc4xmpExt:PersonInImage>"
    xmp = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" '
        'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">'
        f"<dc:subject><rdf:Bag>{named}</rdf:Bag></dc:subject>{persons if person else ''}"
        "</rdf:Description></rdf:RDF></x:xmpmeta>"
    )
    picture = Image.fromarray(np.random.default_rng(number).integers(0, 256, (6, 8, 3), np.uint8))
    picture.save(path, exif=exif, xmp=xmp.encode())


def update(data, *folders):
    build(IndexerSettings(data=data, workers=0), list(folders), BuildOptions(encoders=["hash"] if folders else []))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("suggested") / "pictures"
    for number in range(4):
        draw(folder / f"2024/西湖日落/IMG_{number}.jpg", number, "Canon EOS R5", HANGZHOU, ["日落", "Seaside view"])
    for number in range(4, 6):
        draw(folder / f"2024/Beach days/beach-party {number}.jpg", number, "Nikon Z 6", BERLIN, ["beach", 'say "hi"'])
    draw(folder / "other/海灘 walk.jpg", 6, tags=["沙灘", "either|or"], person="王芳")
    draw(folder / "plain.jpg", 7)
    update(folder.parent / "data", folder)
    return folder


@pytest.fixture(scope="module")
def http(pictures):
    with TestClient(create_app(Settings(data=pictures.parent / "data"))) as client:
        yield client


@pytest.fixture
def ask(http, wait_until):
    """Return what is suggested, once the library has been counted."""
    wait_until(lambda: http.get("/v1/suggest", params={"q": "2"}).json()["suggestions"], "the table")

    def get(typed: str, language: str = "en", **params: object) -> list[dict]:
        answer = http.get("/v1/suggest", params={"q": typed, **params}, headers={"Accept-Language": language})
        return answer.raise_for_status().json()["suggestions"]

    return get


def texts(found) -> list[tuple[str, str]]:
    return [(one["field"], one["text"]) for one in found]


@pytest.mark.parametrize("typed", ["杭", "杭州", "Hang", "hangz", "HANGZHOU", "ｈａｎｇ", "hz", "hang zhou"])
def test_a_place_is_found_in_both_scripts_and_by_its_sound(ask, typed):
    places = [one for one in ask(typed) if one["field"] == "place"]
    assert [(one["text"], one["count"], one["label"]) for one in places] == [("杭州 Hangzhou", 4, "Place")]


def test_traditional_and_simplified_find_each_other(ask):
    assert ("tag", "沙灘") in texts(ask("沙滩"))
    assert ("name", "海灘") in texts(ask("海滩"))
    assert ("tag", "日落") in texts(ask("riluo"))
    assert ("person", "王芳") in texts(ask("wangf"))


def test_what_begins_so_comes_first_then_words_then_any_part_and_more_pictures_before_fewer(ask):
    found = texts(ask("bea"))
    assert found[0] == ("path", "2024/Beach days")
    assert set(found[:3]) == {("path", "2024/Beach days"), ("tag", "beach"), ("name", "beach")}
    assert texts(ask("eos")) == [("camera", "Canon EOS R5")]
    assert texts(ask("anon")) == [("camera", "Canon EOS R5")]
    assert [one["count"] for one in ask("2")] == [6, 4, 2]
    every = texts(ask("日落"))
    assert every[0] == ("tag", "日落")
    assert ("path", "2024/西湖日落") in every[1:]
    seaside = texts(ask("ea"))
    assert {("tag", "beach"), ("tag", "Seaside view")} <= set(seaside)
    assert len(ask("ea", limit=2)) == 2


def test_each_has_the_condition_that_leaves_its_pictures(ask, http):
    for typed in ("hang", "canon", "bea", "say", "日落", "2", "wang", "海灘", "party", "seaside"):
        found = ask(typed)
        assert found, typed
        for one in found:
            total = http.get("/v1/images", params={"where": one["where"]}).raise_for_status().json()["total"]
            assert total == one["count"], one


def test_nothing_is_suggested_that_says_nothing_or_cannot_be_asked_for(ask):
    assert ask("img") == []
    assert ("tag", "either|or") not in texts(ask("either"))
    assert not [one for one in ask("日落", limit=50) if one["field"] == "keyword"]
    for typed in ("", "  ", "x" * 101, "nothing like it", "a" * 100):
        assert ask(typed) == []


def test_labels_are_in_the_language_of_the_request(ask):
    assert {one["field"]: one["label"] for one in ask("bea", "zh")} == {"path": "路径", "tag": "标签", "name": "文件名"}


def test_what_cannot_be_asked_is_refused(http):
    for params in ({"q": "a", "limit": 0}, {"q": "a", "limit": 51}, {"p": "a"}):
        assert http.get("/v1/suggest", params=params).status_code == 422


def test_the_client_has_it(ask, serve_app, pictures, wait_until):
    with Client(serve_app(create_app(Settings(data=pictures.parent / "data")))) as client:
        wait_until(lambda: client.suggest("canon").suggestions, "the table")
        assert [one.text for one in client.suggest("canon", limit=1).suggestions] == ["Canon EOS R5"]


def test_a_new_build_is_counted_anew_and_until_then_the_last_one_answers(tmp_path, heavy):
    draw(tmp_path / "pictures/first.jpg", 1, tags=["harbour"])
    update(tmp_path / "data", tmp_path / "pictures")

    async def run() -> None:
        tables = SuggestionTables(fresh_s=0)
        engine = SearchEngine.open(tmp_path / "data")
        table = await wait_for(tables, engine, "harbour")
        again = await tables.get(engine)
        assert again is table
        draw(tmp_path / "pictures/second.jpg", 2, tags=["lighthouse"])
        update(tmp_path / "data")
        assert await wait_for(tables, SearchEngine.open(tmp_path / "data"), "lighthouse") not in (None, table)
        await tables.stop()

    async def wait_for(tables, engine, typed):
        for _ in range(240):  # each waits half a second for a build that is new
            table = await tables.get(engine)
            if table and table.find(typed, 1):
                return table
        return None

    asyncio.run(run())


def test_of_too_many_those_of_most_pictures_are_kept(heavy):
    field = Field(name="tag", type=FieldType.WORDS, label="Tags", faceted=True)
    values = [KnownValue(field=field, text=f"word {number}", count=number, where="") for number in range(50_010)]
    table = SuggestionTable(values)
    assert len(table) == 50_000
    assert [one.count for one in table.find("word", 3)] == [50_009, 50_008, 50_007]
    assert [one.text for one in table.find("word 12345", 9)] == ["word 12345"]
    assert table.find("ord 1234", 3)[0].count == 12_349
