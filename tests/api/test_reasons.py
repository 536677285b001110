"""Why a picture was found by words: what of it says them, through the engine and over HTTP."""

import json
from functools import cache

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from api.config import Settings
from api.http.app import create_app
from api.search.engine import SearchEngine
from api.search.query import Clause, Query
from indexer.config import IndexerSettings
from indexer.library.catalog.words.queries import WordMatcher
from indexer.pipeline.commands import BuildOptions, build

ROWS = [
    {"path": "sunset.png", "caption": "西湖的日落\nsunset over West Lake", "tags": ["lake", "黄昏"]},
    {"path": "IMG_BeijingTrip_7.png", "caption": "", "tags": ["北京"]},
    {"path": "other.png", "caption": "nothing of that"},
]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reasons")
    for place, row in enumerate(ROWS):
        Image.new("RGB", (40, 30), (80 * place, 90, 200 - 80 * place)).save(folder / row["path"])
    table = folder / "list.jsonl"
    table.write_text("\n".join(json.dumps(row) for row in ROWS), "utf-8")
    build(IndexerSettings(data=folder / "data", workers=0), [table], BuildOptions(encoders=["starter-v3"]))
    return folder / "data"


@cache
def engine_of(data):
    return SearchEngine.open(data)


def reasons(data, text: str, match: str = "text", **options) -> dict[str, list[tuple[str, str]]]:
    result = engine_of(data).search(Query(clauses=[Clause(text=text)], match=match, **options))
    return {hit.path: [(one.field, one.text) for one in hit.reasons] for hit in result.hits}


def test_the_line_that_says_the_words_is_the_reason(data):
    assert reasons(data, "日落") == {"sunset.png": [("caption", "西湖的日落")]}
    assert reasons(data, "West Lake") == {
        "sunset.png": [("caption", "sunset over West Lake"), ("tag", "lake")],
    }
    assert reasons(data, "beijing trip") == {"IMG_BeijingTrip_7.png": [("name", "IMG_BeijingTrip_7.png")]}
    assert reasons(data, "北京") == {"IMG_BeijingTrip_7.png": [("tag", "北京")]}
    assert reasons(data, "黃昏") == {"sunset.png": [("tag", "黄昏")]}  # as it is written in Traditional Chinese


def test_of_both_ways_only_what_says_the_words_has_a_reason(data):
    found = reasons(data, "日落", match="both")
    assert found["sunset.png"] == [("caption", "西湖的日落")]
    assert len(found) == 3
    assert found["other.png"] == []
    assert set(map(tuple, reasons(data, "日落", match="vector").values())) == {()}


def test_reasons_travel_with_hits(data, heavy):
    with TestClient(create_app(Settings(data=data))) as http:
        (hit,) = http.get("/v1/search", params={"q": "日落", "match": "text"}).raise_for_status().json()["hits"]
    assert hit["reasons"] == [{"field": "caption", "text": "西湖的日落", "box": None, "at": None}]


def test_long_texts_are_cut_around_what_was_asked_for():
    matcher = WordMatcher(["灯塔"])
    text = "很" * 500 + "海边的灯塔" + "长" * 500
    cut = matcher.cut(text, 60)
    assert "灯塔" in cut
    assert len(cut) <= 62
    assert (cut[0], cut[-1]) == ("…", "…")
    assert matcher.cut("灯塔", 60) == "灯塔"


@pytest.mark.parametrize(
    ("asked", "text", "says"),
    [
        ("red car", "a red carpet", True),  # the last word may go on
        ("red", "a hundred", False),
        ("发票", "增值税发票代码", True),
        ("發票", "增值税发票代码", True),
        ("发票 杭州", "杭州东站", True),
        ("ＡＢＣ", "abc", True),
        ("", "abc", False),
        ("!?", "abc", False),
    ],
)
def test_lines_are_compared_as_the_index_compares_them(asked, text, says):
    assert (WordMatcher([asked]).count(text) > 0) == says


def test_the_command_prints_what_says_the_words(data, xuntu):
    done = xuntu("search", "--data", data, "--match", "text", "日落")
    assert done.returncode == 0, done.stderr
    head, line = done.stdout.splitlines()
    assert head.split() == ["rank", "score", "id", "says", "file"]
    assert "西湖的日落" in line
    plain = xuntu("search", "--data", data, "--match", "text", "beijing").stdout.splitlines()
    assert plain[0].split() == ["rank", "score", "id", "file"]  # its name is there anyway
