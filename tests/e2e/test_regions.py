"""A library with regions on the page: the whole picture is shown, and where in it something was found."""

import re

import pytest
from PIL import Image

from indexer.config import IndexerSettings
from indexer.pipeline.commands import BuildOptions, build

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = sync_api.expect

SIZE, CAT = (520, 400), (310, 10, 200, 133)  # where the cat is in the pair: left, top, width, height


@pytest.fixture(scope="module")
def api_url(photographs, serve, tmp_path_factory):
    """The address of a service of a library with regions; the page of this file asks it."""
    pictures, data = tmp_path_factory.mktemp("pair"), tmp_path_factory.mktemp("region-library")
    cup = Image.open(photographs / "coffee.png").convert("RGB").resize(SIZE)
    cup.paste(Image.open(photographs / "cat.png").convert("RGB").resize(CAT[2:]), CAT[:2])
    cup.save(pictures / "pair.jpg", quality=92)
    for name in ("cat.png", "china.jpg", "rocket.jpg"):
        Image.open(photographs / name).convert("RGB").resize((240, 180)).save(pictures / f"{name[:-4]}.jpg")
    build(IndexerSettings(data=data, regions=True), [pictures], BuildOptions())
    return serve(data)


def shares(box, frame):
    """Return left, top, right and bottom of a box, in shares of the frame that it lies in."""
    inner, outer = box.bounding_box(), frame.bounding_box()
    left, top = (inner["x"] - outer["x"]) / outer["width"], (inner["y"] - outer["y"]) / outer["height"]
    return left, top, left + inner["width"] / outer["width"], top + inner["height"] / outer["height"]


def test_the_box_of_a_region_is_on_the_whole_picture_and_a_part_begins_there(at, depth):
    page = at("?like=1&lang=en")  # the cat
    page.locator(".tile .shot[title*='pair.jpg']").click()
    box = page.locator(".mark-box.region")
    expect(box).to_have_attribute("aria-label", "Found here")
    frame = page.locator(".marks")
    shape = frame.bounding_box()
    assert shape["width"] / shape["height"] == pytest.approx(SIZE[0] / SIZE[1], abs=0.02)
    left, top, right, bottom = shares(box, frame)
    assert left < (CAT[0] + CAT[2] / 2) / SIZE[0] < right
    assert top < (CAT[1] + CAT[3] / 2) / SIZE[1] < bottom
    page.locator("[data-deed=crop]").click()
    drawn = shares(page.locator(".crop .outline"), page.locator(".crop-frame"))
    assert drawn == pytest.approx((left, top, right, bottom), abs=0.01)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"like=\d+@\d+,"))
    expect(page.locator(".tile").first).to_be_visible()
