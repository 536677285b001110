"""Videos through the service and the command: the moment is found, said, shown, and the film is played from there."""

import json
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

ORDER = ("rocket.jpg", "cat.png", "coffee.png", "flower.jpg")  # two seconds of each
SIZE = (240, 160)


@pytest.fixture(scope="module")
def folder(photographs, write_video, tmp_path_factory):
    """A library of photographs, none of which the film shows, and the film."""
    folder = tmp_path_factory.mktemp("videos")
    for name in ("moon.png", "motorcycle.png", "china.jpg"):
        (folder / "pictures").mkdir(exist_ok=True)
        (folder / "pictures" / name).write_bytes((photographs / name).read_bytes())
    scenes = [(2, np.asarray(Image.open(photographs / name).convert("RGB").resize(SIZE))) for name in ORDER]
    write_video(folder / "pictures" / "film.mp4", scenes, rate=5, gop=10)
    build(IndexerSettings(data=folder / "data", workers=0), [folder / "pictures"], BuildOptions())
    return folder


@pytest.fixture(scope="module")
def service(folder):
    with TestClient(create_app(Settings(data=folder / "data"))) as client:
        yield client


def ask(service, query: str, **options) -> list[dict]:
    answer = service.get("/v1/search", params={"q": query, "k": 20, **options})
    assert answer.status_code == 200, answer.text
    return answer.json()["hits"]


@pytest.fixture(scope="module")
def film(service) -> int:
    return next(hit["id"] for hit in ask(service, "cat") if hit["path"] == "film.mp4")


@pytest.mark.parametrize(
    ("query", "at"), [("a rocket", 0), ("a cat", 2), ("一只猫", 2), ("coffee", 4), ("一杯咖啡", 4), ("花", 6)]
)
def test_a_search_finds_the_moment(service, query, at):
    first = ask(service, query)[0]
    assert (first["path"], first["part"]["at"]) == ("film.mp4", at)
    assert (first["part"]["x"], first["part"]["width"], first["part"]["height"]) == (0, *SIZE)
    times = [one["at"] for one in first["moments"]]
    assert times == sorted(times)
    assert len(times) == len(ORDER)
    best = max(first["moments"], key=lambda one: one["score"])
    assert (best["number"], best["at"]) == (first["part"]["number"], at)


def test_the_command_finds_the_moment(xuntu, folder, service):
    done = xuntu("search", "a cat", "--data", folder / "data", "--k", "1")
    assert "film.mp4" in done.stdout
    assert "0:02" in done.stdout
    answer = json.loads(xuntu("search", "coffee", "--data", folder / "data", "--json").stdout)
    assert answer["hits"][0]["part"]["at"] == 4


def test_pictures_and_videos_are_told_apart(service):
    assert [hit["path"] for hit in ask(service, "a cat", where="kind=video")] == ["film.mp4"]
    assert "film.mp4" not in [hit["path"] for hit in ask(service, "a cat", where="kind=picture")]
    assert [hit["path"] for hit in ask(service, "a cat", where="duration>7")] == ["film.mp4"]
    (kinds,) = [one for one in service.get("/v1/facets").json()["facets"] if one["field"] == "kind"]
    assert {one["value"]: one["count"] for one in kinds["values"]} == {"picture": 3, "video": 1}
    listed = service.get("/v1/images", params={"sort": "-duration"}).json()["images"]
    assert (listed[0]["path"], listed[0]["value"]) == ("film.mp4", 8.0)


def test_what_is_known_of_a_video_is_said(service, film):
    detail = service.get(f"/v1/images/{film}").json()
    assert (detail["kind"], detail["duration"], detail["format"]) == ("video", 8.0, "mp4")
    assert [part["at"] for part in detail["parts"]] == [0, 2, 4, 6]
    assert detail["part"] is None
    other = next(hit["id"] for hit in ask(service, "moon") if hit["path"] == "moon.png")
    detail = service.get(f"/v1/images/{other}").json()
    assert (detail["kind"], detail["duration"], detail["parts"]) == ("picture", None, [])


@pytest.mark.parametrize("size", [100, 240])
def test_each_moment_has_its_thumbnail(service, film, photographs, size):
    for number, name in enumerate(ORDER, 1):
        answer = service.get(f"/v1/images/{film}/thumbnail", params={"part": number, "size": size})
        shown = np.asarray(Image.open(BytesIO(answer.content)).convert("RGB"), float)
        scene = Image.open(photographs / name).convert("RGB").resize(SIZE).resize(shown.shape[1::-1])
        assert np.abs(shown - np.asarray(scene, float)).mean() < 8


def test_a_thumbnail_that_is_larger_than_those_kept_is_made_of_its_frame(service, film, photographs):
    answer = service.get(f"/v1/images/{film}/thumbnail", params={"part": 3, "size": 800})
    with Image.open(BytesIO(answer.content)) as image:
        shown = np.asarray(image.convert("RGB"), float)
    assert shown.shape == (160, 240, 3)
    scene = np.asarray(Image.open(photographs / "coffee.png").convert("RGB").resize(SIZE), float)
    assert np.abs(shown - scene).mean() < 8


def test_a_video_is_given_out_in_ranges(service, folder, film):
    data = (folder / "pictures" / "film.mp4").read_bytes()
    address = f"/v1/images/{film}/file"
    whole = service.get(address)
    assert (whole.status_code, whole.headers["content-type"], whole.content) == (200, "video/mp4", data)
    assert whole.headers["accept-ranges"] == "bytes"
    part = service.get(address, headers={"Range": "bytes=100-299"})
    assert (part.status_code, part.content) == (206, data[100:300])
    assert part.headers["content-range"] == f"bytes 100-299/{len(data)}"
    assert service.get(address, headers={"Range": "bytes=-50"}).content == data[-50:]
    assert service.get(address, headers={"Range": f"bytes={len(data)}-"}).status_code == 416
    tag = whole.headers["etag"]
    assert service.get(address, headers={"Range": "bytes=0-9", "If-Range": tag}).status_code == 206
    assert service.get(address, headers={"Range": "bytes=0-9", "If-Range": '"another"'}).status_code == 200


def test_a_video_is_no_query_and_what_is_like_one_is_found_by_its_cover(service, folder, film):
    data = (folder / "pictures" / "film.mp4").read_bytes()
    answer = service.post("/v1/search/image", files={"file": data})
    assert answer.status_code == 422
    assert "this is a video" in answer.json()["detail"]
    similar = service.get(f"/v1/images/{film}/similar").json()["hits"]
    assert [hit["path"] for hit in similar] != []
    assert film not in [hit["id"] for hit in similar]


def test_a_part_of_a_frame_asks(service, film):
    clause = {"image_id": film, "crop": {"x": 0, "y": 0, "width": 100, "height": 100}}
    answer = service.post("/v1/search", json={"clauses": [clause]})
    assert answer.status_code == 200, answer.text


def test_a_video_that_is_gone_is_shown_as_far_as_it_was_kept(tmp_path, write_video, draw_scene):
    path = write_video(tmp_path / "pictures" / "a.mp4", [(2, draw_scene(1)), (2, draw_scene(2))], rate=5, gop=10)
    build(IndexerSettings(data=tmp_path / "data", workers=0), [path.parent], BuildOptions(encoders=["hash"]))
    path.unlink()
    with TestClient(create_app(Settings(data=tmp_path / "data"))) as client:
        assert client.get("/v1/images/1/thumbnail", params={"part": 2, "size": 1000}).status_code == 200
        assert client.get("/v1/images/1/file").status_code == 404


def test_the_clip_of_a_live_photo_is_said_and_given_out(tmp_path, write_video, draw_scene):
    pictures = tmp_path / "pictures"
    clip = write_video(
        pictures / "IMG_1.MOV",
        [(1, draw_scene(1))],
        metadata={"com.apple.quicktime.content.identifier": "4A1F"},
        container={"movflags": "use_metadata_tags"},
    )
    Image.fromarray(draw_scene(1)).save(pictures / "IMG_1.JPG")
    Image.fromarray(draw_scene(2)).save(pictures / "IMG_2.JPG")
    build(IndexerSettings(data=tmp_path / "data", workers=0), [pictures], BuildOptions(encoders=["hash"]))
    with TestClient(create_app(Settings(data=tmp_path / "data"))) as client:
        said = {one["path"]: one["id"] for one in client.get("/v1/images").json()["images"]}
        assert sorted(said) == ["IMG_1.JPG", "IMG_2.JPG"]
        assert [client.get(f"/v1/images/{said[name]}").json()["clip"] for name in sorted(said)] == [True, False]
        found = client.get(f"/v1/images/{said['IMG_1.JPG']}/file", params={"clip": True})
        assert (found.headers["content-type"], found.content) == ("video/quicktime", clip.read_bytes())
        assert client.get(f"/v1/images/{said['IMG_2.JPG']}/file", params={"clip": True}).status_code == 404
