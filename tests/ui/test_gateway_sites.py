"""Who may ask through the page: the page itself, under its own names."""

import asyncio
from pathlib import Path

import httpx
import pytest

from ui.config import PageSettings
from ui.gateway.assets import Assets
from ui.gateway.gateway import PageGateway
from ui.gateway.proxy import ServiceProxy
from ui.gateway.sites import HostNames

ANYWHERE = "0.0.0.0"  # noqa: S104 - nothing listens


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("GET", {}, 200),
        ("GET", {"Sec-Fetch-Site": "same-origin"}, 200),
        ("GET", {"Sec-Fetch-Site": "same-site"}, 200),
        ("GET", {"Sec-Fetch-Site": "none"}, 200),
        ("GET", {"Sec-Fetch-Site": "cross-site"}, 403),
        ("GET", {"Sec-Fetch-Site": "cross-origin"}, 403),
        ("GET", {"Sec-Fetch-Site": ""}, 403),
        ("HEAD", {"Sec-Fetch-Site": "cross-site"}, 403),
        ("POST", {}, 403),
        ("POST", {"Sec-Fetch-Site": "same-origin"}, 200),
        ("POST", {"Sec-Fetch-Site": "none"}, 403),
        ("POST", {"Sec-Fetch-Site": "same-site"}, 403),
        ("POST", {"Sec-Fetch-Site": "same-site", "Origin": "http://localhost:1"}, 403),
        ("POST", {"Sec-Fetch-Site": "cross-site", "Origin": "http://{host}"}, 403),
        ("POST", {"Origin": "http://{host}"}, 200),
        ("POST", {"Origin": "https://{host}"}, 200),
        ("POST", {"Origin": "http://elsewhere.example"}, 403),
        ("POST", {"Origin": "http://{host}.elsewhere.example"}, 403),
        ("POST", {"Origin": "http://elsewhere.example/{host}"}, 403),
        ("POST", {"Origin": "http://user@{host}"}, 403),
        ("POST", {"Origin": "null"}, 403),
        ("POST", {"Origin": "http://[::1"}, 403),
        ("DELETE", {}, 403),
        ("DELETE", {"Origin": "http://{host}"}, 200),
        ("PUT", {"Origin": "http://elsewhere.example"}, 403),
    ],
)
def test_only_the_page_itself_may_ask(asking, method, headers, status):
    host = asking.base_url.netloc.decode()
    sent = {name: value.format(host=host) for name, value in headers.items()} | {"Content-Type": "application/json"}
    path = "search" if method in ("GET", "HEAD", "POST") else "boards/x1"
    answer = httpx.request(method, f"{asking.base_url}/api/v1/{path}", headers=sent, trust_env=False)
    assert answer.status_code == status
    if status == 403 and method != "HEAD":
        assert answer.json()["code"] == "cross_site"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"


@pytest.mark.parametrize(
    ("method", "path", "kind", "status"),
    [
        ("POST", "search", "application/json", 200),
        ("POST", "search", "Application/JSON; charset=utf-8", 200),
        ("POST", "search", "text/plain", 415),
        ("POST", "search", "application/x-www-form-urlencoded", 415),
        ("POST", "search", "multipart/form-data; boundary=a", 415),
        ("POST", "search", "image/png", 415),
        ("POST", "search", "", 415),
        ("POST", "boards", "text/plain;application/json", 415),
        ("PUT", "uploads", "image/jpeg", 200),
        ("PUT", "uploads", "application/octet-stream", 200),
        ("PUT", "uploads", "application/json", 415),
        ("PUT", "uploads", "multipart/form-data; boundary=a", 415),
        ("DELETE", "boards/x1", "", 200),
        ("DELETE", "boards/x1", "text/plain", 415),
        ("DELETE", "boards/x1", "application/json", 200),
    ],
)
def test_a_body_says_what_no_form_can(asking, method, path, kind, status):
    answer = asking.request(method, f"/api/v1/{path}", headers={"Content-Type": kind} if kind else {}, content=b"{}")
    assert answer.status_code == status


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:8501", 200),
        ("127.0.0.1", 200),
        ("[::1]:8501", 200),
        ("LOCALHOST", 200),
        ("elsewhere.example", 421),
        ("localhost.elsewhere.example:8501", 421),
        ("localhost@elsewhere.example", 421),
        ("", 421),
    ],
)
def test_a_page_of_this_machine_answers_to_its_names(asking, host, status):
    for path in ("/", "/api/healthz"):
        answer = asking.get(path, headers={"Host": host, "Accept-Language": "zh"})
        assert answer.status_code == status
        if status == 421:
            assert "XUNTU_UI__HOSTS 中写上" in answer.text


@pytest.mark.parametrize(
    ("address", "named", "host", "has"),
    [
        ("127.0.0.1", ["pictures.example.org"], "pictures.example.org:443", True),
        ("127.0.0.1", ["Pictures.Example.org"], "pictures.example.ORG", True),
        ("127.0.0.1", ["pictures.example.org"], "localhost", True),
        ("127.0.0.1", ["pictures.example.org"], "example.org", False),
        (ANYWHERE, [], "anything.example", True),
        (ANYWHERE, ["localhost"], "anything.example", False),
        (ANYWHERE, ["localhost"], "localhost:8501", True),
        ("::1", [], "anything.example", False),
        ("localhost", [], "anything.example", False),
    ],
)
def test_names_of_the_page(address, named, host, has):
    assert HostNames(address, named).has(host) is has


@pytest.mark.parametrize(
    ("host", "origin", "is_opened"),
    [
        ("localhost:8501", "http://localhost:8501", True),
        ("localhost:8501", "HTTP://LOCALHOST:8501", True),
        ("localhost:8501", None, True),
        ("localhost:8501", "https://portal.example", True),
        ("localhost:8501", "http://localhost:3000", False),
        ("127.0.0.1:8501", "http://localhost:8501", False),
        ("localhost:8501", "http://elsewhere.example", False),
        ("localhost:8501", "null", False),
        ("localhost:8501", "", False),
        ("elsewhere.example", "http://elsewhere.example", False),
        ("elsewhere.example", None, False),
    ],
)
def test_only_the_page_itself_opens_a_websocket(host, origin, is_opened):
    sent = []

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        sent.append(message["type"])

    async def streamlit(scope, receive, send):
        await send({"type": "websocket.accept"})

    service, assets = ServiceProxy(PageSettings()), Assets(Path("no such folder"))
    hosts, origins = HostNames("127.0.0.1", ()), ["https://portal.example"]
    page = PageGateway(streamlit, service=service, assets=assets, hosts=hosts, base="", origins=origins)
    headers = [(b"host", host.encode()), *([(b"origin", origin.encode())] if origin is not None else [])]
    asyncio.run(page({"type": "websocket", "path": "/_stcore/stream", "headers": headers}, receive, send))
    assert sent == ["websocket.accept" if is_opened else "websocket.close"]


def test_the_page_is_in_no_frame_of_another_site(asking):
    headers = asking.get("/").headers
    assert "frame-ancestors 'self'" in headers["content-security-policy"]
    assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "same-origin")


@pytest.mark.parametrize("base", ["", "photos"])
def test_streamlit_takes_messages_from_the_page_alone_and_leaves_it_to_say_what_is_wrong(open_page, base):
    page = open_page("http://127.0.0.1:9", base=base)
    answer = page.get(f"/{base}/_stcore/host-config" if base else "/_stcore/host-config")
    host = page.base_url.netloc.decode()
    assert answer.json()["allowedOrigins"] == [f"http://{host}", f"https://{host}"]
    assert answer.json()["blockErrorDialogs"] is True
    assert page.get("/elsewhere/_stcore/host-config").text == "of Streamlit"
