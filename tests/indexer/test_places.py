"""Where pictures were taken, in words: from coordinates, without a network, and without keeping them."""

import re

import pytest
from PIL import ExifTags, Image

from indexer.annotators.places import name_place
from indexer.library.catalog.filter_parser import parse_filter
from indexer.library.catalog.words.queries import ask_for
from indexer.library.catalog.writer import Catalog


@pytest.fixture(scope="module", autouse=True)
def _names_of_places() -> None:
    """Have the names read, which takes a while the first time."""
    name_place(0.0, 0.0)


@pytest.mark.parametrize(
    ("latitude", "longitude", "said"),
    [
        (39.99, 116.28, ["海淀 Haidian", "北京 Beijing", "中国 China"]),
        (39.909, 116.459, ["朝阳 Chaoyang", "北京 Beijing"]),
        (30.25, 120.14, ["杭州 Hangzhou", "中国 China"]),
        (22.54, 114.05, ["深圳 Shenzhen", "中国 China"]),
        (31.2304, 121.4737, ["上海 Shanghai", "中国 China"]),
        (48.8584, 2.2945, ["巴黎 Paris", "法国 France"]),
        (-33.86, 151.2, ["悉尼 Sydney", "澳大利亚 Australia"]),
        (29.65, 91.1, ["拉萨 Lhasa"]),
        (64.15, -21.94, ["冰岛 Iceland"]),
        (-18.14, 178.44, ["Suva"]),
    ],
)
def test_places_are_named_in_both_languages(latitude: float, longitude: float, said: list[str]) -> None:
    place = name_place(latitude, longitude)
    assert place is not None
    assert all(name in place for name in said), place


@pytest.mark.parametrize(("latitude", "longitude"), [(0.1, -30), (-80, 0), (45, -150)])
def test_nothing_is_said_far_from_any_place(latitude: float, longitude: float) -> None:
    assert name_place(latitude, longitude) is None


def gps(latitude: object, north: str, longitude: object, east: str) -> Image.Exif:
    block = Image.Exif()
    tags = block.get_ifd(ExifTags.IFD.GPSInfo)
    tags[ExifTags.GPS.GPSLatitude], tags[ExifTags.GPS.GPSLatitudeRef] = latitude, north
    tags[ExifTags.GPS.GPSLongitude], tags[ExifTags.GPS.GPSLongitudeRef] = longitude, east
    return block


WORDS = ("北京", "beijing", "悉尼", "Hangzhou", "中国", "巴黎")
XMP = (
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:exif="http://ns.adobe.com/exif/1.0/">'
    b'<rdf:Description exif:GPSLatitude="30,15.0N" exif:GPSLongitude="120,8,24E"/></rdf:RDF>'
)


def test_pictures_are_found_by_where_they_were_taken(album):
    album.draw("a.jpg", exif=gps((39.0, 59.0, 24.0), "N", (116.0, 16.0, 48.0), "E"))
    album.draw("b.jpg", exif=gps((33.0, 51.0, 36.0), "S", (151.0, 12.0, 0.0), "E"))
    album.draw("c.jpg", xmp=XMP)
    album.draw("nowhere.jpg", exif=gps((0.0, 0.0, 0.0), "N", (0.0, 0.0, 0.0), "E"))
    album.draw("plain.jpg")
    album.build()
    catalog = Catalog(album.layout.catalog)
    try:
        rows = {word: catalog.find_texts(ask_for([word])[0]).tolist() for word in WORDS}
        found = {word: sorted(row.path for row in catalog.get_images(ids).values()) for word, ids in rows.items()}
        assert found == {
            "北京": ["a.jpg"],
            "beijing": ["a.jpg"],
            "悉尼": ["b.jpg"],
            "Hangzhou": ["c.jpg"],
            "中国": ["a.jpg", "c.jpg"],
            "巴黎": [],
        }
        for where, count in (("place=北京", 1), ("place=china", 2), ("has_gps=yes", 3)):
            assert len(catalog.ids_where(parse_filter(where, catalog.fields()))) == count
    finally:
        catalog.close()
    assert album.annotations("nowhere.jpg")["place"] is None


def test_coordinates_are_not_kept_but_those_of_the_place_that_is_named(album):
    album.draw("a.jpg", exif=gps((39.0, 59.0, 24.0), "N", (116.0, 16.0, 48.0), "E"))
    album.draw("b.jpg", exif=gps((39.0, 58.0, 12.0), "N", (116.0, 18.0, 36.0), "E"))  # 4 km away
    album.build()
    found = album.annotations("a.jpg")
    assert found["location"] == [39.991, 116.289]  # of Haidian in the table, as for all pictures around it
    assert (found["location"], found["place"]) == tuple(
        album.annotations("b.jpg")[name] for name in ("location", "place")
    )
    said = " ".join(str(value) for name, value in found.items() if name != "location")
    assert not re.search(r"39\.9|116\.2|5924|1648", said)


def test_far_from_any_place_whole_degrees_are_kept(album):
    album.draw("a.jpg", exif=gps((12.0, 20.0, 0.0), "S", (30.0, 40.0, 0.0), "W"))
    album.draw("edge.jpg", exif=gps((0.0, 20.0, 0.0), "S", (179.0, 50.0, 0.0), "W"))
    album.build()
    assert [album.annotations(name)["location"] for name in ("a.jpg", "edge.jpg")] == [[-12, -31], [0, -180]]
    assert album.annotations("a.jpg")["place"] is None


@pytest.mark.parametrize(
    "block",
    [
        gps((1.0,), "N", (2.0,), "E"),
        gps((95.0, 0.0, 0.0), "N", (0.0, 0.0, 0.0), "E"),
        gps((39.0, 59.0, 24.0), "", (116.0, 16.0, 48.0), ""),
    ],
)
def test_odd_coordinates_are_no_error(album, block):
    album.draw("a.jpg", exif=block)
    assert album.build().failed == 0
    assert "place" in album.annotations("a.jpg")
