"""A library with regions: what is small in a picture is found, and a hit says where; the page draws the box."""

import base64
import json
from io import BytesIO

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from api.config import Settings
from api.http.app import create_app
from api.search.engine import SearchEngine
from api.search.query import Clause, Query
from indexer.config import IndexerSettings
from indexer.pipeline.commands import BuildOptions, build
from models.pictures.parts import FIRST_REGION, Box, list_regions

pytestmark = pytest.mark.usefixtures("processes")

SIZE, CAT = (520, 400), Box(x=310, y=10, width=200, height=133)  # where the cat is in the pair
COUNT = len(list_regions(*SIZE))


@pytest.fixture(scope="module")
def data(photographs, tmp_path_factory):
    """A library with regions, of photographs, and of a cup of coffee with a small cat in a corner."""
    pictures, folder = tmp_path_factory.mktemp("pictures"), tmp_path_factory.mktemp("regions")
    cup = Image.open(photographs / "coffee.png").convert("RGB").resize(SIZE)
    cup.paste(Image.open(photographs / "cat.png").convert("RGB").resize((CAT.width, CAT.height)), (CAT.x, CAT.y))
    cup.save(pictures / "pair.jpg", quality=92)
    for name in ("cat.png", "coffee.png", "china.jpg", "rocket.jpg"):
        Image.open(photographs / name).convert("RGB").resize((240, 180)).save(pictures / f"{name[:-4]}.jpg")
    build(IndexerSettings(data=folder, workers=0, regions=True), [pictures], BuildOptions())
    return folder


@pytest.fixture(scope="module")
def cat(photographs):
    return (photographs / "cat.png").read_bytes()


def test_what_is_small_in_a_picture_is_found_and_said_where(data, cat):
    engine = SearchEngine.open(data)
    hits = engine.search(Query(clauses=[Clause(image=cat)], k=5)).hits
    assert [hit.path for hit in hits][:2] == ["cat.jpg", "pair.jpg"]
    part = hits[1].part
    assert part.is_region
    assert part.box.share_of(CAT) > 0.8
    away = engine.search(Query(clauses=[Clause(text="a cup"), Clause(image=cat, weight=-0.5)], k=5)).hits
    assert all(hit.part is None for hit in away)  # what is led away from is to be absent from all of it


def test_the_api_tells_regions_and_a_thumbnail_is_of_the_whole_unless_one_is_asked_for(data, cat, xuntu):
    with TestClient(create_app(Settings(data=data))) as http:
        asked = {"clauses": [{"image": base64.b64encode(cat).decode()}], "k": 2}
        answer = http.post("/v1/search", json=asked)
        hit = answer.raise_for_status().json()["hits"][1]
        assert hit["part"]["region"]
        assert hit["part"]["number"] >= FIRST_REGION
        detail = http.get(f"/v1/images/{hit['id']}").raise_for_status().json()
        assert (detail["part"], len(detail["parts"])) == (None, COUNT)
        assert hit["part"] in detail["parts"]
        shapes = []
        for asked in ({}, {"part": 0}, {"part": hit["part"]["number"]}):
            content = http.get(f"/v1/images/{hit['id']}/thumbnail", params={"size": 2000, **asked}).content
            with Image.open(BytesIO(content)) as image:
                shapes.append(image.size)
    assert shapes == [SIZE, SIZE, (hit["part"]["width"], hit["part"]["height"])]
    told = json.loads(xuntu("search", "--data", data, "--like", answer.json()["hits"][0]["id"], "--json").stdout)
    assert hit["part"] in [one["part"] for one in told["hits"]]  # who is like the cat has it in the same place
