"""Damaged files and unwilling disks: a sentence, nothing lost, and a way out."""

import contextlib
import json
import re
import resource
import shutil
import signal
import sqlite3

import numpy as np
import pytest

from api.search.engine import SearchEngine
from indexer.library.catalog.writer import Catalog
from indexer.library.errors import (
    CatalogCorrupt,
    CatalogTooNew,
    CatalogTooOld,
    IndexDamaged,
    IndexMismatch,
    LibraryUnwritable,
    NoIndex,
)


def damage(path, how: str) -> None:
    data = path.read_bytes()
    match how:
        case "missing":
            path.unlink()
        case "cut":
            path.write_bytes(data[:-10])
        case "changed":
            path.write_bytes(data[:-8] + bytes([data[-8] ^ 1]) + data[-7:])
        case "garbage":
            path.write_bytes(np.random.default_rng(0).bytes(len(data)))


@pytest.mark.parametrize("how", ["missing", "cut", "changed", "garbage"])
@pytest.mark.parametrize("name", ["00000.npy", "00000.ids.npy"])
def test_a_damaged_shard_is_found_and_does_not_touch_the_index_in_use(full_album, name, how):
    damage(full_album.layout.vectors("hash") / name, how)
    (problem,) = full_album.problems()
    assert name in problem
    assert len(full_album.names()) == 5


def test_what_is_damaged_is_said_in_the_language_of_the_person(full_album, processes):
    (full_album.layout.vectors("hash") / "00000.npy").unlink()
    damage(full_album.layout.builds / full_album.open().manifest.build / "manifest.json", "cut")
    done = full_album.command("verify", "--data", full_album.data, LANG="zh_CN.UTF-8")
    assert done.stdout.splitlines() == ["00000.npy 缺失", "manifest.json 无法读取"]
    assert "xuntu index update" in done.stderr
    done = full_album.command("verify", "--data", full_album.data, "--json", LANG="zh_CN.UTF-8")
    assert json.loads(done.stdout)["problems"] == ["00000.npy is missing", "manifest.json cannot be read"]


@pytest.mark.parametrize("how", ["missing", "cut", "garbage"])
def test_an_index_is_not_made_of_a_damaged_shard(full_album, how):
    damage(full_album.layout.vectors("hash") / "00000.npy", how)
    build = full_album.open().manifest.build
    with pytest.raises(IndexDamaged):
        full_album.rebuild()
    assert full_album.open().manifest.build == build


def test_an_index_is_not_made_of_vectors_that_changed(full_album):
    path = full_album.layout.vectors("hash") / "00000.npy"
    np.save(path, -np.load(path))  # still unit vectors
    with pytest.raises(IndexDamaged):
        full_album.rebuild()


@pytest.mark.parametrize("how", ["missing", "cut", "changed", "garbage"])
def test_the_command_that_the_message_names_mends_a_damaged_shard(full_album, how):
    before = full_album.ids()
    damage(full_album.layout.vectors("hash") / "00000.npy", how)
    full_album.update()
    assert full_album.problems() == []
    assert full_album.ids() == before


def test_a_catalog_that_is_not_one_is_refused(full_album):
    full_album.layout.catalog.write_bytes(b"I am a text file, not a database.\n" * 200)
    for call in (full_album.update, full_album.rebuild, full_album.problems, full_album.open):
        with pytest.raises(CatalogCorrupt) as caught:
            call()
        assert str(full_album.layout.catalog) in caught.value.en
        assert str(full_album.layout.catalog) in caught.value.zh
    assert full_album.layout.catalog.read_bytes().startswith(b"I am a text file"), "it is left as it was"


def test_a_catalog_of_a_newer_version_is_refused_untouched(full_album):
    with sqlite3.connect(full_album.layout.catalog) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = full_album.layout.catalog.read_bytes()
    for call in (full_album.update, full_album.rebuild, full_album.problems, full_album.open):
        with pytest.raises(CatalogTooNew, match="Upgrade"):
            call()
    assert full_album.layout.catalog.read_bytes() == before


@pytest.mark.parametrize("seed", range(12))
def test_damaged_pages_of_a_catalog_are_a_sentence_whatever_is_asked(full_album, seed):
    catalog = full_album.layout.catalog
    data = bytearray(catalog.read_bytes())
    rng = np.random.default_rng(seed)
    for page in rng.choice(len(data) // 4096, 3, replace=False):
        start = int(page) * 4096 + int(rng.integers(100, 2000))
        data[start : start + 1500] = rng.bytes(1500)
    catalog.write_bytes(data)
    full_album.draw("new.png")
    for call in (full_album.problems, full_album.update, full_album.rebuild, full_album.counts, full_album.rows):
        with contextlib.suppress(CatalogCorrupt, CatalogTooNew, LibraryUnwritable, IndexDamaged, IndexMismatch):
            call()


@pytest.mark.parametrize("seed", range(20))
def test_a_flipped_bit_anywhere_is_found(full_album, seed):
    """Thumbnails are made anew where they are missing, and nothing else depends on them."""
    full_album.draw("new.png")
    full_album.update()
    assert full_album.problems() == []
    kept = {"write.lock", "catalog.sqlite3-wal", "catalog.sqlite3-shm"}
    build = full_album.layout.builds / full_album.open().manifest.build
    files = [full_album.layout.catalog, full_album.layout.current]
    files += [path for folder in (build, full_album.layout.vectors("hash")) for path in sorted(folder.iterdir())]
    rng = np.random.default_rng(seed)
    path = files[seed % len(files)]
    assert path.name not in kept
    data = bytearray(path.read_bytes())
    data[int(rng.integers(len(data)))] ^= 1 << int(rng.integers(8))
    path.write_bytes(data)
    try:
        assert full_album.problems(), path
    except (CatalogCorrupt, CatalogTooNew, CatalogTooOld, NoIndex):
        assert path == full_album.layout.catalog


def test_a_missing_catalog_is_said(full_album, processes):
    full_album.layout.catalog.unlink()
    done = full_album.command("verify", "--data", full_album.data)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


def test_vectors_of_other_weights_of_the_same_name_are_refused(full_album):
    with sqlite3.connect(full_album.layout.catalog) as connection:
        connection.execute("UPDATE encoders SET fingerprint = '0000000000000000'")
        connection.execute("UPDATE meta SET value = '' WHERE key = 'seal'")
    connection.close()
    with pytest.raises(IndexMismatch):
        full_album.update()
    full_album.rebuild()  # from the stored vectors, whatever encoder is on this machine
    assert full_album.problems() == []
    with pytest.raises(IndexMismatch, match="0000000000000000"):
        SearchEngine.open(full_album.data)


def limit_file_size(size: int):
    """Give what makes every file end at `size` bytes, as a full disk does."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit


@pytest.mark.parametrize("size", [0, 3_000, 60_000])
def test_a_full_disk_is_a_sentence_and_loses_nothing(full_album, size, processes):
    before = full_album.ids()
    full_album.draw(*(f"new{n}.png" for n in range(60)))
    done = full_album.command(
        "update", "--data", full_album.data, "--workers", 0, prepare=limit_file_size(size), LANG="zh_CN.UTF-8"
    )
    if size < 60_000:
        assert done.returncode == 1
        assert "无法写入" in done.stderr
        assert not re.search("[A-Z][a-z]", done.stderr), "the reason is Chinese too"
        assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert full_album.ids().items() >= before.items()
    full_album.update()
    assert len(full_album.names()) == 65
    assert full_album.problems() == []
    assert full_album.ids().items() >= before.items()


def test_a_disk_too_full_for_the_index_keeps_the_build_in_use(full_album, processes):
    full_album.draw(*(f"new{n}.png" for n in range(60)))
    full_album.update()
    build, names = full_album.open().manifest.build, full_album.names()
    done = full_album.command("rebuild", "--data", full_album.data, prepare=limit_file_size(4_000))
    assert done.returncode == 1
    assert "Cannot write" in done.stderr
    assert (full_album.open().manifest.build, full_album.names()) == (build, names)
    assert full_album.problems() == []


def test_a_first_build_on_a_full_disk_leaves_a_folder_that_can_be_used_later(album, processes):
    album.draw("a.png")
    arguments = ("build", album.pictures, "--data", album.data, "--encoder", "hash")
    done = album.command(*arguments, prepare=limit_file_size(1_000))
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert album.build().encoded == 1
    assert album.problems() == []


def test_a_data_folder_that_cannot_be_written_to_is_a_sentence(full_album, without_privileges):
    full_album.draw("new.png")
    folders = [full_album.data, *(path for path in full_album.data.rglob("*") if path.is_dir())]
    files = [path for path in full_album.data.rglob("*") if path.is_file()]
    for path in [*files, *folders]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        runs = [
            full_album.command(command, "--data", full_album.data, prepare=without_privileges)
            for command in ("update", "rebuild", "rollback")
        ]
        stats = full_album.command("stats", "--data", full_album.data, prepare=without_privileges)
    finally:
        for path in folders:
            path.chmod(0o755)
        for path in files:
            path.chmod(0o644)
    for done in runs:
        assert done.returncode == 1
        assert "Cannot write" in done.stderr
        assert len(done.stderr.splitlines()) == 1
    assert stats.returncode == 0, "reading takes no permission to write"
    assert full_album.update().encoded == 1
    assert full_album.problems() == []


@pytest.mark.parametrize("name", ["vectors/hash", "builds"])
def test_one_folder_without_permission_is_a_sentence(full_album, without_privileges, name):
    full_album.draw("new.png")
    (full_album.data / name).chmod(0o555)
    (full_album.layout.vectors("hash") / "00042.npy").touch()  # something to clear away
    try:
        done = full_album.command("update", "--data", full_album.data, prepare=without_privileges)
    finally:
        (full_album.data / name).chmod(0o755)
    assert done.returncode == 1
    assert "Cannot write" in done.stderr
    assert len(full_album.names()) == 5
    full_album.update()
    assert len(full_album.names()) == 6
    assert full_album.problems() == []


@pytest.mark.parametrize("in_the_way", ["data", "data/catalog.sqlite3", "data/vectors", "data/builds"])
def test_something_else_where_the_library_should_be_is_a_sentence(album, in_the_way, processes):
    album.draw("a.png")
    path = album.folder / in_the_way
    path.parent.mkdir(exist_ok=True)
    if in_the_way.endswith("sqlite3"):
        path.mkdir()
    else:
        path.write_text("a file")
    done = album.command("build", album.pictures, "--data", album.data, "--encoder", "hash")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1


def test_thumbnails_that_cannot_be_written_stop_nothing(album):
    album.draw("a.png")
    album.data.mkdir()
    album.layout.thumbnails.write_text("a file in the way")
    assert album.build().encoded == 1


def test_a_library_is_moved_with_its_folder(full_album):
    before = full_album.names()
    shutil.move(full_album.data, full_album.folder / "moved")
    catalog = Catalog(full_album.folder / "moved/catalog.sqlite3")
    assert catalog.counts()["indexed"] == 5
    catalog.close()
    settings = full_album.settings(data=full_album.folder / "moved")
    assert full_album.build(settings=settings).reused == len(before)
