"""Addresses that let whoever has them in: what is secret in them is in nothing that people or programs are shown."""

import io
import json
import logging
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from typer.testing import CliRunner

import xuntu
from api.cli import app
from api.config import Settings
from api.http.app import create_app
from indexer.config import IndexerSettings
from indexer.library.addresses.shown import has_secrets, shown_address, without_queries
from indexer.pipeline.commands import BuildOptions, build

pytestmark = pytest.mark.usefixtures("processes")

SECRET = "5ecr3t"
SIGNED = {
    "aws": f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIA%2Fx&X-Amz-Signature={SECRET}",
    "aws_v2": f"AWSAccessKeyId=AKIA&Expires=1700000000&Signature={SECRET}",
    "oss": f"OSSAccessKeyId=LTAI&Expires=1700000000&Signature={SECRET}",
    "oss_v4": f"x-oss-signature-version=OSS4&x-oss-signature={SECRET}",
    "cos": f"q-sign-algorithm=sha1&q-ak=AKID&q-sign-time=1%3B2&q-signature={SECRET}",
    "azure": f"sv=2024-11-04&se=2030-01-01&sr=b&sp=r&sig={SECRET}",
    "gcs": f"GoogleAccessId=a&Expires=1&Signature={SECRET}",
    "gcs_v4": f"X-Goog-Credential=a&X-Goog-Signature={SECRET}",
    "token": f"size=large&token={SECRET}",
    "access_token": f"ACCESS_TOKEN={SECRET}",
    "key": f"key={SECRET}",
    "api_key": f"api-key={SECRET}",
    "cdn": f"auth_key=1700000000-0-0-{SECRET}",
    "wangsu": f"wsSecret={SECRET}&wsTime=1",
    "encoded": f"%53ignature={SECRET}",
    "semicolon": f"a=1;token={SECRET}",
    "nested": f"url=https%3A%2F%2Fb.example%2Fc.png%3Fsig%3D{SECRET}",
    "fragment": f"a=1#access_token={SECRET}",
    "policy": f"Policy=e30&Key-Pair-Id=K&Signature={SECRET}",
}


@pytest.mark.parametrize("name", SIGNED)
def test_a_signed_query_is_dropped(name):
    address = f"https://bucket.example/照片/cat.png?{SIGNED[name]}"
    assert shown_address(address) == "https://bucket.example/照片/cat.png"
    assert has_secrets(address)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        (f"https://user:{SECRET}@host.example:8443/a.png?id=7", "https://host.example:8443/a.png?id=7"),
        (f"https://{SECRET}@[::1]:80/a.png", "https://[::1]:80/a.png"),
        (f"ftp://user:{SECRET}@host/a.png", "ftp://host/a.png"),
        (f"https://user:{SECRET}/x@host/a.png", "https://user:…"),
        (f"https://user:p@{SECRET}@host/a.png", "https://host/a.png"),
        (f"http://[::1/a.png?token={SECRET}", "http://[:…"),
    ],
)
def test_a_password_is_dropped(address, shown):
    assert shown_address(address) == shown


@pytest.mark.parametrize(
    "key",
    [
        "https://host.example/a.png",
        "https://host.example/a.png?id=7&size=large#top",
        "https://host.example/get?keyword=cat&design=4&page=1&monkey=2",
        "pictures/a?token=1.png",
        "/srv/a.png?sig=1",
        "",
    ],
)
def test_what_identifies_a_picture_stays(key):
    assert shown_address(key) == key
    assert not has_secrets(key)


def test_what_a_server_says_has_no_query():
    assert without_queries(f"bad request: GET /a.png?sig={SECRET} HTTP/1.1") == "bad request: GET /a.png?… HTTP/1.1"


def picture(seed: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (24, 24, 3), np.uint8)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def signed(tmp_path_factory):
    """A library of signed addresses, some of which fail in several ways; its folder, settings and what was logged."""
    folder, records = tmp_path_factory.mktemp("signed"), []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.startswith("/echo"):
                self.wfile.write(f"{self.path} is no HTTP\r\n\r\n".encode())
                return
            name = self.path.partition("?")[0]
            self.send_response(302 if name == "/leads.png" else 200 if name in ("/a.png", "/b.png") else 403)
            if name == "/leads.png":
                self.send_header("Location", f"http://169.254.169.254/?token={SECRET}")
            body = picture(0) if name == "/a.png" else picture(1)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(self.format(record))

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    url, query = f"http://127.0.0.1:{server.server_port}", SIGNED["aws"]
    rows = [f"{url}/{name}?{query}" for name in ("a.png", "gone.png", "echo.png", "leads.png")]
    rows += [f"{url}/b.png?id=7", f"http://user:{SECRET}@127.0.0.1/c.png", f"http://10.9.9.9/d.png?{query}"]
    rows += [f"ftp://user:{SECRET}@127.0.0.1/e.png", f"http://127.0.0.1:70000/f.png?{query}"]
    (folder / "list.csv").write_text("\n".join(["url", *rows]))
    settings = IndexerSettings(data=folder / "data", workers=0, allow_private="127.0.0.1")
    keep = Keep()
    logging.getLogger().addHandler(keep)
    report = build(settings, [folder / "list.csv"], BuildOptions(encoders=["hash"]))
    logging.getLogger().removeHandler(keep)
    server.shutdown()
    thread.join()
    server.server_close()
    assert (report.encoded, report.failed) == (2, 7)
    told = [warning.text(language) for warning in report.warnings for language in ("en", "zh")]
    return folder / "data", url, [*records, *told]


def test_no_log_and_no_warning_has_it(signed):
    _, _, said = signed
    assert said
    assert not [one for one in said if SECRET in one or "AKIA" in one]


def test_no_command_shows_it(signed):
    data, url, _ = signed
    printed = []
    for arguments in (
        ["index", "report"],
        ["index", "report", "--json"],
        ["index", "report", "--csv"],
        ["index", "stats", "--json"],
        ["index", "duplicates", "--csv"],
        ["list", "--json"],
        ["list", "--sort", "path"],
        ["list", "--sort", "path", "--json"],
        ["search", "cat", "--json"],
        ["search", "png"],
        ["search", "a.png", "--match", "text", "--json"],
        ["index", "update"],
    ):
        done = CliRunner(env={"COLUMNS": "400", "XUNTU_WORKERS": "0"}).invoke(app, [*arguments, "--data", str(data)])
        assert done.exit_code == 0, done.output
        printed.append(done.output)
    everything = "".join(printed)
    assert SECRET not in everything
    assert "AKIA" not in everything
    for shown in ("a.png", "b.png?id=7", "gone.png", "echo.png"):
        assert f"{url}/{shown}" in everything
    assert "http://127.0.0.1/c.png" in everything


def test_no_answer_of_the_api_has_it(signed):
    data, url, _ = signed
    with TestClient(create_app(Settings(data=data)), base_url="http://127.0.0.1", follow_redirects=False) as client:
        found = client.get("/v1/search", params={"q": "cat", "k": 10}).json()["hits"]
        paths = {hit["path"]: hit["id"] for hit in found}
        assert paths.keys() == {f"{url}/a.png", f"{url}/b.png?id=7"}
        answers = [
            client.get("/v1/search", params={"q": "a.png", "match": "text"}),
            client.get("/v1/images", params={"sort": "path"}),
            *(client.get(f"/v1/images/{one}") for one in paths.values()),
            *(client.get(f"/v1/images/{one}/similar") for one in paths.values()),
            *(client.get(f"/v1/images/{one}/file") for one in paths.values()),
        ]
        for answer in answers:
            assert SECRET not in answer.text + json.dumps(dict(answer.headers))
            assert "AKIA" not in answer.text + json.dumps(dict(answer.headers))
        urls = {path: client.get(f"/v1/images/{one}").json()["url"] for path, one in paths.items()}
        assert urls == {f"{url}/a.png": None, f"{url}/b.png?id=7": f"{url}/b.png?id=7"}
        assert client.get(f"/v1/images/{paths[f'{url}/a.png']}/file").status_code not in (302, 303, 307)


def test_python_is_not_shown_it_either(signed):
    data, url, _ = signed
    with xuntu.open(data) as library:
        pictures = list(library)
        assert sorted(one.path for one in pictures) == [f"{url}/a.png", f"{url}/b.png?id=7"]
        assert {one.url for one in pictures} == {None, f"{url}/b.png?id=7"}
        assert SECRET not in repr(pictures)
        assert SECRET not in repr(library.search("cat"))
