"""The page of the library in a real browser: at every width, in both languages, and a job that is followed live."""

import re

import pytest

from ui.library.strings import words_of

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = sync_api.expect
expect.set_options(timeout=30_000)

WIDTHS = (390, 1280, 1920)


FITS = "() => { const main = document.querySelector('.stMain'); return main.scrollWidth <= main.clientWidth; }"


def open_section(page, name: str) -> None:
    """Choose a section, and wait until it is drawn."""
    page.get_by_role("radio", name=name, exact=True).or_(
        page.get_by_role("button", name=name, exact=True)
    ).first.click()
    page.locator('.stApp[data-test-script-state="notRunning"]').wait_for()


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_section_fits_into_every_window(browse, page_url, lang):
    page, text = browse(locale="zh-CN" if lang == "zh" else "en-GB"), words_of(lang)
    page.goto(f"{page_url}library")
    page.get_by_role("heading", name=text.title, exact=True).wait_for()
    for name in text.sections.values():
        open_section(page, name)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            page.wait_for_function(FITS)  # tables are drawn anew for a window of another width
    assert not page.locator(".stException").count()


def test_a_job_is_followed_until_it_is_done_and_the_page_says_so(browse, page_url):
    page = browse()
    page.goto(f"{page_url}library?section=duplicates&lang=en")
    page.get_by_role("button", name="Find duplicates").click()
    page.get_by_text(re.compile("There are no duplicates|No file is deleted here")).wait_for()
    page.get_by_role("link", name="Search", exact=True).click()
    page.wait_for_url("**/?lang=en")


def test_the_theme_and_the_language_of_the_page_are_those_of_its_widgets(browse, page_url):
    page = browse(color_scheme="light", locale="en-GB")
    page.goto(f"{page_url}library")
    expect(page.get_by_role("heading", name="Library", exact=True)).to_be_visible()
    light, dark = "rgb(251, 251, 250)", "rgb(20, 20, 20)"
    app, turn = page.locator(".stApp"), page.get_by_role("button", name="Light or dark")
    expect(app).to_have_css("background-color", light)
    turn.click()
    expect(app).to_have_css("background-color", dark)
    page.reload()
    expect(page.get_by_role("heading", name="Library", exact=True)).to_be_visible()
    expect(app).to_have_css("background-color", dark)
    turn.click()
    expect(app).to_have_css("background-color", light)
    page.emulate_media(color_scheme="dark")  # it was chosen, whatever the system is
    expect(app).to_have_css("background-color", light)
    turn.click()  # to dark, which the system is as well
    turn.click()
    expect(turn).to_have_attribute("aria-label", "Light or dark: as the system")
    expect(app).to_have_css("background-color", dark)
    open_section(page, "Jobs")  # which the script writes into the address
    page.get_by_role("link", name="中文").click()
    expect(page.get_by_role("heading", name="图片库", exact=True)).to_be_visible()
    expect(page).to_have_url(re.compile(r"section=jobs.*lang=zh|lang=zh.*section=jobs"))


def test_a_page_that_is_away_says_so_in_its_language_and_goes_on_by_itself(browse, starting, page_library):
    api_port, port = starting.free_port(), starting.free_port()
    page = browse(locale="zh-CN")
    title, banner = page.get_by_role("heading", name="图片库", exact=True), page.locator(".banner")
    with starting.service(api_port, page_library):
        with starting.page(port, f"http://127.0.0.1:{api_port}"):
            page.goto(f"http://127.0.0.1:{port}/library?section=jobs")
            expect(title).to_be_visible()
            expect(page.get_by_role("link", name="图库")).to_be_visible()
            expect(banner).to_have_count(0)
        expect(banner).to_contain_text("连接中断")
        page.locator("[data-test-connection-state=PINGING_SERVER]").wait_for(state="attached")
        assert not page.get_by_role("dialog").count()
        assert not page.get_by_text("Connection error").count()
        with starting.page(port, f"http://127.0.0.1:{api_port}"):
            expect(banner).to_have_count(0)
            page.get_by_role("radio", name="概况").or_(page.get_by_role("button", name="概况")).first.click()
            expect(page.get_by_test_id("stMetric").first).to_be_visible()
