"""Pictures that clients send to be kept, and have deleted: what is taken, under which names, and what stays outside."""

import errno
import io
import os
import threading
import time
import zlib

import httpx
import numpy as np
import pytest
from PIL import Image

from api.client import Client, errors
from api.config import Settings
from api.http.app import create_app
from api.http.kept_pictures.errors import NoRoom, UploadFolderError
from api.http.kept_pictures.folder import UploadFolder
from indexer.config import IndexerSettings
from indexer.pipeline.commands import BuildOptions, build


def picture(seed: int = 0, form: str = "PNG") -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (24, 32, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A library of two pictures in the folder of uploads, and one beside it."""
    base = tmp_path_factory.mktemp("uploads")
    for name, seeds in (("kept", (1, 2)), ("others", (3,))):
        (base / name).mkdir()
        for seed in seeds:
            (base / name / f"{seed}.png").write_bytes(picture(seed))
    roots = [base / "kept", base / "others"]
    build(IndexerSettings(data=base / "data", workers=0), roots, BuildOptions(encoders=["hash"]))
    return base


@pytest.fixture(scope="module")
def url(data, serve_app):
    limits = {"upload_root": data / "kept", "max_upload_bytes": 100_000}
    return serve_app(create_app(Settings(data=data / "data", api=limits)))


@pytest.fixture
def client(url):
    with Client(url) as client:
        yield client


def put(url, name, content, **params):
    return httpx.put(f"{url}/v1/images", params={"name": name, **params}, content=content, timeout=60)


def names(data):
    return sorted(path.name for path in (data / "kept").iterdir() if path.name[0] != ".")


def test_a_picture_is_kept_under_its_name_or_one_with_a_number(data, client):
    first = client.put_image(picture(10), name="猫 cat.png")
    assert [one.model_dump() for one in first.pictures] == [
        {"name": "猫 cat.png", "root": "kept", "path": "猫 cat.png", "id": None, "is_new": True}
    ]
    assert first.job is None
    assert (data / "kept" / "猫 cat.png").read_bytes() == picture(10)
    assert client.put_image(picture(11), name="猫 cat.png").pictures[0].path == "猫 cat (2).png"
    assert client.put_image(picture(12), name="猫 cat.png").pictures[0].path == "猫 cat (3).png"
    again = client.put_image(picture(10), name="猫 cat.png").pictures[0]
    assert (again.path, again.is_new) == ("猫 cat.png", False)
    assert not [path for path in (data / "kept").iterdir() if path.name.endswith(".part")]


def test_what_the_library_has_is_not_kept_twice(data, url, client):
    before = names(data)
    answer = put(url, "another name.png", picture(3))
    assert answer.status_code == 200
    (known,) = answer.json()["pictures"]
    assert (known["root"], known["path"], known["is_new"]) == ("others", "3.png", False)
    assert client.image(known["id"]).path == "3.png"
    assert names(data) == before


def test_several_are_kept_or_none(data, url):
    files = [("file", ("a.png", picture(20))), ("file", ("b.jpg", picture(21, "JPEG")))]
    answer = httpx.put(f"{url}/v1/images", files=files)
    assert answer.status_code == 201
    assert [one["path"] for one in answer.json()["pictures"]] == ["a.png", "b.jpg"]
    before = names(data)
    refused = httpx.put(
        f"{url}/v1/images", files=[("file", ("c.png", picture(22))), ("file", ("d.png", b"no picture"))]
    )
    assert (refused.status_code, refused.json()["code"]) == (415, "unread_kind")
    assert "d.png" in refused.json()["detail"]
    assert names(data) == before
    assert httpx.put(f"{url}/v1/images", files=[], data={"a": "b"}).status_code in (400, 422)


HOSTILE = [
    *("../out.png", "..", ".", "", "/etc/out.png", "a/b.png", "a\\b.png", "nul\0.png", "line\nbreak.png"),
    *(".hidden.png", "con.png", "NUL", "lpt1.jpg", "a.png ", "dot.", "tab\t.png", "q?.png", "a:b.png", "*.png"),
    *("\u202egnp.exe.png", "x" * 201 + ".png", "-" + "字" * 80 + ".png", "\ufeffbom.png", "c\u2028.png"),
]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_refused(data, url, name):
    before = sorted(path for path in data.rglob("*") if "jobs" not in path.parts)
    answer = put(url, name, picture(30))
    assert (answer.status_code, answer.json()["code"]) == (422, "unsafe_name")
    if name.isprintable() and name:  # others are written otherwise in a form
        in_form = httpx.put(f"{url}/v1/images", files={"file": (name, picture(30))})
        assert (in_form.status_code, in_form.json()["code"]) == (422, "unsafe_name")
    assert sorted(path for path in data.rglob("*") if "jobs" not in path.parts) == before


@pytest.mark.parametrize("name", ["no suffix", "-rf.png", "$(id).png", "Bild ä é.jpeg", "a.b.c.png", "👩\u200d🦰.png"])
def test_odd_names_are_names(data, url, name):
    answer = put(url, name, picture(zlib.crc32(name.encode())))
    assert answer.status_code == 201, answer.text
    assert (data / "kept" / answer.json()["pictures"][0]["path"]).is_file()


@pytest.mark.parametrize(
    ("name", "content", "status", "code"),
    [
        ("a.png", b"", 422, "unreadable_image"),
        ("a.png", b"plain text", 415, "unread_kind"),
        ("a.txt", picture(), 415, "unread_kind"),
        ("a.svg", b"<svg/>", 415, "unread_kind"),
        ("a.mp4", picture(), 415, "unread_kind"),
        ("a.png", picture()[:60], 422, "unreadable_image"),
        ("a.png", picture() + bytes(100_000), 413, "image_too_large"),
    ],
)
def test_what_is_no_picture_is_refused(data, url, name, content, status, code):
    before = names(data)
    answer = put(url, name, content)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert names(data) == before


def test_a_picture_is_deleted_into_the_trash_and_only_an_uploaded_one(data, url, client):
    by_path = {(one.root, one.path): one.id for one in client.images().images}
    done = client.delete_image(by_path["kept", "1.png"])
    assert (done.root, done.path, done.kept_days, done.job) == ("kept", "1.png", 30, None)
    assert not (data / "kept" / "1.png").exists()
    (kept,) = (path for path in (data / "kept" / ".trash").iterdir() if path.suffix == ".png")
    assert kept.read_bytes() == picture(1)
    with pytest.raises(errors.ProblemError) as caught:
        client.delete_image(by_path["kept", "1.png"])
    assert (caught.value.status, caught.value.code) == (404, "file_gone")
    with pytest.raises(errors.ProblemError) as caught:
        client.delete_image(by_path["others", "3.png"])
    assert (caught.value.status, caught.value.code) == (403, "not_uploaded")
    assert (data / "others" / "3.png").exists()
    assert httpx.delete(f"{url}/v1/images/9999").status_code == 404


def test_what_has_taken_the_place_of_a_picture_is_not_deleted(data, client):
    by_path = {(one.root, one.path): one.id for one in client.images().images}
    (data / "kept" / "2.png").write_bytes(picture(40))
    with pytest.raises(errors.ProblemError) as caught:
        client.delete_image(by_path["kept", "2.png"])
    assert (caught.value.status, caught.value.code) == (409, "file_changed")
    assert (data / "kept" / "2.png").read_bytes() == picture(40)


def test_nothing_is_kept_where_no_folder_is_named(data, serve_app):
    url = serve_app(create_app(Settings(data=data / "data")))
    answer = put(url, "a.png", picture())
    assert (answer.status_code, answer.json()["code"]) == (403, "keeping_off")
    assert httpx.delete(f"{url}/v1/images/1").json()["code"] == "keeping_off"


# Without a service


def test_what_is_in_the_trash_for_long_is_deleted(tmp_path):
    folder = UploadFolder(tmp_path)
    for name in ("old.png", "new.png", "gone.png"):
        folder.store(name, name.encode())
    folder.delete(tmp_path / "old.png", 3)
    (old,) = (tmp_path / ".trash").glob("*.png")
    os.utime(old, (time.time() - 4 * 86_400,) * 2)
    folder.delete(tmp_path / "new.png", 3)
    assert [path.name.endswith("new.png") for path in (tmp_path / ".trash").glob("*.png")] == [True]
    assert (tmp_path / ".trash" / ".nomedia").exists()
    folder.delete(tmp_path / "gone.png", 0)
    assert list(tmp_path.rglob("*gone*")) == []
    assert not folder.holds(old)


def test_a_link_that_leads_out_of_the_folder_is_not_followed(tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "kept" / "way").symlink_to(tmp_path / "outside")
    folder = UploadFolder(tmp_path / "kept")
    assert folder.holds(tmp_path / "kept" / "a.png")
    assert not folder.holds(tmp_path / "kept" / "way" / "a.png")
    assert not folder.holds(tmp_path / "kept" / ".." / "a.png")


@pytest.mark.parametrize(
    ("number", "kind"), [(errno.ENOSPC, NoRoom), (errno.EDQUOT, NoRoom), (errno.EROFS, UploadFolderError)]
)
def test_a_disk_that_is_full_is_said_and_nothing_is_left(tmp_path, monkeypatch, number, kind):
    def fail(_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(kind) as caught:
        UploadFolder(tmp_path).store("a.png", b"content")
    assert type(caught.value) is kind
    assert list(tmp_path.iterdir()) == []


def test_files_of_one_name_that_come_at_once_each_get_their_own(tmp_path):
    folder = UploadFolder(tmp_path)
    threads = [threading.Thread(target=folder.store, args=("a.png", bytes([n]))) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(path.read_bytes() for path in tmp_path.iterdir()) == [bytes([n]) for n in range(8)]
