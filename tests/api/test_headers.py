"""What every answer says to browsers and caches, and what of a request is understood."""

import gzip
import json
import re

import httpx
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from starlette.requests import Request
from starlette.responses import StreamingResponse

from api.client import Client
from api.config import Settings
from api.http.app import create_app
from api.http.errors import language_of
from api.http.headers import Head, is_head
from indexer.config import IndexerSettings
from indexer.pipeline.commands import BuildOptions, build

PICTURES = 12


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("headers")
    (folder / "pictures").mkdir()
    for number in range(PICTURES):
        Image.new("RGB", (40, 30), (number * 20, 90, 200)).save(folder / "pictures" / f"{number}.png")
    build(IndexerSettings(data=folder / "data", workers=0), [folder / "pictures"], BuildOptions(encoders=["hash"]))
    return folder / "data"


def application(data, **api):
    return create_app(Settings(data=data, api={"preload_image": False, **api}))


@pytest.fixture(scope="module")
def service(data):
    with TestClient(application(data)) as client:
        yield client


def list_operations(service):
    for path, operations in service.get("/openapi.json").json()["paths"].items():
        for method, operation in operations.items():
            yield method.upper(), re.sub(r"\{\w+\}", "1", path), operation


def test_every_route_protects_browsers_in_what_it_answers_and_in_errors(service, heavy):
    asked = [(method, path) for method, path, _ in list_operations(service)]
    assert ("GET", "/v1/images/1/file") in asked
    for method, path in (*asked, ("GET", "/nothing"), ("GET", "/v1/images/999/file"), ("DELETE", "/v1/search")):
        headers = service.request(method, path, params={"q": "cat"}).headers
        assert headers["x-content-type-options"] == "nosniff", path
        assert headers["cross-origin-resource-policy"] == "same-origin", path
        assert "default-src 'none'" in headers["content-security-policy"], path
        assert "sandbox" in headers["content-security-policy"], path
        assert headers.get_list("x-content-type-options") == ["nosniff"], path
    assert "script-src 'self'" in service.get("/docs").headers["content-security-policy"]


def test_a_page_elsewhere_may_show_pictures_where_that_is_wanted(data):
    with TestClient(application(data, embedding="cross-origin")) as client:
        for path in ("/v1/images/1/thumbnail", "/v1/images/1/file", "/v1/images"):
            assert client.get(path).headers["cross-origin-resource-policy"] == "cross-origin"


def test_every_get_answers_head_alike_without_a_body(service, heavy):
    for method, path, _ in list_operations(service):
        if method != "GET":
            continue
        whole = service.get(path, params={"q": "cat"})
        head = service.head(path, params={"q": "cat"})
        assert (path, head.status_code, head.content) == (path, whole.status_code, b"")
        assert head.headers["content-type"] == whole.headers["content-type"]
        if "timings_ms" not in whole.text and path != "/metrics":
            assert head.headers.get("content-length") == whole.headers.get("content-length")
    assert service.head("/v1/images/999").status_code == 404
    assert service.head("/v1/search/image").status_code == 405


def test_json_is_compressed_and_nothing_else(service):
    packed = {"accept-encoding": "gzip"}
    answer = service.get("/v1/images", headers=packed)
    assert (answer.headers["content-encoding"], answer.headers["vary"]) == ("gzip", "Accept-Encoding")
    assert len(answer.json()["images"]) == PICTURES
    assert service.get("/v1/images", headers={"accept-encoding": "identity"}).headers.get("content-encoding") is None
    for path in ("/v1/images/1/file", "/v1/images/1/thumbnail", "/metrics", "/healthz", "/docs", "/v1/images/999"):
        assert "content-encoding" not in service.get(path, headers=packed).headers, path
    with service.stream("GET", "/v1/images", headers=packed) as raw:
        assert json.loads(gzip.decompress(b"".join(raw.iter_raw())))["total"] == PICTURES


def test_bodies_of_another_kind_are_refused(service):
    body = json.dumps({"clauses": [{"text": "cat"}]}).encode()
    taking_json = [
        (method, path)
        for method, path, operation in list_operations(service)
        if "application/json" in operation.get("requestBody", {}).get("content", {})
        and "clip-retrieval" not in operation["tags"]  # whose clients say nothing of their bodies
    ]
    assert ("POST", "/v1/search") in taking_json
    for method, path in taking_json:
        for kind in ("text/plain", "application/x-www-form-urlencoded", "application/jsonp", "image/png", ""):
            answer = service.request(method, path, content=body, headers={"content-type": kind})
            assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
        assert service.request(method, path, content=body).status_code == 415
    for kind in ("application/json", "Application/JSON; charset=utf-8", "application/vnd.x+json"):
        assert service.post("/v1/search", content=body, headers={"content-type": kind}).status_code == 200


@pytest.mark.parametrize(
    ("wish", "language"),
    [
        ("", "en"),
        ("zh", "zh"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("zh;q=0.1, en", "en"),
        ("en;q=0.3, zh-TW;q=0.4", "zh"),
        ("zh;q=0, en;q=0", "en"),
        ("fr, zh;q=0.2", "zh"),
        ("zh ; q=0.5 , en ; q=0.6", "en"),
        ("en, zh", "en"),
        ("zh, en", "zh"),
        ("zh;q=nonsense, en;q=0.1", "en"),
        ("zho, *", "en"),
        ("ZH-hant;Q=1.0", "zh"),
        (",;,q=", "en"),
    ],
)
def test_languages_are_weighed(wish, language):
    scope = {"type": "http", "headers": [(b"accept-language", wish.encode())]}
    assert language_of(Request(scope)) == language


@pytest.mark.parametrize("token", ["a secret", "密码-令牌", "clé", "\N{OK HAND SIGN}"])
def test_tokens_of_every_script_are_understood(data, serve_app, token):
    address = serve_app(application(data, token=token))
    headers = {"authorization": f"Bearer {token}".encode()}
    assert httpx.get(f"{address}/v1/index", headers=headers).status_code == 200
    for wrong in (b"Bearer \xff\xfe", b"Bearer", b"Bearer " + token.encode()[:-1], "Bearer 错".encode(), b"\xe5"):
        assert httpx.get(f"{address}/v1/index", headers={"authorization": wrong}).status_code == 401
    with Client(address, token=token) as client:
        assert client.index().pictures == PICTURES


def test_the_server_does_not_say_what_it_is(server):
    answer = httpx.get(f"{server}/healthz")
    assert "server" not in answer.headers
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_head_ends_what_would_never_end():
    asked = []

    async def endless():
        while True:
            asked.append(1)
            yield b"data: again\n\n"

    async def app(scope, receive, send):
        assert is_head(scope)
        await StreamingResponse(endless(), media_type="text/event-stream")(scope, receive, send)

    answer = TestClient(Head(app)).head("/")
    assert (answer.status_code, answer.content) == (200, b"")
    assert len(asked) < 10


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
def test_the_description_needs_nothing_from_elsewhere(service, page):
    shown = service.get(page).raise_for_status().text
    named = re.findall(r"""(?:src|href)=["']([^"']+)""", shown)
    assert len(named) >= 2
    for address in named:
        assert address.startswith("/docs/files/"), address
        assert len(service.get(address).raise_for_status().content) > 1000


def test_the_description_says_who_may_ask_and_how_errors_are_sent(service):
    described = service.get("/openapi.json").json()
    assert described["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    file = described["paths"]["/v1/images/{image_id}/file"]["get"]
    assert (file["operationId"], file["security"], file["x-scope"]) == ("download_image", [{"token": []}], "files")
    assert "security" not in described["paths"]["/healthz"]["get"]
    assert list(file["responses"]["4XX"]["content"]) == ["application/problem+json"]
