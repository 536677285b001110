"""A person at the page who looks for pictures: what they do, and what they see then."""

import base64
import re
from urllib.parse import parse_qs, urlsplit

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = sync_api.expect
expect.set_options(timeout=20_000)

# A picture of one red pixel, as a file that a person could drop.
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8Dwn4GBgYEBAA0EAgF0XyBVAAAAAElFTkSuQmCC"
)


def state(page, *kinds):
    expect(page.locator(", ".join(f"main[data-state={kind}][aria-busy=false]" for kind in kinds))).to_be_visible()


def asked(page):
    return parse_qs(urlsplit(page.url).query)


def ids(page):
    return page.locator(".tile").evaluate_all("tiles => tiles.map((one) => one.dataset.id)")


def search(page, text):
    page.get_by_role("combobox").fill(text)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"[?&]q="))
    state(page, "results", "nearest")


def test_a_first_visit_shows_pictures_examples_that_search_and_a_tour_that_ends(at):
    page = at(toured=False, locale="zh-CN")
    state(page, "library")
    expect(page).to_have_title("寻图 xuntu")
    expect(page.locator(".status")).to_contain_text("张图片")
    expect(page.locator(".tile img").first).to_be_visible()
    expect(page.get_by_role("dialog", name="使用提示")).to_contain_text("1 / 4")
    page.get_by_role("button", name="知道了").click()
    page.reload()
    state(page, "library")
    expect(page.locator(".tile").first).to_be_visible()
    expect(page.get_by_role("dialog", name="使用提示")).to_have_count(0)
    page.locator(".examples a").first.click()
    state(page, "results", "nearest")
    expect(page.get_by_role("combobox")).not_to_have_value("")
    assert "q" in asked(page)


def test_typed_words_become_chips_with_weights_and_a_chip_can_go(at):
    page = at()
    state(page, "library")
    search(page, "雪山 -人")
    expect(page.locator(".chip .words")).to_have_text(["雪山", "人"])
    expect(page.locator(".chip.away .words")).to_have_text(["人"])
    page.get_by_role("button", name="Remove 人").click()
    expect(page.get_by_role("combobox")).to_have_value("雪山")
    expect(page.locator(".chip .words")).to_have_text(["雪山"])
    page.locator(".chip .weight").click()
    expect(page.get_by_role("combobox")).to_have_value("2:雪山")
    assert asked(page)["q"] == ["2:雪山"]


def test_a_weight_is_dragged_and_one_search_follows(at):
    page = at("?q=snow+-people&lang=en")
    state(page, "results", "nearest")
    sent = []
    page.on("request", lambda one: one.url.endswith("/v1/search") and sent.append(one.post_data_json.get("q")))

    def drag(place, by, *, drops=True):
        seen = page.locator(".chip .weight").nth(place).bounding_box()
        x, y = seen["x"] + seen["width"] / 2, seen["y"] + seen["height"] / 2
        page.mouse.move(x, y)
        page.mouse.down()
        for step in (0.3, 0.6, 1):
            page.mouse.move(x + by * step, y)
        if drops:
            page.mouse.up()

    drag(0, 54, drops=False)
    expect(page.locator(".chip .weight").first).to_have_text("×2.5")
    assert sent == []
    page.mouse.up()
    expect(page.get_by_role("combobox")).to_have_value("2.5:snow -people")
    state(page, "results", "nearest")
    assert sent == ["2.5:snow -people"]
    drag(0, -9000)
    expect(page.get_by_role("combobox")).to_have_value("-10:snow -people")
    expect(page.locator(".chip.away")).to_have_count(2)
    state(page, "results", "nearest", "nothing")


def test_a_weight_moves_by_keys_and_what_is_unsent_is_taken_along(at):
    page = at("?q=snow+-people&lang=en")
    state(page, "results", "nearest")
    weight = page.get_by_role("slider", name="Weight of snow")
    weight.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    expect(weight).to_have_text("×1.6")
    expect(page.get_by_role("combobox")).to_have_value("1.6:snow -people")
    state(page, "results", "nearest")
    expect(page.get_by_role("slider", name="Weight of snow")).to_be_focused()
    page.get_by_role("combobox").fill("1.6:snow -people lake")
    page.get_by_role("button", name="Remove people").click()
    expect(page.get_by_role("combobox")).to_have_value("1.6:snow lake")
    state(page, "results", "nearest")
    expect(page.locator(".chip .words")).to_have_text(["lake", "snow"])


def test_negation_in_words_is_a_chip_that_is_undone_with_a_click(at, depth):
    page = at("?q=a+lake+without+people&lang=en")
    expect(page.locator(".chip.away .words")).to_have_text(["without people"])
    page.get_by_role("button", name="Search these words as they are instead").click()
    expect(page.locator(".chip.away")).to_have_count(0)
    assert asked(page)["literal"] == ["1"]


def test_a_link_shows_the_same_in_a_fresh_browser_and_back_keeps_text_list_and_place(at):
    page = at("?q=coffee")
    state(page, "results", "nearest")
    expect(page.locator(".tile").first).to_be_visible()
    first = ids(page)
    page.locator(".scroller").evaluate("(one) => { one.scrollTop = 700; }")
    expect(page.locator(".tile").first).to_be_visible()
    search(page, "a cat")
    assert page.locator(".scroller").evaluate("(one) => one.scrollTop") == 0
    page.go_back()
    expect(page.get_by_role("combobox")).to_have_value("coffee")
    state(page, "results", "nearest")
    page.wait_for_function(
        "() => document.querySelector('xuntu-page').shadowRoot.querySelector('.scroller').scrollTop > 500"
    )
    page.go_forward()
    expect(page.get_by_role("combobox")).to_have_value("a cat")
    fresh = at("?q=coffee")
    state(fresh, "results", "nearest")
    expect(fresh.locator(".tile").first).to_be_visible()
    assert ids(fresh)[:3] == first[:3]


def test_nothing_typed_is_lost_while_a_search_runs_and_a_filter_takes_it_along(at):
    page = at()
    state(page, "library")
    held = []

    def hold(route):
        held.append(route)

    page.route("**/api/v1/search", hold)
    box = page.get_by_role("combobox")
    box.fill("dog")
    box.press("Enter")
    expect(page.locator("main[aria-busy=true]")).to_be_visible()
    box.press_sequentially(" running on grass")
    for route in held:
        route.continue_()
    page.unroute("**/api/v1/search")
    state(page, "results", "nearest")
    expect(box).to_have_value("dog running on grass")
    page.get_by_role("button", name="Filters").click()
    page.locator(".panel .word", has_text="Landscape").click()
    state(page, "results", "nearest")
    assert asked(page)["q"] == ["dog running on grass"]
    assert asked(page)["shape"] == ["landscape"]


def test_chips_that_are_changed_while_a_search_runs_all_count(at):
    page = at("?q=snow+-people&lang=en")
    state(page, "results", "nearest")
    held = []

    def hold(route):
        held.append(route)

    page.route("**/api/v1/search", hold)
    page.locator(".chip .weight").nth(0).click()
    expect(page.locator(".chip .weight").nth(0)).to_have_text("×2")
    page.locator(".chip .weight").nth(1).click()
    expect(page.locator(".chip .weight").nth(1)).to_have_text("×1")
    for route in held:
        route.continue_()
    page.unroute("**/api/v1/search")
    state(page, "results", "nearest")
    expect(page.get_by_role("combobox")).to_have_value("2:snow -1:people")
    expect(page.locator(".chip .words")).to_have_text(["snow", "people"])


def test_an_input_method_is_left_alone_until_it_is_done(at, depth):
    page = at()
    state(page, "library")
    box = page.get_by_role("combobox")
    box.focus()
    box.evaluate("""(box) => {
        box.dispatchEvent(new CompositionEvent("compositionstart", { bubbles: true }));
        box.value = "xue shan";
        box.dispatchEvent(new InputEvent("input", { bubbles: true, isComposing: true, data: "xue shan" }));
        const key = { key: "ArrowDown", bubbles: true, isComposing: true, cancelable: true };
        box.dispatchEvent(new KeyboardEvent("keydown", key));
    }""")
    expect(page.get_by_role("listbox")).to_have_count(0)
    box.evaluate("""(box) => {
        box.value = "雪山";
        box.dispatchEvent(new CompositionEvent("compositionend", { bubbles: true, data: "雪山" }));
        box.dispatchEvent(new InputEvent("input", { bubbles: true, data: "雪山" }));
    }""")
    box.press("Enter")
    state(page, "results", "nearest")
    assert asked(page)["q"] == ["雪山"]


def test_more_and_less_like_a_hit_become_chips_and_a_weight_stays_in_the_link(at):
    page = at("?q=coffee")
    state(page, "results", "nearest")
    tile = page.locator(".tile").first
    tile.hover()
    tile.get_by_role("button", name="More like this").click()
    expect(page.locator(".chip.has-picture")).to_have_count(1)
    page.locator(".chip.has-picture .weight").click()
    expect(page).to_have_url(re.compile(r"like=\d+\*2"))
    state(page, "results", "nearest")
    other = page.locator(".tile").nth(3)
    other.hover()
    other.get_by_role("button", name="Less like this").click()
    expect(page.locator(".chip.has-picture.away")).to_have_count(1)
    page.reload()
    expect(page.locator(".chip.has-picture")).to_have_count(2)


def test_facets_narrow_each_other_and_nothing_left_says_what_to_try(at, depth):
    page = at(locale="en-GB")
    state(page, "library")
    page.get_by_role("button", name="Filters").click()
    panel = page.get_by_role("complementary", name="Filters")
    expect(panel.locator(".value").first).to_be_visible()
    panel.locator(".value", has_text="PNG").click()
    state(page, "library")
    assert asked(page)["format"] == ["png"]
    expect(page.locator(".chip.filter")).to_have_text(["PNG"])
    panel.locator(".word", has_text="≥ 3840").click()
    state(page, "nothing")
    expect(page.locator(".tips li").first).to_be_visible()
    page.get_by_role("link", name="Search without filters").click()
    state(page, "library")


def test_a_search_is_saved_and_recent_ones_are_offered(at, depth):
    page = at()
    state(page, "library")
    search(page, "coffee")
    page.get_by_role("button", name="Filters").click()
    page.get_by_role("button", name="Save this search").click()
    page.get_by_role("button", name="Clear all").click()
    state(page, "library")
    expect(page.get_by_role("combobox")).to_have_value("")
    page.get_by_role("combobox").focus()
    expect(page.get_by_role("option")).to_have_text(["coffee"])
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    state(page, "results", "nearest")
    assert asked(page)["q"] == ["coffee"]
    page.get_by_role("button", name="Clear all").click()
    state(page, "library")
    page.locator(".kept a").click()
    state(page, "results", "nearest")
    expect(page.get_by_role("combobox")).to_have_value("coffee")


def test_what_the_library_has_is_suggested_as_one_types(at, depth):
    page = at(locale="zh-CN")
    state(page, "library")
    page.get_by_role("combobox").press_sequentially("espres")
    page.keyboard.press("Escape")
    expect(page.get_by_role("option")).to_have_count(0)
    expect(page.get_by_role("combobox")).to_have_value("espres")


def test_many_chips_leave_room_for_pictures_on_a_phone(at, depth):
    page = at("?q=coffee+-cat+-dog+-car+-people&shape=landscape&lang=en", width=390, height=844, has_touch=True)
    state(page, "results", "nearest", "nothing")
    expect(page.locator(".chip")).to_have_count(6)
    assert page.locator(".sticky").evaluate("(one) => one.offsetHeight") < 200
    page.get_by_role("button", name="Remove Landscape").click()  # which is brought into view
    expect(page.locator(".chip")).to_have_count(5)


def test_a_suggestion_that_stands_behind_a_minus_stays_behind_it(at):
    page = at("?lang=en")
    state(page, "library")
    page.get_by_role("combobox").press_sequentially("cat -coff")
    page.get_by_role("option", name="coffee").first.click()
    expect(page.get_by_role("combobox")).to_have_value("cat -coffee")
    state(page, "results", "nearest")
    expect(page.locator(".chip.away .words")).to_have_text(["coffee"])


def test_the_switch_changes_every_word_and_the_link_keeps_it(at):
    page = at("?q=coffee", locale="en-GB")
    state(page, "results", "nearest")
    page.get_by_role("link", name="中文").click()
    expect(page.get_by_role("combobox")).to_have_attribute("placeholder", re.compile("图里"))
    assert asked(page)["lang"] == ["zh"]
    page.reload()
    expect(page.get_by_role("button", name="搜索", exact=True)).to_be_visible()
    assert page.evaluate("document.documentElement.lang").startswith("zh")


@pytest.mark.parametrize("way", ["drop", "paste"])
def test_a_picture_that_is_dropped_or_pasted_is_kept_over_reload_and_in_another_tab(at, way):
    page = at()
    state(page, "library")
    page.evaluate(
        """([way, bytes]) => {
            const content = Uint8Array.from(atob(bytes), (one) => one.charCodeAt(0));
            const file = new File([content], "red.png", { type: "image/png" });
            const data = new DataTransfer();
            data.items.add(file);
            const goes = { bubbles: true, cancelable: true };
            const event = way === "drop" ? new DragEvent("drop", { ...goes, dataTransfer: data })
                : new ClipboardEvent("paste", { ...goes, clipboardData: data });
            document.querySelector("xuntu-page").dispatchEvent(event);
        }""",
        [way, base64.b64encode(PIXEL).decode()],
    )
    expect(page.locator(".chip.has-picture")).to_have_count(1)
    state(page, "results", "nearest")
    assert asked(page)["up"][0].startswith("sha256-")
    found = ids(page)
    page.reload()
    state(page, "results", "nearest")
    other = at(urlsplit(page.url).query and f"?{urlsplit(page.url).query}")
    state(other, "results", "nearest")
    expect(other.locator(".tile").first).to_be_visible()
    assert ids(other)[:3] == found[:3]


def let_go(page, *, x, pictures=0, html="", address="", deed="drop"):
    """Let go of pictures of one pixel each, or of what a browser makes of a drag out of a page."""
    page.evaluate(
        """([deed, x, pictures, html, address]) => {
            const data = new DataTransfer();
            for (let number = 0; number < pictures; number += 1) {
                const canvas = Object.assign(document.createElement("canvas"), { width: 4, height: 4 });
                canvas.getContext("2d").fillStyle = ["red", "green", "blue"][number];
                canvas.getContext("2d").fillRect(0, 0, 4, 4);
                const content = Uint8Array.from(atob(canvas.toDataURL().split(",")[1]), (one) => one.charCodeAt(0));
                data.items.add(new File([content], `${number}.png`, { type: "image/png" }));
            }
            if (html) data.setData("text/html", html);
            if (address) data.setData("text/uri-list", address);
            const goes = { bubbles: true, cancelable: true, composed: true, clientX: x, clientY: 400 };
            document.querySelector("xuntu-page").dispatchEvent(new DragEvent(deed, { ...goes, dataTransfer: data }));
        }""",
        [deed, x, pictures, html, address],
    )


def test_several_pictures_are_asked_with_at_once_and_others_join_or_replace_them(at):
    page = at("?lang=en")
    state(page, "library")
    page.locator(".tile a.shot").first.evaluate(
        "(one) => one.dispatchEvent(new DragEvent('dragstart', { bubbles: true, composed: true,"
        " dataTransfer: new DataTransfer() }))"
    )  # of which no end is told, where the picture is gone from the list by then
    page.locator(".status").click()
    let_go(page, x=900, pictures=2)
    expect(page.locator(".chip.has-picture")).to_have_count(2)
    assert len(asked(page)["up"]) == 2
    state(page, "results", "nearest")
    let_go(page, x=900, pictures=1, deed="dragover")
    expect(page.locator(".drop .here")).to_have_text("Add it to the search")
    link = page.locator(".tile a.shot").first.evaluate("(one) => new URL(one.href).searchParams.get('id')")
    whole = page.evaluate("(id) => new URL(`api/v1/images/${id}/file`, location.origin).href", link)
    let_go(
        page,
        x=900,
        html=f'<a href="https://elsewhere.test/"><img src="{whole}"></a>',
        address="https://elsewhere.test/",
    )
    expect(page.locator(".chip.has-picture")).to_have_count(3)
    assert asked(page)["like"] == [link]
    expect(page.locator(".drop")).to_have_count(0)
    state(page, "results", "nearest")
    let_go(page, x=100, pictures=1)
    expect(page.locator(".chip.has-picture")).to_have_count(1)
    assert "like" not in asked(page)
    state(page, "results", "nearest")
    page.locator(".chip.has-picture .weight").focus()
    page.keyboard.press("PageDown")
    page.keyboard.press("PageDown")
    expect(page.locator(".chip.has-picture.away")).to_have_count(1)
    expect(page).to_have_url(re.compile(r"up=sha256-\w+\*-0\.1"))
    let_go(page, x=100, address="data:text/plain,none")
    expect(page.get_by_role("alert")).to_contain_text("no picture")


def test_a_file_that_is_no_picture_is_refused_in_words(at, depth):
    page = at()
    state(page, "library")
    page.locator("input[type=file]").set_input_files(
        {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"no picture"}
    )
    expect(page.get_by_role("alert")).to_contain_text("does not look like a picture")
    state(page, "library")


def test_words_that_nobody_knows_are_named(at, depth):
    page = at("?q=qwxyzt+zzkkq&match=vector&lang=en")
    expect(page.locator("main[aria-busy=false]")).to_be_visible()
    expect(page.get_by_role("link", name="Start over")).to_be_visible()


def test_sorting_by_date_has_headers_and_the_order_is_in_the_link(at, depth):
    page = at("?sort=taken")
    state(page, "library")
    expect(page.locator("h2.group").first).to_be_visible()
    page.locator("summary", has_text="Sort").click()
    page.locator(".menu .list a", has_text="Name").click()
    state(page, "library")
    assert asked(page)["sort"] == ["name"]
    expect(page.locator("h2.group")).to_have_count(0)
