"""Files beside pictures: what they say is searched as captions and tags, and follows them when they change."""

import json
import os

import pytest

from indexer.library.catalog.filter_parser import parse_filter
from indexer.library.catalog.writer import Catalog
from indexer.sources.sidecars import SaidBeside, Sidecars, pictures_beside

XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
    'xmlns:dc="http://purl.org/dc/elements/1.1/"><rdf:Description><dc:description><rdf:Alt><rdf:li>'
    "{}</rdf:li></rdf:Alt></dc:description><dc:subject><rdf:Bag><rdf:li>海</rdf:li><rdf:li>boat</rdf:li></rdf:Bag>"
    "</dc:subject></rdf:Description></rdf:RDF></x:xmpmeta>"
)


def takeout(**said: object) -> str:
    return json.dumps({"title": "IMG.jpg", "photoTakenTime": {"timestamp": "1691900000"}, **said}, ensure_ascii=False)


def said(album, name: str) -> tuple[str, str]:
    row = album.rows()[name]
    return row.caption, row.tags


@pytest.mark.parametrize("name", ["a.jpg.xmp", "a.xmp", "A.JPG.XMP"])
def test_xmp_beside_a_picture_is_its_caption_and_tags(album, name):
    album.draw("a.jpg", "b.jpg")
    (album.pictures / name).write_text(XMP.format("早晨的港口"), encoding="utf-8")
    album.build()
    assert said(album, "a.jpg") == ("早晨的港口", "海\nboat")
    assert said(album, "b.jpg") == ("", "")


def test_a_sidecar_that_changes_updates_its_picture_and_encodes_nothing(album):
    album.draw("a.jpg", "trip/b.jpg")
    album.build()
    (album.pictures / "trip" / "b.xmp").write_text(XMP.format("one"), encoding="utf-8")
    assert album.update().encoded == 0
    assert said(album, "trip/b.jpg") == ("one", "海\nboat")
    (album.pictures / "trip" / "b.xmp").write_text(XMP.format("two"), encoding="utf-8")
    album.update(only=[album.pictures / "trip" / "b.xmp"])  # as following a folder says
    assert said(album, "trip/b.jpg") == ("two", "海\nboat")
    (album.pictures / "trip" / "b.xmp").unlink()
    album.update(only=[album.pictures / "trip" / "b.xmp"])
    assert said(album, "trip/b.jpg") == ("", "")


def found(album, where: str) -> list[str]:
    catalog = Catalog(album.layout.catalog)
    rows = catalog.get_images(catalog.ids_where(parse_filter(where, catalog.fields())).tolist())
    catalog.close()
    return sorted(row.path for row in rows.values())


def test_when_and_how_good_a_picture_is_may_be_said_beside_it(album):
    album.draw("a.jpg", "b.jpg", "c 20200101.jpg")
    attributes = 'xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="5" xmp:CreateDate="2019-08-13T12:34:56"'
    (album.pictures / "a.xmp").write_text(
        XMP.format("x").replace("<rdf:Description>", f"<rdf:Description {attributes}>")
    )
    (album.pictures / "b.jpg.json").write_text(takeout())
    album.build()
    assert found(album, "rating>=4") == ["a.jpg"]
    assert found(album, "taken=2019-08-13") == ["a.jpg"]
    assert found(album, "taken=2023-08") == ["b.jpg"]
    assert found(album, "dated=beside") == ["a.jpg", "b.jpg"]
    assert album.rows()["a.jpg"].beside_at == "2019-08-13T12:34:56"
    (album.pictures / "a.xmp").unlink()
    assert album.update().encoded == 0
    assert found(album, "rating>=4") == []


@pytest.mark.parametrize(
    ("picture", "sidecar"),
    [
        ("IMG_1.jpg", "IMG_1.jpg.json"),
        ("IMG_1.jpg", "IMG_1.jpg.supplemental-metadata.json"),
        ("IMG_1.jpg", "IMG_1.jpg.supplemental-meta.json"),
        ("IMG_1(2).jpg", "IMG_1.jpg(2).json"),
        ("IMG_1(2).jpg", "IMG_1.jpg.supplemental-metadata(2).json"),
        ("IMG_1-edited.jpg", "IMG_1.jpg.json"),
        ("IMG_1-已修改.jpg", "IMG_1.jpg.json"),
        (f"{'x' * 60}.jpg", f"{'x' * 46}.json"),
        (f"{'x' * 30}.jpg", f"{('x' * 30 + '.jpg.supplemental-metadata')[:46]}.json"),
    ],
)
def test_what_takeout_says_belongs_to_its_picture(album, picture, sidecar):
    album.draw(picture, "other.jpg")
    text = takeout(description="生日聚会", people=[{"name": "Anna"}, {"name": "王芳"}])
    (album.pictures / sidecar).write_text(text, encoding="utf-8")
    album.build()
    assert said(album, picture) == ("生日聚会", "Anna\n王芳")
    assert said(album, "other.jpg") == ("", "")
    assert pictures_beside(album.pictures, [sidecar]) == [picture]


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"description": "of another program"}', takeout(people=3)])
def test_what_cannot_be_read_says_nothing(album, text):
    album.draw("a.jpg")
    (album.pictures / "a.jpg.json").write_text(text)
    (album.pictures / "a.xmp").write_text(text)
    album.build()
    assert said(album, "a.jpg") == ("", "")


def test_half_a_character_is_no_obstacle(album):
    album.draw("a.jpg")
    (album.pictures / "a.jpg.json").write_text('{"photoTakenTime": {}, "description": "a b\\ud83d"}')
    album.build()
    assert said(album, "a.jpg")[0].startswith("a b")


def test_a_pipe_with_the_name_of_a_sidecar_is_not_waited_for(album):
    album.draw("a.jpg")
    os.mkfifo(album.pictures / "a.xmp")
    album.build()
    assert said(album, "a.jpg") == ("", "")


def test_a_folder_without_sidecars_is_not_looked_into_again(tmp_path):
    assert Sidecars(tmp_path / "not there", ["a.jpg", "b.png"]).describe("a.jpg") == SaidBeside()
