"""When a picture was taken: by the camera, else by the name of its file, else by the time of that file."""

import os
import sqlite3
from datetime import datetime

import pytest
from PIL import ExifTags, Image

from indexer.library.catalog.filter_parser import parse_filter
from indexer.library.catalog.writer import Catalog


def exif(when: str) -> Image.Exif:
    block = Image.Exif()
    block.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = when
    return block


@pytest.fixture
def dated(album):
    album.draw("camera 20010101.jpg", exif=exif("2019:01:01 24:04:20"))
    album.draw("IMG-20200813-WA0001.jpg", "plain.jpg")
    moment = datetime(2021, 5, 6, 7, 8, 9).timestamp()
    for name in ("IMG-20200813-WA0001.jpg", "plain.jpg"):
        os.utime(album.pictures / name, (moment, moment))
    album.build()
    return album


def found(album, where: str) -> list[str]:
    catalog = Catalog(album.layout.catalog)
    ids = catalog.ids_where(parse_filter(where, catalog.fields()))
    rows = catalog.get_images(ids.tolist())
    catalog.close()
    return sorted(row.path for row in rows.values())


@pytest.mark.parametrize(
    ("where", "names"),
    [
        ("taken=2019-01-02", ["camera 20010101.jpg"]),
        ("taken=2020-08", ["IMG-20200813-WA0001.jpg"]),
        ("taken=2021-05-06", ["plain.jpg"]),
        ("taken=2001", []),
        ("dated=camera", ["camera 20010101.jpg"]),
        ("dated=name", ["IMG-20200813-WA0001.jpg"]),
        ("dated=文件时间", ["plain.jpg"]),
        ("taken>=2020 and dated=name|file", ["IMG-20200813-WA0001.jpg", "plain.jpg"]),
    ],
)
def test_pictures_are_found_by_the_best_that_is_known(dated, where, names):
    assert found(dated, where) == names


def test_the_camera_alone_counts_as_what_was_found_in_the_file(dated):
    assert dated.annotations("camera 20010101.jpg")["taken"] == "2019-01-02T00:04:20"
    assert dated.annotations("IMG-20200813-WA0001.jpg")["taken"] is None
    assert dated.rows()["IMG-20200813-WA0001.jpg"].named_at == "2020-08-13T00:00:00"


def test_another_name_says_another_moment(dated):
    (dated.pictures / "IMG-20200813-WA0001.jpg").rename(dated.pictures / "IMG-20220101-WA0001.jpg")
    dated.update()
    assert found(dated, "taken=2022") == ["IMG-20220101-WA0001.jpg"]
    assert found(dated, "taken=2020") == []


def test_names_of_a_library_of_the_format_before_are_read_by_an_update(dated):
    connection = sqlite3.connect(dated.layout.catalog)
    connection.execute("UPDATE images SET named_at = NULL")
    connection.execute("UPDATE meta SET value = '' WHERE key = 'seal'")
    connection.commit()
    connection.close()
    assert found(dated, "taken=2020") == []
    dated.update()
    assert found(dated, "taken=2020") == ["IMG-20200813-WA0001.jpg"]
