"""The document that the page begins with, and Streamlit's own files, as a browser gets them."""

import gzip
import json
import re
from pathlib import Path

import httpx
import pytest
import streamlit
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from ui.config import PageSettings
from ui.gateway.assets import load_assets
from ui.gateway.documents import Documents, list_imports
from ui.gateway.gateway import PageGateway
from ui.gateway.proxy import ServiceProxy
from ui.gateway.sites import HostNames

STATIC = Path(streamlit.__file__).parent / "static"
BUNDLE = next(
    path.name for path in sorted((STATIC / "static" / "js").glob("index.*.js")) if path.stat().st_size > 10_000
)
PLAIN = {"Accept-Encoding": "identity"}


@pytest.fixture(scope="module")
def page(serve_app) -> httpx.Client:
    """A page whose documents are those of the Streamlit that is installed."""

    def document(_: object) -> Response:
        return Response((STATIC / "index.html").read_bytes(), headers={"Content-Type": "text/html; charset=utf-8"})

    service = ServiceProxy(PageSettings(api_url="http://127.0.0.1:9"))
    gateway = Middleware(
        PageGateway, service=service, assets=load_assets(), hosts=HostNames("127.0.0.1", ()), base="of/us"
    )
    routes = [
        Route("/of/us/missing", lambda _: Response("no", 404, media_type="text/html")),
        Mount("/of/us/static", StaticFiles(directory=STATIC / "static")),
        Route("/of/us/{rest:path}", document),
    ]
    with httpx.Client(base_url=serve_app(Starlette(routes=routes, middleware=[gateway])), trust_env=False) as client:
        yield client


def test_a_document_names_all_that_the_application_begins_with_and_streamlit_comes_behind(page):
    told = page.get("/of/us/", headers={"Accept-Language": "zh-CN"})
    head, _, behind = told.text.partition('<template id="xuntu-behind">')
    assert '<html lang="zh">' in head
    assert "<title>寻图 xuntu</title>" in head
    data = json.loads(re.search(r'id="xuntu-data">(.*?)</script>', head)[1])
    assert (data["page"], data["base"], data["assets"]) == (
        "search",
        "/of/us/",
        f"/of/us/assets/{load_assets().version}/",
    )
    named = re.findall(rf'href="{data["assets"]}([^"]+)"', head)
    assert {"begin.js", "main.js", "app.js", "vendor/lit-html/lit-html.js", "app.css", "strings/zh.json"} <= set(named)
    assert not [name for name in named if "maplibre" in name]
    for name in named:
        assert page.get(data["assets"] + name, headers=PLAIN).is_success
    assert re.search(r'<script type="module"[^>]*static/js/', behind)
    assert not re.search(r"static/(?:js|media)/", head)
    assert "static/js/" not in behind.partition("</template>")[2]


def test_each_path_and_language_has_its_own_document(page):
    english = page.get("/of/us/library?lang=en", headers={"Accept-Language": "zh-CN"})
    assert "<title>xuntu 寻图</title>" in english.text
    assert '"page": "library"' in english.text
    packed = page.get("/of/us/", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.headers["cache-control"] == "no-cache"
    again = page.get("/of/us/", headers={"Accept-Encoding": "gzip", "If-None-Match": packed.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_what_is_no_document_of_the_page_is_left_as_it_is(page):
    assert page.get("/of/us/missing").status_code == 404
    other = page.get("/of/us/elsewhere")
    assert other.content == (STATIC / "index.html").read_bytes()
    documents = Documents(lambda *_: None, load_assets(), "/")
    unknown = "<html><head><title>Another</title></head></html>"
    assert documents.dress(unknown, "search", "en") == unknown


def test_imports_are_found_through_all_modules_and_each_once():
    found = list_imports(load_assets(), "main.js")
    assert found[:2] == ["main.js", "address.js"]
    assert len(found) == len(set(found))
    assert "vendor/lit-html/directive.js" in found  # of vendor/lit-html/directives/repeat.js, as ../directive.js
    assert "map/map.js" not in found  # when there is a map to see


def test_scripts_of_streamlit_are_packed_for_who_takes_it(page):
    url = f"/of/us/static/js/{BUNDLE}"
    plain = page.get(url, headers=PLAIN)
    assert "content-encoding" not in plain.headers
    for _ in range(2):
        with page.stream("GET", url, headers={"Accept-Encoding": "gzip"}) as packed:
            content = b"".join(packed.iter_raw())
        assert packed.headers["content-encoding"] == "gzip"
        assert int(packed.headers["content-length"]) == len(content) < len(plain.content) / 2
        assert gzip.decompress(content) == plain.content
    part = page.get(url, headers={"Accept-Encoding": "gzip", "Range": "bytes=0-9"})
    assert (part.status_code, part.content) == (206, plain.content[:10])
    assert page.get("/of/us/static/js/nothing.js", headers={"Accept-Encoding": "gzip"}).status_code == 404
