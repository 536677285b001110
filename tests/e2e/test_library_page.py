"""The page of the library in a real browser: at every width, in both languages, and a job that is followed live."""

import re

import pytest

from ui.library.strings import words_of

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
