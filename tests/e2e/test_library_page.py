"""The page of the library in a real browser: at every width, in both languages, and a job that is followed live."""

import pytest

WIDTHS = (390, 1280, 1920)
SECTIONS = ("overview", "folders", "jobs", "skipped", "duplicates", "relevance", "settings")


def overflow(page) -> int:
    """Return by how many pixels a page is wider than its window."""
    return page.evaluate(
        "document.querySelector('.stMain').scrollWidth - document.querySelector('.stMain').clientWidth"
    )


def wait(page) -> None:
    """Wait until a page is drawn and stands still."""
    page.locator('.stApp[data-test-script-state="notRunning"]').wait_for()


@pytest.mark.parametrize(("lang", "title"), [("zh", "图片库"), ("en", "Library")])
def test_every_section_fits_into_every_window(browse, page_url, lang, title):
    page = browse(locale="zh-CN" if lang == "zh" else "en-GB")
    for section in SECTIONS:
        page.goto(f"{page_url}library?section={section}&lang={lang}")
        page.get_by_role("heading", name=title, exact=True).wait_for()
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            wait(page)
            assert overflow(page) <= 0, (section, width)
    assert not page.locator(".stException").count()


def test_a_job_is_followed_until_it_is_done_and_the_page_says_so(browse, page_url):
    page = browse()
    page.goto(f"{page_url}library?section=folders&lang=en")
    page.get_by_role("button", name="Find duplicates").click()
    page.get_by_text("Duplicates", exact=True).first.click()
    page.get_by_text("No file is deleted here").wait_for()
    page.go_back()
    page.get_by_role("link", name="Back to search").click()
    page.wait_for_url("**/?lang=en")
