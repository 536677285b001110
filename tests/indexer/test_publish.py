"""Builds: published as a whole, kept one back, rolled back to, and found out when they are damaged."""

import json
import threading

import pytest

from indexer.library.builds.current import read_current, roll_back
from indexer.library.errors import IndexDamaged, NoIndex, NothingToRollBack


def index_file(album, role="vectors"):
    """Return the last file of a kind of the build in use."""
    manifest = read_current(album.layout)
    files = [file.file for file in manifest.indexes[0].files if file.role == role]
    return album.layout.builds / manifest.build / files[-1]


def test_the_manifest_says_what_the_build_is_made_of(full_album):
    manifest = read_current(full_album.layout)
    (index,) = manifest.indexes
    assert (index.encoder, index.dim, index.count, index.metric, index.recipe) == (
        "hash",
        32,
        5,
        "inner_product",
        "flat",
    )
    assert index.self_recall == 1.0
    assert manifest.previous is None
    folder = full_album.layout.builds / manifest.build
    assert {path.name: path.stat().st_size for path in folder.iterdir() if path.name != "manifest.json"} == {
        file.file: file.bytes for file in index.files
    }
    assert index.bytes == sum(file.bytes for file in index.files)


def test_one_build_is_kept_and_older_ones_go(full_album):
    builds = [full_album.open().manifest.build]
    for n in range(3):
        full_album.draw(f"new{n}.png")
        builds.append(full_album.update().build)
    assert full_album.build_names() == set(builds[-2:])
    assert read_current(full_album.layout).previous == builds[-2]


def test_a_reader_sees_one_whole_name_at_any_moment(full_album, heavy):
    seen, done = set(), threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.add(full_album.layout.current.read_bytes())

    reader = threading.Thread(target=read)
    reader.start()
    published = {full_album.layout.current.read_bytes()} | {
        f"{full_album.rebuild().build}\n".encode() for _ in range(8)
    }
    done.set()
    reader.join()
    assert seen <= published
    assert len(seen) > 1


def test_an_open_build_answers_on_while_others_are_published(full_album):
    opened, before = full_album.open(), full_album.neighbours()
    for _ in range(3):
        full_album.rebuild()
    vectors = opened.index.fetch(opened.index.list_ids())
    found = opened.index.search(vectors, 5)
    assert found.ids.tolist() == [ids for ids, _ in before]


def test_rolling_back_puts_the_build_before_in_use(full_album):
    first = full_album.open().manifest.build
    full_album.draw("new.png")
    full_album.update()
    assert roll_back(full_album.layout).build == first
    assert len(full_album.names()) == 5
    assert full_album.problems() == []


@pytest.mark.parametrize("command", ["update", "rebuild"])
def test_after_rolling_back_the_next_run_goes_forward_again(full_album, command):
    full_album.draw("new.png")
    full_album.update()
    first = roll_back(full_album.layout).build
    report = getattr(full_album, command)()
    assert (report.encoded, report.reused) == (0, 6)
    assert len(full_album.names()) == 6
    assert read_current(full_album.layout).previous == first
    assert roll_back(full_album.layout).build == first


def test_with_nothing_to_go_back_to_the_build_in_use_stays(full_album):
    build = full_album.open().manifest.build
    with pytest.raises(NothingToRollBack):
        roll_back(full_album.layout)
    full_album.draw("new.png")
    full_album.update()
    roll_back(full_album.layout)
    with pytest.raises(NothingToRollBack):
        roll_back(full_album.layout)
    assert full_album.open().manifest.build == build


def test_a_damaged_build_is_not_gone_back_to(full_album):
    full_album.draw("new.png")
    full_album.update()
    damaged = index_file(full_album)
    build = full_album.rebuild().build
    damaged.write_bytes(damaged.read_bytes()[:-1])
    with pytest.raises(NothingToRollBack):
        roll_back(full_album.layout)
    assert full_album.open().manifest.build == build
    assert len(full_album.names()) == 6


@pytest.mark.parametrize("role", ["vectors", "ids"])
@pytest.mark.parametrize("damage", ["cut", "longer", "missing", "changed"])
def test_a_damaged_index_file_is_found_and_can_be_made_again(full_album, role, damage):
    path = index_file(full_album, role)
    data = path.read_bytes()
    match damage:
        case "cut":
            path.write_bytes(data[:-20])
        case "longer":
            path.write_bytes(data + b"\0")
        case "missing":
            path.unlink()
        case "changed":
            path.write_bytes(data[:130] + bytes([data[130] ^ 1]) + data[131:])
    (problem,) = full_album.problems()
    assert path.name in problem
    if (role, damage) != ("vectors", "changed"):  # a checksum of everything would be too slow at start-up
        with pytest.raises(IndexDamaged, match="xuntu index rebuild"):
            full_album.open()
    full_album.rebuild()
    assert full_album.problems() == []
    assert len(full_album.names()) == 5


def test_an_index_file_with_another_content_of_the_same_size_is_an_error_and_no_crash(full_album):
    path = index_file(full_album)
    path.write_bytes(bytes(path.stat().st_size))
    with pytest.raises(IndexDamaged):
        full_album.open()


@pytest.mark.parametrize("role", ["vectors", "ids", "offsets"])
def test_an_index_file_whose_header_cannot_be_parsed_is_an_error_and_no_crash(full_album, role):
    path = index_file(full_album, role)
    path.write_bytes(path.read_bytes().replace(b")", b" ", 1))
    with pytest.raises(IndexDamaged, match=path.name):
        full_album.open()


def test_a_damaged_index_is_left_by_rolling_back(full_album):
    first = full_album.open().manifest.build
    full_album.draw("new.png")
    full_album.update()
    index_file(full_album).unlink()
    assert roll_back(full_album.layout).build == first
    assert full_album.problems() == []


CURRENT = {
    "empty": b"",
    "no build": b"20200101T000000Z-dead\n",
    "a path": b"../../etc\n",
    "parent": b"..\n",
    "binary": b"\xff\xfe\0\0",
    "zeros": bytes(22),
    "two lines": b"a\nb\n",
    "long": b"x" * 5000,
}


@pytest.mark.parametrize("content", CURRENT.values(), ids=CURRENT)
def test_a_damaged_current_file_is_found_and_mended(full_album, content):
    full_album.layout.current.write_bytes(content)
    with pytest.raises(IndexDamaged):
        full_album.open()
    assert len(full_album.problems()) == 1
    full_album.rebuild()
    assert full_album.problems() == []
    assert len(full_album.names()) == 5


def test_a_damaged_current_file_is_left_by_rolling_back(full_album):
    build = full_album.open().manifest.build
    full_album.layout.current.write_bytes(b"\0")
    assert roll_back(full_album.layout).build == build
    assert full_album.problems() == []


def test_a_current_file_that_is_a_folder_is_an_error_in_a_sentence(full_album):
    full_album.layout.current.unlink()
    full_album.layout.current.mkdir()
    with pytest.raises((IndexDamaged, NoIndex)):
        full_album.open()


MANIFESTS = {
    "empty": b"",
    "zeros": bytes(500),
    "cut": b'{"format": 1, "build": "2026',
    "null": b"null",
    "a number": b"7",
    "a list": b"[]",
    "nothing": b"{}",
    "an earlier format": {"format": 1},
    "a later format": {"format": 99},
    "no index": {"indexes": []},
    "no list of indexes": {"indexes": None},
    "lists in lists": b"[" * 100_000,
    "an index that is a name": {"indexes": ["hash.faiss"]},
}


@pytest.mark.parametrize("damage", MANIFESTS.values(), ids=MANIFESTS)
def test_a_damaged_manifest_is_found_and_mended(full_album, damage):
    path = full_album.layout.builds / full_album.open().manifest.build / "manifest.json"
    whole = json.loads(path.read_bytes())
    path.write_bytes(damage if isinstance(damage, bytes) else json.dumps({**whole, **damage}).encode())
    with pytest.raises(IndexDamaged):
        full_album.open()
    assert len(full_album.problems()) == 1
    full_album.rebuild()
    assert full_album.problems() == []
    assert len(full_album.names()) == 5
