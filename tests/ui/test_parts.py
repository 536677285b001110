"""Long pictures on the page: the part that was found is shown, all of the picture beside it, parts are links."""

import pytest

from api.schemas import Hit, ImageDetail, SearchResponse
from ui.address import Address, link, parse_link
from ui.detail import DetailPictures, detail_view, part_shown
from ui.stage import Found, parts_of, results_view, shape_of

PARTS = [{"number": number, "x": 0, "y": 80 * number - 80, "width": 100, "height": 100} for number in (1, 2, 3, 4)]


def hit(image_id: int, width: int, height: int, part: int | None = None) -> Hit:
    found = PARTS[part - 1] if part else None
    return Hit(id=image_id, path="a.png", root="r", score=0.2, width=width, height=height, part=found)


def detail(**more: object) -> ImageDetail:
    values = {"id": 7, "path": "a.png", "root": "r", "width": 100, "height": 340, "format": "png", "bytes": 1}
    known = {"modified_at": "2026-01-01T00:00:00", "taken_at": None, "camera": None, "has_gps": False, "colours": []}
    return ImageDetail(**{**values, **known, "parts": PARTS, "part": 1, **more})


def found(*hits: Hit) -> Found:
    timings = {"encode": 0, "search": 0, "total": 0}
    said = {"build": "b", "encoder": "e", "encoders": ["e"], "clauses": [], "notes": []}
    answer = SearchResponse(hits=list(hits), total=len(hits), next_offset=None, timings_ms=timings, **said)
    return Found(answer=answer, hits=list(hits), before=None, after=None, best=0.2)


@pytest.mark.parametrize(
    ("one", "shape"),
    [
        (hit(1, 300, 200), (300, 200)),
        (hit(1, 100, 300), (100, 300)),
        (hit(1, 100, 340, part=2), (100, 100)),
        (hit(1, 100, 301), (1, 1)),
        (hit(1, 900, 100), (1, 1)),
        (hit(1, 0, 0), (1, 1)),
    ],
)
def test_a_tile_has_the_shape_of_what_is_shown(one, shape):
    assert tuple(shape_of(one).values()) == shape


def test_the_thumbnails_of_hits_are_those_of_the_parts_that_were_found():
    hits = [hit(1, 100, 340, part=3), hit(2, 100, 340), hit(3, 10, 10)]
    assert parts_of(hits) == {1: 3}
    view = results_view(found(*hits), Address(text="x", part=2, lang="en"), lang="en", thumbnails={})
    assert [one["href"] for one in view["tiles"]] == [f"?q=x&lang=en&id={number}" for number in (1, 2, 3)]


def test_an_open_picture_shows_the_part_of_the_address_else_that_of_the_hit_else_the_telling_one():
    hits = found(hit(7, 100, 340, part=3))
    assert part_shown(detail(), Address(detail=7, part=2), hits) == 2
    assert part_shown(detail(), Address(detail=7), hits) == 3
    assert part_shown(detail(), Address(detail=7, part=5), hits) == 3
    assert part_shown(detail(), Address(detail=7), found(hit(8, 100, 340, part=2))) == 1
    assert part_shown(detail(), Address(detail=7), None) == 1
    assert part_shown(detail(parts=[], part=None), Address(detail=7, part=2), hits) is None


def test_all_of_a_long_picture_is_beside_its_part_with_a_link_for_each():
    address = Address(text="x", lang="zh", detail=7)
    pictures = DetailPictures("data:part", "data:whole")
    seen = {"timezone": None, "pictures": pictures, "similar": []}
    view = detail_view(detail(), address, lang="zh", found=found(hit(7, 100, 340, part=3)), **seen)
    assert (view["src"], view["width"], view["height"]) == ("data:part", 100, 100)
    overview = view["overview"]
    assert (overview["src"], overview["width"], overview["height"]) == ("data:whole", 100, 340)
    assert [part["shown"] for part in overview["parts"]] == [False, False, True, False]
    assert [part["href"] for part in overview["parts"]] == [f"?q=x&lang=zh&id=7&part={n}" for n in (1, 2, 3, 4)]
    assert overview["parts"][1]["label"] == "第 2 部分，共 4 部分"
    assert overview["parts"][1]["top"] == pytest.approx(100 * 80 / 340)
    assert view["crop"] == {"left": 0, "top": 160, "href": "?lang=zh", "box": None}  # where in the whole it begins
    assert "part=" not in view["close"]
    plain = detail_view(detail(parts=[], part=None), address, lang="zh", found=None, **seen)
    assert (plain["overview"], plain["height"]) == (None, 340)


def test_the_part_is_in_the_address_and_gone_with_the_next_search():
    address = parse_link("?q=x&id=7&part=2")
    assert (address.part, link(address)) == (2, "?q=x&id=7&part=2")
    assert parse_link("?q=x&id=7&part=x").part is None


def test_the_words_that_were_found_are_shown_where_they_stand():
    line = {"field": "ocr", "text": "发票 044001900111", "box": {"x": 10, "y": 250, "width": 50, "height": 20}}
    said = [line, {"field": "name", "text": "a.png"}, {"field": "weather", "text": "fine"}]
    one = Hit.model_validate({**hit(7, 100, 340, part=4).model_dump(), "reasons": said})
    address = Address(text="发票", lang="zh", detail=7)
    assert part_shown(detail(), address, found(one)) == 4
    seen = {"lang": "zh", "timezone": None, "pictures": DetailPictures(), "found": found(one), "similar": []}
    view = detail_view(detail(), address, **seen)
    assert view["reasons"] == [
        {"label": "图中文字", "text": "发票 044001900111"},
        {"label": "文件名", "text": "a.png"},
        {"label": "weather", "text": "fine"},
    ]
    (mark,) = view["marks"]
    assert (mark["left"], mark["top"], mark["width"], mark["height"]) == (10, 10, 50, 20)
    whole = detail_view(detail(parts=[], part=None), address, **seen)
    assert whole["marks"][0]["top"] == pytest.approx(100 * 250 / 340)
    tiles = results_view(found(one), address, lang="zh", thumbnails={})["tiles"]
    assert tiles[0]["said"] == "发票 044001900111"


def test_of_a_region_the_whole_picture_is_shown_with_the_box_and_the_next_box_begins_there():
    region = {"number": 2_003, "region": True, "x": 120, "y": 80, "width": 160, "height": 100}
    one = Hit.model_validate({**hit(7, 400, 250).model_dump(), "part": region})
    hits, address = found(one), Address(text="x", lang="en", detail=7)
    assert parts_of([one]) == {}
    tiles = results_view(hits, address, lang="en", thumbnails={})["tiles"]
    assert (tiles[0]["width"], tiles[0]["height"]) == (400, 250)
    opened = detail(width=400, height=250, parts=[region], part=None)
    assert part_shown(opened, address, hits) is None
    seen = {"lang": "en", "timezone": None, "pictures": DetailPictures(), "similar": []}
    view = detail_view(opened, address, found=hits, **seen)
    assert (view["width"], view["height"], view["overview"]) == (400, 250, None)
    assert view["region"] == {"left": 30, "top": 32, "width": 40, "height": 40, "label": "Found here"}
    assert view["crop"]["box"] == {"x": 120, "y": 80, "width": 160, "height": 100}
    assert detail_view(opened, address, found=None, **seen)["region"] is None
