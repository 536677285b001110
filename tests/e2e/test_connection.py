"""What a person sees while the service or the page is away, and afterwards; what comes late; two tabs; memory."""

import contextlib
import re

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = sync_api.expect
expect.set_options(timeout=20_000)

TOURED = "try { localStorage.setItem('xuntu-toured', '1'); } catch {}"


def listed(page):
    expect(page.locator("main[aria-busy=false]")).to_be_visible()
    expect(page.locator(".tile").first).to_be_visible()


def test_what_is_away_is_said_in_the_language_and_comes_back_by_itself(browse, starting, page_library):
    api_port, port = starting.free_port(), starting.free_port()
    url = f"http://127.0.0.1:{port}/"
    page = browse(locale="zh-CN")
    page.add_init_script(TOURED)
    banner = page.locator(".banner")
    box = page.get_by_role("combobox")
    with starting.page(port, f"http://127.0.0.1:{api_port}"):
        page.goto(url)
        expect(banner).to_contain_text("连接中断")
        with starting.service(api_port, page_library):
            listed(page)
            expect(banner).to_have_count(0)
            page.locator(".tile a.shot").first.click(modifiers=["Control"])
        box.fill("咖啡")
        box.press("Enter")
        expect(banner).to_contain_text("连接中断")
        with starting.service(api_port, page_library):
            expect(page).to_have_url(re.compile("q="))
            expect(
                page.locator("main[data-state=results][aria-busy=false], main[data-state=nearest][aria-busy=false]")
            ).to_be_visible()
            expect(banner).to_have_count(0)
            box.fill("还没有搜的字")
    expect(banner).to_contain_text("连接中断")
    with starting.service(api_port, page_library), starting.page(port, f"http://127.0.0.1:{api_port}"):
        expect(banner).to_have_count(0)
        expect(box).to_have_value("还没有搜的字")
        expect(page.locator(".actions > b")).to_have_text("已选 1 张")
        box.press("Enter")
        expect(page).to_have_url(re.compile("%E8%BF%98"))
        expect(page.locator("main[aria-busy=false]")).to_be_visible()
        for sentence in ("Connection error", "CONNECTING"):
            assert not page.get_by_text(sentence).is_visible()


def test_an_answer_that_comes_late_does_not_replace_a_later_one(at, depth):
    page = at()
    listed(page)
    held = []
    page.route(
        "**/api/v1/search", lambda route: held.append(route) if "slow" in route.request.post_data else route.continue_()
    )
    box = page.get_by_role("combobox")
    box.fill("slow coffee")
    box.press("Enter")
    expect(page.locator("main[aria-busy=true]")).to_be_visible()
    box.fill("a cat")
    box.press("Enter")
    expect(page).to_have_url(re.compile("a\\+cat"))
    listed(page)
    shown = page.locator(".tile").first.get_attribute("data-id")
    for route in held:
        with contextlib.suppress(sync_api.Error):  # the page has given it up
            route.continue_()
    expect(box).to_have_value("a cat")
    assert page.locator(".tile").first.get_attribute("data-id") == shown


def test_an_error_is_a_sentence_with_what_to_do(at, depth):
    page = at("?lang=en")
    listed(page)
    page.route(
        "**/api/v1/search",
        lambda route: route.fulfill(
            status=500,
            content_type="application/problem+json",
            body='{"code":"internal","detail":"Something broke.","request_id":"abc123"}',
        ),
    )
    page.get_by_role("combobox").fill("a cat")
    page.keyboard.press("Enter")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("Something broke.")
    expect(alert).to_contain_text("abc123")
    page.unroute("**/api/v1/search")
    page.get_by_role("button", name="Try again").click()
    listed(page)


def test_two_tabs_do_not_disturb_each_other(at, depth):
    one, other = at("?q=coffee"), at("?q=a+cat")
    listed(one)
    listed(other)
    one.get_by_role("combobox").fill("rocket")
    one.keyboard.press("Enter")
    listed(one)
    expect(other.get_by_role("combobox")).to_have_value("a cat")
    assert "a+cat" in other.url


def test_memory_does_not_grow_with_each_search(at, depth):
    page = at("?lang=en")
    listed(page)
    session = page.context.new_cdp_session(page)

    def heap():
        session.send("HeapProfiler.collectGarbage")
        return session.send("Runtime.getHeapUsage")["usedSize"]

    def search(number):
        page.get_by_role("combobox").fill(f"picture {number}")
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile(f"picture\\+{number}(&|$)"))
        expect(page.locator("main[aria-busy=false]")).to_be_visible()

    for number in range(10):
        search(number)
    before = heap()
    for number in range(10, 100):
        search(number)
    assert heap() < 1.5 * before


def test_many_pictures_are_few_elements(at, depth):
    page = at("?lang=en")
    hits = [
        {
            "id": n,
            "path": f"{n}.jpg",
            "root": "/r",
            "score": 1,
            "width": 300 + n % 200,
            "height": 200,
            "duplicates": 0,
            "moments": [],
            "reasons": [],
            "fields": {},
        }
        for n in range(10_000)
    ]

    def answer(route):
        asked = route.request.post_data_json
        shown = hits[asked["offset"] : asked["offset"] + asked["k"]]
        route.fulfill(
            json={
                "hits": shown,
                "nearest": [],
                "total": len(hits),
                "next_offset": None,
                "build": "b",
                "encoder": "e",
                "clauses": [],
                "notes": [],
                "timings_ms": {},
            }
        )

    page.route("**/api/v1/search", answer)
    page.route("**/thumbnail?*", lambda route: route.fulfill(status=404))
    page.reload()
    listed(page)
    for share in (0.3, 0.9, 1, 0.5, 0):
        page.locator(".scroller").evaluate("(one, share) => { one.scrollTop = share * one.scrollHeight; }", share)
        expect(page.locator(".tile").first).to_be_visible()
        assert page.locator(".tile").count() < 200
    page.locator(".scroller").evaluate("(one) => { one.scrollTop = one.scrollHeight; }")
    expect(page.locator(".tile[data-place='9999']")).to_be_visible()

    # A box goes as far as one scrolls, over what was never in the document.
    scroller = page.locator(".scroller")
    scroller.evaluate("(one) => { one.scrollTop = 0; }")
    first = page.locator(".tile[data-place='0']").bounding_box()
    page.mouse.move(first["x"] - 8, first["y"] - 6)
    page.mouse.down()
    page.mouse.move(first["x"] + 200, first["y"] + 20)
    expect(page.locator(".actions > b")).to_have_text("1 selected")
    scroller.evaluate("(one) => { one.scrollTop = 12_000; }")
    page.mouse.move(1270, 500)
    page.mouse.up()
    page.wait_for_function("""() => {
        const { shadowRoot } = document.querySelector("xuntu-page");
        const picked = [...shadowRoot.querySelectorAll(".tile.picked")].map((one) => Number(one.dataset.place));
        const said = parseInt(shadowRoot.querySelector(".actions > b").textContent.replace(",", ""));
        return said > 100 && said === Math.max(...picked) + 1;
    }""")
