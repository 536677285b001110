"""Backups: made while a run goes on, whole or not there, and restored without harm to what is there."""

import io
import json
import resource
import shutil
import sqlite3
import tarfile
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from indexer.backups import contents as contents_module
from indexer.backups.errors import BackupDamaged, BackupInside, BackupTooNew, BackupUnwritable, LibraryThere
from indexer.backups.restoring import read_backup, restore_backup
from indexer.backups.writing import write_backup
from indexer.config import IndexerSettings
from indexer.library.builds.current import read_current
from indexer.library.errors import CatalogCorrupt, IndexDamaged, LibraryBusy, NoIndex
from indexer.library.layout import Layout
from indexer.library.lock import write_lock
from indexer.library.opened import open_build
from indexer.pipeline.commands import BuildOptions, build, verify


def draw(folder: Path, names: range) -> None:
    folder.mkdir(exist_ok=True)
    for number in names:
        pixels = np.random.default_rng(number).integers(0, 256, (6, 6, 3), np.uint8)
        Image.fromarray(pixels).resize((64, 64)).save(folder / f"{number}.png")


def index(data: Path, folder: Path) -> None:
    build(IndexerSettings(data=data, workers=0), [folder], BuildOptions(encoders=["hash"]))


@pytest.fixture(scope="module")
def made(made_once):
    def fill(folder: Path) -> None:
        draw(folder / "pictures", range(5))
        index(folder / "data", folder / "pictures")
        (folder / "data" / "labels.txt").write_text("cat\n")
        (folder / "data" / "weights" / "some").mkdir(parents=True)
        (folder / "data" / "weights" / "some" / "encoder.json").write_bytes(b"w" * 3_000_000)
        (folder / "data" / "weights" / "some" / ".lock").touch()
        for name in ("uploads", "jobs"):
            (folder / "data" / name).mkdir()
            (folder / "data" / name / "of-the-moment.json").touch()
        (folder / "data" / "weights" / "some" / "half.part").touch()

    return made_once("library-of-backups", fill)


@pytest.fixture
def data(made, tmp_path) -> Path:
    return shutil.copytree(made / "data", tmp_path / "data", copy_function=shutil.copy2)


@pytest.fixture(scope="module")
def saved(made, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("saved")
    write_backup(shutil.copytree(made / "data", folder / "data"), folder / "saved.tar")
    return folder / "saved.tar"


def files_below(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "write.lock" and not path.name.startswith("catalog.")
    }


def rewrite(saved: Path, to: Path, change) -> Path:
    """Copy a backup; `change` gets each member and its content, and returns both, None for the one to leave it out."""
    with tarfile.open(saved) as source, tarfile.open(to, "w", format=tarfile.PAX_FORMAT) as target:
        for info in source:
            content = source.extractfile(info).read() if info.isreg() else b""
            changed, content = change(info, content)
            if changed is not None:
                changed.size = len(content)
                target.addfile(changed, io.BytesIO(content))
    return to


@pytest.mark.parametrize("name", ["saved.tar", "saved.tar.gz"])
def test_what_is_restored_is_the_library(data, tmp_path, name):
    written = write_backup(data, tmp_path / name)
    assert written.pictures == 5
    restored = restore_backup(tmp_path / name, tmp_path / "other")
    assert (restored.files, restored.pictures, restored.build) == (written.files, 5, written.build)
    left_out = (".lock", ".part", "of-the-moment.json")
    expected = {name: content for name, content in files_below(data).items() if not name.endswith(left_out)}
    assert files_below(tmp_path / "other") == expected
    assert verify(IndexerSettings(data=tmp_path / "other")) == []
    assert not list(tmp_path.glob(".*"))
    assert not list((tmp_path / "other").glob(".*"))


def test_a_restored_library_goes_on_where_it_was(saved, made, tmp_path):
    restore_backup(saved, tmp_path / "data")
    report = build(IndexerSettings(data=tmp_path / "data", workers=0), [], BuildOptions())
    assert (report.encoded, report.removed, report.failed) == (0, 0, 0)
    shards = list((tmp_path / "data" / "vectors" / "hash").glob("*.npy"))
    assert {path.stat().st_mtime_ns for path in shards} <= {
        path.stat().st_mtime_ns for path in (made / "data" / "vectors" / "hash").glob("*.npy")
    }


def test_thumbnails_and_weights_may_be_left_out(data, tmp_path):
    file = tmp_path / "saved.tar"
    write_backup(data, file, thumbnails=False, weights=False)
    with tarfile.open(file) as archive:
        tops = {name.split("/")[1] for name in archive.getnames() if "/" in name}
    assert tops == {"builds", "catalog.seal", "catalog.sqlite3", "labels.txt", "vectors", *_queries(data)}
    restore_backup(file, data, replace=True)
    assert (data / "weights" / "some" / "encoder.json").exists(), "weights that are there stay"
    assert list((data / "thumbnails").rglob("*.webp"))


def _queries(data: Path) -> set[str]:
    return {"queries"} if (data / "queries").exists() else set()


def test_a_file_under_two_names_is_stored_once(data, tmp_path):
    write_backup(data, tmp_path / "saved.tar")
    linked = {}
    for path in data.rglob("*"):
        linked.setdefault(path.stat().st_ino, []).append(path)
    with tarfile.open(tmp_path / "saved.tar") as archive:
        links = sum(info.islnk() for info in archive)
    assert links == sum(len(names) - 1 for names in linked.values() if names[0].suffix == ".npy")


def test_a_backup_while_a_run_adds_pictures_is_one_state_of_the_library(data, made, tmp_path, heavy):
    pictures = shutil.copytree(made / "pictures", tmp_path / "more")
    stop = threading.Event()
    failures = []

    def add() -> None:
        number = 100
        try:
            while not stop.is_set():
                draw(pictures, range(number, number + 3))
                index(data, pictures)
                number += 3
        except Exception as error:
            failures.append(error)
            raise

    run = threading.Thread(target=add)
    run.start()
    try:
        for number in range(6):
            file = tmp_path / f"{number}.tar"
            written = write_backup(data, file)
            restored = tmp_path / f"restored-{number}"
            restore_backup(file, restored)
            assert verify(IndexerSettings(data=restored)) == []
            opened = open_build(restored)
            found = opened.index.list_ids()
            assert len(found) <= written.pictures
            assert {int(one) for one in found} <= {int(one) for one in _indexed(restored)}
            opened.catalog.close()
    finally:
        stop.set()
        run.join()
    assert not failures
    assert written.pictures > 5


def _indexed(data: Path) -> list[int]:
    with sqlite3.connect(data / "catalog.sqlite3") as catalog:
        return [row[0] for row in catalog.execute("SELECT id FROM images WHERE status = 'indexed'")]


def test_files_that_a_run_takes_away_meanwhile_are_asked_for_anew(data, tmp_path, monkeypatch):
    copy, calls = contents_module.copy_catalog, []

    def copy_then_delete(path: Path, to: Path) -> None:
        copy(path, to)
        calls.append(to)
        if len(calls) == 1:  # as a run that merges shards does right after the catalog was copied
            for shard in data.glob("vectors/hash/*.npy"):
                shard.rename(tmp_path / shard.name)
        else:
            for shard in tmp_path.glob("*.npy"):
                shard.rename(data / "vectors" / "hash" / shard.name)

    monkeypatch.setattr(contents_module, "copy_catalog", copy_then_delete)
    write_backup(data, tmp_path / "saved.tar")
    assert len(calls) == 2
    assert read_backup(tmp_path / "saved.tar").pictures == 5


@pytest.mark.parametrize("part", ["vectors/hash/*.ids.npy", "builds/*/manifest.json", "vectors/hash/*0.npy"])
def test_damage_is_not_backed_up(data, tmp_path, part):
    path = sorted(data.glob(part))[0]
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(IndexDamaged):
        write_backup(data, tmp_path / "saved.tar")
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_damaged_catalog_is_not_backed_up(data, tmp_path):
    path = data / "catalog.sqlite3"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(CatalogCorrupt):
        write_backup(data, tmp_path / "saved.tar")
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_full_disk_says_so_and_leaves_nothing(data, tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    for most in (2_000_000, 50_000):  # in the backup, and already in the copy of the catalog
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, limits[1]))
        try:
            with pytest.raises(BackupUnwritable) as caught:
                write_backup(data, tmp_path / "saved.tar")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert "saved.tar" in caught.value.en
        assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_full_disk_while_restoring_leaves_what_was_there(saved, tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, limits[1]))
    try:
        with pytest.raises(Exception, match="File too large"):
            restore_backup(saved, tmp_path / "new")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(tmp_path.iterdir())


def test_one_that_is_stopped_leaves_nothing(data, saved, tmp_path):
    def stop(_done: int, _all: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_backup(data, tmp_path / "saved.tar", on_progress=stop)
    with pytest.raises(KeyboardInterrupt):
        restore_backup(saved, tmp_path / "new", on_progress=stop)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_library_that_is_there_is_replaced_only_where_that_is_said(data, saved, made, tmp_path):
    draw(tmp_path / "more", range(50, 53))
    index(data, tmp_path / "more")
    later = read_current(Layout(data)).build
    with pytest.raises(LibraryThere, match="--replace"):
        restore_backup(saved, data)
    assert read_current(Layout(data)).build == later
    restore_backup(saved, data, replace=True)
    assert read_current(Layout(data)).build == read_current(Layout(made / "data")).build
    assert verify(IndexerSettings(data=data)) == []
    assert not list(data.glob(".*"))


def test_a_replacement_that_breaks_off_goes_back(data, saved, tmp_path, monkeypatch):
    before = files_below(data)
    rename, seen = Path.rename, []

    def fail_late(self: Path, target: Path) -> Path:
        seen.append(self)
        if self.name == "vectors" and ".restore." in str(self):
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail_late)
    with pytest.raises(KeyboardInterrupt):
        restore_backup(saved, data, replace=True)
    assert len(seen) > 3
    assert files_below(data) == before
    assert verify(IndexerSettings(data=data)) == []


def test_nothing_is_restored_where_another_writes(saved, tmp_path):
    with write_lock(Layout(tmp_path / "data")), pytest.raises(LibraryBusy):
        restore_backup(saved, tmp_path / "data")


def test_a_damaged_backup_is_found_before_anything_is_touched(data, saved, tmp_path):
    before = files_below(data)
    whole = saved.read_bytes()
    at = whole.index(b"w" * 1000) + 500
    damaged = {
        "flipped": whole[:at] + b"v" + whole[at + 1 :],
        "cut": whole[: len(whole) * 2 // 3],
        "without its end": whole[: whole.rindex(b"xuntu-backup-end.json")],
        "empty": b"",
        "something else": b"\x89PNG" * 1000,
    }
    for name, content in damaged.items():
        file = tmp_path / "damaged.tar"
        file.write_bytes(content)
        with pytest.raises(BackupDamaged):
            read_backup(file)
        with pytest.raises(BackupDamaged):
            restore_backup(file, data, replace=True)
        assert files_below(data) == before, name
    with pytest.raises(BackupDamaged, match="No such file"):
        read_backup(tmp_path / "missing.tar")


def test_a_backup_from_which_a_file_was_taken_is_found(saved, tmp_path):
    gone = {"library/labels.txt", "library/builds/CURRENT"}
    file = rewrite(saved, tmp_path / "less.tar", lambda info, content: (None if info.name in gone else info, content))
    with pytest.raises(BackupDamaged, match="not those that were written"):
        restore_backup(file, tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "name",
    [
        "library/../../evil",
        "/evil",
        "library//evil",
        "library/.evil",
        "library/a/../../../evil",
        "evil",
        "library/",
    ],
)
def test_nothing_leads_out_of_the_folder(saved, tmp_path, name):
    def lead_out(info: tarfile.TarInfo, content: bytes):
        if info.name == "library/labels.txt":
            info.name = name
        return info, content

    file = rewrite(saved, tmp_path / "evil.tar", lead_out)
    with pytest.raises(BackupDamaged):
        restore_backup(file, tmp_path / "new")
    assert [path.name for path in tmp_path.iterdir()] == ["evil.tar"]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE])
def test_nothing_but_files_is_restored(saved, tmp_path, kind):
    def turn(info: tarfile.TarInfo, content: bytes):
        if info.name == "library/labels.txt":
            info.type, info.linkname, content = kind, "library/../../../etc/passwd", b""
        return info, content

    file = rewrite(saved, tmp_path / "evil.tar", turn)
    with pytest.raises(BackupDamaged):
        restore_backup(file, tmp_path / "new")
    assert [path.name for path in tmp_path.iterdir()] == ["evil.tar"]


@pytest.mark.parametrize("field", ["format", "schema", "manifest"])
def test_a_backup_of_a_newer_version_is_refused(saved, tmp_path, field):
    def make_newer(info: tarfile.TarInfo, content: bytes):
        if info.name == "xuntu-backup.json":
            content = json.dumps({**json.loads(content), field: 999, "version": "9.1"}).encode()
        return info, content

    file = rewrite(saved, tmp_path / "newer.tar", make_newer)
    with pytest.raises(BackupTooNew, match=r"newer xuntu \(9\.1\)"):
        restore_backup(file, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_where_there_is_nothing_to_back_up(data, tmp_path):
    with pytest.raises(NoIndex):
        write_backup(tmp_path / "none", tmp_path / "saved.tar")
    with pytest.raises(BackupInside):
        write_backup(data, data / "saved.tar")
    with pytest.raises(BackupUnwritable, match="No such file"):
        write_backup(data, tmp_path / "none" / "saved.tar")


def test_other_databases_are_copied_as_they_are_at_one_moment(data, tmp_path):
    with sqlite3.connect(data / "notes.sqlite3") as notes:
        notes.execute("PRAGMA journal_mode = WAL")
        notes.execute("CREATE TABLE t (x)")
        notes.execute("INSERT INTO t VALUES (7)")
        notes.commit()
        assert (data / "notes.sqlite3-wal").stat().st_size
        write_backup(data, tmp_path / "saved.tar")
    notes.close()
    restore_backup(tmp_path / "saved.tar", tmp_path / "new")
    assert not (tmp_path / "new" / "notes.sqlite3-wal").exists()
    with sqlite3.connect(tmp_path / "new" / "notes.sqlite3") as notes:
        assert notes.execute("SELECT x FROM t").fetchall() == [(7,)]
    notes.close()
