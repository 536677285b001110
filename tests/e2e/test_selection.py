"""What is selected, and what a person leaves with; the keyboard alone; fingers."""

import csv
import io
import json
import re
import zipfile
from urllib.parse import parse_qs, urlsplit

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = sync_api.expect
expect.set_options(timeout=20_000)


def listed(page):
    expect(page.locator("main[aria-busy=false]")).to_be_visible()
    expect(page.locator(".tile").first).to_be_visible()


def count(page, number):
    expect(page.locator(".actions > b")).to_have_text(f"{number} selected")


def test_pictures_are_selected_one_by_one_in_a_row_and_all_and_leave_as_a_zip(at):
    page = at("?lang=en")
    listed(page)
    page.locator(".tile a.shot").nth(1).click(modifiers=["Control"])
    count(page, 1)
    page.locator(".tile a.shot").nth(4).click(modifiers=["Shift"])
    count(page, 4)
    page.locator(".tile a.shot").nth(2).click()
    count(page, 3)
    with page.expect_download() as saved:
        page.get_by_role("toolbar").get_by_role("button", name="Zip").click()
    with zipfile.ZipFile(saved.value.path()) as archive:
        assert archive.testzip() is None
        table = list(csv.DictReader(io.StringIO(archive.read("pictures.csv").decode("utf-8-sig"))))
        assert len(table) == 3
        assert len(archive.namelist()) == 4
    page.keyboard.press("Control+a")
    total = int(page.locator(".status span").first.inner_text().split()[0].replace(",", ""))
    count(page, total)
    page.keyboard.press("Escape")
    expect(page.locator(".actions")).to_have_count(0)


def test_a_designer_combines_a_picture_words_a_weight_and_a_colour_and_leaves_with_a_zip(at):
    page = at("?lang=en")
    listed(page)
    example = page.locator(".tile").nth(5)
    example.locator("a.shot").drag_to(page.get_by_role("combobox"))
    expect(page.locator(".chip.has-picture")).to_have_count(1)
    listed(page)
    page.get_by_role("combobox").fill("a cup of coffee")
    page.keyboard.press("Enter")
    expect(page.locator(".chip .words").first).to_have_text("a cup of coffee")
    expect(page.locator(".chip")).to_have_count(2)
    listed(page)
    weight = page.locator(".chip.has-picture .weight")
    weight.hover(position={"x": 10, "y": 10})
    seen = weight.bounding_box()
    page.mouse.down()
    page.mouse.move(seen["x"] - 30, seen["y"] + 10, steps=4)
    expect(weight).to_have_text("×0.6")
    page.mouse.up()
    expect(page).to_have_url(re.compile(r"like=\d+\*0\.6"))
    listed(page)
    page.get_by_role("button", name="Filters").click()
    colours = page.locator(".swatch:not(:disabled)")
    expect(colours.first).to_be_visible()
    expect(page.locator(".panel .value .count").first).to_be_visible()
    colours.first.click()
    expect(page.locator(".chip.filter")).to_have_count(1)
    listed(page)
    asked = parse_qs(urlsplit(page.url).query)
    assert asked["q"] == ["a cup of coffee"]
    assert len(asked["colour"]) == len(asked["like"]) == 1
    chosen = page.locator(".tile a.shot")
    names = [chosen.nth(place).get_attribute("title").split("\n")[0] for place in (0, 1)]
    for place in (0, 1):
        chosen.nth(place).click(modifiers=["Control"])
    with page.expect_download() as saved:
        page.get_by_role("toolbar").get_by_role("button", name="Zip").click()
    with zipfile.ZipFile(saved.value.path()) as archive:
        assert archive.testzip() is None
        table = list(csv.DictReader(io.StringIO(archive.read("pictures.csv").decode("utf-8-sig"))))
        pictures = sorted(name for name in archive.namelist() if name != "pictures.csv")
    assert sorted(row["path"] for row in table) == sorted(names)
    assert [name.rpartition("/")[2] for name in pictures] == sorted(name.rpartition("/")[2] for name in names)


def test_a_table_is_saved_and_the_search_goes_on_from_what_was_selected(at, depth):
    page = at("?lang=en")
    listed(page)
    for place in (0, 3):
        page.locator(".tile a.shot").nth(place).click(modifiers=["Control"])
    page.locator(".actions summary", has_text="Save as").click()
    with page.expect_download() as saved:
        page.get_by_role("button", name="JSON").click()
    assert len(json.loads(saved.value.path().read_text(encoding="utf-8"))["pictures"]) == 2
    page.get_by_role("button", name="Search like these").click()
    expect(page.locator(".chip.has-picture")).to_have_count(2)
    assert len(parse_qs(urlsplit(page.url).query)["like"]) == 2
    expect(page.locator(".actions")).to_have_count(0)


def test_a_board_is_made_filled_opened_renamed_and_deleted(at, depth):
    page = at("?lang=en")
    listed(page)
    for place in (0, 1, 2):
        page.locator(".tile a.shot").nth(place).click(modifiers=["Control"])
    page.locator(".actions summary", has_text="Add to board").click()
    page.get_by_placeholder("New board").fill("夏天")
    page.get_by_role("button", name="Make").click()
    expect(page.get_by_role("status").filter(has_text="夏天")).to_be_visible()
    page.get_by_role("button", name="Select none").click()
    page.get_by_role("button", name="Filters").click()
    page.locator(".panel .value", has_text="夏天").click()
    expect(page.locator("main[data-state=board]")).to_be_visible()
    expect(page.locator(".tile")).to_have_count(3)
    page.get_by_label("Name of the board").fill("秋天")
    page.keyboard.press("Enter")
    expect(page.locator(".panel .value", has_text="秋天")).to_be_visible()
    link = page.url
    fresh = at(f"?{urlsplit(link).query}")
    expect(fresh.locator(".tile")).to_have_count(3)
    page.locator(".board-head summary", has_text="").last.click()
    page.locator(".board-head .menu button", has_text="Delete board").click()
    expect(page.locator("main[data-state=library]")).to_be_visible()


def test_a_box_drawn_between_pictures_selects_what_it_touches_and_ctrl_adds(at):
    page = at("?lang=en")
    listed(page)
    boxes = [page.locator(f".tile[data-place='{place}'] a.shot").bounding_box() for place in range(3)]
    middle = boxes[1]["x"] + boxes[1]["width"] / 2
    ground = boxes[0]["y"] + boxes[0]["height"] + 12

    def draw(from_x, to_x, *, escapes=False):
        page.mouse.move(from_x, ground)
        page.mouse.down()
        page.mouse.move(to_x, ground - 20)
        page.mouse.move(to_x, boxes[0]["y"] + 40)
        expect(page.locator(".marquee")).to_be_visible()
        if escapes:
            page.keyboard.press("Escape")
        page.mouse.up()
        expect(page.locator(".marquee")).to_have_count(0)

    draw(boxes[0]["x"] + 5, middle)
    count(page, 2)
    draw(middle, middle + 5)
    count(page, 1)
    page.keyboard.down("Control")
    draw(boxes[2]["x"] + 20, boxes[2]["x"] + 30)
    count(page, 2)
    page.keyboard.up("Control")
    draw(boxes[0]["x"] + 5, boxes[2]["x"] + 20, escapes=True)
    count(page, 2)
    page.mouse.click(boxes[0]["x"] + 5, ground)
    count(page, 2)
    page.locator(".tile[data-place='0'] a.shot").evaluate(
        "(one) => one.addEventListener('dragstart', () => { one.dataset.dragged = 'yes'; })"
    )
    page.mouse.move(boxes[0]["x"] + 20, boxes[0]["y"] + 20)
    page.mouse.down()
    page.mouse.move(boxes[0]["x"] + 40, boxes[0]["y"] + 40)
    page.mouse.move(boxes[0]["x"] + 90, boxes[0]["y"] + 90)
    expect(page.locator(".tile[data-place='0'] a.shot")).to_have_attribute("data-dragged", "yes")
    page.mouse.up()
    count(page, 2)


def test_a_favourite_is_marked_and_stays(at, depth):
    page = at("?q=coffee&lang=en")
    listed(page)
    page.locator(".tile a.shot").first.click()
    heart = page.get_by_role("button", name="Favourite", exact=True)
    expect(heart).to_have_attribute("aria-pressed", "false")
    with page.expect_response("**/boards/favourites/pictures"):
        heart.click()
    expect(heart).to_have_attribute("aria-pressed", "true")
    page.reload()
    expect(page.get_by_role("button", name="Favourite", exact=True)).to_have_attribute("aria-pressed", "true")
    with page.expect_response("**/boards/favourites/pictures/remove"):
        page.get_by_role("button", name="Favourite", exact=True).click()
    expect(page.get_by_role("button", name="Favourite", exact=True)).to_have_attribute("aria-pressed", "false")


def test_the_keyboard_alone_goes_through_the_pictures(at):
    page = at("?q=coffee&lang=en")
    listed(page)
    stops = page.locator(".tile").evaluate_all(
        "tiles => tiles.flatMap((one) => [...one.querySelectorAll('a, button')])"
        ".filter((one) => one.tabIndex === 0).length"
    )
    assert stops == 1
    page.locator(".tile a.shot").first.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "ArrowUp"):
        page.keyboard.press(key)
    expect(page.locator(".tile[data-place='2'] a.shot")).to_be_focused()
    page.keyboard.press("x")
    page.keyboard.press("Shift+ArrowRight")
    count(page, 2)
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Picture")).to_be_visible()
    page.keyboard.press("Tab")
    assert page.evaluate("document.querySelector('xuntu-page').shadowRoot.activeElement.closest('.pswp') !== null")
    page.keyboard.press("Escape")
    expect(page.locator(".tile[data-place='3'] a.shot")).to_be_focused()
    page.keyboard.press("/")
    expect(page.get_by_role("combobox")).to_be_focused()


def test_a_finger_that_stays_selects_and_a_swipe_turns(at, depth):
    page = at("?q=coffee&lang=en", width=390, height=844, has_touch=True, is_mobile=True)
    listed(page)
    page.locator(".tile a.shot").nth(1).evaluate("""(one) => {
        const at = { bubbles: true, composed: true, pointerType: "touch", pointerId: 7, clientX: 60, clientY: 300 };
        one.dispatchEvent(new PointerEvent("pointerdown", at));
    }""")
    count(page, 1)
    ends = page.locator(".actions button, .actions summary").evaluate_all(
        "all => all.filter((one) => one.offsetParent).map((one) => one.getBoundingClientRect().right)"
    )
    assert max(ends) <= 390
    page.get_by_role("button", name="Select none").click()
    page.locator(".tile a.shot").nth(1).tap()
    expect(page.get_by_role("dialog", name="Picture")).to_be_visible()
    expect(page.get_by_role("complementary", name="Details")).to_have_count(0)
    before = page.url
    expect(page.locator(".pswp--open")).to_be_visible()
    page.mouse.move(330, 400)
    page.mouse.down()
    for x in range(310, 60, -25):
        page.mouse.move(x, 400)
        page.evaluate("() => new Promise(requestAnimationFrame)")  # a drag is seen frame by frame
    page.mouse.up()
    page.wait_for_function("(before) => location.href !== before", arg=before)
