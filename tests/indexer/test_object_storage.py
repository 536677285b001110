"""Object storage: what every kind of it does, and what is said where it fails."""

import sys

import pytest

from indexer.library.storage.errors import ObjectChanged, ObjectMissing, StorageUnavailable
from indexer.library.storage.object_store import ObstoreStore, open_store


@pytest.fixture
def s3(object_storage) -> ObstoreStore:
    return open_store(f"s3://{object_storage.bucket}/xuntu")


@pytest.fixture(params=["s3", "file"])
def store(request, tmp_path) -> ObstoreStore:
    if request.param == "file":
        return open_store(f"file://{tmp_path}/storage")
    return request.getfixturevalue("s3")


def fault(storage, *what: object, **where: object) -> None:
    storage.faults.append(sys.modules["object_storage"].Fault(*what, **where))


def test_what_is_put_is_got_listed_and_deleted(store, object_storage):
    etag = store.put("a/b 图.bin", b"0123456789")
    assert store.get("a/b 图.bin") == b"0123456789"
    assert store.get_range("a/b 图.bin", 3, 4) == b"3456"
    assert store.get_range("a/b 图.bin", 3, 0) == b""
    found = store.head("a/b 图.bin")
    assert (found.name, found.size) == ("a/b 图.bin", 10)
    store.put("a/c", b"")
    store.put("d", b"1")
    assert sorted(one.name for one in store.list()) == ["a/b 图.bin", "a/c", "d"]
    assert sorted((one.name, one.size) for one in store.list("a")) == [("a/b 图.bin", 10), ("a/c", 0)]
    store.delete("a/c")
    store.delete("a/c")
    assert [one.name for one in store.list("a")] == ["a/b 图.bin"]
    assert store.get_range("a/b 图.bin", 0, 1, etag=found.etag) == b"0"
    assert not etag or etag == found.etag
    with pytest.raises(ObjectMissing):
        store.get("a/c")
    with pytest.raises(ObjectMissing):
        store.head("a/c")


def test_what_is_there_already_is_not_made_again(store, object_storage):
    store.put("one", b"1", etag="")
    with pytest.raises(ObjectChanged):
        store.put("one", b"2", etag="")
    assert store.get("one") == b"1"


def test_only_what_is_known_is_replaced_or_read(s3):
    first = s3.put("CURRENT", b"1")
    second = s3.put("CURRENT", b"2", etag=first)
    with pytest.raises(ObjectChanged):
        s3.put("CURRENT", b"3", etag=first)
    with pytest.raises(ObjectChanged):
        s3.get_range("CURRENT", 0, 1, etag=first)
    assert s3.get_range("CURRENT", 0, 1, etag=second) == b"2"


def test_a_large_object_is_sent_in_parts(s3, object_storage):
    data = bytes(33 * 2**20)
    s3.put("large", data)
    assert object_storage.objects["xuntu/large"] == data
    assert ("POST", "xuntu/large", "") in object_storage.requests


def test_a_listing_goes_on_over_pages(s3, object_storage):
    object_storage.page = 2
    for number in range(5):
        s3.put(f"a/{number}", b"1")
    assert len(list(s3.list("a"))) == 5


def test_what_fails_for_a_moment_is_tried_again(s3, object_storage):
    for what, method in (("error", "PUT"), ("drop", "PUT"), ("error", "GET"), ("drop", "GET"), ("cut", "GET")):
        fault(object_storage, what, method, "one", times=1)
    s3.put("one", b"0123456789")
    assert s3.get("one") == b"0123456789"
    assert not any(one.times for one in object_storage.faults)


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("error", "does not answer"),
        ("expired", "expired"),
        ("refused", "refuses the credentials"),
        ("cut", "cut short|does not answer"),
    ],
)
def test_what_goes_on_failing_is_said_without_secrets(s3, object_storage, what, words):
    s3.put("one", b"0123456789")
    fault(object_storage, what, key="one")
    with pytest.raises(StorageUnavailable, match=words) as said:
        s3.get("one")
    assert "test-secret" not in said.value.en
    assert "test-key" not in said.value.en
    assert said.value.__cause__ is None


def test_a_bucket_that_is_not_there_is_said(object_storage):
    with pytest.raises(StorageUnavailable, match="no such bucket"):
        open_store(f"s3://other-{object_storage.bucket}").check_reachable()


def test_an_address_at_which_nobody_listens_is_said(object_storage):
    store = open_store(f"s3://gone-{object_storage.bucket}")
    object_storage.stop()
    try:
        with pytest.raises(StorageUnavailable, match="does not answer"):
            store.check_reachable()
    finally:
        object_storage.start()
