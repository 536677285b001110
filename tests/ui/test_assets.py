"""The files that the page is made of in the browser."""

import gzip
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import httpx
import pytest

from ui.gateway.assets import WEB, Assets, assets_url, load_assets

ROOT = Path(__file__).parents[2]
FILES = {
    "main.js": b"// module\n" * 200,
    "vendor/a/a.mjs": b"export {}",
    "page.css": b"a { color: red }\n" * 200,
    "words.json": b'{"a": "b"}' + b" " * 2000,
    "map.geojson": b"{}",
    "icon.svg": b"<svg/>",
    "font.woff2": bytes(3000),
    "tile.pbf": bytes(3000),
    "picture.png": bytes(3000),
    "page.webmanifest": b"{}",
    "LICENSE": b"text",
    "page.html": b"<script>1</script>",
    ".hidden/secret.js": b"1",
    ".env": b"1",
}


@pytest.fixture(scope="module")
def assets(tmp_path_factory) -> Assets:
    """The files of a page, beside others."""
    folder = tmp_path_factory.mktemp("page") / "web"
    for name, content in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    (folder.parent / "secret.js").write_bytes(b"1")
    return Assets(folder)


@pytest.fixture(scope="module")
def page(open_page, assets) -> httpx.Client:
    """A page with these files."""
    return open_page("http://127.0.0.1:9", assets=assets)


def test_a_file_of_this_version_is_kept_for_good(page, assets):
    kept = page.get(f"/assets/{assets.version}/main.js")
    assert (kept.status_code, kept.content) == (200, FILES["main.js"])
    assert kept.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert kept.headers["x-content-type-options"] == "nosniff"
    assert kept.headers["cross-origin-resource-policy"] == "same-origin"
    old = page.get("/assets/000000000000/main.js")
    assert (old.content, old.headers["cache-control"]) == (FILES["main.js"], "no-cache")


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("main.js", "text/javascript; charset=utf-8"),
        ("vendor/a/a.mjs", "text/javascript; charset=utf-8"),
        ("page.css", "text/css; charset=utf-8"),
        ("words.json", "application/json"),
        ("map.geojson", "application/geo+json"),
        ("icon.svg", "image/svg+xml"),
        ("font.woff2", "font/woff2"),
        ("tile.pbf", "application/x-protobuf"),
        ("picture.png", "image/png"),
        ("page.webmanifest", "application/manifest+json"),
        ("LICENSE", "application/octet-stream"),
        ("page.html", "application/octet-stream"),
    ],
)
def test_a_file_has_its_type_and_texts_are_compressed(page, assets, name, media_type):
    path = f"/assets/{assets.version}/{name}"
    with page.stream("GET", path, headers={"Accept-Encoding": "gzip, br"}) as answer:
        sent = b"".join(answer.iter_raw())
    assert answer.headers["content-type"] == media_type
    is_packed = name in ("main.js", "page.css", "words.json")
    assert (answer.headers.get("content-encoding") == "gzip") is is_packed
    assert (gzip.decompress(sent) if is_packed else sent) == FILES[name]
    plain = page.get(path, headers={"Accept-Encoding": "identity"})
    assert (plain.content, plain.headers.get("content-encoding")) == (FILES[name], None)
    assert (plain.headers["etag"] == answer.headers["etag"]) is not is_packed
    for one, taken in ((plain, "identity"), (answer, "gzip")):
        known = page.get(path, headers={"Accept-Encoding": taken, "If-None-Match": one.headers["etag"]})
        assert (known.status_code, known.content, known.headers["etag"]) == (304, b"", one.headers["etag"])
    head = page.head(path, headers={"Accept-Encoding": "identity"})
    assert (head.content, head.headers["content-length"]) == (b"", str(len(FILES[name])))


@pytest.mark.parametrize(
    "path",
    [
        "",
        "main.js",
        "{version}",
        "{version}/",
        "{version}/vendor",
        "{version}/missing.js",
        "{version}/%2e%2e/secret.js",
        "{version}/..%2fsecret.js",
        "{version}/vendor/%2e%2e/main.js",
        "{version}//main.js",
        "{version}/.hidden/secret.js",
        "{version}/.env",
        "{version}/%00",
        "../assets/{version}/main.js/..",
        "{version}/MAIN.JS",
    ],
)
def test_nothing_else_is_given_out(page, assets, path):
    with closing(HTTPConnection(page.base_url.host, page.base_url.port, timeout=120)) as connection:
        connection.request("GET", f"/assets/{path.format(version=assets.version)}")  # as it is written
        answer = connection.getresponse()
        assert (answer.status, answer.headers["content-type"]) == (404, "application/problem+json")


def test_files_are_only_read(page, assets):
    assert page.post(f"/assets/{assets.version}/main.js").status_code == 404


def test_a_version_stands_for_all_files_and_their_names(tmp_path):
    def version(**files: str) -> str:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        for name, content in files.items():
            (folder / name).write_text(content)
        return Assets(folder).version

    assert version(a="1", b="2") == version(b="2", a="1")
    assert len({version(a="1", b="2"), version(a="2", b="1"), version(a="1"), version(a="1", b="3"), version()}) == 5


def test_the_page_s_own_files_are_all_in_the_package(heavy):
    builder = pytest.importorskip("hatchling.builders.wheel").WheelBuilder(str(ROOT))
    packed = {file.distribution_path for file in builder.recurse_included_files()}
    assert {path.relative_to(ROOT).as_posix() for path in WEB.rglob("*") if path.is_file()} <= packed
    assert {"ui/app.py", "ui/script.py", "ui/.streamlit/config.toml"} <= packed
    assert assets_url() == f"assets/{load_assets().version}/"
