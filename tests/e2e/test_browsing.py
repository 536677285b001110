"""May 2019 in 杭州 is found by browsing alone: nothing is typed. By mouse in a wide window, by finger on a phone."""

from datetime import datetime, timedelta

import pytest
from PIL import Image

from indexer.config import IndexerSettings
from indexer.pipeline.commands import BuildOptions, build

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = sync_api.expect
expect.set_options(timeout=20_000)

PLACES = {"杭州": (30.27, 120.16), "伦敦": (51.5, -0.12), "": None}
XIAOSHAN = (30.17, 120.27)  # a district of 杭州
SOUGHT = 3  # pictures of May 2019 in 杭州
PHONE = {"width": 390, "height": 844, "has_touch": True, "is_mobile": True}


def photograph(path, number, taken, place):
    """Make a small picture that was taken somewhere."""
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = taken.strftime("%Y:%m:%d %H:%M:%S")
    if place:
        gps = exif.get_ifd(0x8825)
        north, east = place
        gps[1], gps[2] = "N", (north, 0.0, 0.0)
        gps[3], gps[4] = "EW"[east < 0], (abs(east), 0.0, 0.0)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (60, 40), (number % 250, 90, 40 + number % 7 * 30)).save(path, exif=exif)


@pytest.fixture(scope="module")
def api_url(serve, tmp_path_factory):
    """A service of 170 pictures of many years, of which three were taken in 杭州 in May 2019."""
    folder, data = tmp_path_factory.mktemp("years"), tmp_path_factory.mktemp("years-library")
    for number in range(167):
        taken = datetime(2007, 1, 9, 12) + timedelta(days=41 * number)
        name, place = list(PLACES.items())[number % 3]
        if (taken.year, taken.month) == (2019, 5):
            name, place = "伦敦", PLACES["伦敦"]
        photograph(folder / f"{taken.year}" / (name or "misc") / f"IMG_{number}.jpg", number, taken, place)
    for number in range(SOUGHT):
        place = PLACES["杭州"] if number else XIAOSHAN
        photograph(folder / "2019" / "杭州" / f"五月 {number}.jpg", 200 + number, datetime(2019, 5, 3), place)
    build(IndexerSettings(data=data, workers=0), [folder], BuildOptions(encoders=["hash"]))
    return serve(data)


def listed(page):
    """Wait until something is listed, and return the panel."""
    expect(page.locator("xuntu-page main[aria-busy=false] .tile img").first).to_be_visible()
    return page.get_by_role("complementary", name="Filters")


def all_of(panel, group):
    """Return the button that shows all values of a group."""
    return panel.locator(".group", has=panel.page.locator("summary", has_text=group)).locator(".all")


def counted(panel):
    """Return the place that is sought, once it is counted in what is chosen."""
    place = panel.locator(".value", has_text="Hangzhou").first
    expect(place.locator(".count")).to_have_text(str(SOUGHT))
    return place


def test_by_mouse_with_the_panel_the_folders_the_timeline_and_the_way_back(at):
    page = at("?lang=en")
    panel = listed(page)
    years = page.locator(".timeline")
    bar = page.locator(".sticky").bounding_box()
    assert years.bounding_box()["y"] >= bar["y"] + bar["height"]  # the first year is not behind the bar
    page.get_by_role("button", name="Filters", exact=True).click()
    all_of(panel, "Taken").click()
    panel.locator(".value", has_text="2019").first.click()
    panel.locator(".value", has_text="May 2019").click()
    counted(panel).click()
    expect(page.locator(".tile")).to_have_count(SOUGHT)
    panel.locator(".value", has_text="Xiaoshan").click()
    expect(page.locator(".tile")).to_have_count(1)
    panel.locator(".up", has_text="Hangzhou").click()
    expect(page.locator(".tile")).to_have_count(SOUGHT)
    for _ in range(3):
        page.go_back()
    expect(panel.locator(".value[aria-pressed=true]", has_text="May 2019")).to_be_visible()
    page.go_back()
    page.go_back()
    expect(years).to_be_visible()
    all_of(panel, "Folder").click()
    panel.locator(".folder", has_text="2019").click()
    panel.locator(".folder", has_text="杭州").click()
    expect(page.locator(".said .text", has_text="五月")).to_have_count(SOUGHT)
    page.go_back()
    page.go_back()
    years.locator("span", has_text="2008").click(position={"x": 10, "y": 10})  # just below where the year begins
    seen = page.locator("h2.group", has_text="2008").first
    expect(seen).to_be_in_viewport()
    page.wait_for_function("() => history.state.place")
    page.reload()  # it is where it was
    expect(page.locator("h2.group", has_text="2008").first).to_be_in_viewport()


def test_by_finger_on_a_phone(at):
    page = at("?lang=en", **PHONE)
    panel = listed(page)
    page.get_by_role("button", name="Filters", exact=True).tap()
    all_of(panel, "Taken").tap()
    panel.locator(".value", has_text="2019").first.tap()
    panel.locator(".value", has_text="May 2019").tap()
    counted(panel).tap()
    panel.get_by_role("button", name=f"Show {SOUGHT}").tap()
    expect(panel).to_have_count(0)
    expect(page.locator(".tile")).to_have_count(SOUGHT)
    page.locator(".tile a.shot").first.tap()
    expect(page.locator(".pswp")).to_be_visible()
    page.go_back()
    expect(page.locator(".pswp")).to_have_count(0)
    expect(page.locator(".tile")).to_have_count(SOUGHT)
