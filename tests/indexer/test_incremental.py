"""Update, against building from scratch: whatever happened to the files, the library answers the same."""

import os
import shutil
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from indexer.errors import MountGone
from indexer.library.builds.current import roll_back
from indexer.library.catalog.migrations import SCRIPTS
from indexer.library.catalog.writer import Catalog
from indexer.library.errors import CatalogCorrupt
from indexer.library.vectors.store import VectorStore

NAMES = [f"{folder}{name}.png" for folder in ("", "a/", "b/", "b/c/") for name in ("1", "2", "雪")]


def vectors_of(album) -> dict[str, np.ndarray]:
    """Return path -> vector, of what the index in use holds."""
    opened = album.open()
    ids = opened.index.list_ids()
    rows = opened.catalog.get_images(ids.tolist())
    vectors = opened.index.fetch(ids)
    opened.catalog.close()
    return {os.path.relpath(rows[i].place, album.pictures): vectors[n] for n, i in enumerate(ids.tolist())}


def assert_same(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    """Encoding in batches of another size rounds otherwise."""
    assert found.keys() == expected.keys()
    for name, vector in expected.items():
        np.testing.assert_allclose(found[name], vector, rtol=0, atol=1e-6, err_msg=name)


def stored_vectors(album) -> int:
    """Return how many rows the vector store has."""
    return sum(len(np.load(path)) for path in album.layout.vectors("hash").glob("?????.npy"))


# Moves


@pytest.mark.parametrize("target", ["renamed.jpg", "trip/b.jpg", "new/folder/雪山.jpg"])
def test_a_moved_picture_keeps_its_id_and_its_vector(full_album, target):
    before = full_album.ids()
    (full_album.pictures / target).parent.mkdir(parents=True, exist_ok=True)
    (full_album.pictures / "b.jpg").rename(full_album.pictures / target)
    report = full_album.update()
    assert (report.seen, report.encoded, report.reused) == (5, 0, 5)
    after = full_album.ids()
    assert after.pop(target) == before.pop("b.jpg")
    assert after == before
    assert full_album.problems() == []


def test_a_renamed_folder_keeps_all_its_ids(full_album):
    before = full_album.ids()
    (full_album.pictures / "trip").rename(full_album.pictures / "旅行")
    report = full_album.update()
    assert (report.encoded, report.reused) == (0, 5)
    assert full_album.ids() == {name.replace("trip/", "旅行/"): image_id for name, image_id in before.items()}


def test_renumbered_pictures_keep_their_ids(album):
    album.draw("1.png", "2.png", "3.png")
    album.build()
    before = album.ids()
    for n in (3, 2, 1):
        (album.pictures / f"{n}.png").rename(album.pictures / f"{n + 1}.png")
    report = album.update()
    assert (report.encoded, report.reused) == (0, 3)
    assert album.ids() == {f"{n + 1}.png": before[f"{n}.png"] for n in (1, 2, 3)}


def test_pictures_that_change_places_change_their_paths(album):
    album.draw("a.png", "b.png")
    album.build()
    before = album.ids()
    for old, new in (("a", "x"), ("b", "a"), ("x", "b")):
        (album.pictures / f"{old}.png").rename(album.pictures / f"{new}.png")
    os.utime(album.pictures / "a.png", (1, 1))
    os.utime(album.pictures / "b.png", (2, 2))
    assert album.update().encoded == 0
    assert album.ids() == {"a.png": before["b.png"], "b.png": before["a.png"]}


def test_a_picture_moved_to_another_root_keeps_its_id(full_album):
    before = full_album.ids()
    other = full_album.folder / "other"
    other.mkdir()
    (full_album.pictures / "a.png").rename(other / "a.png")
    full_album.draw("new.png")
    report = full_album.build(full_album.pictures, other)
    assert report.encoded == 1
    assert full_album.ids()["../other/a.png"] == before["a.png"]


# Copies


def test_copies_share_one_vector(full_album):
    before, stored = full_album.ids(), stored_vectors(full_album)
    shutil.copy(full_album.pictures / "a.png", full_album.pictures / "copy.png")
    shutil.copy(full_album.pictures / "a.png", full_album.pictures / "trip/copy.png")
    report = full_album.update()
    assert (report.encoded, report.reused) == (0, 7)
    assert stored_vectors(full_album) == stored
    after = full_album.ids()
    assert after.items() >= before.items()
    assert len(set(after.values())) == 7
    vectors = vectors_of(full_album)
    assert_same({"a": vectors["copy.png"], "b": vectors["trip/copy.png"]}, dict.fromkeys("ab", vectors["a.png"]))


def test_copies_that_come_together_are_encoded_once(album):
    source = album.draw("a.png")
    for n in range(100):
        shutil.copy(source, album.pictures / f"copy{n}.png")
    assert (album.build().encoded, stored_vectors(album)) == (1, 1)
    assert len(album.names()) == 101


def test_the_copy_that_stays_keeps_its_vector(full_album):
    shutil.copy(full_album.pictures / "a.png", full_album.pictures / "copy.png")
    full_album.update()
    (full_album.pictures / "a.png").unlink()
    full_album.update()
    assert "a.png" not in full_album.names()
    assert full_album.rebuild().failed == 0
    assert "copy.png" in vectors_of(full_album)


# Drives


def test_a_drive_that_is_not_mounted_keeps_its_pictures(full_album):
    before = full_album.ids()
    catalog = Catalog(full_album.layout.catalog, create=True)
    with catalog.writing():
        catalog.put_mounts(catalog.list_roots()[0], ["trip/"])  # as if another drive had been there
    catalog.close()
    shutil.move(full_album.pictures / "trip", full_album.folder / "drive")
    (full_album.pictures / "trip").mkdir()
    report = full_album.update()
    assert [type(warning) for warning in report.warnings] == [MountGone]
    assert "trip" in report.warnings[0].en
    assert full_album.ids() == before
    assert full_album.update().warnings, "it is said each time"
    assert full_album.update(allow_empty=[full_album.pictures]).removed == 2
    assert len(full_album.ids()) == 3
    assert not full_album.update().warnings


# Anything


@dataclass
class Model:
    """What the files of an album hold, by path: the number of a picture."""

    files: dict[str, int] = field(default_factory=dict)
    clock: int = 1


class Changes(RuleBasedStateMachine):
    """Any sequence of adding, changing, moving, copying and deleting, with updates in between."""

    folder: Path
    make_album: type

    def __init__(self) -> None:
        super().__init__()
        self.album = self.make_album(self.folder / os.urandom(8).hex())
        self.model = Model()

    def write(self, name: str, number: int) -> None:
        self.model.clock += 1
        self.model.files[name] = number
        path = self.album.pictures / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.pictures[number])
        os.utime(path, (self.model.clock, self.model.clock))

    @initialize()
    def draw(self):
        source = type(self).make_album(self.folder / os.urandom(8).hex())
        self.pictures = [source.draw(f"{n}.png").read_bytes() for n in range(6)]
        self.write("0.png", 0)
        self.album.build()

    @rule(name=st.sampled_from(NAMES), number=st.integers(0, 5))
    def put(self, name, number):
        self.write(name, number)

    @rule(name=st.sampled_from(NAMES), to=st.sampled_from(NAMES))
    def move(self, name, to):
        if name in self.model.files:
            (self.album.pictures / to).parent.mkdir(parents=True, exist_ok=True)
            (self.album.pictures / name).rename(self.album.pictures / to)
            self.model.files[to] = self.model.files.pop(name)

    @rule(name=st.sampled_from(NAMES))
    def delete(self, name):
        if self.model.files.pop(name, None) is not None:
            (self.album.pictures / name).unlink()

    @rule(name=st.sampled_from(NAMES))
    def touch(self, name):
        if name in self.model.files:
            self.model.clock += 1
            os.utime(self.album.pictures / name, (self.model.clock, self.model.clock))

    @rule()
    @precondition(lambda self: self.model.files)
    def update(self):
        before = self.album.ids()
        held = {row.id: row.sha256 for row in self.album.rows().values()}
        self.album.update()
        after = {row.id: row.sha256 for row in self.album.rows().values()}
        assert set(self.album.names()) == set(self.model.files)
        for name, image_id in self.album.ids().items():
            if before.get(name) == image_id or image_id not in held:
                continue
            assert held[image_id] == after[image_id], f"{name} took the id of another picture"
        assert self.album.problems() == []

    def teardown(self):
        if not self.model.files:
            return
        self.album.update()
        fresh = type(self).make_album(self.folder / os.urandom(8).hex())
        shutil.copytree(self.album.pictures, fresh.pictures, dirs_exist_ok=True)
        fresh.build()
        assert_same(vectors_of(self.album), vectors_of(fresh))
        self.album.rebuild()
        assert_same(vectors_of(self.album), vectors_of(fresh))


def test_any_sequence_of_changes_gives_what_building_from_scratch_gives(tmp_path, album, heavy, depth):
    machine = type("Machine", (Changes,), {"folder": tmp_path, "make_album": type(album)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=40,
            stateful_step_count=25,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


# Other commands


def test_everything_is_encoded_again_when_asked(full_album):
    before, vectors = full_album.ids(), vectors_of(full_album)
    report = full_album.update(reencode=True)
    assert (report.encoded, report.reused) == (5, 0)
    assert full_album.ids() == before
    assert_same(vectors_of(full_album), vectors)
    assert full_album.problems() == []


def test_a_library_goes_over_to_another_encoder(full_album, processes):
    before = full_album.ids()
    done = full_album.command(
        "rebuild", "--reencode", "--encoder", "starter", "--data", full_album.data, "--workers", 0
    )
    assert done.returncode == 0, done.stderr
    opened = full_album.open()
    assert (opened.entry.encoder, opened.index.dim) == ("starter", 256)
    assert full_album.ids() == before
    assert [path.name for path in (full_album.data / "vectors").iterdir()] == ["starter"]
    assert full_album.problems() == []


def test_an_encoder_alone_is_not_enough_to_change_it(full_album, processes):
    done = full_album.command("rebuild", "--encoder", "starter", "--data", full_album.data)
    assert done.returncode == 2
    assert "--reencode" in done.stderr


def test_compacting_forgets_what_is_gone_and_nothing_else(full_album, processes):
    before = full_album.ids()
    for name in ("a.png", "trip/e.bmp"):
        (full_album.pictures / name).unlink()
    full_album.update()
    kept = vectors_of(full_album)
    done = full_album.ask("compact")
    assert (done["forgotten"], done["thumbnails"]) == (2, 2)
    assert full_album.counts() == {"indexed": 3, "failed": 0, "removed": 0}
    assert_same(vectors_of(full_album), kept)
    assert stored_vectors(full_album) == 3
    assert len(list(full_album.layout.thumbnails.glob("*/*.webp"))) == 3
    assert full_album.problems() == []
    full_album.draw("a.png")
    assert full_album.update().encoded == 1
    assert full_album.ids()["a.png"] not in before.values(), "an id is never given twice"


def test_failed_files_are_tried_again_when_asked(full_album, processes):
    path = full_album.pictures / "broken.png"
    path.write_bytes(b"not a picture")
    full_album.update()
    assert full_album.update().failed == 1
    done = full_album.ask("retry")
    assert (done["failed"], done["encoded"]) == (1, 0)
    picture = full_album.draw("whole.png").read_bytes()
    info = path.stat()
    path.write_bytes(picture)
    os.truncate(path, len(picture))
    os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))
    assert full_album.ask("retry")["failed"] == 0
    assert "broken.png" in full_album.names()


def test_the_report_for_spreadsheets_has_both_languages(full_album, processes):
    (full_album.pictures / 'broken, "half".png').write_bytes(b"not a picture")
    full_album.update()
    done = full_album.command("report", "--csv", "--data", full_album.data)
    head, line = done.stdout.splitlines()
    assert head == "path,code,reason_en,reason_zh"
    assert '"broken, ""half"".png"'[1:] in line
    assert "not_an_image" in line
    (item,) = full_album.ask("report")["failed"]
    assert item["code"] == "not_an_image"
    assert item["reason_en"].isascii()
    assert not item["reason_zh"].isascii()


# Libraries of the first format


def test_a_library_of_the_first_format_is_brought_up_to_date(full_album, processes):
    """Its vectors belong to files and not to contents, so two copies have two."""
    shutil.copy(full_album.pictures / "a.png", full_album.pictures / "copy.png")
    full_album.update()
    before, vectors = full_album.ids(), vectors_of(full_album)
    _go_back_to_the_first_format(full_album)
    assert "xuntu index update" in full_album.command("stats", "--data", full_album.data).stderr
    report = full_album.update()
    assert (report.encoded, report.reused) == (0, 6)
    assert full_album.ids() == before
    assert_same(vectors_of(full_album), vectors)
    assert full_album.problems() == []


def _go_back_to_the_first_format(album) -> None:
    """Write the library's catalog and vectors as the first version did."""
    opened = album.open()
    ids = opened.index.list_ids()
    rows = [row for _, row in sorted(opened.catalog.get_images(ids.tolist()).items())]
    (encoder,) = opened.catalog.list_encoders()
    (root,) = opened.catalog.list_roots()
    vectors = opened.index.fetch(ids)
    opened.catalog.close()
    for path in album.data.glob("catalog.*"):
        path.unlink()
    store = VectorStore(album.layout.vectors("hash"), vectors.shape[1])
    store.delete_all_but([])
    shard = store.write(0, ids, vectors)
    connection = sqlite3.connect(album.layout.catalog, isolation_level=None)
    connection.executescript(f"PRAGMA journal_mode = WAL; {SCRIPTS[0]}; PRAGMA user_version = 1;")
    connection.execute("INSERT INTO roots (id, path) VALUES (?, ?)", (root.id, str(root.path)))
    connection.execute("INSERT INTO encoders VALUES (?, ?, ?)", (encoder.id, encoder.name, encoder.fingerprint))
    connection.execute(
        "INSERT INTO shards VALUES (?, 0, ?, ?, ?)", (encoder.id, len(ids), shard.sha256, shard.ids_sha256)
    )
    for n, row in enumerate(rows):
        connection.execute(
            "INSERT INTO images VALUES (?, ?, ?, ?, ?, 'indexed', NULL, NULL, ?, ?, ?, ?, NULL, NULL, 0, '[]', 0)",
            (
                row.id,
                root.id,
                row.path,
                row.stamp.size,
                row.stamp.mtime_ns,
                row.sha256,
                row.format,
                row.width,
                row.height,
            ),
        )
        connection.execute("INSERT INTO vectors VALUES (?, ?, 0, ?)", (encoder.id, row.id, n))
    connection.close()


# What a review found


def test_a_copy_of_a_touched_picture_leaves_the_picture_where_it_is(full_album):
    before = full_album.ids()
    for name in ("0.png", "z.png"):  # before and after it in order of names
        shutil.copy(full_album.pictures / "a.png", full_album.pictures / name)
    os.utime(full_album.pictures / "a.png", (1, 1))
    assert full_album.update().encoded == 0
    after = full_album.ids()
    assert after.items() >= before.items()
    assert len(set(after.values())) == 7


def test_a_broken_file_that_comes_back_is_not_taken_for_the_picture_it_was(full_album):
    path = full_album.pictures / "a.png"
    path.write_bytes(b"not a picture any more")
    full_album.update()
    path.rename(full_album.folder / "away")
    full_album.update()
    (full_album.folder / "away").rename(path)
    assert full_album.update().failed == 1
    assert "a.png" not in full_album.names()


def test_an_index_never_holds_what_was_compacted_away(full_album):
    (full_album.pictures / "a.png").unlink()
    full_album.update()
    catalog = Catalog(full_album.layout.catalog, create=True)  # as if compacting had been killed before it published
    with catalog.writing():
        assert catalog.forget_removed() == 1
    catalog.close()
    roll_back(full_album.layout)
    full_album.update()
    assert len(full_album.names()) == 4
    assert full_album.problems() == []


def test_a_picture_gets_the_vector_that_its_copy_was_encoded_for(full_album):
    other = full_album.folder / "drive"
    other.mkdir()
    shutil.copy(full_album.draw("only.png"), other / "only.png")
    (full_album.pictures / "only.png").unlink()
    full_album.build(full_album.pictures, other)
    other.rename(full_album.folder / "unplugged")
    full_album.update(reencode=True)
    shutil.copy(full_album.folder / "unplugged/only.png", full_album.pictures / "copy.png")
    full_album.update()
    (full_album.folder / "unplugged").rename(other)
    full_album.update()
    assert {"copy.png", "../drive/only.png"} <= set(full_album.names())
    assert full_album.problems() == []


def test_a_damaged_catalog_is_not_built_on(full_album):
    data = bytearray(full_album.layout.catalog.read_bytes())
    at = data.index(b"png0")
    data[at : at + 3] = b"rng"
    full_album.layout.catalog.write_bytes(data)
    for call in (full_album.update, full_album.rebuild):
        with pytest.raises(CatalogCorrupt, match=r"catalog\.seal"):
            call()
    assert full_album.problems() == ["the catalog is damaged: it has changed since it was written"]
    full_album.layout.catalog.with_suffix(".seal").unlink()
    full_album.update()


@pytest.mark.parametrize("what", ["drive", "link to above", "everything", "library", "nested root"])
def test_looking_at_what_changed_alone_is_as_careful_as_looking_at_everything(full_album, what):
    pictures = full_album.pictures
    before, only = full_album.ids(), []
    match what:
        case "drive":
            catalog = Catalog(full_album.layout.catalog, create=True)
            with catalog.writing():
                catalog.put_mounts(catalog.list_roots()[0], ["trip/"])
            catalog.close()
            shutil.move(pictures / "trip", full_album.folder / "drive")
            only = [pictures / "trip", pictures / "trip/d.png", pictures / "trip/e.bmp"]
        case "link to above":
            (pictures / "new").mkdir()
            (pictures / "new/up").symlink_to(pictures)
            only = [pictures / "new"]
        case "everything":
            only = [path for path in pictures.rglob("*") if path.is_file()]
            shutil.move(pictures, full_album.folder / "drive")
            pictures.mkdir()
        case "library":
            shutil.copytree(full_album.data, pictures / "other")
            only = list((pictures / "other").rglob("*.webp"))
        case "nested root":
            full_album.build(pictures / "trip")
            only = [full_album.draw("trip/new.png")]
    full_album.update(only=only)
    found = full_album.ids()
    assert found.items() >= before.items()
    assert len(found) == 5 + (what == "nested root")


def test_a_link_to_a_picture_that_is_out_of_sight_keeps_it(full_album):
    target = full_album.folder / "drive"
    target.mkdir()
    full_album.draw("linked.png").rename(target / "linked.png")
    (full_album.pictures / "linked.png").symlink_to(target / "linked.png")
    full_album.update()
    target.rename(full_album.folder / "unplugged")
    assert full_album.update().failed == 0
    catalog = Catalog(full_album.layout.catalog)
    assert catalog.counts()["indexed"] == 6
    catalog.close()
