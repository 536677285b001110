"""Videos on the page: hits say their time, an open one plays from there, and its moments are links."""

import pytest

from api.schemas import Hit, ImageDetail
from ui.address import Address, link, parse_link
from ui.detail import DetailPictures, detail_view, part_shown
from ui.film import MOST_MOMENTS, list_moments, moment_at, time_label
from ui.pictures import MAX_DOWNLOAD_BYTES

FRAME = {"x": 0, "y": 0, "width": 320, "height": 180}
PARTS = [{"number": number, "at": at, **FRAME} for number, at in enumerate((0.0, 12.5, 83.4, 3723.0), 1)]


def film(**more: object) -> ImageDetail:
    values = {"id": 7, "path": "a.mp4", "root": "r", "width": 320, "height": 180, "format": "mp4", "bytes": 1}
    known = {"modified_at": "2026-01-01T00:00:00", "taken_at": None, "camera": None, "has_gps": False, "colours": []}
    return ImageDetail(**{**values, **known, "kind": "video", "duration": 4000.0, "parts": PARTS, **more})


def view(detail: ImageDetail, address: Address, **pictures: object) -> dict:
    shown = DetailPictures(**pictures)
    return detail_view(detail, address, lang="en", timezone=None, pictures=shown, found=None, similar=[])


@pytest.mark.parametrize(
    ("said", "time"), [("83.4", 83.4), ("0", 0.0), ("-1", None), ("nan", None), ("1e9", None), ("", None), ("a", None)]
)
def test_an_address_says_where_a_video_plays_from(said, time):
    assert parse_link(f"?id=7&t={said}").time == time


def test_a_time_in_an_address_comes_back_and_goes_with_the_video():
    address = Address(text="x", detail=7, time=83.4)
    assert link(address) == "?q=x&id=7&t=83.4"
    assert parse_link(link(address)) == address
    assert link(address.but()) == "?q=x"
    assert view(film(), address)["close"] == "?q=x"


@pytest.mark.parametrize(("seconds", "number"), [(0.0, 1), (12.4, 1), (12.5, 2), (83.3, 2), (83.4, 3), (1e6, 4)])
def test_a_time_is_that_of_the_moment_which_has_begun(seconds, number):
    assert moment_at(film(), seconds) == number
    assert part_shown(film(), Address(detail=7, time=seconds), None) == number


def test_an_open_video_says_its_moments_and_where_it_plays_from():
    shown = view(film(), Address(text="x", detail=7, time=90.0), large="data:l", moments={3: "data:3"})
    assert shown["overview"] is None
    assert (shown["width"], shown["height"], shown["src"]) == (320, 180, "data:l")
    assert (shown["film"]["at"], shown["film"]["plays"], shown["film"]["play"]) == (90.0, True, "Play from 1:30")
    moments = shown["film"]["moments"]
    assert [one["label"] for one in moments] == ["0:00", "0:12", "1:23", "1:02:03"]
    assert [one["src"] for one in moments] == [None, None, "data:3", None]
    assert [one["shown"] for one in moments] == [False, False, True, False]
    assert moments[2]["href"] == "?q=x&id=7&t=83.4"
    assert {"label": "Duration", "value": "1:06:40"} in shown["facts"]
    assert view(film(), Address(detail=7, time=9e6))["film"]["at"] == 4000.0  # its end
    assert view(film(), Address(detail=7))["film"]["at"] == 0


def test_what_cannot_be_played_says_why():
    assert "Download" in view(film(format="avi"), Address(detail=7))["film"]["sorry"]
    large = view(film(bytes=MAX_DOWNLOAD_BYTES + 1), Address(detail=7))["film"]
    assert (large["plays"], "too large" in large["sorry"]) == (False, True)


def test_of_many_moments_some_are_shown_and_the_one_that_was_found():
    parts = [{"number": number, "at": float(number), **FRAME} for number in range(1, 501)]
    numbers = [part.number for part in list_moments(film(parts=parts), 333)]
    assert 333 in numbers
    assert len(numbers) <= MOST_MOMENTS + 1
    assert numbers[-1] > 450


def test_a_picture_has_nothing_of_a_video():
    shown = view(film(kind="picture", duration=None, parts=[], format="png"), Address(detail=7))
    assert shown["film"] is None


def test_a_hit_of_a_video_says_its_time():
    hit = Hit(id=7, path="a.mp4", root="r", score=0.2, width=320, height=180, part=PARTS[2])
    assert time_label(hit) == "1:23"
    assert time_label(hit.model_copy(update={"part": None})) is None


def test_a_live_photo_offers_its_clip():
    shown = view(film(kind="picture", duration=None, parts=[], format="jpeg", clip=True), Address(detail=7))["film"]
    assert (shown["plays"], shown["play"], shown["moments"]) == (True, "Play the clip", [])
