"""The service with pictures and libraries in object storage: originals by ranges, thumbnails, and replicas."""

import contextlib
import io
import sys
from pathlib import Path

import httpx
import pytest
from PIL import Image
from typer.testing import CliRunner

from api.cli import app
from api.config import Settings
from api.http.app import create_app
from indexer.config import IndexerSettings
from indexer.library.storage.errors import LibraryElsewhere
from indexer.library.storage.library_file import LibraryFile
from indexer.pipeline.commands import BuildOptions, annotate, build


def picture(number: int, form: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (640, 480), (number * 20 % 256, 90, 200)).save(file, form)
    return file.getvalue()


class Stored:
    """Pictures in a bucket, and a library of them in the same bucket."""

    def __init__(self, folder: Path, storage) -> None:
        self.folder, self.storage = folder, storage
        self.pictures, self.address = Path(f"s3://{storage.bucket}/photos"), f"s3://{storage.bucket}/library"
        self.put("a.png", 1)
        self.put("trip/b.png", 2)
        LibraryFile(id="abcd1234", storage=self.address).write(folder / "data")

    @property
    def settings(self) -> IndexerSettings:
        return IndexerSettings(data=self.folder / "data", workers=0)

    def put(self, name: str, number: int) -> None:
        self.storage.objects[f"photos/{name}"] = picture(number)

    def build(self) -> None:
        build(self.settings, [self.pictures], BuildOptions(encoders=["hash"]))

    def fault(self, *what: object, **where: object) -> None:
        self.storage.faults.append(sys.modules["object_storage"].Fault(*what, **where))


@pytest.fixture
def stored(tmp_path, object_storage) -> Stored:
    made = Stored(tmp_path, object_storage)
    made.build()
    return made


@pytest.fixture
def serve_library(serve_app):
    with contextlib.ExitStack() as closing:

        def serve(data: Path, **settings: object) -> httpx.Client:
            api = {"preload_image": False, "follow_seconds": 0.05, **settings.pop("api", {})}
            app = create_app(Settings(data=data, api=api, **settings))
            return closing.enter_context(httpx.Client(base_url=serve_app(app), timeout=120))

        yield serve


def ids(http: httpx.Client, **asked: object) -> dict[str, int]:
    listed = http.get("/v1/images", params={"sort": "path", "k": 100, **asked}).raise_for_status().json()
    return {one["path"]: one["id"] for one in listed["images"]}


def searched(http: httpx.Client, text: str) -> list[tuple[int, float]]:
    hits = http.get("/v1/search", params={"q": text}).raise_for_status().json()["hits"]
    return [(hit["id"], hit["score"]) for hit in hits]


def test_originals_are_streamed_by_ranges(stored, serve_library):
    http = serve_library(stored.folder / "data")
    data, file = picture(1), f"/v1/images/{ids(http)['a.png']}/file"
    stored.storage.requests.clear()
    whole = http.get(file)
    assert (whole.status_code, whole.content) == (200, data)
    part = http.get(file, headers={"Range": "bytes=10-29"})
    assert (part.status_code, part.content) == (206, data[10:30])
    assert ("GET", "photos/a.png", "bytes=10-29") in stored.storage.requests
    stored.put("a.png", 9)
    assert http.get(file).status_code == 409
    del stored.storage.objects["photos/a.png"]
    assert http.get(file).status_code == 404


def test_storage_that_is_away_is_said(stored, serve_library):
    http = serve_library(stored.folder / "data")
    file = f"/v1/images/{ids(http)['a.png']}/file"
    stored.fault("expired", "GET", "photos/")
    answer = http.get(file)
    assert answer.status_code == 503
    assert "object storage" in answer.json()["detail"]
    assert "test-secret" not in answer.text
    assert searched(http, "a blue square")


def test_clients_may_be_sent_to_a_signed_address(stored, serve_library):
    http = serve_library(stored.folder / "data", api={"signed_seconds": 60})
    file = f"/v1/images/{ids(http)['a.png']}/file"
    answer = http.get(file)
    assert answer.status_code == 307
    assert "X-Amz-Expires=60" in answer.headers["location"]
    assert "test-secret" not in answer.headers["location"]
    assert httpx.get(answer.headers["location"]).content == picture(1)
    stored.put("a.png", 9)
    assert http.get(file).status_code == 409


def test_folders_and_paths_of_a_bucket_are_filters(stored, serve_library):
    http = serve_library(stored.folder / "data")
    assert list(ids(http, where="path=trip/")) == ["trip/b.png"]


def test_a_large_thumbnail_is_made_of_the_original(stored, serve_library):
    http = serve_library(stored.folder / "data")
    answer = http.get(f"/v1/images/{ids(http)['a.png']}/thumbnail", params={"size": 600})
    assert answer.status_code == 200
    assert Image.open(io.BytesIO(answer.content)).size == (600, 450)


def test_a_replica_answers_as_the_library_does(stored, serve_library, wait_until):
    here = serve_library(stored.folder / "data")
    there = serve_library(stored.folder / "replica", storage=stored.address)
    assert ids(there) == ids(here)
    assert searched(there, "a blue square") == searched(here, "a blue square")
    one = ids(there)["a.png"]
    for path in (f"/v1/images/{one}/thumbnail", f"/v1/images/{one}/file"):
        assert there.get(path).content == here.get(path).content
    stored.put("c.png", 3)
    stored.build()
    wait_until(lambda: len(ids(there)) == 3, "the replica follows")
    assert searched(there, "a blue square") == searched(here, "a blue square")


def test_what_one_replica_was_sent_another_is_asked_with(stored, serve_library):
    first, second = (serve_library(stored.folder / name, storage=stored.address) for name in ("one", "two"))
    upload = first.put("/v1/uploads", content=picture(2), headers={"content-type": "image/png"}).json()["id"]
    found = second.post("/v1/search", json={"clauses": [{"upload": upload}], "k": 1}).json()["hits"]
    assert found[0]["path"] == "trip/b.png"
    assert second.get(f"/v1/uploads/{upload}/thumbnail").status_code == 200
    ticket = first.post("/v1/archive?ticket=true", json={"ids": [found[0]["id"]], "format": "csv"}).json()
    assert "b.png" in second.get(ticket["url"]).text
    second.delete(f"/v1/uploads/{upload}")
    assert not [name for name in stored.storage.objects if name.startswith("library/uploads/")]
    gone = first.post("/v1/search", json={"clauses": [{"upload": upload}], "k": 1})
    assert (gone.status_code, gone.json()["code"]) == (404, "upload_gone")
    again = first.put("/v1/uploads", content=picture(2), headers={"content-type": "image/png"}).json()["id"]
    stored.fault("error")  # who has it answers while the storage is away
    assert first.post("/v1/search", json={"clauses": [{"upload": again}], "k": 1}).status_code == 200


def test_a_replica_goes_on_answering_while_storage_is_away(stored, serve_library, wait_until):
    there = serve_library(stored.folder / "replica", storage=stored.address)
    before = searched(there, "a blue square")
    asked = len(stored.storage.requests)
    stored.fault("refused")
    wait_until(lambda: len(stored.storage.requests) > asked, "storage is asked")
    assert searched(there, "a blue square") == before
    again = serve_library(stored.folder / "replica")
    assert searched(again, "a blue square") == before


def test_what_changes_the_library_is_refused_by_a_replica(stored, serve_library):
    there = serve_library(stored.folder / "replica", storage=stored.address)
    refused = [
        there.post("/v1/jobs", json={"kind": "update"}),
        there.post("/v1/boards", json={"name": "Spring"}),
    ]
    assert [(one.status_code, one.json()["code"]) for one in refused] == [(409, "library_elsewhere")] * 2
    assert "another machine" in refused[0].json()["detail"]
    data = ["--data", str(stored.folder / "replica")]
    commands = [["boards", "create", "Spring"], ["boards", "delete", "kept", "--yes"], ["index", "rollback"]]
    for command in [*commands, ["index", "update"], ["index", "roots", "move", "/old", str(stored.folder)]]:
        assert isinstance(CliRunner().invoke(app, [*command, *data]).exception, LibraryElsewhere), command
    assert CliRunner().invoke(app, ["boards", "list", *data]).exit_code == 0


def test_a_replica_waits_for_the_first_build(tmp_path, object_storage, serve_library, wait_until):
    made = Stored(tmp_path, object_storage)
    made.fault("refused", "PUT", "CURRENT")
    with contextlib.suppress(Exception):
        made.build()
    there = serve_library(tmp_path / "replica", storage=made.address)
    assert there.get("/v1/search", params={"q": "x"}).status_code == 503
    object_storage.faults.clear()
    made.build()
    wait_until(lambda: there.get("/v1/search", params={"q": "x"}).status_code == 200, "the first build is there")


def test_what_annotators_find_reaches_a_replica(stored, serve_library, wait_until):
    there = serve_library(stored.folder / "replica", storage=stored.address)
    assert ids(there)
    before = stored.storage.objects["library/CURRENT"]
    annotate(stored.settings, again=True)
    assert stored.storage.objects["library/CURRENT"] != before
    received = stored.folder / "replica" / "replica.json"
    name = stored.storage.objects["library/CURRENT"].decode().strip()
    wait_until(lambda: name in received.read_text(), "the catalog is fetched")
    assert len(ids(there)) == 2
