"""Pictures that are sent once and asked with by an id: over HTTP, with the clients, and what is kept on disk."""

import hashlib
import os
import stat
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient

from api.config import Settings
from api.http.app import create_app
from api.search.errors import UploadGone, UploadsUnavailable
from api.search.uploads import CheckedPicture, UploadStore
from indexer.library.layout import Layout

JPEG = {"content-type": "image/jpeg"}
CHECKED = CheckedPicture(width=3, height=2, thumbnail=b"small")


@pytest.fixture(scope="module")
def http(library, processes):
    with TestClient(create_app(Settings(data=library))) as client:
        yield client


@pytest.fixture(scope="module")
def cat(photographs) -> bytes:
    return (photographs / "cat.png").read_bytes()


@pytest.fixture
def kept(http, cat) -> dict:
    return http.put("/v1/uploads", content=cat, headers={"content-type": "image/png"}).raise_for_status().json()


def names(answer: httpx.Response) -> list[str]:
    return [hit["path"] for hit in answer.raise_for_status().json()["hits"]]


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_a_picture_that_was_sent_is_asked_with_by_its_id(http, cat, kept):
    assert kept["id"] == f"sha256-{hashlib.sha256(cat).hexdigest()}"
    assert (kept["width"], kept["height"]) == (451, 300)
    assert kept["expires_at"].endswith("+00:00")
    clause = {"upload": kept["id"]}
    assert names(http.post("/v1/search", json={"clauses": [clause], "k": 1})) == ["cat.png"]
    assert names(http.get("/v1/search", params={"upload": kept["id"], "k": 1})) == ["cat.png"]
    both = http.get("/v1/search", params={"upload": kept["id"], "q": "a cat", "k": 1})
    assert [read["text"] for read in both.json()["clauses"]] == ["a cat", None]
    sent = http.post("/v1/search/image", files={"file": cat}).json()["hits"]
    assert http.get("/v1/search", params={"upload": kept["id"]}).json()["hits"] == sent


@pytest.mark.parametrize("how", ["octets", "form"])
def test_the_same_picture_has_the_same_id_however_it_is_sent(http, cat, kept, how):
    given = {"files": {"file": ("cat.png", cat)}} if how == "form" else {"content": cat}
    headers = {} if how == "form" else {"content-type": "application/octet-stream"}
    again = http.put("/v1/uploads", headers=headers, **given).raise_for_status().json()
    assert again["id"] == kept["id"]


def test_a_part_of_a_picture_that_was_sent(http, kept):
    inside = {"x": 100, "y": 50, "width": 200, "height": 200}
    by_body = http.post("/v1/search", json={"clauses": [{"upload": kept["id"], "crop": inside}]})
    by_address = http.get("/v1/search", params={"upload": kept["id"], "crop": "100,50,200,200"})
    assert by_body.json()["hits"] == by_address.json()["hits"] != []
    for wrong in ("9999,0,10,10", "0,0,0,10"):
        answer = http.get("/v1/search", params={"upload": kept["id"], "crop": wrong})
        assert code(answer) == (422, "invalid_query")
        assert "451 x 300" in answer.json()["detail"]
    for wrong in ("1,2,3", "1,2,3,-4", "a,b,c,d", ""):
        assert code(http.get("/v1/search", params={"upload": kept["id"], "crop": wrong})) == (422, "invalid_request")
    assert code(http.get("/v1/search?q=cat&crop=1,2,3,4")) == (422, "invalid_query")


def test_a_part_of_a_picture_of_the_library(http):
    cat = http.get("/v1/search?q=一只猫&k=1").json()["hits"][0]
    part = http.get(f"/v1/images/{cat['id']}/similar?crop=0,0,{cat['width']},{cat['height']}&k=3")
    assert cat["id"] not in [hit["id"] for hit in part.raise_for_status().json()["hits"]]
    assert code(http.get(f"/v1/images/{cat['id']}/similar?crop=9999,0,5,5")) == (422, "invalid_query")
    assert code(http.get(f"/v1/images/{cat['id']}/similar?crop=1,2")) == (422, "invalid_request")
    assert code(http.get("/v1/images/9999/similar?crop=0,0,5,5")) == (404, "image_not_found")


def test_its_thumbnail_and_how_it_is_deleted(http, kept):
    shown = http.get(f"/v1/uploads/{kept['id']}/thumbnail").raise_for_status()
    assert shown.headers["content-type"] == "image/webp"
    assert "no-store" in shown.headers["cache-control"]
    assert shown.content[8:12] == b"WEBP"
    for _ in range(2):
        assert http.delete(f"/v1/uploads/{kept['id']}").status_code == 204
    assert code(http.get(f"/v1/uploads/{kept['id']}/thumbnail")) == (404, "upload_gone")
    assert code(http.get("/v1/search", params={"upload": kept["id"]})) == (404, "upload_gone")


def test_what_is_no_picture_is_not_kept(http, library):
    before = sorted(Layout(library).uploads.glob("*"))
    for content, headers, expected in (
        (b"\xff\xd8\xff\xe0 not a picture", JPEG, (422, "unreadable_image")),
        (b"", JPEG, (422, "unreadable_image")),
        (b"{}", {"content-type": "application/json"}, (415, "unsupported_media_type")),
        (b"GIF89a", {"content-type": "multipart/form-data"}, (400, "bad_request")),
    ):
        assert code(http.put("/v1/uploads", content=content, headers=headers)) == expected
    assert code(http.put("/v1/uploads", files={"other": b"x"})) == (400, "bad_request")
    assert sorted(Layout(library).uploads.glob("*")) == before


@pytest.mark.parametrize("name", ["sha256-1", "..", "x", "sha256-" + "A" * 64, "sha256-" + "0" * 64, ".lock", "%2e%2e"])
def test_an_id_is_no_way_to_other_files(http, kept, name):
    assert code(http.post("/v1/search", json={"clauses": [{"upload": name}]})) == (404, "upload_gone")
    assert http.get(f"/v1/uploads/{name}/thumbnail").status_code == 404
    assert http.delete(f"/v1/uploads/{name}").status_code in {204, 404, 405}
    assert http.get(f"/v1/uploads/{kept['id']}/thumbnail").status_code == 200


def test_an_upload_is_asked_with_alone_in_its_clause(http, kept):
    clause = {"upload": kept["id"], "text": "a cat"}
    assert code(http.post("/v1/search", json={"clauses": [clause]})) == (422, "invalid_query")


def test_limits_and_how_they_are_turned_off(library, cat, processes):
    with TestClient(create_app(Settings(data=library, api={"max_upload_bytes": 1_000}))) as http:
        for given in ({"content": cat, "headers": JPEG}, {"files": {"file": cat}}):
            assert code(http.put("/v1/uploads", **given)) == (413, "image_too_large")
    with TestClient(create_app(Settings(data=library, api={"uploads_bytes": 0}))) as http:
        assert code(http.put("/v1/uploads", content=cat, headers=JPEG)) == (404, "uploads_off")
        assert code(http.get("/v1/search", params={"upload": "sha256-" + "0" * 64})) == (404, "upload_gone")


# On disk


def make_store(folder: Path, **settings) -> UploadStore:
    return UploadStore(folder / "uploads", **{"max_bytes": 10**6, "max_age_s": 100.0, **settings})


def age(folder: Path, upload_id: str, seconds: float) -> None:
    for path in (folder / "uploads").glob(f"{upload_id.removeprefix('sha256-')}*"):
        moment = path.stat().st_mtime - seconds
        os.utime(path, (moment, moment))


def test_files_are_this_user_s_alone_and_nothing_else_is_left(tmp_path):
    store = make_store(tmp_path)
    kept = store.keep(b"a picture", CHECKED)
    assert store.read(kept.id) == b"a picture"
    assert store.read_thumbnail(kept.id) == b"small"
    name = kept.id.removeprefix("sha256-")
    found = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "uploads").iterdir()}
    assert found.keys() - {".lock"} == {name, f"{name}.webp"}
    assert {found[name], found[f"{name}.webp"]} == {0o600}
    assert stat.S_IMODE((tmp_path / "uploads").stat().st_mode) == 0o700


def test_what_is_too_old_is_gone_and_sent_again_it_is_kept_anew(tmp_path):
    store, other = make_store(tmp_path), make_store(tmp_path)  # of another process
    old, young = store.keep(b"old", CHECKED), other.keep(b"young", CHECKED)
    age(tmp_path, old.id, 101)
    with pytest.raises(UploadGone):
        other.read(old.id)
    with pytest.raises(UploadGone):
        other.read_thumbnail(old.id)
    assert store.keep(b"old", CHECKED).expires_at >= young.expires_at - 1
    assert other.read(old.id) == b"old"
    age(tmp_path, old.id, 101)
    other.clean()
    assert sorted(path.name for path in (tmp_path / "uploads").iterdir() if path.name != ".lock") == sorted(
        [young.id.removeprefix("sha256-"), f"{young.id.removeprefix('sha256-')}.webp"]
    )


def test_the_oldest_leave_where_all_is_too_much(tmp_path):
    store = make_store(tmp_path, max_bytes=100_000)
    first = store.keep(b"1" * 30_000, CHECKED)
    age(tmp_path, first.id, 50)
    second = store.keep(b"2" * 30_000, CHECKED)
    age(tmp_path, second.id, 40)
    third = store.keep(b"3" * 30_000, CHECKED)
    with pytest.raises(UploadGone):
        store.read(first.id)
    assert (len(store.read(second.id)), len(store.read(third.id))) == (30_000, 30_000)
    smaller = make_store(tmp_path, max_bytes=60_000)
    smaller.clean()
    with pytest.raises(UploadGone):
        store.read(second.id)
    assert store.read_thumbnail(third.id) == b"small"


def test_what_a_process_left_unfinished_is_taken_away_in_time(tmp_path):
    store = make_store(tmp_path)
    store.keep(b"a picture", CHECKED)
    left = tmp_path / "uploads" / ".left"
    left.write_bytes(b"half")
    store.clean()
    assert left.exists()
    os.utime(left, (1, 1))
    store.clean()
    assert not left.exists()


def test_what_cannot_be_kept_is_said(tmp_path):
    store = make_store(tmp_path, max_bytes=10_000)
    with pytest.raises(UploadsUnavailable):
        store.check_room(9_000)
    (tmp_path / "uploads").write_text("a file where the folder is to be")
    with pytest.raises(UploadsUnavailable):
        store.keep(b"a picture", CHECKED)
    store.clean()


def test_the_service_takes_away_what_is_too_old(library, wait_until):
    layout = Layout(library)
    layout.uploads.mkdir(exist_ok=True)
    left = layout.uploads / "left"
    left.write_bytes(b"x")
    os.utime(left, (1, 1))
    with TestClient(create_app(Settings(data=library, api={"follow_seconds": 0.01}))):
        wait_until(lambda: not left.exists(), "the old upload to leave")
