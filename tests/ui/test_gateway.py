"""The page's own routes, over the real service and over servers that do what a service should not."""

import asyncio
import json
import socket
import threading
from contextlib import closing
from http.client import HTTPConnection

import httpx
import pytest
from starlette.responses import JSONResponse

OWN = {"Sec-Fetch-Site": "same-origin"}
TOKEN = "a-token-that-no-browser-sees"
CLOSED = "http://127.0.0.1:9"  # nothing listens there
RAW_UPLOAD = (
    b"PUT /api/v1/uploads HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: same-origin\r\nContent-Type: image/png\r\n"
)
PROTECTED = {
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox",
}


@pytest.fixture(scope="module")
def page(open_page, drawn_service) -> httpx.Client:
    """A page of the real service."""
    return open_page(drawn_service.url)


@pytest.fixture(scope="module")
def image(page) -> int:
    """A picture of the library."""
    return page.get("/api/v1/images", params={"k": 1}).json()["images"][0]["id"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "v1/search?q=x"),
        ("POST", "v1/search"),
        ("POST", "v1/search/batch"),
        ("GET", "v1/facets?fields=a"),
        ("POST", "v1/facets"),
        ("GET", "v1/fields"),
        ("GET", "v1/index"),
        ("HEAD", "v1/index"),
        ("GET", "v1/images?k=1&where=a%3Db"),
        ("GET", "v1/images/12"),
        ("GET", "v1/images/12/similar"),
        ("GET", "v1/images/12/copies"),
        ("GET", "v1/images/12/text"),
        ("GET", "v1/images/12/thumbnail"),
        ("GET", "v1/images/12/file?clip=true"),
        ("HEAD", "v1/images/12/file"),
        ("PUT", "v1/uploads"),
        ("GET", "v1/uploads/sha256-0a/thumbnail"),
        ("GET", "v1/suggest?q=x"),
        ("POST", "v1/archive?ticket=true"),
        ("GET", "v1/archive/Ab-_9"),
        ("GET", "v1/boards"),
        ("POST", "v1/boards"),
        ("GET", "v1/boards/favourites"),
        ("GET", "v1/boards/-_x?limit=5"),
        ("GET", "v1/places?zoom=3"),
        ("POST", "v1/places"),
        ("GET", "v1/index/progress"),
        ("PUT", "v1/boards/x1"),
        ("DELETE", "v1/boards/x1"),
        ("POST", "v1/boards/x1/pictures"),
        ("POST", "v1/boards/x1/pictures/remove"),
        ("GET", "v1/libraries"),
        ("POST", "v1/libraries/pets-2/search"),
        ("GET", "v1/libraries/pets/images/1/thumbnail"),
        ("GET", "readyz"),
        ("GET", "healthz"),
    ],
)
def test_what_the_page_needs_is_passed_on(asking, told, method, path):
    kind = "image/png" if path.endswith("uploads") else "application/json"
    answer = asking.request(method, f"/api/{path}", headers={"Content-Type": kind}, content=b"{}")
    assert answer.status_code == 200
    if method != "HEAD":
        asked = answer.json()
        assert (asked["method"], asked["path"]) == (method, "/" + path.partition("?")[0])
        assert asked["query"] == path.partition("?")[2]
    assert told.asked[-1] == f"{method} /{path.partition('?')[0]}"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "v1/images/12"),
        ("PUT", "v1/images"),
        ("POST", "v1/jobs"),
        ("GET", "v1/jobs"),
        ("GET", "v1/jobs/1/events"),
        ("GET", "v1/roots"),
        ("GET", "v1/index/report"),
        ("GET", "v1/images/12/vector"),
        ("GET", "v1/images/-1"),
        ("GET", "v1/images/12/file/"),
        ("GET", "v1/images/12/file/x"),
        ("GET", "v1/images/%EF%BC%91%EF%BC%92"),
        ("GET", "v1/uploads/../images"),
        ("GET", "v1/uploads/%2e%2e/thumbnail"),
        ("GET", "v1/uploads/a%2Fb/thumbnail"),
        ("DELETE", "v1/uploads/sha256-0a"),
        ("GET", "v1/boards/x%0A"),
        ("GET", "v1/boards/.."),
        ("PATCH", "v1/boards/x1"),
        ("DELETE", "v1/boards/x1/pictures"),
        ("GET", "v1/settings"),
        ("GET", "v1/folders"),
        ("POST", "v1/embeddings"),
        ("POST", "v1/search/image"),
        ("GET", "v1/libraries/pets/jobs"),
        ("GET", "v1/libraries/../index"),
        ("GET", "v1/libraries/pets/libraries"),
        ("POST", "readyz"),
        ("GET", "metrics"),
        ("GET", "docs"),
        ("GET", "openapi.json"),
        ("POST", "mcp"),
        ("OPTIONS", "v1/search"),
        ("GET", ""),
        ("GET", "/v1/index"),
        ("GET", "V1/index"),
    ],
)
def test_nothing_else_is_passed_on(asking, told, method, path):
    told.asked.clear()
    with closing(HTTPConnection(asking.base_url.host, asking.base_url.port, timeout=120)) as connection:
        connection.request(method, f"/api/{path}", headers={**OWN, "Content-Type": "application/json"})  # as it is
        answer = connection.getresponse()
        assert answer.status == 404
        assert json.load(answer)["code"] == "not_found"
    headers = {name.lower(): value for name, value in answer.getheaders()}
    assert {**PROTECTED, "content-type": "application/problem+json"}.items() <= headers.items()
    assert told.asked == []


def test_the_page_answers_as_the_service_does(page, drawn_service, image):
    body = {"clauses": [{"text": "red"}], "k": 3}
    direct = httpx.post(f"{drawn_service.url}/v1/search", json=body, trust_env=False).json()
    found = page.post("/api/v1/search", json=body)
    assert (found.status_code, found.json()["hits"]) == (200, direct["hits"])
    assert PROTECTED.items() <= dict(found.headers).items()
    for path in (f"images/{image}", f"images/{image}/thumbnail", f"images/{image}/file", "index", "fields"):
        assert (
            page.get(f"/api/v1/{path}").content == httpx.get(f"{drawn_service.url}/v1/{path}", trust_env=False).content
        )
    missing = page.get("/api/v1/images/999999", headers={"Accept-Language": "zh"})
    assert (missing.status_code, missing.json()["code"]) == (404, "image_not_found")
    assert page.get("/api/readyz").json()["status"] == "ready"


def test_everything_else_is_left_to_streamlit(page):
    assert page.get("/").text == page.get("/apis/v1/index").text == page.get("/x/api/v1/index").text == "of Streamlit"


def test_headers_are_chosen_and_the_token_is_the_page_s(asking):
    sent = {
        "Accept": "application/json",
        "Accept-Language": "zh",
        "Accept-Encoding": "gzip",
        "If-None-Match": '"a"',
        "If-Modified-Since": "Mon, 30 Nov 2026 10:00:00 GMT",
        "If-Range": '"a"',
        "Range": "bytes=0-1",
        "X-Request-ID": "of-the-browser",
        "Traceparent": "00-" + "1" * 32 + "-" + "2" * 16 + "-01",
    }
    not_passed = {
        "Authorization": "Bearer of-a-browser",
        "Cookie": "session=1",
        "X-Forwarded-For": "1.2.3.4",
        "Origin": "http://x",
        "TE": "trailers",
        "Forwarded": "for=1.2.3.4",
    }
    answer = asking.get("/api/v1/index", headers={**sent, **not_passed})
    headers = answer.json()["headers"]
    assert ["authorization", f"Bearer {TOKEN}"] in headers
    names = [name for name, _ in headers]
    assert sorted(names) == sorted([*(name.lower() for name in sent), "authorization", "host"])
    assert {name.lower(): value for name, value in sent.items()}.items() <= dict(headers).items()
    answered = {"content-length", "content-type", "date", "server", *PROTECTED}
    assert set(answer.headers) == answered
    assert answer.headers["server"] != "x"


def test_a_request_without_a_good_id_gets_one(asking):
    told = dict(asking.get("/api/v1/index", headers={"X-Request-ID": "no good"}).json()["headers"])
    assert len(told["x-request-id"]) == 16


def test_the_token_never_reaches_the_browser(open_page, start_service, copy_of):
    service = start_service(copy_of(7, "hash"), api={"token": TOKEN})
    page = open_page(service.url, token=TOKEN)
    asked = [("/api/v1/index", {}), ("/api/v1/index", {"Authorization": "Bearer wrong"}), ("/api/v1/images/99", {})]
    answers = [page.get(path, headers=headers) for path, headers in asked]
    assert [answer.status_code for answer in answers] == [200, 200, 404]
    assert not any(TOKEN in f"{answer.headers}{answer.text}" for answer in answers)
    assert httpx.get(f"{service.url}/v1/index", trust_env=False).status_code == 401


@pytest.mark.parametrize(
    ("token", "path", "code", "zh", "en"),
    [
        ("wrong", "index", "unauthorized", "搜索服务拒绝了本页面：", "The search service refuses the page: "),
        ("", "images/1/file", "forbidden", "XUNTU_API__TOKEN_FILE 中", "the scope files, "),
    ],
)
def test_a_token_that_the_service_refuses_is_the_operator_s_matter(
    open_page, start_service, copy_of, token, path, code, zh, en
):
    service = start_service(copy_of(7, "hash"), api={"token": TOKEN, "anonymous_scopes": "search"})
    page = open_page(service.url, token=token)
    for language, sentence in (("zh-CN,en;q=0.5", zh), ("en", en)):
        answer = page.get(f"/api/v1/{path}", headers={"Accept-Language": language})
        assert (answer.status_code, answer.json()["code"]) == (502, code)
        assert sentence in answer.json()["detail"]
        assert answer.json()["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize(
    ("status", "document"),
    [
        (403, {"code": "link_not_followed"}),
        (403, None),
        (401, "x"),
    ],
)
def test_other_refusals_of_the_service_are_passed_on(asking, told, status, document):
    rest = {"type": "t", "title": "t", "status": 403, "detail": "d", "request_id": "r"}
    told.answer = JSONResponse({**rest, **document} if isinstance(document, dict) else document, status)
    try:
        answer = asking.get("/api/v1/images/1/file")
    finally:
        told.answer = None
    assert answer.status_code == status
    if isinstance(document, dict):
        assert answer.json()["code"] == document["code"]


def test_a_refusal_that_breaks_off_is_no_answer(open_page, serve_app):
    async def breaks_off(scope, receive, send):
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 403, "headers": [(b"content-length", b"100")]})
            await send({"type": "http.response.body", "body": b"{", "more_body": True})

    answer = open_page(serve_app(breaks_off)).get("/api/v1/images/1/file")
    assert (answer.status_code, answer.json()["code"]) == (502, "unreachable")


def test_a_redirect_of_a_file_is_the_browser_s_to_follow(asking, told):
    told.answer = JSONResponse({}, 307, {"Location": "https://pictures.example/1.jpg"})
    try:
        file, other = asking.get("/api/v1/images/1/file"), asking.get("/api/v1/index")
    finally:
        told.answer = None
    assert (file.status_code, file.headers["location"]) == (307, "https://pictures.example/1.jpg")
    assert "location" not in other.headers


def test_a_file_is_had_in_ranges_and_once(page, image):
    whole = page.get(f"/api/v1/images/{image}/file")
    assert whole.headers["content-disposition"].startswith("attachment")
    assert "sandbox" in whole.headers["content-security-policy"]
    assert "content-encoding" not in whole.headers
    part = page.get(f"/api/v1/images/{image}/file", headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, whole.content[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{len(whole.content)}"
    beyond = page.get(f"/api/v1/images/{image}/file", headers={"Range": "bytes=99999999-"})
    assert beyond.status_code == 416
    same = page.get(f"/api/v1/images/{image}/file", headers={"If-None-Match": whole.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")
    head = page.head(f"/api/v1/images/{image}/file")
    assert (head.content, head.headers["content-length"]) == (b"", str(len(whole.content)))


def test_json_is_compressed_for_who_takes_it(page):
    params = {"k": 50}
    packed = page.get("/api/v1/images", params=params)
    plain = page.get("/api/v1/images", params=params, headers={"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.json() == plain.json()


def test_a_thumbnail_whose_address_names_its_content_is_kept(page, asking, image):
    path = f"/api/v1/images/{image}/thumbnail"
    kept = page.get(path, params={"size": 100, "v": "0a"})
    assert kept.headers["content-type"] == "image/webp"
    assert kept.headers.get_list("cache-control") == ["private, max-age=31536000, immutable"]
    again = page.get(path, params={"size": 100, "v": "0a"}, headers={"If-None-Match": kept.headers["etag"]})
    assert (again.status_code, again.headers["cache-control"]) == (304, kept.headers["cache-control"])
    assert page.get(path, params={"size": 100}).headers["cache-control"] == "private, no-cache"
    assert page.get(path, params={"size": 1, "v": "0a"}).headers.get("cache-control") == "no-store"
    told = asking.get("/api/v1/images/1/thumbnail", params={"v": "0a", "size": 100, "part": ""}).json()
    assert told["query"] == "size=100&part="
    assert asking.get("/api/v1/index", params={"v": "1"}).json()["query"] == "v=1"


def test_a_picture_is_uploaded_and_searched_with(page, drawn_service, image):
    picture = page.get(f"/api/v1/images/{image}/file").content
    for content in (picture, iter([picture[:100], picture[100:]])):  # with its length, and in pieces
        sent = page.put("/api/v1/uploads", content=content, headers={"Content-Type": "image/jpeg"})
        assert sent.status_code == 200
    found = page.post("/api/v1/search", json={"clauses": [{"upload": sent.json()["id"]}], "k": 1})
    assert found.json()["hits"][0]["id"] == image
    assert page.get(f"/api/v1/uploads/{sent.json()['id']}/thumbnail").headers["cache-control"] == "private, no-store"


def test_a_body_that_is_too_large_is_refused(asking, told):
    told.asked.clear()
    body = json.dumps({"x": "a" * 2**20}).encode()
    for content in (body, iter([body[:1000], body[1000:]])):  # with its length, and in pieces
        answer = asking.post("/api/v1/search", content=content, headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["code"]) == (413, "request_too_large")
        assert "1 MiB" in answer.json()["detail"]
    assert told.asked == []
    large = asking.post("/api/v1/search", json={"x": "a" * (2**20 - 8)})
    assert (large.status_code, large.json()["bytes"]) == (200, 2**20)


def test_a_picture_may_be_larger_but_not_any_size(asking, told):
    sent = asking.put("/api/v1/uploads", content=bytes(2**21), headers={"Content-Type": "application/octet-stream"})
    assert sent.json()["bytes"] == 2**21
    told.asked.clear()
    head = RAW_UPLOAD + f"Content-Length: {2**26 + 1}\r\n\r\n".encode()
    with socket.create_connection((asking.base_url.host, asking.base_url.port), timeout=120) as connection:
        connection.sendall(head)
        assert b" 413 " in connection.recv(4096)
    assert told.asked == []


def test_a_service_that_is_away_is_said_in_both_languages(open_page, caplog):
    page = open_page(CLOSED)
    said = {"zh": f"连不上搜索服务（{CLOSED}）", "en": f"The search service at {CLOSED} cannot be reached"}
    for language, sentence in said.items():
        answer = page.get("/api/v1/index", headers={"Accept-Language": language, "X-Request-ID": "mine"})
        assert (answer.status_code, answer.headers["content-type"]) == (502, "application/problem+json")
        assert {"code": "unreachable", "request_id": "mine", "status": 502}.items() <= answer.json().items()
        assert sentence in answer.json()["detail"]
        assert answer.headers["cache-control"] == "no-store"
    assert page.post("/api/v1/search", json={}).json()["code"] == "unreachable"
    sent = page.put("/api/v1/uploads", content=bytes(2**20), headers={"Content-Type": "image/png"})
    assert sent.json()["code"] == "unreachable"
    assert len([one for one in caplog.records if one.levelname == "WARNING"]) == 1  # not for each request


def test_a_service_that_comes_back_is_asked_again(open_page, serve_app, told):
    with socket.create_server(("127.0.0.1", 0)) as listener:  # which never answers
        page = open_page(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout_s=0.2)
        answer = page.get("/api/v1/index")
    assert (answer.status_code, answer.json()["code"]) == (504, "too_slow")
    assert page.get("/api/v1/index").json()["code"] == "unreachable"


@pytest.mark.parametrize(("language", "said"), [("zh", "迟迟没有回应"), ("en", "has not answered in time")])
def test_a_slow_service_is_said_to_be_slow(open_page, service, language, said):
    service.fault = "silent"
    page = open_page(service.url, timeout_s=0.2)
    answer = page.post("/api/v1/search", json={"clauses": []}, headers={"Accept-Language": language})
    assert (answer.status_code, answer.json()["code"]) == (504, "too_slow")
    assert said in answer.json()["detail"]


def test_an_answer_in_small_pieces_comes_whole(page, service):
    service.fault = "slow"
    assert page.post("/api/v1/search", json={"clauses": [{"text": "red"}], "k": 2}).json()["hits"]


def test_an_answer_that_breaks_off_breaks_off(page, service):
    service.fault = "lost"
    with pytest.raises(httpx.RemoteProtocolError):
        page.post("/api/v1/search", json={"clauses": [{"text": "red"}]})


class Endless:
    """A service that never comes to the end of an answer, and notes who went away."""

    def __init__(self) -> None:
        self.begun, self.left = threading.Event(), threading.Event()
        self.says_nothing = False

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return
        leaving = asyncio.ensure_future(self._wait(receive))
        self.begun.set()
        if not self.says_nothing:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        while not leaving.done():
            if not self.says_nothing:
                await send({"type": "http.response.body", "body": bytes(2**18), "more_body": True})
            await asyncio.wait({leaving}, timeout=0.01)
        self.left.set()

    async def _wait(self, receive):
        while (await receive())["type"] != "http.disconnect":
            pass


@pytest.mark.parametrize("says_nothing", [True, False], ids=["before the answer", "within the answer"])
def test_a_browser_that_goes_away_ends_what_it_asked_for(open_page, serve_app, says_nothing):
    endless = Endless()
    endless.says_nothing = says_nothing
    page = open_page(serve_app(endless))
    head = b"GET /api/v1/images/1/file HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with socket.create_connection((page.base_url.host, page.base_url.port), timeout=120) as connection:
        connection.sendall(head)
        assert endless.begun.wait(120)
        if not says_nothing:
            assert connection.recv(10)
    assert endless.left.wait(120)


def test_a_browser_that_goes_away_while_it_uploads_ends_that(open_page, serve_app):
    endless = Endless()
    endless.says_nothing = True
    page = open_page(serve_app(endless))
    with socket.create_connection((page.base_url.host, page.base_url.port), timeout=120) as connection:
        connection.sendall(RAW_UPLOAD + b"Content-Length: 100\r\n\r\nabc")
        assert endless.begun.wait(120)
    assert endless.left.wait(120)


def test_a_browser_that_takes_nothing_is_let_go(open_page, serve_app):
    endless = Endless()
    page = open_page(serve_app(endless), stall_s=0.2)
    with socket.create_connection((page.base_url.host, page.base_url.port), timeout=120) as connection:
        connection.sendall(b"GET /api/v1/images/1/file HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert endless.left.wait(120)


def test_a_browser_that_stops_sending_is_let_go(open_page, serve_app, told):
    page = open_page(serve_app(told), stall_s=0.2)
    with socket.create_connection((page.base_url.host, page.base_url.port), timeout=120) as connection:
        connection.sendall(RAW_UPLOAD + b"Content-Length: 100\r\n\r\nabc")
        assert b" 408 " in connection.recv(4096)


def test_the_page_lies_below_a_path(open_page, drawn_service):
    page = open_page(drawn_service.url, base="/pictures/of/us/")
    assert page.get("/pictures/of/us/api/healthz").json()["status"] == "ok"
    assert page.get("/pictures/of/us/assets/1/main.js").json()["code"] == "not_found"
    for path in ("/api/healthz", "/pictures/of/us", "/pictures/of/us/", "/pictures/of/usapi/healthz"):
        assert page.get(path).text == "of Streamlit"
