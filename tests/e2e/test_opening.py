"""How the page begins: the application first, then Streamlit; and from one of its pages to the other and back."""

import re

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = sync_api.expect
expect.set_options(timeout=60_000)


def test_pictures_are_there_without_streamlit_which_comes_when_it_is_asked_for(browse, page_url):
    page = browse()
    page.route("**/static/js/**", lambda route: route.abort())
    page.goto(f"{page_url}?q=coffee")
    expect(page.locator("main[data-state=results], main[data-state=nearest]")).to_be_visible()
    expect(page.locator(".tile img").first).to_be_visible()
    expect(page).to_have_title(re.compile("coffee|xuntu"))
    page.unroute("**/static/js/**")
    page.goto(page_url, wait_until="commit")
    page.get_by_role("link", name="Library").click()
    library = page.get_by_test_id("stMain").get_by_role("heading", name="Library")
    expect(library).to_be_visible()
    expect(page).to_have_url(re.compile("/library"))
    page.get_by_role("link", name="Search").first.click()
    expect(page.locator(".tile img").first).to_be_visible()
    expect(library).not_to_be_visible()
    page.go_back()
    expect(library).to_be_visible()
    page.go_forward()
    expect(page.locator(".tile img").first).to_be_visible()
