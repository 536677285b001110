"""What is in one picture, over HTTP: the text that was read in it, and its copies."""

import shutil

import pytest
from fastapi.testclient import TestClient
from PIL import Image, ImageDraw, ImageFont

import api.sheet
from api.config import Settings
from api.http.app import create_app
from indexer.config import IndexerSettings
from indexer.pipeline.commands import BuildOptions, build

pytest.importorskip("rapidocr", reason="what reads text is not installed")


@pytest.fixture(scope="module")
def http(photographs, tmp_path_factory, heavy):
    folder = tmp_path_factory.mktemp("contents")
    (folder / "pictures").mkdir()
    board = Image.new("RGB", (600, 300), "white")
    font = ImageFont.truetype(str(api.sheet.FONT), 40)
    draw = ImageDraw.Draw(board)
    draw.text((40, 50), "咖啡 25 ESPRESSO", "black", font)
    draw.text((40, 180), "TEA 12", "black", font)
    board.save(folder / "pictures" / "board.png")
    for name in ("cat.png", "copy of cat.png"):
        shutil.copyfile(photographs / "cat.png", folder / "pictures" / name)
    settings = IndexerSettings(data=folder / "data", workers=0)
    build(settings, [folder / "pictures"], BuildOptions(encoders=["starter-v3"]))
    with TestClient(create_app(Settings(data=folder / "data"))) as client:
        yield client


def ids(http):
    return {one["path"]: one["id"] for one in http.get("/v1/images?sort=name").raise_for_status().json()["images"]}


def test_lines_of_text_are_told_in_order_with_their_places(http):
    first, second = http.get(f"/v1/images/{ids(http)['board.png']}/text").raise_for_status().json()["lines"]
    assert ("ESPRESSO" in first["text"], "TEA" in second["text"]) == (True, True)
    assert (first["at"], 0.6 <= first["confidence"] <= 1) == (None, True)
    box = first["box"]
    assert 20 < box["x"] < 60
    assert 30 < box["y"] < 80
    assert box["x"] + box["width"] < 600
    assert second["box"]["y"] > box["y"] + box["height"]
    left, top = first["corners"][0]
    right, bottom = first["corners"][2]
    assert (left < right, top < bottom, len(first["corners"])) == (True, True, 4)
    assert http.get(f"/v1/images/{ids(http)['cat.png']}/text").json() == {"lines": []}


def test_copies_of_a_picture_are_told(http):
    known = ids(http)
    answer = http.get(f"/v1/images/{known['cat.png']}/copies").raise_for_status().json()
    (copy,) = answer["copies"]
    assert (answer["total"], copy["why"], copy["id"], copy["path"]) == (
        1,
        "copy",
        known["copy of cat.png"],
        copy["path"],
    )
    assert (copy["width"], copy["height"], copy["bytes"], copy["bits"], copy["cosine"]) == (451, 300, 240512, 0, 1.0)
    assert http.get(f"/v1/images/{known['board.png']}/copies").json()["copies"] == []
