"""A library that is moved into object storage, to another one, and back into its folder."""

import shutil
import sys

import pytest

from indexer.library.replicas.replica import open_replica
from indexer.library.storage.errors import LibraryElsewhere, StorageTaken, StorageUnavailable
from indexer.library.storage.library_file import LibraryFile
from indexer.pipeline.moving import LOCAL, move_library


@pytest.fixture
def moved(album, object_storage):
    album.draw("a.jpg", "b.jpg", "c.jpg")
    album.build()
    album.one, album.other = (f"s3://{object_storage.bucket}/{name}" for name in ("one", "other"))
    return album


def thumbnails(album) -> list[str]:
    return sorted(path.name for path in album.layout.thumbnails.glob("*/*.webp"))


def test_a_library_goes_there_and_back_without_a_difference(moved, object_storage):
    before, ids = thumbnails(moved), moved.ids()
    done = move_library(moved.settings(), storage=moved.one)
    assert (done.pictures, done.vectors_compared, done.thumbnails) == (3, 3, 3)
    assert thumbnails(moved) == []
    shutil.rmtree(moved.data / "vectors")
    shutil.rmtree(moved.layout.cached_thumbnails)
    done = move_library(moved.settings(), storage=LOCAL)
    assert (done.storage, done.pictures, done.thumbnails) == (None, 3, 3)
    assert thumbnails(moved) == before
    object_storage.objects.clear()
    assert moved.update().reused == 3
    assert moved.ids() == ids
    assert moved.problems() == []


def test_a_move_that_is_broken_off_goes_on(moved, object_storage):
    before = thumbnails(moved)
    move_library(moved.settings(), storage=moved.one)
    shutil.rmtree(moved.layout.cached_thumbnails)
    faults = object_storage.faults
    faults.append(sys.modules["object_storage"].Fault("expired", "GET", "one/thumbnails/"))
    with pytest.raises(StorageUnavailable):
        move_library(moved.settings(), storage=moved.other)
    assert LibraryFile.read(moved.data).storage == moved.one
    faults[:] = [sys.modules["object_storage"].Fault("expired", "PUT", "other/blocks/")]
    with pytest.raises(StorageUnavailable):
        move_library(moved.settings(), storage=moved.other)
    faults.clear()
    assert move_library(moved.settings(), storage=moved.other).thumbnails == len(before)
    assert "other/CURRENT" in object_storage.objects


def test_a_place_that_is_taken_is_left_alone(moved, object_storage):
    object_storage.objects["one/library.json"] = b'{"format": 1, "id": "other999", "index": null}'
    with pytest.raises(StorageTaken):
        move_library(moved.settings(), storage=moved.one)
    assert LibraryFile.read(moved.data).storage is None


def test_a_replica_is_not_moved(moved, object_storage, tmp_path):
    move_library(moved.settings(), storage=moved.one)
    replica = open_replica(tmp_path / "replica", moved.one)
    assert replica
    replica.update()
    with pytest.raises(LibraryElsewhere):
        move_library(moved.settings(data=tmp_path / "replica"), storage=LOCAL)
