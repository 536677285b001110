"""Counts of values by SQLite against counts in Python, in small catalogs of any pictures."""

import sqlite3
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indexer.library.catalog.counts import Counting
from indexer.library.catalog.filter_parser import parse_filter
from indexer.library.catalog.reader import CatalogReader
from indexer.library.filters import Filter

FILE_TIME = 1_500_030_000  # 11 o'clock on 14 July 2017 in UTC: the same day nearly everywhere
WORDS = ["sea", "海", "a\\nb", 'say "hi"', "back\\slash", "'", "{}", "[1]", "100%", "\\"]
FOLDERS = ["2021", "五月", "a b", "%", "_", "b'c", "x\\n", ".hidden", "\udcff\udcfe"]
COLOURS = ["black", "grey", "white", "red"]
MOMENTS = ["2021-05-06T07:08:09", "2021-05-31T23:59:59", "2021-06-01T00:00:00", "1999-12-31T00:00:00"]

pictures = st.lists(
    st.fixed_dictionaries(
        {
            "folders": st.lists(st.sampled_from(FOLDERS), max_size=4),
            "tags": st.lists(st.sampled_from(WORDS), max_size=4),
            "taken": st.sampled_from([None, *MOMENTS]),
            "camera": st.sampled_from([None, "", "Zorki 4", "日光"]),
            "colours": st.sets(st.integers(0, 3)),
            "format": st.sampled_from(["jpeg", "png"]),
            "status": st.sampled_from(["indexed", "indexed", "indexed", "removed", "failed"]),
        }
    ),
    max_size=12,
)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """An empty catalog."""
    path = tmp_path_factory.mktemp("counted") / "catalog.sqlite"
    CatalogReader(path, create=True).close()
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO roots (id, path) VALUES (1, '/pictures')")
    connection.close()
    return path


def fill(path, rows):
    connection = sqlite3.connect(path)
    with connection:
        for table in ("annotation_exif", "annotation_colours", "images", "contents"):
            connection.execute(f"DELETE FROM {table}")  # noqa: S608 - named above
        for number, row in enumerate(rows, 1):
            name = "/".join([*row["folders"], f"{number}.jpg"]).encode("utf-8", "surrogateescape")
            mask = sum(1 << bit for bit in row["colours"])
            connection.execute(
                "INSERT INTO contents (id, sha256, format, width, height) VALUES (?, ?, ?, 1, 1)",
                (number, f"{number:064x}", row["format"]),
            )
            connection.execute(
                "INSERT INTO images (id, root_id, path, size, mtime_ns, status, content_id, tags, named_at) "
                "VALUES (?, 1, CAST(? AS TEXT), 1, ?, ?, ?, ?, '')",
                (number, name, FILE_TIME * 10**9, row["status"], number, "\n".join(row["tags"])),
            )
            connection.execute(
                "INSERT INTO annotation_exif (content_id, version, taken, camera) VALUES (?, 1, ?, ?)",
                (number, row["taken"], row["camera"]),
            )
            connection.execute(
                "INSERT INTO annotation_colours (content_id, version, colour) VALUES (?, 1, ?)", (number, mask)
            )
    connection.close()
    return CatalogReader(path)


def expected(rows, values_of):
    """Return the counts of what `values_of` gives for each picture, and how many pictures have nothing."""
    found = [set(values_of(row)) for row in rows]
    return Counter(value for values in found for value in values), sum(not values for values in found)


def counted(catalog, name, where=Filter(), **how):  # noqa: B008 - frozen
    counts = catalog.count_values(catalog.fields().find(name), where, Counting(**how))
    assert len(counts.values) == len(dict(counts.values))
    return dict(counts.values), counts.missing


def folders_below(row, top, depth):
    return {
        "".join(f"{one}/" for one in row["folders"][:end])
        for end in range(len(top) + 1, len(row["folders"]) + 1)
        if end <= len(top) + depth and row["folders"][: len(top)] == top
    }


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=pictures,
    first=st.integers(0, 12),
    depth=st.integers(1, 3),
    top=st.lists(st.sampled_from(FOLDERS[:-1]), max_size=2),
)
def test_counts_are_those_of_the_pictures_one_by_one(heavy, file, rows, first, depth, top):
    catalog = fill(file, rows)
    try:
        indexed = [row for row in rows if row["status"] == "indexed"]
        kinds = {
            "tag": lambda row: row["tags"],
            "camera": lambda row: [row["camera"]] if row["camera"] else [],
            "colour": lambda row: [COLOURS[bit] for bit in row["colours"]],
            "format": lambda row: [row["format"]],
        }
        numbered = [number for number, row in enumerate(rows, 1) if number <= first]
        among = [row for row in rows[:first] if row["status"] == "indexed"]
        others = [row for row in rows[first:] if row["status"] == "indexed"]
        jpeg = parse_filter("format=jpeg", catalog.fields())
        for name, values_of in kinds.items():
            assert counted(catalog, name) == expected(indexed, values_of), name
            assert counted(catalog, name, ids=numbered) == expected(among, values_of), name
            assert counted(catalog, name, but=numbered) == expected(others, values_of), name
            some = [row for row in indexed if row["format"] == "jpeg"]
            assert counted(catalog, name, jpeg) == expected(some, values_of), name
        assert catalog.count_pictures(Filter(), Counting(but=numbered)) == len(others)
        for by, chars in (("year", 4), ("month", 7), ("day", 10)):
            found, missing = counted(catalog, "taken", by=by)
            written = Counter((row["taken"] or "2017-07-14")[:chars] for row in indexed)
            assert (found, missing, list(found)) == (written, 0, sorted(written))
        below = [row for row in indexed if row["folders"][: len(top)] == top]
        folder = "".join(f"{one}/" for one in top)
        assert counted(catalog, "path", folder=folder, depth=depth) == expected(
            below, lambda row: folders_below(row, top, depth)
        )
    finally:
        catalog.close()
