"""Where pictures were taken: counted in the cells of a map, and conditions on parts of it."""

import httpx
import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import ExifTags, Image

from api.client import Client
from api.config import Settings
from api.http.app import create_app
from indexer.config import IndexerSettings
from indexer.library.catalog.writer import Catalog
from indexer.library.layout import Layout
from indexer.pipeline.commands import BuildOptions, build

# Degrees, and how many pictures were taken there.
TAKEN = {
    "haidian": (39.99, 116.28, 3),
    "chaoyang": (39.909, 116.459, 2),
    "suva": (-18.14, 178.44, 2),
    "samoa": (-13.84, -171.76, 1),
    "paris": (48.8584, 2.2945, 1),
    "sea": (0.3, -30.2, 1),
}
PACIFIC = "170,-30,-160,0"


def draw(path, number, where=None):
    block = Image.Exif()
    if where:
        tags, (latitude, longitude) = block.get_ifd(ExifTags.IFD.GPSInfo), where
        tags[ExifTags.GPS.GPSLatitude] = (abs(latitude), 0.0, 0.0)
        tags[ExifTags.GPS.GPSLatitudeRef] = "S" if latitude < 0 else "N"
        tags[ExifTags.GPS.GPSLongitude] = (abs(longitude), 0.0, 0.0)
        tags[ExifTags.GPS.GPSLongitudeRef] = "W" if longitude < 0 else "E"
    Image.fromarray(np.random.default_rng(number).integers(0, 256, (6, 8, 3), np.uint8)).save(path, exif=block)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Pictures of `TAKEN`, and two of which nobody knows where they were taken."""
    folder = tmp_path_factory.mktemp("places")
    pictures = folder / "pictures"
    pictures.mkdir()
    number = 0
    for name, (latitude, longitude, count) in TAKEN.items():
        for place in range(count):
            number += 1
            # Not quite the same: what is kept is the place that they are near to.
            draw(pictures / f"{name} {place}.jpg", number, (latitude + place / 1000, longitude))
    for place in range(2):
        draw(pictures / f"plain {place}.png", 100 + place)
    build(IndexerSettings(data=folder / "data", workers=0), [pictures], BuildOptions(encoders=["hash"]))
    return folder / "data"


@pytest.fixture(scope="module")
def http(data):
    with TestClient(create_app(Settings(data=data))) as client:
        yield client


def places(http, **params):
    return http.get("/v1/places", params=params).raise_for_status().json()


def paths(answer):
    return sorted(one["path"].split(" ")[0] for one in (answer["images"] if "images" in answer else answer["hits"]))


def listed(http, bounds):
    return paths(http.get("/v1/images", params={"where": f'bounds="{bounds}"'}).raise_for_status().json())


def test_pictures_are_counted_in_the_cells_of_a_map(http):
    far = places(http, zoom=0)
    assert (far["total"], far["counted"], far["missing"], far["more"]) == (12, 12, 2, 0)
    assert [cell["count"] for cell in far["cells"]] == [5, 2, 1, 1, 1]
    beijing = far["cells"][0]
    assert (round(beijing["latitude"]), round(beijing["longitude"])) == (40, 116)
    near = places(http, zoom=12)
    assert [cell["count"] for cell in near["cells"]] == [3, 2, 2, 1, 1, 1]
    haidian = near["cells"][0]
    # Of the place that is named, not of the pictures, which lie apart from each other.
    assert haidian["bounds"] == {"west": 116.289, "south": 39.991, "east": 116.289, "north": 39.991}
    assert (haidian["latitude"], haidian["longitude"]) == (39.991, 116.289)


def test_a_cell_names_the_latest_picture_in_it(http):
    (cell,) = places(http, zoom=12, bounds="2,48,3,49")["cells"]
    assert http.get(f"/v1/images/{cell['id']}").json()["path"] == "paris 0.jpg"
    first = places(http, zoom=12)["cells"][0]
    assert http.get(f"/v1/images/{first['id']}").json()["path"] == "haidian 2.jpg"


def test_far_from_any_place_whole_degrees_are_kept(http):
    (cell,) = places(http, zoom=12, bounds="-40,-10,-20,10")["cells"]
    assert (cell["latitude"], cell["longitude"]) == (0, -30)


@pytest.mark.parametrize(
    ("bounds", "found"),
    [
        ("116,39,117,41", ["chaoyang", "chaoyang", "haidian", "haidian", "haidian"]),
        ("116.289,39.991,116.289,39.991", ["haidian"] * 3),
        ("116.29,39,117,41", ["chaoyang"] * 2),
        (PACIFIC, ["samoa", "suva", "suva"]),
        ("-160,-30,170,-1", []),
        ("-180,-90,180,90", sorted(name for name, (_, _, count) in TAKEN.items() for _ in range(count))),
    ],
)
def test_a_part_of_the_map_is_a_condition_over_the_date_line_too(http, bounds, found):
    assert listed(http, bounds) == found
    assert sum(cell["count"] for cell in places(http, bounds=bounds)["cells"]) == len(found)


def test_the_box_of_a_cell_finds_what_it_counts(http):
    for cell in places(http, zoom=4)["cells"]:
        found = listed(http, ",".join(str(cell["bounds"][side]) for side in ("west", "south", "east", "north")))
        assert len(found) == cell["count"]


def test_two_parts_of_the_map_are_where_both_are(http):
    where = {"fields": {"location": ["116,39,117,41"]}, "bounds": "116.29,39,120,41"}
    answer = http.post("/v1/search", json={"where": where}).raise_for_status().json()
    assert paths(answer) == ["chaoyang", "chaoyang"]


def test_counts_follow_conditions(http):
    assert places(http, where="name=haidian")["total"] == 3
    assert places(http, where="name=plain") == {
        "zoom": 2, "total": 2, "counted": 2, "missing": 2, "cells": [], "more": 0
    }  # fmt: skip
    facets = http.get("/v1/facets", params={"fields": "format", "where": f'bounds="{PACIFIC}"'}).json()
    assert facets["total"] == 3


def test_cells_beyond_the_limit_are_counted(http):
    answer = places(http, zoom=12, limit=2)
    assert [cell["count"] for cell in answer["cells"]] == [3, 2]
    assert answer["more"] == 4


def test_the_hits_of_a_search_are_counted(http):
    def ask(**body):
        return http.post("/v1/places", json=body).raise_for_status().json()

    everything = ask(clauses=[{"text": "a cat"}], match="vector", zoom=12)
    assert (everything["total"], everything["counted"], everything["missing"]) == (12, 12, 2)
    some = ask(clauses=[{"text": "a cat"}], match="vector", zoom=12, where="name=suva", bounds=PACIFIC)
    assert (some["total"], [cell["count"] for cell in some["cells"]]) == (2, [2])
    elsewhere = ask(clauses=[{"text": "a cat"}], match="vector", where="name=suva", bounds="0,0,10,10")
    assert (elsewhere["total"], elsewhere["counted"], elsewhere["cells"]) == (2, 2, [])
    first = ask(clauses=[{"text": "a cat"}], match="vector", first=1)
    assert (first["total"], first["counted"]) == (12, 1)
    assert ask(where={"bounds": PACIFIC})["total"] == 3


@pytest.mark.parametrize(
    "bounds", ["", "1,2,3", "1,2,3,4,5", "0,10,10,0", "-181,0,0,10", "0,0,181,10", "0,-91,1,1", "nan,0,1,1", "a,b,c,d"]
)
def test_what_is_no_part_of_a_map_is_said_in_both_languages(http, bounds):
    for language, said in (("en", "is no part of a map"), ("zh", "不是地图上的一块")):
        answer = http.get("/v1/places", params={"bounds": bounds}, headers={"Accept-Language": language})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_filter")
        assert said in answer.json()["detail"]


def test_a_library_without_coordinates_has_an_empty_map(tmp_path, monkeypatch):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    draw(pictures / "a.png", 1, (48.9, 2.3))
    data = tmp_path / "data"
    build(IndexerSettings(data=data, workers=0), [pictures], BuildOptions(encoders=["hash"]))
    catalog = Catalog(Layout(data).catalog)
    with catalog.writing():  # as one that an earlier version has made
        catalog._connection.execute("DELETE FROM annotators WHERE name = 'place'")
    catalog.close()
    with TestClient(create_app(Settings(data=data))) as http:
        answer = places(http, bounds="0,40,10,50", zoom=3)
        assert (answer["total"], answer["missing"], answer["cells"]) == (1, 1, [])
        assert http.get("/v1/images", params={"where": 'bounds="0,0,1,1"'}).status_code == 422


def test_coordinates_of_pictures_are_not_in_the_catalog(data):
    catalog = Catalog(Layout(data).catalog)
    try:
        kept = {row[0] for row in catalog._query("SELECT location FROM annotation_place")}
    finally:
        catalog.close()
    assert len(kept) == len(TAKEN) + 1  # one a place, however many pictures were taken around it, and none


def test_the_client_asks_for_the_same(data, serve_app):
    url = serve_app(create_app(Settings(data=data)))
    with Client(url) as client:
        assert [cell.count for cell in client.places(zoom=12, bounds="116,39,117,41").cells] == [3, 2]
        found = client.search_places("a cat", match="vector", where={"bounds": PACIFIC}, zoom=12)
        assert (found.total, [cell.count for cell in found.cells]) == (3, [2, 1])
    assert httpx.get(f"{url}/v1/places", params={"zoom": 99}).status_code == 422
