"""Searching with a part of a picture: one that is sent, one of the library, in the API, the client and the command."""

import base64
import json

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from api.client import Client
from api.config import Settings
from api.http.app import create_app
from api.schemas import ClauseIn
from api.search.engine import SearchEngine
from api.search.errors import FileGone, InvalidQuery
from api.search.query import Clause, Query
from indexer.config import IndexerSettings
from indexer.pipeline.commands import BuildOptions, build
from models.pictures.parts import Box

CAT = Box(x=300, y=40, width=200, height=133)  # where the cat is in the pair


@pytest.fixture(scope="module")
def pair(photographs, tmp_path_factory):
    """A picture of a coffee cup, large, with a small cat in a corner of it, turned upright by its tag."""
    cup = Image.open(photographs / "coffee.png").convert("RGB").resize((520, 400))
    cup.paste(Image.open(photographs / "cat.png").convert("RGB").resize((CAT.width, CAT.height)), (CAT.x, CAT.y))
    path = tmp_path_factory.mktemp("pair") / "pair.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    cup.transpose(Image.Transpose.ROTATE_90).save(path, quality=92, exif=exif)
    return path


@pytest.fixture(scope="module")
def data(photographs, pair, tmp_path_factory):
    """A library of the photographs and the pair."""
    folder = tmp_path_factory.mktemp("crop")
    build(IndexerSettings(data=folder, workers=0), [photographs, pair.parent], BuildOptions())
    return folder


@pytest.fixture(scope="module")
def engine(data, pair):
    engine = SearchEngine.open(data)
    first(engine, Clause(image=pair.read_bytes()))  # loads what looks at pictures
    return engine


def first(engine, clause: Clause) -> str:
    return engine.search(Query(clauses=[clause], k=1)).hits[0].path


def id_of(engine, name: str) -> int:
    rows = engine.opened.catalog.get_images(engine.opened.index.list_ids().tolist())
    return next(image_id for image_id, row in rows.items() if row.path == name)


def test_a_part_of_a_picture_finds_what_it_shows(engine, pair):
    sent = pair.read_bytes()
    assert first(engine, Clause(image=sent)) == "pair.jpg"
    assert first(engine, Clause(image=sent, crop=CAT)) == "cat.png"
    assert first(engine, Clause(image=sent, crop=Box(0, 0, 280, 400))) in {"coffee.png", "pair.jpg"}
    assert first(engine, Clause(image_id=id_of(engine, "pair.jpg"), crop=CAT)) == "cat.png"


def test_a_part_reaches_no_further_than_the_picture(engine, pair):
    beyond = Box(CAT.x, CAT.y, 10_000, CAT.height)
    assert first(engine, Clause(image=pair.read_bytes(), crop=beyond)) == "cat.png"
    with pytest.raises(InvalidQuery, match="520 x 400"):
        engine.search(Query(clauses=[Clause(image=pair.read_bytes(), crop=Box(520, 0, 10, 10))]))
    with pytest.raises(InvalidQuery, match="Only a picture"):
        Clause(text="a cat", crop=CAT)


def test_over_http_and_with_the_client(data, engine, pair, serve_app):
    crop = {"x": CAT.x, "y": CAT.y, "width": CAT.width, "height": CAT.height}
    with TestClient(create_app(Settings(data=data))) as http:
        image = base64.b64encode(pair.read_bytes()).decode()
        for asked in ({"image": image}, {"image_id": id_of(engine, "pair.jpg")}):
            body = {"clauses": [{**asked, "crop": crop}], "k": 1}
            assert http.post("/v1/search", json=body).raise_for_status().json()["hits"][0]["path"] == "cat.png"
        outside = {"clauses": [{"image": image, "crop": {**crop, "x": 9_999}}]}
        answer = http.post("/v1/search", json=outside)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_query")
        assert http.post("/v1/search", json={"clauses": [{"text": "a", "crop": crop}]}).status_code == 422
        assert http.post("/v1/search", json={"clauses": [{"image": image, "crop": {"x": 1}}]}).status_code == 422
    with Client(serve_app(create_app(Settings(data=data)))) as client:
        for clause in (Clause(image=pair.read_bytes(), crop=CAT), ClauseIn(image=image, crop=crop)):
            assert client.search(clause, k=1).hits[0].path == "cat.png"


def test_the_command_takes_a_part_of_one_picture(data, engine, pair, xuntu):
    written = f"{CAT.x}, {CAT.y},{CAT.width},{CAT.height}"
    for asked in (("--image", pair), ("--like", id_of(engine, "pair.jpg"))):
        done = xuntu("search", "--data", data, *asked, "--crop", written, "--k", 1, "--json")
        assert json.loads(done.stdout)["hits"][0]["path"] == "cat.png", done.stderr
    for wrong in (("--crop", "1,2,3"), ("--crop", "a,b,c,d"), ("--crop", "1,2,3,-4")):
        done = xuntu("search", "--data", data, "--image", pair, *wrong)
        assert (done.returncode, "--crop 120,80,300,200" in done.stderr) == (2, True)
    assert xuntu("search", "--data", data, "a cat", "--crop", written).returncode == 2


def test_a_part_of_a_picture_whose_file_is_gone_cannot_be_asked_with(tmp_path):
    Image.new("RGB", (60, 40), "red").save(tmp_path / "a.png")
    build(IndexerSettings(data=tmp_path / "data", workers=0), [tmp_path], BuildOptions(encoders=["starter-v3"]))
    (tmp_path / "a.png").unlink()
    with pytest.raises(FileGone):
        SearchEngine.open(tmp_path / "data").search(Query(clauses=[Clause(image_id=1, crop=Box(0, 0, 9, 9))]))
