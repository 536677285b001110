"""Boards and favourites on the page: hearts in the rows, a board renamed, deleted, shared by its link, in two tabs."""

from urllib.parse import urlsplit

import httpx
import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = sync_api.expect
expect.set_options(timeout=20_000)

CHANGED = "**/boards/favourites/pictures**"


@pytest.fixture
def board(api_url):
    """Return what makes a board of the first pictures; it is gone afterwards, and so are favourites."""
    made = []

    def make(name, count):
        listed = httpx.get(f"{api_url}/v1/images", params={"k": count}).raise_for_status().json()["images"]
        body = {"name": name, "ids": [one["id"] for one in listed]}
        made.append(httpx.post(f"{api_url}/v1/boards", json=body).raise_for_status().json()["id"])
        return made[-1]

    yield make
    for board_id in made:
        httpx.delete(f"{api_url}/v1/boards/{board_id}")
    loved = httpx.get(f"{api_url}/v1/boards/favourites?k=200").json()["pictures"]
    ids = [one["id"] for one in loved]
    httpx.post(f"{api_url}/v1/boards/favourites/pictures/remove", json={"ids": ids, "missing": True})


def listed(page):
    expect(page.locator("main[aria-busy=false]")).to_be_visible()
    expect(page.locator(".tile").first).to_be_visible()


def loved(page, number):
    expect(page.locator(".tile .loved")).to_have_count(number)


def favour(page, place):
    page.locator(".tile a.shot").nth(place).focus()
    with page.expect_response(CHANGED):
        page.keyboard.press("f")


def test_hearts_in_the_rows_follow_keys_clicks_and_another_tab(at, board):
    page = at("?lang=en")
    listed(page)
    favour(page, 1)
    loved(page, 1)
    page.locator(".tile").nth(3).hover()
    with page.expect_response(CHANGED):
        page.locator(".tile").nth(3).get_by_role("button", name="Favourite").click()
    loved(page, 2)
    other = at("?lang=en&board=favourites")
    loved(other, 2)
    favour(other, 0)
    expect(other.locator(".tile")).to_have_count(1)  # it has left the board that is shown
    page.reload()
    loved(page, 1)
    # In the picture the same heart is shown; taken away over its board, it stays until the picture is closed.
    other.locator(".tile a.shot").first.click()
    heart = other.get_by_role("button", name="Favourite", exact=True)
    expect(heart).to_have_attribute("aria-pressed", "true")
    for _ in range(3):
        heart.click()
    expect(heart).to_have_attribute("aria-pressed", "false")
    expect(other.locator(".pswp")).to_be_visible()
    other.keyboard.press("Escape")
    expect(other.locator(".tile")).to_have_count(0)
    expect(other.get_by_text("This board is empty")).to_be_visible()


def test_a_board_is_opened_by_its_link_renamed_and_deleted(at, board, api_url):
    board_id = board("夏天", 3)
    page = at(f"?lang=en&board={board_id}")
    title = page.get_by_label("Name of the board")
    expect(title).to_have_value("夏天")
    expect(page.locator(".tile")).to_have_count(3)
    title.fill("  ")
    page.keyboard.press("Enter")
    title.fill("秋天")
    with page.expect_response(f"**/boards/{board_id}"):
        page.keyboard.press("Enter")
    other = at(f"?{urlsplit(page.url).query}", locale="zh-CN")
    expect(other.get_by_label("Name of the board")).to_have_value("秋天")
    # The panel of a picture names its boards, and the menu takes it off again.
    page.locator(".tile a.shot").first.click()
    expect(page.locator(".on-boards a")).to_have_text("秋天")
    page.locator(".about .menu summary", has_text="Add to board").click()
    with page.expect_response(f"**/boards/{board_id}/pictures/remove"):
        page.locator(".about .menu .list button", has_text="秋天").click()
    expect(page.locator(".on-boards")).to_have_count(0)
    page.keyboard.press("Escape")  # the menu
    page.keyboard.press("Escape")
    expect(page.locator(".tile")).to_have_count(2)
    page.locator(".board-head .menu summary").click()
    with page.expect_response(f"**/boards/{board_id}"):
        page.locator(".board-head .menu button", has_text="Delete board").click()
    expect(page.locator("main[data-state=library]")).to_be_visible()
    assert httpx.get(f"{api_url}/v1/boards/{board_id}").status_code == 404
    # Whoever still has the link is told so.
    other.reload()
    expect(other.get_by_text(board_id)).to_be_visible()
