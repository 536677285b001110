"""What axe-core finds on each view of the page, in both themes: nothing."""

from pathlib import Path

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = sync_api.expect
expect.set_options(timeout=20_000)

AXE = (Path(__file__).parent / "vendor" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]


def listed(page):
    expect(page.locator("main[aria-busy=false]")).to_be_visible()
    expect(page.locator(".tile").first).to_be_visible()


def broken(page):
    """Return what is broken, and where."""
    page.evaluate(AXE)
    found = page.evaluate("(rules) => axe.run(document, { runOnly: rules })", RULES)
    return [(one["id"], [node["target"] for node in one["nodes"]][:3]) for one in found["violations"]]


def open_filters(page):
    page.get_by_role("button", name="Filters").click()
    expect(page.locator(".panel .value").first).to_be_visible()


def select(page):
    page.locator(".tile a.shot").first.click(modifiers=["Control"])
    expect(page.locator(".actions")).to_be_visible()


def open_picture(page):
    page.locator(".tile a.shot").first.click()
    expect(page.get_by_role("complementary", name="Details").locator("dl").first).to_be_visible()


def open_text(page):
    page.locator(".tile a.shot").first.click()
    page.get_by_role("button", name="Text in the picture").click()
    expect(page.locator(".read-line").first).to_be_attached()


VIEWS = {
    "library": ("?lang=en", None),
    "results": ("?q=coffee+-cat&lang=en", None),
    "filters": ("?q=coffee&lang=en", open_filters),
    "selection": ("?lang=en", select),
    "picture": ("?q=coffee&lang=en", open_picture),
    "text": ("?q=ESPRESSO&match=text&lang=en", open_text),
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", VIEWS)
def test_nothing_stands_in_the_way_of_those_who_see_or_move_otherwise(at, view, scheme, depth):
    query, act = VIEWS[view]
    page = at(query, color_scheme=scheme)
    listed(page)
    if act:
        act(page)
    assert broken(page) == []


@pytest.mark.parametrize("width", [390, 1280])
def test_a_tour_and_nothing_found_are_open_to_all(at, width, depth):
    page = at("?lang=en", toured=False, width=width)
    listed(page)
    expect(page.get_by_role("dialog")).to_be_visible()
    assert broken(page) == []
    page.goto(page.url.split("?", maxsplit=1)[0] + "?width=3840&format=png&lang=en")
    expect(page.locator("main[data-state=nothing]")).to_be_visible()
    assert broken(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_library_page_is_open_to_all(browse, page_url, scheme, depth):
    page = browse(color_scheme=scheme, locale="en-GB")
    for section in ("overview", "folders", "relevance"):
        page.goto(f"{page_url}library?section={section}")
        expect(page.get_by_role("radio", checked=True)).to_be_visible()
        expect(page.get_by_role("link", name="Library", exact=True)).to_be_visible()
        expect(page.locator('.stApp[data-test-script-state="notRunning"]')).to_be_visible()
        expect(page.locator('[data-testid="stSkeleton"]')).to_have_count(0)
        assert broken(page) == [], section
