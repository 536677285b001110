"""Pictures that lie in object storage: found, indexed, read by ranges, and never taken for gone when it is away."""

import io
import json
import sys
import tarfile
from pathlib import Path

import pytest

from indexer.errors import RootEmptied
from indexer.library.opening import OpenOriginal, open_original
from indexer.library.originals import read_original
from indexer.library.storage.errors import StorageUnavailable
from indexer.pipeline.commands import remove_root
from indexer.pipeline.roots import list_roots
from models.pictures.errors import DecodeError
from models.pictures.limits import DecodeLimits


class Bucket:
    """A bucket with pictures below `photos`, and a library of them."""

    def __init__(self, album, storage) -> None:
        self.album, self.storage = album, storage
        self.address = f"s3://{storage.bucket}/photos"
        self.path = Path(self.address)

    def put(self, *names: str, seed: int = 0) -> None:
        for name in names:
            self.storage.objects[f"photos/{name}"] = self.album.draw(f"made/{name}", seed=seed).read_bytes()

    def put_shard(self, name: str, *members: tuple[str, bytes]) -> None:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            for member, data in members:
                info = tarfile.TarInfo(member)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
        self.storage.objects[f"photos/{name}"] = buffer.getvalue()

    def picture(self, name: str) -> bytes:
        return self.album.draw(f"made/{name}").read_bytes()

    def build(self, **options: object):
        return self.album.build(self.path, **options)

    def names(self) -> list[str]:
        return sorted(row.path for row in self.album.indexed())

    def row(self, name: str):
        return next(row for row in self.album.indexed() if row.path == name)

    def fault(self, *what: object, **where: object) -> None:
        self.storage.faults.append(sys.modules["object_storage"].Fault(*what, **where))


@pytest.fixture
def bucket(album, object_storage) -> Bucket:
    return Bucket(album, object_storage)


def test_pictures_of_a_bucket_are_indexed_once(bucket):
    bucket.put("a.jpg", "trip/b.jpg", "trip/山/c 图.png")
    bucket.storage.objects["photos/readme.txt"] = b"no picture"
    bucket.storage.objects["elsewhere/d.jpg"] = bucket.picture("d.jpg")
    done = bucket.build()
    assert (done.encoded, done.failed, done.warnings) == (3, 0, ())
    assert bucket.names() == ["a.jpg", "trip/b.jpg", "trip/山/c 图.png"]
    bucket.storage.requests.clear()
    assert bucket.album.update().reused == 3
    assert not [key for method, key, _ in bucket.storage.requests if method == "GET" and key]  # it was listed alone
    assert bucket.album.problems() == []
    assert [row.place for row in bucket.album.indexed() if row.path == "a.jpg"] == [f"{bucket.address}/a.jpg"]
    assert [(one.kind, one.state.value, one.pictures) for one in list_roots(bucket.album.settings())] == [
        ("objects", "there", 3)
    ]


def test_what_changes_comes_and_goes_is_seen(bucket):
    bucket.put("a.jpg", "b.jpg", "c.jpg")
    bucket.build()
    bucket.put("b.jpg", seed=1)
    bucket.put("d.jpg")
    del bucket.storage.objects["photos/c.jpg"]
    done = bucket.album.update()
    assert (done.encoded, done.reused, done.removed) == (2, 1, 1)
    assert bucket.names() == ["a.jpg", "b.jpg", "d.jpg"]


def test_shards_are_read_by_ranges(bucket):
    bucket.put_shard(
        "train-000.tar",
        ("one.jpg", bucket.picture("one.jpg")),
        ("one.json", json.dumps({"caption": "a red barn", "tags": ["barn"]}).encode()),
        ("noise.bin", bytes(600_000)),
        ("two.jpg", bucket.picture("two.jpg")),
    )
    bucket.put("a.jpg")
    done = bucket.build()
    assert (done.encoded, done.failed, done.warnings) == (3, 0, ())
    assert bucket.names() == ["a.jpg", "train-000.tar/one.jpg", "train-000.tar/two.jpg"]
    row = bucket.row("train-000.tar/one.jpg")
    assert row.caption == "a red barn"
    assert read_original(row, DecodeLimits()) == bucket.picture("one.jpg")
    sizes = [wanted for method, key, wanted in bucket.storage.requests if key.endswith(".tar")]
    assert sizes
    assert all(sizes)  # never as a whole


def test_a_shard_that_is_cut_off_loses_nothing(bucket):
    bucket.put_shard("x.tar", *((f"{n}.jpg", bucket.picture(f"{n}.jpg")) for n in range(3)))
    bucket.build()
    whole = bucket.storage.objects["photos/x.tar"]
    bucket.storage.objects["photos/x.tar"] = whole[: len(whole) // 3]
    done = bucket.album.update()
    assert done.removed == 0
    assert done.warnings
    bucket.storage.objects["photos/x.tar"] = whole
    assert bucket.album.update().failed == 0
    assert len(bucket.names()) == 3


def test_an_original_is_read_by_ranges_while_it_is_what_was_indexed(bucket):
    bucket.put("a.jpg")
    bucket.build()
    row, data = bucket.row("a.jpg"), bucket.picture("a.jpg")
    bucket.storage.requests.clear()
    opened = open_original(row, DecodeLimits())
    assert isinstance(opened, OpenOriginal)
    with opened:
        assert opened.read(10, 20) == data[10:30]
        assert opened.read(len(data) - 5, 100) == data[-5:]
    assert [wanted for _, _, wanted in bucket.storage.requests] == [
        "bytes=10-29",
        f"bytes={len(data) - 5}-{len(data) - 1}",
    ]
    bucket.put("a.jpg", seed=1)
    with pytest.raises(DecodeError) as changed:
        read_original(row, DecodeLimits())
    assert changed.value.reason == "changed"
    del bucket.storage.objects["photos/a.jpg"]
    with pytest.raises(DecodeError) as gone:
        read_original(row, DecodeLimits())
    assert gone.value.reason == "not_found"


@pytest.mark.parametrize("what", ["error", "expired", "refused", "drop"])
def test_storage_that_is_away_while_it_is_listed_takes_no_picture_away(bucket, what):
    bucket.storage.page = 2
    bucket.put("a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg")
    bucket.build()
    pages: list[str] = []

    def fail_later(method: str, key: str) -> None:
        if method == "GET" and key == "photos/":
            pages.append(key)
            if len(pages) == 2:
                bucket.fault(what, "GET", "photos/")

    bucket.storage.before = fail_later
    bucket.album.draw("own/own.jpg")
    done = bucket.album.build(bucket.album.pictures / "own")
    assert len(pages) >= 2
    assert (done.encoded, done.removed) == (1, 0)
    assert [type(warning) for warning in done.warnings] == [StorageUnavailable]
    with pytest.raises(StorageUnavailable):
        bucket.build()
    assert len(bucket.names()) == 6
    bucket.storage.faults.clear()
    bucket.storage.before = lambda _method, _key: None
    assert bucket.album.update().warnings == ()


def test_a_bucket_that_stands_empty_takes_no_picture_away(bucket):
    bucket.put("a.jpg")
    bucket.build()
    bucket.storage.objects.clear()
    with pytest.raises(RootEmptied, match=bucket.address):
        bucket.album.update()
    assert bucket.names() == ["a.jpg"]


def test_a_bucket_that_cannot_be_reached_is_said_at_once(bucket):
    bucket.fault("expired")
    with pytest.raises(StorageUnavailable, match="expired"):
        bucket.build()


def test_pictures_that_fail_are_in_the_report_and_tried_again(bucket):
    bucket.put("a.jpg", "b.jpg")
    bucket.storage.objects["photos/c.jpg"] = b"no picture at all"
    bucket.fault("error", "GET", "b.jpg")
    done = bucket.build()
    assert (done.encoded, done.failed) == (1, 2)
    assert {name.rpartition("/")[2]: code for name, code in bucket.album.failures().items()} == {
        "b.jpg": "storage_unavailable",
        "c.jpg": "not_an_image",
    }
    bucket.storage.faults.clear()
    assert bucket.album.update().encoded == 1


def test_bodies_that_are_cut_are_read_again(bucket):
    bucket.put("a.jpg")
    bucket.fault("cut", "GET", "a.jpg", times=2)
    assert bucket.build().encoded == 1


def test_nothing_secret_is_kept(bucket):
    bucket.put("a.jpg")
    bucket.build()
    held = b"".join(path.read_bytes() for path in bucket.album.data.rglob("*") if path.is_file())
    assert b"test-secret" not in held
    assert b"test-key" not in held


def test_a_bucket_is_taken_out_of_the_library(bucket):
    bucket.put("a.jpg")
    bucket.album.draw("own/b.jpg")
    bucket.album.build(bucket.path, bucket.album.pictures / "own")
    assert remove_root(bucket.album.settings(), bucket.path).removed == 1
    assert bucket.names() == ["b.jpg"]


def test_several_processes_read_a_bucket(bucket, processes, heavy):
    bucket.put(*(f"{number}.jpg" for number in range(300)))
    done = bucket.build(settings=bucket.album.settings(workers=1))
    assert (done.encoded, done.failed) == (300, 0)
