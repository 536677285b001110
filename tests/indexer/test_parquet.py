"""Lists in Parquet, through the front door."""

import sys

import pytest

from indexer.errors import InvalidList
from models.foundation.errors import BackendNotInstalled


def test_parquet_lists(album):
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    album.draw("a.png", "b.png", "c.png")
    table = arrow.table(
        {
            "image": [{"bytes": b"x", "path": "y"}] * 4,
            "file_name": ["pictures/a.png", "pictures/b.png", None, "pictures/c.png"],
            "caption": ["一只猫", None, "nothing", "dog"],
            "tags": [["猫", "pet"], [], None, ["dog"]],
            "score": [0.5, float("nan"), 1.0, 2.0],
        }
    )
    path = album.folder / "list.parquet"
    parquet.write_table(table, path, row_group_size=2)
    report = album.build(path)
    assert (report.encoded, report.failed) == (3, 1)
    assert {p: (row.caption, row.tags) for p, row in album.by_path().items()} == {
        "pictures/a.png": ("一只猫", "猫\npet"),
        "pictures/b.png": ("", ""),
        "pictures/c.png": ("dog", "dog"),
    }
    assert album.failed() == {f"{path}/#3": "row_without_picture"}


def test_parquet_reads_only_what_is_wanted_and_no_row_stops_the_others(album):
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    album.draw("a.png", "b.png")
    broken = arrow.Array.from_buffers(
        arrow.string(), 2, [None, *map(arrow.py_buffer, (b"\0\0\0\0\1\0\0\0\3\0\0\0", b"x\xff\xfe"))]
    )
    path = album.folder / "list.parquet"
    far = arrow.array([2**62, 1], arrow.timestamp("us"))  # a moment for which Python has no form
    parquet.write_table(arrow.table({"path": ["pictures/a.png", "pictures/b.png"], "far": far, "text": broken}), path)
    report = album.build(path)
    assert (report.encoded, report.failed) == (1, 1)
    assert (album.by_path()["pictures/a.png"].caption, album.failed()) == ("x", {f"{path}/#2": "row_unreadable"})


def test_parquet_whose_paths_are_no_text_says_so(album):
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = album.folder / "list.parquet"
    parquet.write_table(arrow.table({"path": arrow.array([b"a.png"]), "size": [1]}), path)
    with pytest.raises(InvalidList, match=r"there are: path \(binary\), size"):
        album.build(path)


def test_parquet_without_its_package_says_which(album, monkeypatch):
    path = album.folder / "list.parquet"
    path.write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(BackendNotInstalled, match=r"pyarrow.*\[parquet\]"):
        album.build(path)
