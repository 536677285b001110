"""The routes of the page in a browser: it asks by itself, and no other site does."""

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = sync_api.expect
expect.set_options(timeout=20_000)

# Whether a picture of an address can be shown.
SHOW = """(src) => new Promise((done) => {
    Object.assign(new Image(), { onload: () => done(1), onerror: () => done(0), src });
})"""

SEND = """(action) => {
    const form = Object.assign(document.createElement("form"), { method: "post", enctype: "text/plain", action });
    document.body.append(form);
    form.submit();
}"""


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
