"""An open picture: turning, what is known of it, parts of it, films."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = sync_api.expect
expect.set_options(timeout=20_000)


def listed(page):
    expect(page.locator("main[aria-busy=false]")).to_be_visible()
    expect(page.locator(".tile").first).to_be_visible()


def asked(page):
    return parse_qs(urlsplit(page.url).query)


def test_a_picture_opens_turns_tells_downloads_and_closes_where_it_was(at):
    page = at("?q=coffee")
    listed(page)
    ids = page.locator(".tile").evaluate_all("tiles => tiles.map((one) => one.dataset.id)")
    page.locator(".tile a.shot").first.click()
    viewer = page.get_by_role("dialog", name="Picture")
    expect(viewer.locator(".pswp__img").first).to_be_visible()
    assert asked(page)["id"] == [ids[0]]
    about = page.get_by_role("complementary", name="Details")
    expect(about).to_contain_text("Dimensions")
    expect(about.locator(".strip img").first).to_be_visible()
    for _ in range(8):
        page.keyboard.press("ArrowRight")
    expect(page).to_have_url(re.compile(f"id={ids[8]}(&|$)"))
    page.keyboard.press("ArrowLeft")
    expect(page).to_have_url(re.compile(f"id={ids[7]}(&|$)"))
    with page.expect_download() as saved:
        page.get_by_role("button", name="Download").click()
    assert saved.value.path().stat().st_size > 1000
    page.keyboard.press("Escape")
    expect(viewer).to_have_count(0)
    assert "id" not in asked(page)
    expect(page.locator(f".tile[data-id='{ids[7]}'] a.shot")).to_be_focused()
    page.go_back()
    expect(page).not_to_have_url(re.compile("q=coffee"))


def test_back_closes_a_picture_and_a_link_opens_it(at, depth):
    page = at("?q=coffee")
    listed(page)
    page.locator(".tile a.shot").nth(2).click()
    expect(page.get_by_role("dialog", name="Picture")).to_be_visible()
    link = page.url
    page.go_back()
    expect(page.get_by_role("dialog", name="Picture")).to_have_count(0)
    listed(page)
    fresh = at(f"?{urlsplit(link).query}")
    expect(fresh.get_by_role("dialog", name="Picture")).to_be_visible()
    expect(fresh.get_by_role("complementary", name="Details")).to_contain_text("Dimensions")


def test_a_picture_that_is_gone_is_said_and_does_not_open_later(at, depth):
    page = at("?q=coffee&id=99999999")
    expect(page.get_by_role("alert")).to_contain_text("cannot be opened")
    listed(page)
    assert "id" not in asked(page)


def test_more_like_an_open_picture_is_a_search(at, depth):
    page = at("?q=coffee")
    listed(page)
    page.locator(".tile a.shot").first.click()
    page.locator("[data-deed=more]").click()
    expect(page.get_by_role("dialog", name="Picture")).to_have_count(0)
    expect(page.locator(".chip.has-picture")).to_have_count(1)


def test_a_long_picture_is_as_wide_as_there_is_room_and_shows_where_the_words_stand(at):
    page = at("?q=ESPRESSO&match=text")
    listed(page)
    page.locator(".tile a.shot").first.click()
    image = page.locator(".pswp__item[aria-hidden=false] img.pswp__img:not(.pswp__img--placeholder)")
    expect(image).to_be_visible()
    seen = image.bounding_box()
    assert seen["height"] > 1.2 * page.viewport_size["height"]
    expect(page.get_by_role("complementary", name="Details")).to_contain_text("board.png")


def test_a_film_is_found_at_its_moment_and_plays_from_there(at):
    page = at("?q=film.webm&match=text")
    listed(page)
    page.locator(".tile a.shot").first.click()
    video = page.locator(".pswp__item[aria-hidden=false] video")
    expect(video).to_be_visible()
    moments = page.locator(".moments button")
    expect(moments.first).to_be_visible()
    moments.nth(2).click()
    page.wait_for_function(
        "() => [...document.querySelector('xuntu-page').shadowRoot.querySelectorAll('video')]"
        ".some((one) => one.currentTime > 1)"
    )


def test_a_part_is_drawn_moved_resized_and_searched_with(at):
    page = at("?q=coffee")
    listed(page)
    page.locator(".tile a.shot").first.click()
    page.locator("[data-deed=crop]").click()
    layer = page.locator(".crop")
    box = layer.bounding_box()
    page.mouse.move(box["x"] + 0.1 * box["width"], box["y"] + 0.1 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 0.7 * box["height"], steps=4)
    page.mouse.up()
    before = page.locator(".crop-tools .size").inner_text()
    page.keyboard.press("Shift+ArrowRight")
    expect(page.locator(".crop-tools .size")).not_to_have_text(before)
    page.get_by_role("button", name="Search with this part").click()
    expect(page.locator(".chip .cut-out")).to_be_visible()
    assert re.fullmatch(r"\d+@\d+,\d+,\d+,\d+", asked(page)["like"][0])


def test_escape_leaves_the_part_and_then_the_picture(at, depth):
    page = at("?q=coffee")
    listed(page)
    page.locator(".tile a.shot").first.click()
    page.locator("[data-deed=crop]").click()
    expect(page.locator(".crop")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".crop")).to_have_count(0)
    expect(page.get_by_role("dialog", name="Picture")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Picture")).to_have_count(0)
