"""What happens before any work: token, size, room, time, and what is written down."""

import asyncio
import json
import logging
import os
import resource
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing

import httpx
import pytest
from fastapi import APIRouter

from api.config import ApiSettings, Settings
from api.http.app import create_app
from api.http.connections import find_connection_limit
from api.http.door.admission import Admission, Place
from api.http.door.gates import SMALL_BODY, Gates, Scope, Work, gated
from api.http.door.json_bodies import MAX_DEPTH, MAX_NAMES, read_json
from api.http.door.pacing import RefusalPacer
from api.http.logs import set_up_logging
from api.http.refusals import RequestTooComplex, RequestTooLarge
from api.search.errors import Overloaded

TOKEN = "secret-密"
DESCRIPTORS = 256


class Served:
    """A service of its own: where it listens, and the file that it logs to."""

    def __init__(self, url: str, log) -> None:
        self.url = url
        self.address = (url.removeprefix("http://").split(":")[0], int(url.rpartition(":")[2]))
        self._log = log

    def connect(self) -> socket.socket:
        return socket.create_connection(self.address, timeout=120)

    def send(self, request: str) -> str:
        """Send bytes as they are, and return what is answered until the service closes, or sends nothing more."""
        with closing(self.connect()) as connection:
            connection.sendall(request.encode())
            return read_answer(connection)

    def log(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self._log.read_text("utf-8").splitlines() if line.startswith("{")]


def read_answer(connection: socket.socket) -> str:
    """Return an answer that says how long it is, or what came before the connection was closed."""
    received = b""
    while chunk := connection.recv(2**16):
        received += chunk
        head, end, body = received.partition(b"\r\n\r\n")
        headers = dict(line.lower().split(b": ") for line in head.split(b"\r\n")[1:])
        if end and len(body) >= int(headers[b"content-length"]):
            break
    return received.decode()


@pytest.fixture(scope="module")
def served(servers, processes, library, tmp_path_factory) -> Iterator[Served]:
    """A service with a token, few descriptors and little patience."""
    log = tmp_path_factory.mktemp("log") / "log"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {
        "DATA": str(library),
        "API__TOKEN": TOKEN,
        "API__HEADER_SECONDS": "1",
        "API__BODY_SECONDS": "1",
        "API__ACCESS_LOG": "true",
        "API__LOG_FORMAT": "json",
    }
    before = f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({DESCRIPTORS}, {DESCRIPTORS}))"
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-c", f"{before}; from api.cli import main; main()", "serve", "--port", str(port)],
            env={**os.environ, **{f"XUNTU_{name}": value for name, value in settings.items()}},
            stderr=stderr,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        while True:
            assert process.poll() is None, log.read_text("utf-8")
            try:
                if httpx.get(f"{address}/readyz", timeout=120).is_success:
                    break
            except httpx.TransportError:
                continue
        yield Served(address, log)
    finally:
        process.terminate()
        process.wait(120)


@pytest.fixture(scope="module")
def http(served) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {TOKEN}".encode()}
    with httpx.Client(base_url=served.url, headers=headers, timeout=120) as client:
        yield client


def head(method: str, path: str, *, token: str | None = TOKEN, **headers: object) -> str:
    told = {"Host": "127.0.0.1", "Content-Type": "application/json", **headers}
    if token:
        told["Authorization"] = f"Bearer {token}"
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in told.items()]
    return "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""])


# Who asks, and how much, before the body


@pytest.mark.parametrize("size", [10, 63 * 2**20, 10**12])
def test_without_the_token_nothing_of_a_body_is_waited_for(served, size):
    answer = served.send(head("POST", "/v1/search", token=None, Content_Length=size))
    assert answer.startswith("HTTP/1.1 401 ")
    assert "www-authenticate: Bearer" in answer


def test_without_the_token_it_is_not_said_what_is_wrong_with_a_body(served):
    answer = httpx.post(f"{served.url}/v1/search", content=b"{", headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    refused = [one for one in served.log() if "no valid token from 127.0.0.1" in one["message"]]
    assert refused[-1]["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize("size", [10**8, 10**15, "1e3", "-1"])
def test_a_body_that_is_too_large_is_refused_before_it_comes(served, size):
    answer = served.send(head("POST", "/v1/search", Content_Length=size))
    assert answer.split()[1] in {"413", "400"}


def test_a_body_in_pieces_is_refused_where_it_becomes_too_large(http):
    pieces = (b" " * 2**20 for _ in range(70))
    answer = http.post("/v1/search", content=pieces, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["status"]) == (413, 413)


def test_json_without_pictures_has_a_mebibyte(http):
    keys = {f"key{number}": number for number in range(400_000)}
    answer = http.post("/v1/search", json={"clauses": [{"text": "cat"}], **keys})
    assert (answer.status_code, answer.json()["code"]) in {(413, "request_too_large"), (422, "request_too_complex")}


@pytest.mark.parametrize(
    "body",
    [
        b'{"clauses": ' + b"[" * 5000 + b"]" * 5000 + b"}",
        json.dumps({f"k{number}": 0 for number in range(60_000)}).encode(),
        b'{"clauses": [{"text": "' + b'\\"' * 400_000 + b'"}]}',
    ],
    ids=["nested", "names", "quotes"],
)
def test_json_that_takes_long_to_look_through_is_refused(http, body):
    answer = http.post("/v1/search", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (422, "request_too_complex")


def test_a_long_request_that_is_valid_is_answered(http):
    clauses = [{"text": f"{number} " + "雪山下的一只小猫" * 62} for number in range(8)]
    assert http.post("/v1/search", json={"clauses": clauses}).is_success


@pytest.mark.parametrize("path", ["/v1/search", "/v1/uploads", "/v1/images"])
def test_a_body_in_pieces_is_refused_on_every_route_that_takes_pictures(http, path):
    pieces = (b" " * 2**20 for _ in range(70))
    method = "POST" if path == "/v1/search" else "PUT"
    answer = http.request(method, path, content=pieces, headers={"Content-Type": "application/json"})
    assert answer.status_code in {403, 413, 415}


def test_large_bodies_that_do_not_come_keep_no_small_one_out(served, http):
    with ExitStack() as open_ones:
        for size in (65, 63):
            connection = open_ones.enter_context(closing(served.connect()))
            connection.sendall(head("PUT", "/v1/uploads", Content_Length=size * 2**20).encode())
        assert http.post("/v1/search", json={"clauses": [{"text": "cat"}]}).is_success


def test_nothing_is_read_where_nothing_is(served):
    answer = served.send(head("POST", "/nowhere", token=None, Content_Length=2**20))
    assert answer.startswith("HTTP/1.1 404 ")


@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=x; charset=undefined", "multipart/form-data"])
def test_a_form_that_cannot_be_read_is_called_that(http, kind):
    assert http.put("/v1/uploads", content=b"--x--", headers={"Content-Type": kind}).status_code == 400


# Who is asked


@pytest.mark.parametrize("host", ["evil.example", "a`b.evil.example:8000", "a{b}.evil.example", '"', "", "127.0.0.1:x"])
def test_a_service_of_this_machine_answers_to_its_names_alone(served, host):
    assert served.send(head("GET", "/healthz", Host=host)).startswith("HTTP/1.1 400 ")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:8000", "[::1]:8000"])
def test_a_service_of_this_machine_answers_to_its_names(served, host):
    assert served.send(head("GET", "/healthz", Host=host)).startswith("HTTP/1.1 200 ")


# JSON


@pytest.mark.parametrize(
    "value",
    [
        {"a": [1, {"b": "c" * 200_000}], "d": "短"},
        ["x" * 100_000, "中" * 50_000, 'with "quotes" and \\ backslashes' * 4000],
        "y" * 70_000,
        {"k" * 66_000: 1} | {"z": [None, True, 1.5]},
    ],
)
@pytest.mark.parametrize("ascii_only", [True, False])
def test_json_is_read_as_it_stands(value, ascii_only):
    read = read_json(json.dumps(value, ensure_ascii=ascii_only).encode())
    if isinstance(value, dict) and len(next(iter(value))) > 2**16:  # nothing takes such a name
        assert read["z"] == value["z"]
    else:
        assert read == value


@pytest.mark.parametrize(
    "body", [b"", b'{"a', b'{"a": "\\', b'"\xff"', b'"' + b"\xff" * 70_000 + b'"', b"{]", b'"a" "b"']
)
def test_what_is_no_json_is_called_that(body):
    with pytest.raises(json.JSONDecodeError):
        read_json(body)


def test_json_has_bounds():
    read_json(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)
    with pytest.raises(RequestTooComplex):
        read_json(b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1))
    read_json(json.dumps(dict.fromkeys(map(str, range(MAX_NAMES)))).encode())
    with pytest.raises(RequestTooComplex):
        read_json(json.dumps(dict.fromkeys(map(str, range(MAX_NAMES + 1)))).encode())
    with pytest.raises(RequestTooLarge):
        read_json(b"[" + b"1," * SMALL_BODY + b"1]")
    assert read_json(b'"' + b"a" * (3 * SMALL_BODY) + b'"') == "a" * (3 * SMALL_BODY)


# Room


def test_a_request_without_room_is_told_how_long_such_requests_take():
    refused: list[Work] = []
    admission = Admission({Work.TEXT: 2, Work.PICTURE: 1}, 100, refused.append)
    first, second, third = (Place(admission, Work.TEXT) for _ in range(3))
    first.enter()
    second.enter()
    with pytest.raises(Overloaded) as error:
        third.enter()
    assert error.value.retry_after_s == 1
    admission.leave(Work.TEXT, took_s=7.2)
    third.enter()
    with pytest.raises(Overloaded) as error:
        Place(admission, Work.TEXT).enter()
    assert error.value.retry_after_s == 8
    second.become(Work.PICTURE)
    Place(admission, Work.TEXT).enter()
    with pytest.raises(Overloaded):
        third.become(Work.PICTURE)
    second.leave()
    third.become(Work.PICTURE)
    assert (admission.count(Work.TEXT), admission.count(Work.PICTURE)) == (1, 1)
    assert refused == [Work.TEXT, Work.TEXT, Work.PICTURE]


def test_the_bytes_of_all_bodies_have_a_bound():
    admission = Admission({}, 100)
    first, second = Place(admission, Work.PICTURE), Place(admission, Work.PICTURE)
    first.hold(60)
    with pytest.raises(Overloaded):
        second.hold(60)
    first.leave()
    second.hold(60)
    second.hold(40)
    assert admission.held_bytes == 100
    second.leave()
    assert admission.held_bytes == 0


def test_refusals_are_answered_at_once_and_of_many_no_more_than_leave_time_for_others():
    now = [100.0]
    pacer = RefusalPacer(lambda: now[0])
    waits = [pacer.next_wait_s() for _ in range(1_000)]
    assert waits[:100] == [0.0] * 100
    assert waits[100:200] == pytest.approx([number / 200 for number in range(1, 101)])
    assert set(waits[400:]) == {1.0}  # nobody waits longer than a refusal says to stay away
    now[0] += 1.25
    assert [pacer.next_wait_s() for _ in range(50)] == pytest.approx([0.0] * 50, abs=1e-6)
    assert 0 < sum(pacer.next_wait_s() for _ in range(10)) < 1


@pytest.fixture
def crowded(library, serve_app, monkeypatch):
    """A service with room for two texts, which are answered when the event is set."""
    free = threading.Event()
    settings = Settings(data=library, api=ApiSettings(max_texts=2, max_pictures=1))
    app = create_app(settings)
    answer = app.state.service.search

    async def search_when_free(query):
        await asyncio.to_thread(free.wait, 120)
        return await answer(query)

    monkeypatch.setattr(app.state.service, "search", search_when_free)
    yield serve_app(app), free
    free.set()


def test_too_many_searches_at_once_are_refused_and_all_else_is_answered(crowded, wait_until):
    url, free = crowded
    with httpx.Client(base_url=url, timeout=120) as client, ExitStack() as inside:
        answers: list[httpx.Response] = []

        def ask() -> None:
            answers.append(httpx.get(f"{url}/v1/search", params={"q": "cat"}, timeout=120))

        threads = [threading.Thread(target=ask) for _ in range(2)]
        for thread in threads:
            thread.start()
            inside.callback(thread.join)
        wait_until(lambda: 'xuntu_in_flight{work="text"} 2.0' in client.get("/metrics").text, "two searches inside")
        refused = client.get("/v1/search", params={"q": "cat"})
        assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
        assert refused.headers["retry-after"] == "1"
        assert client.get("/healthz").is_success
        assert client.get("/v1/images/999999/thumbnail").status_code == 404
        assert 'xuntu_refused_total{work="text"} 1.0' in client.get("/metrics").text
        free.set()
    assert [answer.status_code for answer in answers] == [200, 200]


# Connections


def test_more_half_sent_requests_than_descriptors_leave_the_service_standing(served, http):
    with ExitStack() as open_ones:
        for _ in range(DESCRIPTORS + 50):
            connection = open_ones.enter_context(closing(served.connect()))
            connection.sendall(b"GET /v1/search?q=cat HTTP/1.1\r\nHost: x\r\n")
        for _ in range(3):
            with httpx.Client(base_url=served.url, headers=http.headers, timeout=120) as client:
                assert client.get("/v1/search", params={"q": "cat"}).is_success
    assert not [one for one in served.log() if "damaged" in one["message"] or one["level"] == "error"]


def test_headers_that_do_not_end_are_waited_for_so_long(served):
    with closing(served.connect()) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n")
        assert read_answer(connection).startswith("HTTP/1.1 408 ")


def test_headers_that_come_slowly_are_not_waited_for_longer(served):
    def send_for_ever(connection: socket.socket) -> None:
        connection.sendall(b"GET /healthz HTTP/1.1\r\n")
        for number in range(10_000_000):
            connection.sendall(f"X-{number}: 1\r\n".encode())

    with closing(served.connect()) as connection, pytest.raises((ConnectionError, TimeoutError)):
        send_for_ever(connection)


def test_a_connection_without_a_request_is_closed(served):
    with closing(served.connect()) as connection:
        assert read_answer(connection) == ""


def test_a_body_that_does_not_come_is_waited_for_so_long(served):
    with closing(served.connect()) as connection:
        connection.sendall(head("POST", "/v1/search", Content_Length=1000).encode() + b"{")
        assert read_answer(connection).startswith("HTTP/1.1 408 ")


def test_connections_stay_below_what_the_system_lets_a_process_open(monkeypatch):
    monkeypatch.setattr(resource, "setrlimit", lambda *_: None)
    for soft, wanted, expected in [(1024, 1000, 832), (100_000, 1000, 1000), (256, 1000, 128), (2, 5, 1)]:
        monkeypatch.setattr(resource, "getrlimit", lambda _, soft=soft: (soft, soft))
        assert find_connection_limit(ApiSettings(max_connections=wanted)) == expected


# What is written down


def test_the_id_of_a_request_is_that_of_the_client(served, http):
    told = http.get("/v1/index", headers={"X-Request-ID": "order-17/a"})
    assert told.headers["x-request-id"] == "order-17/a"
    trace = "0af7651916cd43dd8448eb211c80319c"
    traced = http.get("/v1/images/999999", headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"})
    assert traced.headers["x-request-id"] == traced.json()["request_id"] == trace
    for odd in ("", "a b", "x" * 200, "é"):
        assert http.get("/healthz", headers={"X-Request-ID": odd.encode()}).headers["x-request-id"] not in {odd, ""}
    line = next(one for one in served.log() if one.get("request_id") == "order-17/a")
    assert line.items() >= {"method": "GET", "route": "/v1/index", "status": 200, "caller": "token"}.items()
    failed = next(one for one in served.log() if one.get("request_id") == trace)
    assert failed.items() >= {"route": "/v1/images/{image_id}", "status": 404, "trace": trace}.items()


def test_what_a_client_sends_begins_no_line_of_the_log(capsys):
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        set_up_logging("text")
        logging.getLogger("api").warning("no token for %s", "/v1/x\nERROR api: forged\x1b[31m")
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
    assert capsys.readouterr().err == "WARNING api: no token for /v1/x\\nERROR api: forged\\x1b[31m\n"


def test_metrics_name_whole_routes_and_methods(http):
    http.get("/v1/images/999999")
    http.get("/nowhere")
    metrics = http.get("/metrics").text
    assert 'xuntu_requests_total{method="GET",route="/v1/images/{image_id}",status="404"}' in metrics
    assert 'xuntu_requests_total{method="GET",route="none",status="404"}' in metrics


def test_what_nobody_expects_is_answered_with_the_id_of_the_request(library, serve_app, monkeypatch):
    app = create_app(Settings(data=library))

    async def fail(_):
        raise RuntimeError("unforeseen")

    monkeypatch.setattr(app.state.service, "search", fail)
    answer = httpx.get(f"{serve_app(app)}/v1/search", params={"q": "cat"}, headers={"X-Request-ID": "17"}, timeout=120)
    assert (answer.status_code, answer.headers["x-request-id"], answer.json()["request_id"]) == (500, "17", "17")
    assert "unforeseen" not in answer.text


def test_a_route_says_who_may_ask_it():
    router = APIRouter()
    router.get("/open")(lambda: None)
    with pytest.raises(TypeError, match="/open"):
        Gates([("/v1", router)])
    guarded = APIRouter()

    @guarded.get("/images/{image_id}")
    @gated(Scope.FILES, Work.FILE)
    async def get_image(image_id: int) -> None: ...

    gates = Gates([("/v1", guarded)])
    assert gates.find("HEAD", "/v1/images/1").path == "/v1/images/{image_id}"
    assert gates.find("DELETE", "/v1/images/1").gate.scope is Scope.FILES
    assert gates.find("GET", "/v1/images/1/file") is None
