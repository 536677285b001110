"""Long pictures through the service: a part of one is found, said, shown and asked for."""

from io import BytesIO

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from api.config import Settings
from api.http.app import create_app
from indexer.config import IndexerSettings
from indexer.pipeline.commands import BuildOptions, build

pytestmark = pytest.mark.usefixtures("processes")

WIDTH = 256


@pytest.fixture(scope="module")
def service(photographs, tmp_path_factory):
    """A service over the photographs but the cat, a tall strip with it in the middle, and a wide one."""
    folder = tmp_path_factory.mktemp("long")
    pictures = folder / "pictures"
    pictures.mkdir()
    random = np.random.default_rng(0)
    tiles = [Image.fromarray(random.integers(90, 160, (8, 8, 3), np.uint8)).resize((WIDTH, WIDTH)) for _ in range(6)]
    tiles[3] = Image.open(photographs / "cat.png").convert("RGB").resize((WIDTH, WIDTH))
    tall, wide = Image.new("RGB", (WIDTH, 6 * WIDTH)), Image.new("RGB", (6 * WIDTH, WIDTH))
    for place, tile in enumerate(tiles):
        tall.paste(tile, (0, place * WIDTH))
        wide.paste(tiles[0] if place == 3 else tile, (place * WIDTH, 0))
    tall.save(pictures / "tall.png")
    wide.save(pictures / "wide.png")
    for path in photographs.glob("*.*"):
        if path.stem not in {"cat", "broken"}:
            (pictures / path.name).write_bytes(path.read_bytes())
    build(IndexerSettings(data=folder / "data", workers=0), [pictures], BuildOptions())
    with TestClient(create_app(Settings(data=folder / "data"))) as client:
        yield client


def ask(service, query: str = "a cat", **options) -> list[dict]:
    answer = service.get("/v1/search", params={"q": query, "k": 20, **options})
    assert answer.status_code == 200, answer.text
    return answer.json()["hits"]


def thumbnail(service, image_id: int, **params) -> Image.Image:
    answer = service.get(f"/v1/images/{image_id}/thumbnail", params=params)
    assert answer.status_code == 200, answer.text
    return Image.open(BytesIO(answer.content)).convert("RGB")


def test_the_part_that_was_found_is_said_and_shown(service, photographs):
    first, *others = ask(service)
    assert first["path"] == "tall.png"
    part = first["part"]
    assert (part["x"], part["width"]) == (0, WIDTH)
    middle = part["y"] + part["height"] / 2
    assert 3 * WIDTH < middle < 4 * WIDTH  # where the cat is
    assert all(hit["part"] is None for hit in others if hit["path"] != "wide.png")
    shown = np.asarray(thumbnail(service, first["id"], part=part["number"]), float)
    with Image.open(photographs / "cat.png") as cat:
        expected = np.asarray(cat.convert("RGB").resize((WIDTH, WIDTH)), float)
    overlap = slice(max(0, 3 * WIDTH - part["y"]), min(WIDTH, 4 * WIDTH - part["y"]))
    shifted = slice(max(0, part["y"] - 3 * WIDTH), max(0, part["y"] - 3 * WIDTH) + overlap.stop - overlap.start)
    assert np.abs(shown[overlap] - expected[shifted]).mean() < 12


def test_the_same_hits_come_with_filters_pages_and_without_duplicates(service):
    plain = [(hit["id"], hit["score"], hit["part"]) for hit in ask(service)]
    assert [(hit["id"], hit["score"], hit["part"]) for hit in ask(service, hide_duplicates=True)] == plain
    pages = [hit for offset in (0, 2, 4) for hit in ask(service, k=2, offset=offset)]
    assert [(hit["id"], hit["score"], hit["part"]) for hit in pages] == plain[:6]
    (only,) = ask(service, where="path=tall.png")
    assert (only["id"], only["score"], only["part"]) == plain[0]
    assert ask(service, where="path=tall.png", min_score=only["score"] + 0.5) == []


def test_what_is_asked_for_with_a_part_of_a_picture_finds_that_part(service, photographs):
    answer = service.post("/v1/search/image", files={"file": (photographs / "cat.png").read_bytes()})
    first = answer.json()["hits"][0]
    assert (first["path"], first["part"] is not None) == ("tall.png", True)


def test_a_thumbnail_is_readable_and_all_of_the_picture_is_to_be_had(service):
    ids = {hit["path"]: hit["id"] for hit in ask(service)}
    assert thumbnail(service, ids["tall.png"]).size == (256, 279)
    assert thumbnail(service, ids["wide.png"]).size == (279, 256)
    assert thumbnail(service, ids["tall.png"], size=64).size == (59, 64)
    assert thumbnail(service, ids["tall.png"], part=0).size == (67, 400)
    assert thumbnail(service, ids["tall.png"], part=0, size=1536).size == (256, 1536)
    assert thumbnail(service, ids["tall.png"], part=2, size=1536).size == (256, 279)
    assert thumbnail(service, ids["tall.png"], part=999).size == (67, 400)
    assert thumbnail(service, ids["coffee.png"], part=3).size == thumbnail(service, ids["coffee.png"]).size
    assert service.get(f"/v1/images/{ids['tall.png']}/thumbnail", params={"part": -1}).status_code == 422
    tags = {
        service.get(f"/v1/images/{ids['tall.png']}/thumbnail", params={"part": n}).headers["etag"] for n in range(4)
    }
    assert len(tags) == 4


def test_what_a_query_leads_away_from_is_absent_from_all_of_a_picture(service):
    away = ask(service, "without a cat")
    assert {hit["path"] for hit in away[-2:]} >= {"tall.png"}
    assert all(hit["part"] is None for hit in away)


def test_what_is_found_by_its_name_alone_is_not_found_by_a_part(service):
    (only,) = ask(service, "tall", match="text")
    assert (only["path"], only["part"]) == ("tall.png", None)
