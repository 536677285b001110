"""A library whose thumbnails, vectors and builds lie in object storage, and a folder that follows it."""

import os
import shutil
import sys
from pathlib import Path

import pytest

from indexer.library.catalog.writer import Catalog
from indexer.library.errors import NoIndex
from indexer.library.layout import Layout
from indexer.library.opened import open_build
from indexer.library.replicas.replica import Replica, open_replica
from indexer.library.storage.errors import (
    LibraryElsewhere,
    NoLibraryThere,
    ObjectUnreadable,
    StorageTaken,
    StorageUnavailable,
)
from indexer.library.storage.library_file import LibraryFile
from indexer.library.storage.thumbnail_cache import FileCache, find_thumbnail
from indexer.pipeline.commands import compact, verify


def fault(storage, *what: object, **where: object) -> None:
    storage.faults.append(sys.modules["object_storage"].Fault(*what, **where))


@pytest.fixture
def stored(album, object_storage):
    """An album whose library lies in object storage: three pictures."""
    album.address = f"s3://{object_storage.bucket}/xuntu"
    LibraryFile(id="abcd1234", storage=album.address).write(album.data)
    album.draw("a.jpg", "b.jpg", "trip/c.jpg")
    return album


@pytest.fixture
def follower(stored, tmp_path) -> Path:
    return tmp_path / "follower"


def follow(stored, data: Path) -> Replica:
    replica = open_replica(data, stored.address)
    assert replica
    replica.update()
    return replica


def held(data: Path) -> tuple[str, list[int], list[str]]:
    """Return the build in use, its ids, and the checksums in the catalog beside it."""
    opened = open_build(data)
    found = opened.manifest.build, opened.index.list_ids().tolist(), sorted(opened.catalog.list_checksums())
    opened.close()
    opened.catalog.close()
    return found


def test_everything_that_is_made_lies_in_storage(stored, object_storage):
    stored.build()
    names = [name.removeprefix("xuntu/") for name in object_storage.names()]
    for row in stored.indexed():
        assert f"thumbnails/{row.sha256[:2]}/{row.sha256}.webp" in names
    assert sum(name.startswith("vectors/hash/") for name in names) == 2
    assert sum(name.startswith("builds/") for name in names) == 1
    assert {"library.json", "CURRENT"} <= set(names)
    assert not list(stored.layout.thumbnails.glob("*/*"))
    assert stored.problems() == []


def test_an_update_without_changes_sends_the_catalog_at_most(stored, object_storage):
    stored.build()
    object_storage.requests.clear()
    stored.update()
    sent = [key.split("/")[1] for method, key, _ in object_storage.requests if method == "PUT"]
    assert set(sent) <= {"blocks", "builds", "CURRENT"}


def test_thumbnails_are_read_through_the_cache(stored, object_storage):
    stored.build()
    row = stored.indexed()[0]
    shutil.rmtree(stored.layout.cached_thumbnails)
    object_storage.requests.clear()
    for _ in range(2):
        assert find_thumbnail(stored.layout, row.sha256).read_bytes()[:4] == b"RIFF"
    assert len(object_storage.requests) == 1
    assert not find_thumbnail(stored.layout, "0" * 64).exists()


def test_a_cache_keeps_what_was_asked_for_last(tmp_path):
    cache = FileCache(tmp_path / "cache", most_bytes=100)
    for number in range(10):
        path = cache.put(f"{number}", bytes(10))
        os.utime(path, ns=(number, number))
    assert cache.find("0")
    cache.put("new", bytes(20))
    cache.trim()
    assert cache.find("0")
    assert cache.find("new")
    assert not cache.find("1")
    assert sum(path.stat().st_size for path in cache.folder.iterdir()) <= 100


def test_what_a_run_could_not_send_the_next_one_sends(stored, object_storage):
    fault(object_storage, "expired", "PUT", "thumbnails/")
    with pytest.raises(StorageUnavailable, match="expired"):
        stored.build()
    assert stored.names() == ["a.jpg", "b.jpg", "trip/c.jpg"]  # all is here, and searched here
    assert "xuntu/CURRENT" not in object_storage.objects
    object_storage.faults.clear()
    assert stored.update().reused == 3
    assert len(object_storage.names("xuntu/thumbnails/")) == 3
    assert "xuntu/CURRENT" in object_storage.objects


@pytest.mark.parametrize("key", ["thumbnails/", "vectors/", "blocks/", "builds/", "CURRENT"])
def test_a_run_that_ends_at_any_step_leaves_nothing_wrong(stored, follower, object_storage, key):
    stored.build()
    replica = follow(stored, follower)
    before = held(follower)
    stored.draw("d.jpg")
    fault(object_storage, "refused", "PUT", key)
    with pytest.raises(StorageUnavailable):
        stored.update()
    replica.update()
    assert held(follower) == before
    object_storage.faults.clear()
    stored.update()
    assert replica.update()
    assert held(follower) == held(stored.data)
    assert len(held(follower)[1]) == 4


def test_vectors_that_are_gone_here_are_fetched(stored, object_storage):
    stored.build()
    shutil.rmtree(stored.data / "vectors")
    done = stored.update()
    assert (done.encoded, done.reused) == (0, 3)
    assert verify(stored.settings()) == []


def test_what_compacting_deletes_is_deleted_there(stored, object_storage):
    stored.build()
    gone = next(row for row in stored.indexed() if Path(row.path).name == "a.jpg")
    (stored.pictures / "a.jpg").unlink()
    stored.update()
    assert compact(stored.settings()).thumbnails == 1
    assert len(object_storage.names("xuntu/thumbnails/")) == 2
    assert not object_storage.names(f"xuntu/thumbnails/{gone.sha256[:2]}/{gone.sha256}")
    assert len(object_storage.names("xuntu/vectors/")) == 2
    assert len(object_storage.names("xuntu/builds/")) <= 2


def test_another_library_is_not_written_over(stored, object_storage, tmp_path):
    stored.build()
    LibraryFile(id="other999", storage=stored.address).write(stored.data)
    with pytest.raises(StorageTaken, match="abcd1234"):
        stored.update()


def test_a_setting_makes_a_local_library_one_in_storage(album, object_storage, monkeypatch):
    album.draw("a.jpg")
    album.build()
    monkeypatch.setenv("XUNTU_STORAGE", f"s3://{object_storage.bucket}/later")
    assert album.update().reused == 1
    assert LibraryFile.read(album.data).storage == f"s3://{object_storage.bucket}/later"
    assert "later/CURRENT" in object_storage.objects


# A folder that follows


def test_a_follower_answers_as_the_library_does(stored, follower, object_storage):
    stored.build()
    follow(stored, follower)
    assert held(follower) == held(stored.data)
    row = stored.indexed()[0]
    assert find_thumbnail(Layout(follower), row.sha256).read_bytes()[:4] == b"RIFF"


def test_a_follower_fetches_what_differs(stored, follower, object_storage, monkeypatch):
    stored.build()
    replica = follow(stored, follower)
    assert not replica.update()
    stored.draw("d.jpg")
    stored.update()
    object_storage.requests.clear()
    assert replica.update()
    fetched = [key for method, key, _ in object_storage.requests if method == "GET" and "/blocks/" in key]
    assert len(fetched) == len(set(fetched)) < len(object_storage.names("xuntu/blocks/"))
    object_storage.requests.clear()
    assert not replica.update()
    assert [method for method, _, _ in object_storage.requests] == ["HEAD"]


def test_a_follower_only_reads(stored, follower):
    stored.build()
    follow(stored, follower)
    with pytest.raises(LibraryElsewhere, match="another machine"):
        stored.build(settings=stored.settings(data=follower))
    replica = open_replica(follower, None)
    assert replica
    assert replica.address == stored.address


def test_a_follower_waits_for_the_first_build(stored, follower, object_storage):
    with pytest.raises(NoLibraryThere):
        open_replica(follower, stored.address)
    fault(object_storage, "refused", "PUT", "CURRENT")
    with pytest.raises(StorageUnavailable):
        stored.build()
    replica = open_replica(follower, stored.address)
    assert replica
    with pytest.raises(NoLibraryThere):
        replica.update()
    with pytest.raises(NoIndex):
        open_build(follower)
    object_storage.faults.clear()
    stored.update()
    assert replica.update()


def test_the_machine_that_writes_is_no_follower(stored):
    assert open_replica(stored.data, None) is None
    stored.build()
    assert open_replica(stored.data, None) is None


@pytest.mark.parametrize("what", ["library.json", "CURRENT", "builds/", "blocks/"])
def test_a_follower_takes_nothing_that_was_not_written(stored, follower, object_storage, what):
    stored.build()
    for name in object_storage.names(f"xuntu/{what}"):
        object_storage.objects[name] = b"{x" + object_storage.objects[name][2:]
    with pytest.raises(ObjectUnreadable):
        follow(stored, follower)
    with pytest.raises(NoIndex):
        open_build(follower)


def test_the_catalog_of_a_follower_needs_no_other_file(stored, follower):
    stored.build()
    follow(stored, follower)
    catalog = Catalog(Layout(follower).catalog)
    assert catalog.check() is None
    catalog.close()
    assert not list(follower.glob("*-wal"))
