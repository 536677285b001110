"""Looking for words as well as at pictures: the engine, the REST API and the command line."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx
import numpy as np
import pytest

from api.search.engine import SearchEngine
from api.search.errors import InvalidQuery
from api.search.fusion import fuse
from api.search.query import Clause, Query, parse_terms
from api.search.retrievers.words import WordSearch
from indexer.config import IndexerSettings
from indexer.library.catalog.filter_parser import parse_filter
from indexer.library.catalog.writer import Catalog
from indexer.library.layout import Layout
from indexer.pipeline.commands import BuildOptions, build
from models.foundation.errors import NoTextTower, UnknownWords

CAPTIONS = {
    "cat.png": ("草地上的老虎", "宠物;室内"),
    "coffee.png": ("a cup of coffee, moon-shaped", ""),
    "rocket.jpg": ("火箭发射 at Cape Canaveral", "航天"),
    "china.jpg": ("一座寺庙 zorp", "旅行;寺庙"),
    "flower.jpg": ("", "草地"),
    "people/astronaut.png": ("the zorp of the moon", ""),
}


@pytest.fixture(scope="module")
def described(photographs, tmp_path_factory) -> Path:
    """A library of a list of the photographs, with captions that are not all true, and of a shard."""
    folder = tmp_path_factory.mktemp("described")
    shutil.copytree(photographs, folder / "photos")
    lines = [
        json.dumps({"path": f"photos/{name}", "caption": caption, "tags": tags})
        for name, (caption, tags) in CAPTIONS.items()
    ]
    lines += [json.dumps({"path": str(photographs / "moon.png")})]
    (folder / "list.jsonl").write_text("\n".join(lines), encoding="utf-8")
    with tarfile.open(folder / "shard.tar", "w") as tar:
        for name in ("motorcycle.png", "people/camera.png"):
            tar.add(folder / "photos" / name, name)
        (folder / "motorcycle.txt").write_text("一辆摩托车停在草地上")
        tar.add(folder / "motorcycle.txt", "motorcycle.txt")
    build(
        IndexerSettings(data=folder / "data", workers=0), [folder / "list.jsonl", folder / "shard.tar"], BuildOptions()
    )
    return folder / "data"


@pytest.fixture(scope="module")
def engine(described) -> SearchEngine:
    return SearchEngine.open(described)


def names(result) -> list[str]:
    return [Path(hit.path).name for hit in result.hits]


def ask(engine, *terms, **more):
    return engine.search(Query(clauses=parse_terms(terms), **more))


def test_words_find_what_they_are_said_of_and_pictures_what_they_show(engine):
    assert names(ask(engine, "老虎", match="text")) == ["cat.png"]
    assert names(ask(engine, "火箭", match="text")) == ["rocket.jpg"]
    assert names(ask(engine, "一只猫", k=1)) == ["cat.png"]
    assert set(names(ask(engine, "草地", match="text"))) == {"cat.png", "motorcycle.png", "flower.jpg"}
    assert names(ask(engine, "花", match="text")) == []


@pytest.mark.parametrize("query", ["寺庙", "寺廟", "旅行", "TEMPLE cape", "china", "people astro"])
def test_two_characters_traditional_capitals_tags_and_names(engine, query):
    assert ask(engine, query, match="text").total > 0


def test_scores_stay_cosines(engine):
    result = ask(engine, "a cup of coffee", match="text", hub_correction=False)
    vector = engine.encoders.text.encode_text(["a cup of coffee"])[0]
    stored = engine.opened.index.fetch(np.array([hit.id for hit in result.hits]))
    assert np.allclose(stored @ vector, [hit.score for hit in result.hits], atol=2e-6)


def test_words_that_the_encoder_does_not_know_are_found_all_the_same(engine):
    with pytest.raises(UnknownWords):
        ask(engine, "zorp", match="vector")
    for match in ("text", "both", "auto"):
        result = ask(engine, "zorp", match=match)
        assert set(names(result)) == {"china.jpg", "astronaut.png"}
        assert [hit.score for hit in result.hits] == [0, 0]
    assert ask(engine, "zzz", match="text").hits == []
    with pytest.raises(UnknownWords):
        ask(engine, "zzz", match="both")
    assert ask(engine, "zorp", "-人", match="text").total == 2


def test_words_to_stay_away_from_leave_out_what_says_them(engine):
    assert names(ask(engine, "zorp", "-moon", match="text")) == ["china.jpg"]
    assert set(names(ask(engine, "草地", "-摩托车", match="text"))) == {"cat.png", "flower.jpg"}


def test_both_puts_what_both_agree_on_first_and_pages_through_everything(engine):
    whole = ask(engine, "草地", match="both", k=100)
    assert whole.total == len(whole.hits) == 9
    assert len({hit.id for hit in whole.hits}) == 9
    pages = [hit for offset in range(0, 9, 2) for hit in ask(engine, "草地", match="both", k=2, offset=offset).hits]
    assert pages == whole.hits
    near = {hit.id: rank for rank, hit in enumerate(ask(engine, "草地", match="vector", k=9).hits, start=1)}
    said = {hit.id: rank for rank, hit in enumerate(ask(engine, "草地", match="text").hits, start=1)}
    sums = {i: 1 / (60 + near[i]) + (1 / (60 + said[i]) if i in said else 0) for i in near}
    assert [hit.id for hit in whole.hits] == sorted(sums, key=lambda i: (-sums[i], near[i]))
    assert ask(engine, "草地", match="both", k=5, offset=50).hits == []


def test_beyond_the_fused_places_the_nearest_go_on(engine, monkeypatch):
    whole = [hit.id for hit in ask(engine, "草地", match="vector", k=9).hits]
    said = [hit.id for hit in ask(engine, "草地", match="text").hits]
    monkeypatch.setattr("api.search.fusion.FUSED", 2)
    result = [hit.id for hit in ask(engine, "草地", match="both", k=100).hits]
    head = fuse([np.array(whole[:2]), np.array(said[:2])], [1, 1]).tolist()
    assert result == head + [image_id for image_id in whole if image_id not in head]
    pages = [hit.id for at in range(9) for hit in ask(engine, "草地", match="both", k=1, offset=at).hits]
    assert pages == result


def test_a_picture_and_words_together(engine, photographs):
    cat = Clause(image=(photographs / "cat.png").read_bytes())
    result = engine.search(Query(clauses=[cat, Clause(text="摩托车")], match="both", k=9))
    assert set(names(result)[:2]) == {"cat.png", "motorcycle.png"}
    like = engine.search(Query(clauses=[Clause(image_id=result.hits[0].id), Clause(text="草地")], match="both", k=9))
    assert result.hits[0].id not in [hit.id for hit in like.hits]
    assert like.total == 8


def test_what_was_found_in_part_is_said(engine):
    assert [note.code for note in ask(engine, "zorp rocket", match="text").notes] == ["words_in_part"]
    assert "words_in_part" in [note.code for note in ask(engine, "摩托车 猫 海滩", match="both").notes]
    assert [note.code for note in ask(engine, "狗", match="both").notes] == ["words_not_found"]
    assert ask(engine, "zorp", match="text").notes == []


@pytest.mark.parametrize(
    "where", ["format=jpeg", "path=photos/", "path=photos/people/", "width>100000", "tag=草地|寺庙", "tag=nothing"]
)
def test_filters_hold_for_words(engine, where):
    allowed = set(engine.opened.catalog.ids_where(parse_filter(where, engine.fields())).tolist())
    for match, everything in (("text", ask(engine, "草地", match="text", k=100)), ("both", ask(engine, "草地", k=100))):
        result = ask(engine, "草地", match=match, where=where, k=100)
        assert {hit.id for hit in result.hits} == {hit.id for hit in everything.hits} & allowed
        assert result.total == len(result.hits)


@pytest.mark.parametrize(
    "wrong",
    [
        {"clauses": [Clause(text="cat"), Clause(image_id=1)], "match": "text"},
        {"clauses": [Clause(image=b"x")], "match": "text"},
        {"clauses": [Clause(text="cat")], "match": "text", "min_score": 0.1},
        {"clauses": [Clause(text="cat")], "match": "both", "min_score": 0.1},
        {"clauses": [Clause(text="cat")], "match": "words"},
    ],
)
def test_what_cannot_be_asked_of_words(wrong):
    with pytest.raises(InvalidQuery, match="match"):
        Query(**wrong)


@pytest.mark.parametrize("clauses", [[Clause(text="cat", weight=-1)], [Clause(image_id=1)]])
def test_there_must_be_a_word_to_look_for(engine, clauses):
    if clauses[0].image_id:
        with pytest.raises(InvalidQuery, match="no word"):
            engine.search(Query(clauses=clauses, match="both"))
        return
    for match in ("text", "both"):
        with pytest.raises(InvalidQuery, match="no word"):
            engine.search(Query(clauses=clauses, match=match))


def test_an_encoder_that_reads_no_text_still_finds_words(photographs, tmp_path, monkeypatch, heavy):
    build(IndexerSettings(data=tmp_path, workers=0), [photographs], BuildOptions(encoders=["starter"]))
    engine = SearchEngine.open(tmp_path)

    class Blind:
        @property
        def text(self):
            raise NoTextTower("blind")

        spec = engine.encoders.spec

    monkeypatch.setattr(engine.get_space(), "encoders", Blind())
    for match in ("text", "auto"):
        assert names(ask(engine, "astronaut", match=match)) == ["astronaut.png"]
    with pytest.raises(NoTextTower):
        ask(engine, "astronaut", match="vector")
    with pytest.raises(NoTextTower):
        ask(engine, "zzz")


def test_new_captions_are_found_without_a_new_build(photographs, tmp_path, heavy):
    shutil.copy(photographs / "cat.png", tmp_path)
    settings = IndexerSettings(data=tmp_path / "data", workers=0)
    table = tmp_path / "list.csv"
    table.write_text("path,caption\ncat.png,first\n")
    first = build(settings, [table], BuildOptions())
    engine = SearchEngine.open(settings.data)
    assert ask(engine, "first", match="text").total == 1
    table.write_text("path,caption\ncat.png,second\n")
    assert build(settings, [], BuildOptions()).build == first.build
    assert ask(engine, "first", match="text").total == 0
    assert ask(engine, "second", match="text").total == 1
    table.write_text("path,caption\n")
    build(settings, [], BuildOptions(allow_empty=[table]))
    assert SearchEngine.open(settings.data).search(Query(clauses=[Clause(text="second")], match="text")).total == 0


def test_words_are_looked_up_by_a_connection_of_their_own(described):
    """A question that takes seconds must not hold up whoever else reads the catalog."""
    catalog = Catalog(Layout(described).catalog)
    words = WordSearch(catalog)
    catalog.close()
    assert len(words.match([Clause(text="zorp")]).ids) == 2


def test_fusion():
    assert fuse([np.array([5, 3, 9]), np.array([3, 7])], [1, 1]).tolist() == [3, 5, 7, 9]
    assert fuse([np.array([1, 2]), np.array([2, 1])], [1, 1]).tolist() == [1, 2]
    assert fuse([np.array([1, 2]), np.array([8, 9])], [1, 1]).tolist() == [1, 8, 2, 9]
    assert fuse([np.empty(0, np.int64), np.array([4])], [1, 1]).tolist() == [4]
    assert fuse([np.array([1, 2, 3]), np.array([9])], [1, 0.5]).tolist() == [1, 2, 3, 9]


# REST


@pytest.fixture(scope="module")
def http(described, serve):
    with httpx.Client(base_url=serve(described), timeout=120) as client:
        yield client


def test_words_over_http(http):
    for match, expected in (("text", ["photos/rocket.jpg"]), ("both", None), ("vector", None)):
        answer = http.get("/v1/search", params={"q": "火箭發射", "match": match, "k": 3}).raise_for_status().json()
        body = {"clauses": [{"text": "火箭發射"}], "match": match, "k": 3}
        assert http.post("/v1/search", json=body).raise_for_status().json()["hits"] == answer["hits"]
        assert answer["hits"][0]["path"] == "photos/rocket.jpg"
        assert expected is None or [hit["path"] for hit in answer["hits"]] == expected
    form = http.post("/v1/search", json={"clauses": [{"text": "zorp"}], "match": "text", "k": 1}).json()
    assert (form["total"], form["next_offset"]) == (2, 1)
    assert form["encoder"] == "starter-v3"


def test_words_are_looked_at_beside_an_uploaded_picture(http, photographs):
    file = (photographs / "people/camera.png").read_bytes()

    def ask(match: str) -> list[str]:
        data = {"text": "火箭发射", "match": match, "weight": 0.1, "k": 2}
        answer = http.post("/v1/search/image", files={"file": file}, data=data).raise_for_status().json()
        return [Path(hit["path"]).name for hit in answer["hits"]]

    assert "rocket.jpg" in ask("both")
    assert "rocket.jpg" not in ask("vector")
    refused = http.post("/v1/search/image", files={"file": file}, data={"text": "火箭", "match": "text"})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_query")


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"q": "cat", "match": "words"}, "invalid_request"),
        ({"q": "cat", "match": "text", "min_score": 0.2}, "invalid_query"),
        ({"q": "a" * 501, "match": "text"}, "invalid_query"),
    ],
)
def test_mistakes_over_http(http, params, code):
    for language, chinese in (("en", False), ("zh", True)):
        response = http.get("/v1/search", params=params, headers={"accept-language": language})
        assert (response.status_code, response.json()["code"]) == (422, code)
        assert any("\u4e00" <= char <= "\u9fff" for char in response.json()["detail"]) == chinese


def test_nothing_typed_breaks_the_search(http):
    for text in ('"', "cat*", "NEAR(", "a AND", "'; --", "{x}:y", "(" * 400, "\x00cat"):
        for match in ("text", "both"):
            response = http.get("/v1/search", params={"q": text, "match": match})
            assert response.status_code == 200 or response.json()["code"] in ("invalid_query", "unknown_words")
    for match in ("vector", "text", "both"):
        body = json.dumps({"clauses": [{"text": "草地 \ud800"}], "match": match})  # half of a character
        http.post("/v1/search", content=body, headers={"content-type": "application/json"}).raise_for_status()


def test_captions_and_tags_are_shown(http, photographs):
    hit = http.get("/v1/search", params={"q": "寺庙", "match": "text"}).json()["hits"][0]
    assert (hit["path"], hit["root"]) == ("photos/china.jpg", "list.jsonl")
    detail = http.get(f"/v1/images/{hit['id']}").json()
    assert (detail["caption"], detail["tags"], detail["url"]) == ("一座寺庙 zorp", ["旅行", "寺庙"], None)
    file = http.get(f"/v1/images/{hit['id']}/file").raise_for_status()
    assert file.content == (photographs / "china.jpg").read_bytes()


def test_pictures_in_a_shard_are_served_from_it(http, photographs):
    hit = http.get("/v1/search", params={"q": "摩托车停在", "match": "text"}).json()["hits"][0]
    assert (hit["path"], hit["root"]) == ("motorcycle.png", "shard.tar")
    content = (photographs / "motorcycle.png").read_bytes()
    detail = http.get(f"/v1/images/{hit['id']}").json()
    assert (detail["bytes"], detail["caption"]) == (len(content), "一辆摩托车停在草地上")
    file = http.get(f"/v1/images/{hit['id']}/file").raise_for_status()
    assert (file.content, file.headers["content-type"]) == (content, "image/png")
    assert "motorcycle.png" in file.headers["content-disposition"]
    for size in (100, 1000):
        thumbnail = http.get(f"/v1/images/{hit['id']}/thumbnail", params={"size": size}).raise_for_status()
        assert thumbnail.headers["content-type"] == "image/webp"


def test_a_shard_that_was_written_anew_gives_nothing_else_out(photographs, tmp_path, serve):
    def write(*names: str) -> None:
        with tarfile.open(tmp_path / "s.tar", "w") as tar:
            for name in names:
                tar.add(photographs / name, name)

    write("cat.png")
    build(IndexerSettings(data=tmp_path / "data", workers=0), [tmp_path / "s.tar"], BuildOptions())
    url = serve(tmp_path / "data")
    write("people/camera.png", "cat.png")
    file = httpx.get(f"{url}/v1/images/1/file")
    assert (file.status_code, file.json()["code"]) == (409, "file_changed")
    assert httpx.get(f"{url}/v1/images/1/thumbnail", params={"size": 1600}).status_code == 200


def test_tags_are_conditions_over_http_and_on_the_command_line(http, described):
    def ask(**params):
        hits = http.get("/v1/search", params={"q": "cat", **params}).raise_for_status().json()["hits"]
        return sorted(Path(hit["path"]).name for hit in hits)

    assert ask(tags="旅行") == ["china.jpg"]
    assert ask(tags="旅行|室内") == ask(where="tag=旅行|室内") == ["cat.png", "china.jpg"]
    assert ask(tags=["旅行", "寺庙"]) == ["china.jpg"]
    assert ask(tags=["旅行", "室内"]) == ask(tags="旅") == []
    body = {"clauses": [{"text": "cat"}], "where": {"tags": ["宠物"]}}
    assert [hit["path"] for hit in http.post("/v1/search", json=body).json()["hits"]] == ["photos/cat.png"]
    for wrong in ("", "a||b", "\ud800"):
        body = {"clauses": [{"text": "cat"}], "where": {"tags": [wrong]}}
        answer = http.post("/v1/search", content=json.dumps(body), headers={"content-type": "application/json"})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_filter")
    done = xuntu("search", "--data", described, "cat", "--where", "tag=航天", "--json")
    assert [hit["path"] for hit in json.loads(done.stdout)["hits"]] == ["photos/rocket.jpg"]


def test_no_absolute_path_of_a_list_is_shown(http, photographs):
    hit = next(h for h in http.get("/v1/search", params={"q": "cat"}).json()["hits"] if h["path"].endswith("moon.png"))
    assert hit["path"] == f"…/{photographs.name}/moon.png"
    assert http.get(f"/v1/images/{hit['id']}").json()["path"] == hit["path"]
    assert http.get(f"/v1/images/{hit['id']}/file").status_code == 200


def test_a_picture_of_an_address_is_shown_and_its_original_is_there(photographs, tmp_path, serve):
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(photographs))) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}/people/camera.png"
        (tmp_path / "list.csv").write_text(f"url,tags\n{address},a;b\n")
        settings = IndexerSettings(data=tmp_path / "data", workers=0, allow_private="127.0.0.1")
        build(settings, [tmp_path / "list.csv"], BuildOptions())
        server.shutdown()
        thread.join()
    url = serve(tmp_path / "data")
    hit = httpx.get(f"{url}/v1/search", params={"q": "camera", "where": "path=http://127"}).json()["hits"][0]
    assert hit["path"] == address
    detail = httpx.get(f"{url}/v1/images/{hit['id']}").json()
    size = (photographs / "people/camera.png").stat().st_size
    assert (detail["path"], detail["url"], detail["tags"], detail["bytes"]) == (address, address, ["a", "b"], size)
    for wanted in (100, 1600):
        assert httpx.get(f"{url}/v1/images/{hit['id']}/thumbnail", params={"size": wanted}).status_code == 200
    file = httpx.get(f"{url}/v1/images/{hit['id']}/file")
    assert (file.status_code, file.json()["code"], file.headers.get("location")) == (502, "not_fetched", None)


# Command line


def xuntu(*arguments: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", "from api.cli import main; main()", *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "LANG": "C.UTF-8"},
        check=False,
        timeout=300,
    )


def test_words_from_the_command_line(described, processes):
    done = xuntu("search", "--data", described, "zorp", "-moon", "--match", "text", "--json")
    assert [hit["path"] for hit in json.loads(done.stdout)["hits"]] == ["photos/china.jpg"]
    done = xuntu("search", "--data", described, "摩托车停在", "--match", "text")
    assert str(described.parent / "shard.tar/motorcycle.png") in "".join(done.stdout.split())
    done = xuntu("search", "--data", described, "cat", "--match", "words")
    assert (done.returncode, "vector, text, both" in done.stderr) == (2, True)
