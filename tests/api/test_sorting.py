"""The order of a field: pictures in a list, hits of a search, pictures in Python."""

import json
import os

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

import xuntu
from api.client import Client
from api.config import Settings
from api.http.app import create_app
from api.search.engine import SearchEngine
from api.search.query import Clause, Query
from indexer.config import IndexerSettings
from indexer.library.builds.current import roll_back
from indexer.library.errors import InvalidSort
from indexer.library.layout import Layout
from indexer.pipeline.commands import BuildOptions, build

PICTURES = {  # name: when it was taken, by which camera, its rating
    "b.jpg": ("2021:05:06 07:08:09", "Zorki 4", 2),
    "a.jpg": ("2019:01:01 00:00:00", "agfa", None),
    "IMG_20200304_101112.jpg": (None, None, 5),
    "d.jpg": ("2021:05:06 07:08:09", "Leica", -1),
}
FILE_TIME = 1_500_000_000  # 2017


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A library of four pictures, of which two were taken in the same second. Not to be changed."""
    return make(tmp_path_factory.mktemp("sorted"))


@pytest.fixture
def album_of(tmp_path):
    """The same, to be changed, and the folder of its pictures."""
    return make(tmp_path), tmp_path / "pictures"


def make(folder):
    pictures = folder / "pictures"
    pictures.mkdir()
    for seed, (name, (taken, camera, rating)) in enumerate(PICTURES.items()):
        pixels = np.random.default_rng(seed).integers(0, 256, (6, 8 + seed, 3), np.uint8)
        exif = Image.Exif()
        if taken:
            exif.get_ifd(0x8769)[0x9003] = taken
        if camera:
            exif[0x0110] = camera
        Image.fromarray(pixels).save(pictures / name, exif=exif)
        if rating is not None:
            (pictures / f"{name}.xmp").write_text(
                '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
                f'<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="{rating}"/>'
                "</rdf:RDF></x:xmpmeta>"
            )
        os.utime(pictures / name, (FILE_TIME, FILE_TIME))
    build(IndexerSettings(data=folder / "data", workers=0), [pictures], BuildOptions(encoders=["hash"]))
    return folder / "data"


@pytest.fixture(scope="module")
def http(data):
    with TestClient(create_app(Settings(data=data))) as client:
        yield client


def names(answer: dict) -> list[str]:
    return [one["path"] for one in answer["images"]]


NAMED = "IMG_20200304_101112.jpg"


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("taken", ["a.jpg", NAMED, "b.jpg", "d.jpg"]),
        ("-taken", ["b.jpg", "d.jpg", NAMED, "a.jpg"]),
        ("camera", ["a.jpg", "d.jpg", "b.jpg", NAMED]),
        ("-camera", ["b.jpg", "d.jpg", "a.jpg", NAMED]),
        ("rating", ["d.jpg", "b.jpg", NAMED, "a.jpg"]),
        ("-rating", [NAMED, "b.jpg", "d.jpg", "a.jpg"]),
        ("width", ["b.jpg", "a.jpg", NAMED, "d.jpg"]),
        (" - aspect ", ["d.jpg", NAMED, "a.jpg", "b.jpg"]),
        ("path", ["a.jpg", "b.jpg", "d.jpg", NAMED]),
        ("+modified", [NAMED, "a.jpg", "b.jpg", "d.jpg"]),
        ("format", [NAMED, "a.jpg", "b.jpg", "d.jpg"]),
    ],
)
def test_pictures_are_listed_in_the_order_of_a_field(http, data, sort, expected):
    answer = http.get("/v1/images", params={"sort": sort}).raise_for_status().json()
    assert names(answer) == expected
    assert (answer["total"], answer["next_offset"]) == (4, None)
    with xuntu.open(data) as library:
        assert [picture.path for picture in library.pictures(sort=sort)] == expected
        assert [one.path for one in library.pictures("camera=i", sort=sort)] == [
            name for name in expected if name in {"b.jpg", "d.jpg"}
        ]


def test_a_list_has_pages_conditions_and_what_it_is_sorted_by(http):
    first = http.get("/v1/images", params={"k": 3}).raise_for_status().json()
    assert [(one["path"], one["value"]) for one in first["images"]] == [
        ("b.jpg", "2021-05-06T07:08:09"),
        ("d.jpg", "2021-05-06T07:08:09"),
        (NAMED, "2020-03-04T10:11:12"),
    ]
    assert (first["total"], first["next_offset"]) == (4, 3)
    assert (first["images"][0]["width"], first["images"][0]["height"]) == (8, 6)
    rest = http.get("/v1/images", params={"k": 3, "offset": 3}).json()
    assert (names(rest), rest["next_offset"]) == (["a.jpg"], None)
    some = http.get("/v1/images", params={"where": "taken=2021 and rating>=0", "sort": "taken"}).json()
    assert (names(some), some["total"]) == (["b.jpg"], 1)
    past = http.get("/v1/images", params={"offset": 1_000}).json()
    assert (past["images"], past["total"], past["next_offset"]) == ([], 4, None)


def test_hits_are_put_in_the_order_of_a_field_and_are_the_same(http, data):
    engine = SearchEngine.open(data)
    like = Clause(image_id=1)
    plain = engine.search(Query(clauses=[like], k=2)).hits
    for sort, reverse in (("width", False), ("-width", True)):
        hits = engine.search(Query(clauses=[like], k=2, sort=sort)).hits
        assert hits == sorted(plain, key=lambda hit: hit.width, reverse=reverse)
    answer = http.get("/v1/images/1/similar", params={"sort": "rating", "k": 4}).raise_for_status().json()
    order = [hit["path"] for hit in answer["hits"]]
    assert order == [name for name in ("d.jpg", "b.jpg", NAMED, "a.jpg") if name in order]
    body = {"clauses": [{"image_id": 1}], "sort": "-taken", "k": 4}
    hits = http.post("/v1/search", json=body).raise_for_status().json()["hits"]
    plain = http.post("/v1/search", json={**body, "sort": ""}).json()["hits"]
    latest = [hit["path"] for hit in plain if hit["path"] in {"b.jpg", "d.jpg"}]  # alike: as they were
    assert [hit["path"] for hit in hits] == [*latest, *(name for name in (NAMED, "a.jpg") if name in order)]


def test_what_pictures_cannot_be_sorted_by_is_refused_with_what_they_can(http, data):
    for sort in ("colour", "tag", "phash", "nonsense", "", "-", "x" * 5_000):
        answer = http.get("/v1/images", params={"sort": sort})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_sort"), sort
        assert "taken" in answer.json()["detail"]
        assert len(answer.content) < 2_000
    answer = http.post("/v1/search", json={"clauses": [{"image_id": 1}], "sort": "colour"})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_sort")
    chinese = http.get("/v1/images", params={"sort": "colour"}, headers={"Accept-Language": "zh"}).json()
    assert "排序" in chinese["detail"]
    with xuntu.open(data) as library, pytest.raises(InvalidSort, match="taken"):
        list(library.pictures(sort="colour"))


def test_fields_say_what_pictures_can_be_sorted_by(http):
    found = {one["name"]: one["sortable"] for one in http.get("/v1/fields").json()["fields"]}
    sortable = {name for name, can_be in found.items() if can_be}
    assert {"taken", "camera", "lens", "rating", "place", "width", "modified", "path"} <= sortable
    assert sortable.isdisjoint({"tag", "colour", "dominant", "phash"})


def test_the_client_lists_pictures(data, serve_app):
    with Client(serve_app(create_app(Settings(data=data)))) as client:
        page = client.images(where="taken=2021", sort="taken", k=1)
        assert ([one.path for one in page.images], page.total, page.next_offset) == (["b.jpg"], 2, 1)


def test_the_command_lists_pictures(data, xuntu):
    done = xuntu("list", "--data", data, "--where", "taken=2021", "--sort", "camera")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split()[1] for line in lines] == ["Camera", "Leica", "Zorki"]
    assert (lines[1].endswith("d.jpg"), "2 of 2 pictures" in done.stderr) == (True, True)
    answer = json.loads(xuntu("list", "--data", data, "--sort", "modified", "--k", 1, "--json").stdout)
    (image,) = answer["images"]
    assert (image["path"], image["value"]) == (NAMED, "2017-07-14T02:40:00+00:00")
    assert (answer["total"], answer["next_offset"]) == (4, 1)
    refused = xuntu("list", "--data", data, "--sort", "colour", LANG="zh_CN.UTF-8")
    assert refused.returncode == 2
    assert "排序" in refused.stderr


def test_a_list_is_of_the_build_in_use(album_of):
    data, pictures = album_of
    add = [pictures / "new.png", pictures / os.fsdecode(b"\xff\xfe bad.png")]
    for path in add:
        Image.new("RGB", (9, 9)).save(path)
    settings = IndexerSettings(data=data, workers=0)
    build(settings, [], BuildOptions())
    with TestClient(create_app(Settings(data=data))) as http:
        page = http.get("/v1/images", params={"sort": "path"}).raise_for_status().json()
        assert (page["total"], page["images"][-1]["value"]) == (6, "\ufffd\ufffd bad.png")
    roll_back(Layout(data))
    with TestClient(create_app(Settings(data=data))) as http:
        page = http.get("/v1/images", params={"k": 3}).raise_for_status().json()
        assert (len(page["images"]), page["total"], page["next_offset"]) == (3, 4, 3)


def test_a_path_in_a_list_is_no_more_than_a_hit_says_of_it(tmp_path):
    secret, table = tmp_path / "place" / "secret", tmp_path / "lists" / "list.csv"
    secret.mkdir(parents=True)
    table.parent.mkdir()
    Image.new("RGB", (9, 9)).save(secret / "a.png")
    table.write_text(f"path\n{secret}/a.png\n")
    build(IndexerSettings(data=tmp_path / "data", workers=0), [table], BuildOptions(encoders=["hash"]))
    with TestClient(create_app(Settings(data=tmp_path / "data"))) as http:
        (image,) = http.get("/v1/images", params={"sort": "path"}).raise_for_status().json()["images"]
    assert image["value"] == image["path"] == "…/secret/a.png"
