"""Catalogs of earlier formats: brought up to date in place, and every value keeps its meaning."""

import os
import sqlite3
from zlib import crc32

import pytest

from indexer.library.catalog.migrations import SCRIPTS
from indexer.library.catalog.writer import Catalog
from indexer.library.sources.items import ByteRange, Item, Locator, Stamp

ROW = Stamp(fingerprint="row_unreadable")


@pytest.fixture
def catalog_of_format_2(tmp_path):
    """Write a catalog of format 2 with what a script enters, and open it as a writer does."""
    opened = []

    def migrate(script: str) -> Catalog:
        path = tmp_path / "catalog.sqlite3"
        connection = sqlite3.connect(path, isolation_level=None)
        connection.executescript(f"{SCRIPTS[0]};{SCRIPTS[1]};PRAGMA user_version = 2;{script}")
        connection.close()
        opened.append(Catalog(path, create=True))
        return opened[-1]

    yield migrate
    for catalog in opened:
        catalog.close()


@pytest.mark.parametrize(
    ("order", "names"),
    [
        ('INSERT INTO meta VALUES (\'encoder_order\', \'["c", "a", "b"]\')', ["c", "a", "b"]),
        ("INSERT INTO meta VALUES ('encoder_order', '[\"b\"]')", ["b", "a", "c"]),
        ("INSERT INTO meta VALUES ('encoder_order', '')", ["a", "b", "c"]),
        ("", ["a", "b", "c"]),
    ],
)
def test_the_order_of_encoders_is_taken_over(catalog_of_format_2, order, names):
    enter = "INSERT INTO encoders VALUES (1, 'a', 'x'), (2, 'b', 'y'), (3, 'c', 'z')"
    catalog = catalog_of_format_2(f"{enter};{order}")
    assert [encoder.name for encoder in catalog.list_encoders()] == names
    assert catalog.get_meta("encoder_order") == ""


OF_A_FOLDER, OF_A_LIST, OF_A_TAR = 1, 2, 3
CONTENTS = "INSERT INTO contents VALUES (7, 'abc', 'png', 1, 1, NULL, NULL, 0, '[]', 0, NULL)"
ROOTS = (
    "INSERT INTO roots (id, path, kind) VALUES (1, '/p', 'folder'), (2, '/p.csv', 'list'), (3, '/p.tar', 'tar');"
    "INSERT INTO meta VALUES ('shard 3', 'a stamp')"
)


def enter(root: int, path: str, size: int, mtime_ns: int, status: str, reason: str | None = None) -> str:
    """Return SQL for a picture of format 2."""
    said = "NULL" if reason is None else f"'{reason}'"
    return (
        "INSERT INTO images (root_id, path, size, mtime_ns, status, reason, content_id, offset) VALUES "
        f"({root}, '{path}', {size}, {mtime_ns}, '{status}', {said}, 7, {512 if root == OF_A_TAR else 'NULL'})"
    )


@pytest.mark.parametrize(
    ("root", "path", "size", "mtime_ns", "status", "reason", "expected"),
    [
        (OF_A_FOLDER, "a.png", 10, 20, "indexed", None, ("a.png", Stamp(10, 20), False)),
        (OF_A_FOLDER, "#7", 10, 20, "indexed", None, ("#7", Stamp(10, 20), False)),
        (OF_A_FOLDER, "a.png", -1, 20, "indexed", None, ("a.png", Stamp(None, 20), True)),
        (OF_A_FOLDER, "a.png", 0, 0, "failed", "not_found", ("a.png", Stamp(), False)),
        (OF_A_FOLDER, "a.png", 0, 20, "failed", "empty_file", ("a.png", Stamp(0, 20), False)),
        (OF_A_LIST, "https://a/b", -2, 0, "failed", "offline", ("https://a/b", Stamp(), False)),
        (OF_A_LIST, "https://a/b", 10, 20, "indexed", None, ("https://a/b", Stamp(10, 20), False)),
        (OF_A_LIST, "#7", 0, crc32(b"row_unreadable"), "failed", "row_unreadable", (7, ROW, False)),
        (OF_A_LIST, "#7", 0, crc32(b"row_unreadable"), "removed", "row_unreadable", (7, ROW, False)),
        (
            *(OF_A_LIST, "s3://a", 0, crc32(b"url_invalid"), "failed", "url_invalid"),
            ("s3://a", Stamp(fingerprint="url_invalid"), False),
        ),
        (OF_A_LIST, "/p/#7", 10, 20, "indexed", None, ("/p/#7", Stamp(10, 20), False)),
        (
            *(OF_A_TAR, "a.png", 0, crc32(b"link"), "failed", "not_a_regular_file"),
            ("a.png", Stamp(fingerprint="not_a_regular_file"), False),
        ),
        (OF_A_TAR, "a.png", 10, 20, "indexed", None, ("a.png", Stamp(10, 20), False)),
    ],
)
def test_what_stood_for_something_else_is_said_as_it_is(
    catalog_of_format_2, root, path, size, mtime_ns, status, reason, expected
):
    catalog = catalog_of_format_2(";".join([ROOTS, CONTENTS, enter(root, path, size, mtime_ns, status, reason)]))
    roots = {one.id: one for one in catalog.list_roots()}
    ((name, item),) = catalog.known_items(roots[root], []).items()
    assert (name, item.stamp, item.stale) == expected
    assert (item.status, item.reason) == (status, reason)
    assert item.part == (ByteRange(512, size) if root == OF_A_TAR and expected[1].size is not None else None)
    assert [one.stamp for one in roots.values()] == [Stamp(), Stamp(), Stamp(fingerprint="a stamp")]
    assert catalog.get_meta("shard 3") == ""


def test_ids_go_on_where_they_were_and_bytes_of_names_stay(catalog_of_format_2):
    raw = os.fsdecode(b"\xff\xfe.png")
    entered = "INSERT INTO images (id, root_id, path, size, mtime_ns, status) VALUES "
    catalog = catalog_of_format_2(
        f"{ROOTS};{entered} (4, 1, CAST(x'FFFE2E706E67' AS TEXT), 1, 1, 'failed'), (9, 1, 'gone', 1, 1, 'removed');"
        "DELETE FROM images WHERE id = 9"
    )
    (folder, *_) = catalog.list_roots()
    assert list(catalog.known_items(folder, [])) == [raw]
    with catalog.writing():
        assert catalog.put_failure(Item(Locator(folder.id, "new.png")), "not_found", "") == 10
        assert catalog.put_failure(Item(Locator(folder.id, raw)), "not_found", "") == 4


@pytest.mark.parametrize("problem", ["{}", "broken"])
def test_rows_that_failed_before_are_unchanged_after(album, problem):
    """The library is written back to format 3 as the version before wrote it, and updated."""
    album.draw("a.png")
    table = album.write_list(f'{{"path": "pictures/a.png"}}\n{problem}\n{{"path": "s3://x"}}\n', "list.jsonl")
    before = album.build(table)
    reason = "row_without_picture" if problem == "{}" else "row_unreadable"
    assert album.failed() == {f"{table}/#2": reason, "s3://x": "url_invalid"}
    connection = sqlite3.connect(album.layout.catalog, isolation_level=None)
    rows = connection.execute("SELECT * FROM images").fetchall()
    names = [column[1] for column in connection.execute("PRAGMA table_info(images)")]
    kept = [
        name
        for name in names
        if name not in ("list_row", "fingerprint", "stale", "named_at", "beside_at", "beside_rating")
    ]
    for column in ("decoding", "partial", "dropped", "duration_ms"):
        connection.execute("DROP INDEX IF EXISTS contents_by_decoding")
        connection.execute("DROP INDEX IF EXISTS contents_videos")
        connection.execute(f"ALTER TABLE contents DROP COLUMN {column}")
    for column in ("defaults", "removed"):
        connection.execute(f"ALTER TABLE roots DROP COLUMN {column}")
    connection.executescript(
        "DROP INDEX contents_long; DROP TRIGGER vectors_deleted; DROP TABLE part_vectors; DROP TABLE parts"
    )
    connection.execute("DROP TABLE images")
    fresh = sqlite3.connect(":memory:")
    fresh.executescript(";".join(SCRIPTS[:3]))
    scripts = [sql for (sql,) in fresh.execute("SELECT sql FROM sqlite_master WHERE tbl_name = 'images' AND sql <> ''")]
    fresh.close()
    connection.executescript(";".join(scripts))
    for values in rows:
        row = dict(zip(names, values, strict=True))
        if row["fingerprint"]:
            row |= {"size": 0, "mtime_ns": crc32(row["fingerprint"].encode())}
        row["path"] = row["path"] or f"#{row['list_row']}"
        marks = ", ".join("?" * len(kept))
        connection.execute(f"INSERT INTO images ({', '.join(kept)}) VALUES ({marks})", [row[name] for name in kept])
    connection.executescript(
        "ALTER TABLE roots DROP COLUMN package; ALTER TABLE roots DROP COLUMN stamp;"
        "ALTER TABLE encoders DROP COLUMN position; INSERT INTO meta VALUES ('encoder_order', '[\"hash\"]');"
        "UPDATE meta SET value = '' WHERE key = 'seal'; PRAGMA user_version = 3"
    )
    connection.close()
    report = album.update()
    assert (report.build, report.encoded, report.reused, report.failed) == (before.build, 0, 1, 2)
    assert album.failed() == {f"{table}/#2": reason, "s3://x": "url_invalid"}
    assert album.problems() == []
