"""Searching with duplicates hidden: what is left out, and that pages stay whole."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from api.search.engine import SearchEngine
from api.search.errors import InvalidQuery
from api.search.query import MAX_HIDING, Clause, Query
from indexer.config import IndexerSettings
from indexer.library.duplicates.grouping import calibrate_build, group
from indexer.pipeline.commands import BuildOptions, build, compact

COPIES = {"cat.png": 5, "coffee.png": 40, "flower.jpg": 3, "rocket.jpg": 1}  # further files with the same bytes
SIZES = {"cat.png": (0.9, 0.6), "china.jpg": (0.8, 0.5, 0.4), "coffee.png": (0.7,)}  # versions of other sizes


@pytest.fixture(scope="module")
def crowded(photographs, tmp_path_factory) -> Path:
    """A library of nine photographs and many duplicates of some of them. Not to be changed."""
    folder = tmp_path_factory.mktemp("crowded")
    shutil.copytree(photographs, folder / "pictures", ignore=shutil.ignore_patterns("broken.jpg"))
    for name, count in COPIES.items():
        for number in range(count):
            shutil.copyfile(photographs / name, folder / "pictures" / f"copy-{number:02d}-{name}")
    for name, scales in SIZES.items():
        image = Image.open(photographs / name).convert("RGB")
        for scale in scales:
            size = (round(image.width * scale), round(image.height * scale))
            small = image.resize(size, Image.Resampling.LANCZOS)
            small.save(folder / "pictures" / f"small-{scale}-{Path(name).stem}.jpg", quality=80)
    build(IndexerSettings(data=folder / "data", workers=0), [folder / "pictures"], BuildOptions(encoders=["starter"]))
    return folder / "data"


@pytest.fixture(scope="module")
def engine(crowded) -> SearchEngine:
    return SearchEngine.open(crowded)


ALL = 9 + sum(COPIES.values()) + sum(map(len, SIZES.values()))


def ask(engine, text="一只猫", **more):
    return engine.search(Query(clauses=[Clause(text=text)], **more))


def original(path: str) -> str:
    """Return which photograph a file is made of."""
    return Path(path).stem.split("-")[-1]


@pytest.mark.parametrize("text", ["一只猫", "a cup of coffee", "花", "a man with a camera"])
def test_each_photograph_is_shown_once_and_the_best_ranked_of_its_versions(engine, text):
    whole = ask(engine, text, k=ALL)
    assert whole.total == len(whole.hits) == ALL
    assert {hit.duplicates for hit in whole.hits} == {0}
    hidden = ask(engine, text, k=ALL, hide_duplicates=True)
    best = {}
    for hit in whole.hits:
        best.setdefault(original(hit.path), hit.id)
    assert [hit.id for hit in hidden.hits] == list(best.values())
    assert (len(hidden.hits), hidden.total, hidden.more) == (9, ALL, False)
    assert sum(hit.duplicates for hit in hidden.hits) == ALL - 9
    counts = {original(hit.path): hit.duplicates for hit in hidden.hits}
    assert counts["coffee"] == 41
    assert counts["moon"] == 0


@pytest.mark.parametrize("k", [1, 2, 3, 4, 8, 9, 10])
def test_pages_follow_each_other_and_nothing_is_lost_or_shown_twice(engine, k):
    whole = [hit.id for hit in ask(engine, "a cup of coffee", k=ALL, hide_duplicates=True).hits]
    seen, offset, more = [], 0, True
    while more:
        page = ask(engine, "a cup of coffee", k=k, offset=offset, hide_duplicates=True)
        seen += [hit.id for hit in page.hits]
        offset, more = offset + k, page.more
        assert page.total == ALL
    assert seen == whole
    for offset in range(12):
        page = ask(engine, "a cup of coffee", k=k, offset=offset, hide_duplicates=True)
        assert [hit.id for hit in page.hits] == whole[offset : offset + k]
        assert page.more == (offset + k < 9)


def test_what_is_hidden_is_a_duplicate_of_what_is_shown(engine):
    whole = ask(engine, k=ALL)
    shown = {hit.id for hit in ask(engine, k=ALL, hide_duplicates=True).hits}
    looks = engine.opened.catalog.get_looks([hit.id for hit in whole.hits])
    leaders = group(looks, engine.opened.index.fetch, calibrate_build(engine.opened)).leaders
    for place, hit in enumerate(whole.hits):
        assert (hit.id in shown) == (leaders[place] == place)
        assert whole.hits[leaders[place]].id in shown


def test_conditions_come_before_hiding(engine):
    result = ask(engine, k=ALL, hide_duplicates=True, where="path=copy-")
    assert sorted(original(hit.path) for hit in result.hits) == ["cat", "coffee", "flower", "rocket"]
    assert result.total == sum(COPIES.values())
    whole = ask(engine, k=ALL, hub_correction=False)
    cut = whole.hits[20].score
    result = ask(engine, k=ALL, hide_duplicates=True, min_score=cut)
    assert result.total == sum(hit.score >= cut for hit in whole.hits)
    assert all(hit.score >= cut for hit in result.hits)
    empty = ask(engine, hide_duplicates=True, where="path=nowhere/")
    assert (empty.hits, empty.total, empty.more) == ([], 0, False)


def test_more_like_one_shows_one_of_its_copies(engine):
    cat = ask(engine, k=1).hits[0]
    result = engine.search(Query(clauses=[Clause(image_id=cat.id)], k=ALL, hide_duplicates=True))
    assert cat.id not in [hit.id for hit in result.hits]
    assert [original(hit.path) for hit in result.hits].count("cat") == 1


def test_words_are_searched_without_duplicates_too(engine):
    result = ask(engine, "coffee", k=ALL, match="text", hide_duplicates=True)
    assert [original(hit.path) for hit in result.hits] == ["coffee"]
    assert result.hits[0].duplicates == result.total - 1 == 41
    both = ask(engine, "coffee", k=ALL, match="both", hide_duplicates=True)
    assert len(both.hits) == 9


@pytest.mark.parametrize(("name", "exact", "near"), [("cat.png", 5, 2), ("china.jpg", 0, 3), ("moon.png", 0, 0)])
def test_the_copies_of_one_picture_are_found_exact_ones_first(engine, name, exact, near):
    (found,) = [hit for hit in ask(engine, k=ALL).hits if hit.path == name]
    copies = engine.find_copies(engine.get_image(found.id))
    assert [one.why for one in copies] == ["copy"] * exact + ["near"] * near
    assert {original(one.picture.path) for one in copies} <= {Path(name).stem}
    assert found.id not in [one.picture.id for one in copies]
    assert all((one.bits, one.cosine) == (0, 1) for one in copies[:exact])
    cosines = [one.cosine for one in copies[exact:]]
    assert cosines == sorted(cosines, reverse=True)
    for one in copies:  # and each of them finds it
        assert found.id in [other.picture.id for other in engine.find_copies(one.picture)]


def test_a_library_without_duplicates_answers_as_ever(library):
    engine = SearchEngine.open(library)
    assert ask(engine, k=9, hide_duplicates=True).hits == ask(engine, k=9).hits


def test_pictures_that_were_compacted_away_are_passed_over(photographs, tmp_path, heavy):
    """A service answers from the build it has open, while the catalog has forgotten some of its pictures already."""
    shutil.copytree(photographs, tmp_path / "pictures")
    shutil.copyfile(photographs / "cat.png", tmp_path / "pictures" / "copy.png")
    settings = IndexerSettings(data=tmp_path / "data", workers=0)
    build(settings, [tmp_path / "pictures"], BuildOptions(encoders=["starter"]))
    engine = SearchEngine.open(tmp_path / "data")
    for name in ("coffee.png", "copy.png"):
        (tmp_path / "pictures" / name).unlink()
    build(settings, [], BuildOptions())
    compact(settings)
    names = [Path(hit.path).name for hit in ask(engine, k=20, hide_duplicates=True).hits]
    assert len(names) == 8
    assert names[0] == "cat.png"


def test_how_far_can_be_paged_is_said(engine):
    assert ask(engine, k=10, offset=MAX_HIDING - 10, hide_duplicates=True).hits == []
    with pytest.raises(InvalidQuery, match=str(MAX_HIDING)):
        Query(clauses=[Clause(text="a")], k=11, offset=MAX_HIDING - 10, hide_duplicates=True)


# Through the doors


@pytest.fixture(scope="module")
def http(crowded, serve):
    with httpx.Client(base_url=serve(crowded), timeout=120) as client:
        yield client


def test_rest_hides_when_asked_and_pages_end(http):
    assert http.get("/v1/search", params={"q": "cat", "k": 50}).json()["next_offset"] == 50
    seen, offset = [], 0
    while offset is not None:
        params = {"q": "a cup of coffee", "k": 4, "offset": offset, "hide_duplicates": "true"}
        answer = http.get("/v1/search", params=params).raise_for_status().json()
        seen += answer["hits"]
        offset = answer["next_offset"]
        assert answer["total"] == ALL
    assert len(seen) == len({original(hit["path"]) for hit in seen}) == 9
    assert seen[0]["duplicates"] == 41


def test_every_way_of_searching_hides(http, photographs):
    body = {"clauses": [{"text": "cat"}], "k": 50, "hide_duplicates": True}
    posted = http.post("/v1/search", json=body).raise_for_status().json()
    file = {"file": (photographs / "cat.png").read_bytes()}
    given = (
        http.post("/v1/search/image", files=file, data={"k": "50", "hide_duplicates": "true"}).raise_for_status().json()
    )
    cat = posted["hits"][0]["id"]
    path = f"/v1/images/{cat}/similar"
    similar = http.get(path, params={"k": 50, "hide_duplicates": True}).raise_for_status().json()
    for answer in (posted, given, similar):
        assert len(answer["hits"]) == 9
        assert answer["next_offset"] is None
    described = http.get("/openapi.json").json()["components"]["schemas"]["SearchRequest"]["properties"]
    assert described["hide_duplicates"]["default"] is False
    assert "near-duplicates" in described["hide_duplicates"]["description"]


def test_paging_too_far_is_a_problem(http):
    params = {"q": "cat", "k": 100, "offset": MAX_HIDING, "hide_duplicates": "true"}
    answer = http.get("/v1/search", params=params)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_query")


def test_the_command_hides_when_asked(crowded, tmp_path, processes):
    def run(*options: str) -> "subprocess.CompletedProcess[bytes]":
        command = [sys.executable, "-c", "from api.cli import main; main()", "search", "--data", str(crowded), "一只猫"]
        environment = {**os.environ, "HOME": str(tmp_path)}
        command += ["--k", "50", "--hide-duplicates", *options]
        return subprocess.run(command, capture_output=True, check=True, cwd=tmp_path, env=environment, timeout=300)

    done = run()
    assert len(done.stdout.splitlines()) == 10
    assert f"{ALL - 9} duplicates of these are hidden".encode() in done.stderr
    hits = json.loads(run("--json").stdout)["hits"]
    assert len(hits) == 9
    assert sum(hit["duplicates"] for hit in hits) == ALL - 9
    assert np.all(np.diff([hit["score"] for hit in hits]) <= 0)
