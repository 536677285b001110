"""How the page looks: rows, widths, themes, words for those who do not see it; what it asks for."""

import re

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = sync_api.expect
expect.set_options(timeout=20_000)


def listed(page):
    expect(page.locator("main[aria-busy=false]")).to_be_visible()
    expect(page.locator(".tile").first).to_be_visible()


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("width", [390, 1280, 1920])
def test_rows_fill_the_window_and_nothing_overflows_or_is_cut(at, width, lang, depth):
    page = at(f"?q=coffee&lang={lang}", width=width)
    listed(page)
    found = page.evaluate("""() => {
        const root = document.querySelector("xuntu-page").shadowRoot, scroller = root.querySelector(".scroller");
        const grid = root.querySelector(".grid").getBoundingClientRect();
        const tiles = [...root.querySelectorAll(".tile")].map((one) => one.getBoundingClientRect());
        const rows = [...Map.groupBy(tiles, (one) => Math.round(one.top)).values()];
        const ends = rows.map((row) => Math.max(...row.map((one) => one.right)) - grid.left);
        const isCut = (one) => one.offsetParent && one.scrollWidth > one.clientWidth + 1
            && getComputedStyle(one).textOverflow !== "ellipsis";
        return {
            rows: rows.map((row) => row.length),
            short: ends.filter((one) => one < grid.width - 2).length,
            beyond: tiles.filter((one) => one.right > innerWidth).length,
            scrolls: scroller.scrollWidth > scroller.clientWidth,
            share: grid.width / innerWidth,
            cut: [...root.querySelectorAll("button span, .looks a, .way span, h1, .line")].filter(isCut)
                .map((one) => one.textContent),
        };
    }""")
    assert found["beyond"] == 0
    assert not found["scrolls"]
    assert found["cut"] == []
    assert found["short"] <= 1  # the last row of all
    assert min(found["rows"]) >= (2 if width > 600 else 1)
    assert found["share"] > 0.85


def test_dark_follows_the_system_and_the_switch_overrides_it(at, depth):
    page = at(color_scheme="dark")
    listed(page)
    ground = "() => getComputedStyle(document.querySelector('xuntu-page')).backgroundColor"
    assert page.evaluate(ground) == "rgb(20, 20, 20)"
    page.get_by_role("button", name="Light or dark").click()
    assert page.evaluate(ground) == "rgb(251, 251, 250)"
    page.reload()
    listed(page)
    assert page.evaluate(ground) == "rgb(251, 251, 250)"


def test_the_page_shows_none_of_the_framework(at, depth):
    page = at()
    listed(page)
    seen = page.evaluate("() => document.elementFromPoint(innerWidth / 2, innerHeight / 2).tagName")
    assert seen == "XUNTU-PAGE"
    assert page.locator(".stApp").evaluate("(one) => getComputedStyle(one).visibility") == "hidden"


def test_the_token_stays_on_the_server_and_a_repeated_search_asks_nothing(at):
    page = at("?q=coffee")
    listed(page)
    asked = []

    def remember(request):
        asked.append(request)

    page.on("request", remember)
    page.get_by_role("combobox").fill("a cat")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("q=a\\+cat"))
    listed(page)
    assert any("api/v1/search" in one.url for one in asked)
    assert all("authorization" not in one.headers for one in asked)
    assert not any("/_stcore/stream" in one.url for one in asked)
    asked.clear()
    page.go_back()
    expect(page.get_by_role("combobox")).to_have_value("coffee")
    listed(page)
    assert not [one.url for one in asked if "api/v1/search" in one.url]


def test_hostile_names_are_shown_as_text(at, depth):
    page = at("?q=%3Cimg+src%3Dx+onerror%3Dalert(1)%3E&match=text&lang=en")
    expect(page.locator("main[aria-busy=false]")).to_be_visible()
    assert page.locator("main img[src=x]").count() == 0


def test_the_page_can_be_installed(at, depth):
    page = at()
    listed(page)
    manifest = page.evaluate("""async () => {
        const link = document.querySelector("link[rel=manifest]"), told = await (await fetch(link.href)).json();
        const status = async (one) => (await fetch(new URL(one.src, link.href))).status;
        const icons = await Promise.all(told.icons.map(status));
        return { start: new URL(told.start_url, link.href).pathname, display: told.display, icons };
    }""")
    assert manifest == {"start": "/", "display": "standalone", "icons": [200, 200, 200]}


def test_a_tile_shows_the_colours_of_its_picture_until_that_is_there(at):
    page = at()
    page.route("**/thumbnail*", lambda _: None)  # which never comes
    page.get_by_role("combobox").fill("coffee")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("q=coffee"))
    shots = page.locator(".tile .shot:not(.there)")
    expect(shots.first).to_be_visible()
    grounds = shots.evaluate_all("(all) => all.map((one) => getComputedStyle(one).background)")
    assert any("gradient" in one for one in grounds)
    assert len(set(grounds)) > 1


def test_a_picture_that_a_busy_service_refused_is_asked_for_again(at):
    page = at()
    refused = set()

    def refuse_once(route):
        if route.request.url in refused:
            route.fallback()
        else:
            refused.add(route.request.url)
            route.fulfill(status=503, headers={"Retry-After": "1"})

    page.route("**/thumbnail*", refuse_once)
    page.get_by_role("combobox").fill("coffee")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("q=coffee"))
    expect(page.locator(".tile .shot.there").first).to_be_visible()
    expect(page.locator(".tile .shot:not(.there)")).to_have_count(0)
    expect(page.locator(".tile .shot.broken")).to_have_count(0)
    assert refused


def test_a_library_without_dates_or_colours_is_listed_as_well(browse, page_url):
    page = browse()
    page.add_init_script("localStorage.setItem('xuntu-toured', '1')")
    refused = {"code": "unknown_fields", "title": "Unknown fields", "status": 422}

    def refuse(route):
        if "dominant" in (route.request.post_data or ""):
            route.fulfill(status=422, json=refused)
        else:
            route.continue_()

    page.route("**/api/v1/search", refuse)
    page.goto(page_url)
    listed(page)
