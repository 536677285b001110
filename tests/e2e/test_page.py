"""A person at the page: what they do, and what they see then."""

import base64
import re
from urllib.parse import parse_qs, urlsplit

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = sync_api.expect
expect.set_options(timeout=120_000)

# A picture of one red pixel, as a file that a person could drop.
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8Dwn4GBgYEBAA0EAgF0XyBVAAAAAElFTkSuQmCC"
)

# Whether a picture of an address can be shown.
SHOW = """(src) => new Promise((done) => {
    Object.assign(new Image(), { onload: () => done(1), onerror: () => done(0), src });
})"""

SEND = """(action) => {
    const form = Object.assign(document.createElement("form"), { method: "post", enctype: "text/plain", action });
    document.body.append(form);
    form.submit();
}"""


def state(page, kind):
    expect(page.locator(f"[data-state={kind}]")).to_be_visible()


def tile_ids(page):
    return page.locator(".tile").evaluate_all("tiles => tiles.map((one) => one.dataset.id)")


def search(page, text):
    page.get_by_role("searchbox").fill(text)
    page.keyboard.press("Enter")
    state(page, "results")
    expect(page.locator(".chips .chip").first).to_be_visible()


def test_a_first_visit_shows_examples_that_search(browse, page_url):
    page = browse(locale="zh-CN")
    page.goto(page_url)
    state(page, "welcome")
    expect(page).to_have_title("寻图 xuntu")
    expect(page.locator(".status")).to_contain_text("张图片")
    page.locator(".examples a").first.click()
    state(page, "results")
    expect(page.get_by_role("searchbox")).not_to_have_value("")
    expect(page).to_have_url(re.compile(r"\?q="))


def test_typed_words_become_chips_and_a_chip_can_go(browse, page_url):
    page = browse()
    page.goto(page_url)
    state(page, "welcome")
    search(page, "雪山 -人")
    expect(page.locator(".chip .words")).to_have_text(["雪山", "人"])
    expect(page.locator(".chip.away .words")).to_have_text(["人"])
    page.get_by_role("link", name="Remove 人").click()
    expect(page.locator(".chip .words")).to_have_text(["雪山"])
    expect(page.get_by_role("searchbox")).to_have_value("雪山")


def test_negation_in_words_is_a_chip_that_is_undone_with_a_click(browse, page_url, depth):
    page = browse()
    page.goto(f"{page_url}?q=a+lake+without+people&lang=en")
    state(page, "results")
    expect(page.locator(".chip .words")).to_have_text(["a lake", "without people"])
    expect(page.locator(".chip.away .words")).to_have_text(["without people"])
    page.get_by_role("link", name="Search these words as they are instead").click()
    expect(page.locator(".chip .words")).to_have_text(["a lake without people", "Words as they are"])
    expect(page).to_have_url(re.compile(r"literal=1"))
    search(page, "没有人的湖")
    expect(page.locator(".chip .words")).to_have_text(["湖", "without 人"])


def test_a_link_shows_the_same_search_in_a_fresh_browser_and_back_works(browse, page_url):
    page = browse()
    page.goto(page_url)
    state(page, "welcome")
    search(page, "red circle")
    page.get_by_role("link", name="Next").click()
    expect(page).to_have_url(re.compile("page=2"))
    expect(page.locator(".line")).to_contain_text("31–60")
    there = tile_ids(page)
    other = browse()
    other.goto(page.url)
    state(other, "results")
    assert tile_ids(other) == there
    page.go_back()
    expect(page.locator(".line")).to_contain_text("1–30")
    page.go_back()
    state(page, "welcome")
    expect(page.get_by_role("searchbox")).to_have_value("")
    page.go_forward()
    state(page, "results")


def test_more_and_less_like_a_hit_become_chips(browse, page_url, depth):
    page = browse()
    page.goto(f"{page_url}?q=red")
    state(page, "results")
    page.locator(".tile").nth(2).hover()
    page.locator(".tile").nth(2).get_by_role("link", name="More like this").click()
    expect(page.locator(".chip.has-picture")).to_have_count(1)
    expect(page.locator(".busy")).to_have_count(0)
    page.locator(".tile").nth(5).hover()
    page.locator(".tile").nth(5).get_by_role("link", name="Less like this").click()
    expect(page.locator(".chip.has-picture.away")).to_have_count(1)
    expect(page).to_have_url(re.compile(r"like=\d+&less=\d+"))
    page.get_by_role("link", name="Clear all").click()
    state(page, "welcome")


def test_a_picture_opens_turns_downloads_and_closes(browse, page_url):
    page = browse()
    page.goto(f"{page_url}?q=red&lang=en")
    state(page, "results")
    ids = tile_ids(page)
    page.locator(".tile .shot").first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("dl")).to_contain_text("Dimensions")
    expect(page).to_have_url(re.compile(rf"id={ids[0]}$"))
    expect(dialog.locator(".strip li").first).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(page).to_have_url(re.compile(rf"id={ids[1]}$"))
    expect(dialog.get_by_role("button", name="Previous picture")).to_be_visible()
    with page.expect_download() as download:
        dialog.get_by_role("button", name="Download").click()
    assert download.value.suggested_filename == dialog.locator("h2").inner_text()
    dialog.get_by_role("button", name="Previous picture").click()
    expect(page).to_have_url(re.compile(rf"id={ids[0]}$"))
    expect(dialog.get_by_role("button", name="Next picture")).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page).not_to_have_url(re.compile("id="))
    assert tile_ids(page) == ids


def test_filters_narrow_and_nothing_left_says_what_to_try(browse, page_url, wait_until, depth):
    page = browse()
    page.goto(f"{page_url}?q=red&lang=en")
    state(page, "results")
    page.get_by_role("button", name="Filters").click()
    page.get_by_role("button", name="Portrait").click()
    expect(page.locator(".chip.filter")).to_have_text(["Portrait"])
    upright = "pictures => pictures.length > 0 && pictures.every((one) => one.naturalWidth < one.naturalHeight)"
    wait_until(lambda: page.locator(".tile .shot img").evaluate_all(upright), "tiles of upright pictures only")
    page.get_by_role("textbox", name="Folder").fill("nowhere/at/all/")
    page.keyboard.press("Enter")
    state(page, "message")
    page.get_by_role("link", name="Search without filters").click()
    state(page, "results")
    expect(page.locator(".chip.filter")).to_have_count(0)


def test_the_switch_changes_every_word_and_the_link_keeps_it(browse, page_url, depth):
    page = browse(locale="en-GB")
    page.goto(f"{page_url}?q=red")
    state(page, "results")
    page.locator(".langs").get_by_text("中文").click()
    expect(page.locator(".submit")).to_have_text("搜索")
    expect(page.locator(".line")).to_contain_text("最相符的在前")
    expect(page).to_have_url(re.compile("lang=zh"))
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")


def test_a_given_picture_searches_and_a_link_says_it_is_missing(browse, page_url, depth):
    page = browse()
    page.goto(page_url)
    state(page, "welcome")
    page.locator("input[type=file]").set_input_files({"name": "pixel.png", "mimeType": "image/png", "buffer": PIXEL})
    state(page, "results")
    expect(page.locator(".chip .words")).to_have_text(["pixel.png"])
    expect(page.locator(".note")).to_contain_text("link does not carry it")
    other = browse()
    other.goto(page.url)
    state(other, "message")
    expect(other.locator("h1")).to_have_text("A picture is missing")


def test_a_file_that_is_no_picture_is_refused_in_words(browse, page_url, depth):
    page = browse()
    page.goto(page_url)
    state(page, "welcome")
    page.locator("input[type=file]").set_input_files(
        {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"hello"}
    )
    expect(page.locator(".note")).to_contain_text("does not look like a picture")


@pytest.mark.parametrize(("width", "fewest", "most"), [(1280, 4, 9), (400, 1, 4)])
def test_rows_are_justified_and_nothing_overflows(browse, page_url, width, fewest, most, depth):
    page = browse(width=width)
    page.goto(f"{page_url}?q={'雪山下的湖' * 40}")
    state(page, "results")
    tiles = page.locator(".tile .shot").evaluate_all(
        "tiles => tiles.map((one) => one.getBoundingClientRect()).map((box) => [box.top, box.left, box.right])"
    )
    rows = {}
    for top, left, right in tiles:
        rows.setdefault(round(top), []).append((left, right))
    full = [rows[top] for top in sorted(rows)][:-1]
    edge = page.locator(".tiles").evaluate("list => list.getBoundingClientRect().right")
    assert full
    assert all(fewest <= len(row) <= most for row in full)
    assert all(abs(max(right for _, right in row) - edge) <= 1 for row in full)
    assert page.evaluate("document.querySelector('.stMain').scrollWidth") <= width


def test_the_page_shows_none_of_the_framework(browse, page_url, depth):
    page = browse()
    page.goto(f"{page_url}?q=red")
    state(page, "results")
    for name in ("stHeader", "stToolbar", "stStatusWidget", "stDecoration"):
        expect(page.get_by_test_id(name)).not_to_be_visible()


def test_dark_follows_the_system_and_the_switch_overrides_it(browse, page_url, depth):
    page = browse(color_scheme="dark")
    page.goto(page_url)
    state(page, "welcome")
    paper = page.locator(".stApp")
    expect(paper).to_have_css("background-color", "rgb(20, 20, 20)")
    page.get_by_role("button", name="Switch between light and dark").click()
    expect(paper).to_have_css("background-color", "rgb(251, 251, 250)")
    page.reload()
    state(page, "welcome")
    expect(paper).to_have_css("background-color", "rgb(251, 251, 250)")


@pytest.mark.parametrize("way", ["drop", "paste"])
def test_a_picture_can_be_dropped_and_pasted(browse, page_url, way, depth):
    page = browse()
    page.goto(page_url)
    state(page, "welcome")
    page.evaluate(
        """([bytes, way]) => {
            const carried = new DataTransfer();
            carried.items.add(new File([new Uint8Array(bytes)], "image.png", { type: "image/png" }));
            const event = way === "drop"
                ? new DragEvent("drop", { dataTransfer: carried, bubbles: true, cancelable: true })
                : new ClipboardEvent("paste", { clipboardData: carried, bubbles: true, cancelable: true });
            document.dispatchEvent(event);
        }""",
        [list(PIXEL), way],
    )
    state(page, "results")
    expect(page.locator(".chip .words")).to_have_text(["your picture"])
    page.get_by_role("link", name="Remove your picture").click()
    state(page, "welcome")


def test_the_hits_stay_mounted_from_one_search_to_the_next(browse, page_url, depth):
    page = browse()
    page.goto(f"{page_url}?q=red")
    state(page, "results")
    page.locator("[data-state]").evaluate("root => { root.id = 'kept'; }")
    search(page, "blue")
    expect(page.locator(".chip .words")).to_have_text(["blue"])
    state(page, "results")
    expect(page.locator("#kept")).to_have_count(1)
    expect(page.locator(".busy")).to_have_count(0)


def test_words_that_nobody_knows_are_named_and_not_to_be_tried_again(browse, page_url, depth):
    page = browse()
    page.goto(f"{page_url}?q=zorp&match=vector&lang=en")
    card = page.locator(".card")
    expect(card).to_contain_text("That was not understood")
    expect(card).to_contain_text("knows none of these words: zorp")
    expect(card.locator(".button")).to_have_text(["Look at the words instead", "Start over"])


@pytest.fixture
def told(page_library, make_fit, save_fits):
    """Have the library tell how likely hits are right: surely from a score that no hit has, and nearly never below."""
    fit = make_fit(0.9, is_steep=True)
    path = save_fits(page_library, zh=fit, en=fit)
    yield
    path.unlink()
    path.parent.rmdir()


def test_how_sure_can_be_chosen_and_the_nearest_stand_apart(browse, page_url, told, depth):
    page = browse()
    page.goto(f"{page_url}?q=a+red+flower&lang=en")
    state(page, "results")
    expect(page.locator(".notes")).to_contain_text("No good match")
    expect(page.locator(".tile .caption span").first).to_have_text(re.compile(r"^\d+%$"))
    page.get_by_role("button", name="Filters").click()
    page.get_by_role("button", name="≥ 70%").click()
    state(page, "nearest")
    expect(page.locator("h1")).to_have_text("No good match")
    expect(page.locator("h2")).to_have_text("The nearest pictures")
    expect(page.locator(".chip.filter")).to_have_text(["Relevance ≥ 70%"])
    assert len(tile_ids(page)) == 30
    page.locator(".nearest .ways a").first.click()
    state(page, "results")
    expect(page).not_to_have_url(re.compile("sure="))


def test_words_in_a_long_picture_are_shown_where_they_stand(browse, page_url, wait_until):
    pytest.importorskip("rapidocr")
    page = browse()
    page.goto(f"{page_url}?q=espresso&match=text&lang=en")
    page.locator(".tile .shot").click()
    dialog = page.locator("dialog")
    expect(dialog.locator("h2")).to_have_text("board.png")
    expect(dialog.locator(".reasons dd")).to_contain_text("ESPRESSO")
    mark, frame = dialog.locator(".frame .mark"), dialog.locator(".frame")
    wait_until(lambda: frame.locator("img").evaluate("one => one.naturalWidth > 0"), "the part that the words stand in")
    inner, outer = mark.bounding_box(), frame.bounding_box()
    assert outer["y"] < inner["y"] < inner["y"] + inner["height"] < outer["y"] + outer["height"]
    expect(dialog.locator(".overview a.shown")).to_have_attribute("aria-label", re.compile(r"Part \d+ of \d+"))
    dialog.locator(".overview a").first.click(position={"x": 5, "y": 5})
    expect(page).to_have_url(re.compile("part=1"))
    expect(dialog.locator(".overview a.shown")).to_have_attribute("aria-label", re.compile("Part 1 of"))
    expect(mark).to_have_count(0)


PLAYED_TO = """(film, seconds) => new Promise((done) => {
  const ask = () => (film.currentTime >= seconds ? done(true) : setTimeout(ask, 50));
  ask();
})"""


def test_a_film_is_found_at_its_moment_and_played_from_there(browse, page_url):
    page = browse()
    page.goto(f"{page_url}?q=a+cat&folder=film&lang=en")
    state(page, "results")
    expect(page.locator(".tile .time")).to_have_text("0:02")
    page.locator(".tile .shot").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("h2")).to_have_text("film.webm")
    expect(page).to_have_url(re.compile(r"[?&]t=2(&|$)"))
    expect(dialog.locator(".moments a")).to_have_text(["0:00", "0:02", "0:04"])
    expect(dialog.locator(".moments a[aria-current]")).to_have_text("0:02")
    expect(dialog.locator("dl").last).to_contain_text("0:06")
    dialog.get_by_role("button", name="Play from 0:02").click()
    expect(dialog.locator("video")).to_be_visible()
    assert dialog.locator("video").evaluate(PLAYED_TO, 2)
    dialog.locator(".moments a", has_text="0:04").click()
    expect(dialog.locator(".moments a[aria-current]")).to_have_text("0:04")
    expect(page).to_have_url(re.compile(r"[?&]t=4(&|$)"))
    assert dialog.locator("video").evaluate(PLAYED_TO, 4)
    page.reload()
    expect(page.get_by_role("dialog").locator(".moments a[aria-current]")).to_have_text("0:04")
    page.keyboard.press("Escape")
    expect(page).to_have_url(re.compile(r"\?q=a\+cat&folder=film&lang=en$"))


def part_of_url(page):
    """Return picture, left, top, width and height of the part that the address says."""
    expect(page).to_have_url(re.compile("like="))
    said = parse_qs(urlsplit(page.url).query)["like"][0]
    return [int(one) for one in re.split("[@,]", said)]


def open_to_draw(page, url, name="Search with a part"):
    page.goto(url)
    dialog = page.locator("dialog")
    expect(dialog.locator("dl").last).to_be_visible()
    dialog.get_by_role("button", name=name).click()
    expect(dialog.locator(".crop .outline")).to_be_focused()
    return dialog


def drag(page, start, *ways):
    page.mouse.move(*start)
    page.mouse.down()
    for way in ways:
        page.mouse.move(*way, steps=4)
    page.mouse.up()


def test_a_part_is_drawn_moved_resized_and_searched_with(browse, page_url):
    page = browse()
    page.goto(f"{page_url}?q=red&format=jpeg&lang=en")
    state(page, "results")
    image_id = int(tile_ids(page)[0])
    dialog = open_to_draw(page, f"{page_url}?q=red&format=jpeg&lang=en&id={image_id}")
    frame = dialog.locator(".frame").bounding_box()

    def at(across, down):
        return frame["x"] + across * frame["width"], frame["y"] + down * frame["height"]

    drag(page, at(0.5, 0.5), at(0.9, 0.7))  # within the box that is only suggested: another is drawn
    drag(page, at(0.6, 0.6), at(0.4, 0.4))  # within the box that was drawn: it moves
    drag(page, at(0.3, 0.3), at(0.1, 0.2))  # at its corner: it grows
    drag(page, at(0.05, 0.05), at(0.05, 0.05))  # a click draws nothing
    box = dialog.locator(".crop .outline").bounding_box()
    for side, share in {"x": 0.1, "y": 0.2, "width": 0.6, "height": 0.3}.items():
        from_ = frame[side] if side in "xy" else 0
        whole = frame["width"] if side in ("x", "width") else frame["height"]
        assert (box[side] - from_) / whole == pytest.approx(share, abs=0.02)
    width, height = dialog.locator(".room").evaluate("room => [+room.dataset.width, +room.dataset.height]")
    dialog.get_by_role("button", name="Search with this part").click()
    expect(page.locator(".chip .cut-out")).to_be_visible()
    found = part_of_url(page)
    state(page, "results")
    assert found[0] == image_id
    expected = [0.1 * width, 0.2 * height, 0.6 * width, 0.3 * height]
    assert found[1:] == pytest.approx(expected, abs=0.02 * (width + height))
    expect(page).to_have_url(re.compile("format=jpeg"))
    expect(page).not_to_have_url(re.compile("[?&](q|id)="))
    other = browse()
    other.goto(page.url)
    state(other, "results")
    expect(page.locator(".tile").first).to_have_attribute("data-id", tile_ids(other)[0])
    assert tile_ids(page) == tile_ids(other)


def test_a_part_is_chosen_with_the_keys_and_left_with_escape(browse, page_url, depth):
    page = browse(locale="zh-CN")
    dialog = open_to_draw(page, f"{page_url}?id=1", "用局部搜索")
    page.keyboard.press("Escape")
    expect(dialog.locator(".crop")).to_have_count(0)
    expect(dialog.get_by_role("button", name="用局部搜索")).to_be_focused()
    page.keyboard.press("Enter")
    outline = dialog.locator(".crop .outline")
    before = outline.bounding_box()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowUp")
    after = outline.bounding_box()
    assert (after["x"] > before["x"], after["height"] < before["height"]) == (True, True)
    assert (after["y"], after["width"]) == pytest.approx((before["y"], before["width"]), abs=1)
    page.keyboard.press("Enter")
    assert part_of_url(page)[0] == 1
    expect(page.locator(".chip .words")).to_contain_text("的局部")
    page.get_by_role("link", name="去掉").click()
    state(page, "welcome")


def test_a_part_of_a_long_picture_is_of_the_whole_and_drawn_with_a_finger(browse, page_url, wait_until, depth):
    pytest.importorskip("rapidocr")
    page = browse(width=390, height=844, has_touch=True)
    page.goto(f"{page_url}?q=espresso&match=text&lang=en")
    state(page, "results")
    (image_id,) = tile_ids(page)
    dialog = open_to_draw(page, f"{page_url}?q=espresso&match=text&lang=en&id={image_id}&part=2")
    frame = dialog.locator(".frame")
    wait_until(lambda: frame.locator("img").evaluate("one => one.naturalWidth > 0"), "the part of the picture")
    seen = frame.bounding_box()
    touch = page.context.new_cdp_session(page)
    ways = [("touchStart", 0.2, 0.5), ("touchMove", 0.5, 0.6), ("touchMove", 0.8, 0.9), ("touchEnd", None, None)]
    for kind, across, down in ways:
        points = (
            []
            if across is None
            else [{"x": seen["x"] + across * seen["width"], "y": seen["y"] + down * seen["height"]}]
        )
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    tools = dialog.locator(".crop-tools").bounding_box()
    assert tools["x"] >= 0
    assert tools["x"] + tools["width"] <= 390
    dialog.get_by_role("button", name="Search with this part").click()
    found, left, top, width, height = part_of_url(page)
    shown = page.locator(".chip .cut-out")
    expect(shown).to_be_visible()
    assert found == int(image_id)
    assert (left, width, height) == pytest.approx((60, 180, 120), abs=8)  # of the parts of 300 x 300
    assert top == pytest.approx(225 + 150, abs=30)  # in the second of them


def test_the_page_asks_by_itself_and_no_other_site_does(browse, page_url, serve_app, depth):
    page = browse()
    page.goto(f"{page_url}_stcore/health")
    ask = "([path, more]) => fetch(path, more).then((one) => one.status, () => 0)"
    body = {"method": "POST", "body": "{}", "headers": {"Content-Type": "application/json"}}
    assert page.evaluate(ask, ["/api/v1/index", {}]) == 200
    assert page.evaluate(ask, ["/api/v1/search", body]) == 200
    elsewhere = serve_app(Starlette(routes=[Mount("/", PlainTextResponse("another page"))]))
    for host in ("127.0.0.1", "localhost"):  # of the same site for a browser, and of another
        page.goto(elsewhere.replace("127.0.0.1", host))
        assert page.evaluate(ask, [f"{page_url}api/v1/index", {}]) == 0
        assert page.evaluate(SHOW, f"{page_url}api/v1/images/1/thumbnail") == 0
        with page.expect_navigation() as answered:
            page.evaluate(SEND, f"{page_url}api/v1/search")
        assert answered.value.status == 403
        expect(page.locator("body")).to_contain_text("cross_site")
