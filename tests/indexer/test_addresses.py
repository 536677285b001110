"""Pictures that lists name by address: what servers answer, all of them on loopback."""

import io
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Barrier, Event, Thread

import numpy as np
import pytest
from PIL import Image

from indexer.library.addresses.fetching import Fetching, fetch_address
from indexer.library.originals import address_of
from models.pictures.errors import DECODE_REASONS, DecodeError, decode_reason
from models.pictures.limits import DecodeLimits

Answer = tuple[int, Mapping[str, str], bytes]


@pytest.fixture(autouse=True)
def allow_loopback(monkeypatch):
    monkeypatch.setenv("XUNTU_ALLOW_PRIVATE", "127.0.0.1")


def picture(seed: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (24, 24, 3), np.uint8)).save(file, "PNG")
    return file.getvalue()


@contextmanager
def web(answers: Mapping[str, Answer | Callable[[], Answer]]) -> Iterator[tuple[str, list[str]]]:
    """Serve `answers` on loopback; yields the address, and the list of what was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            answer = answers.get(self.path, (404, {}, b""))
            status, headers, body = answer() if callable(answer) else answer
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def speak(parts: Callable[[], Iterable[bytes]]) -> Iterator[str]:
    """Answer every connection with these bytes, whatever it asks, until it hangs up; yields the address."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with connection, suppress(OSError):
                        connection.recv(65536)
                        for part in parts():
                            connection.sendall(part)

        thread = Thread(target=answer)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}/a.png"
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


IMAGE = {"Content-Type": "image/png", "Last-Modified": "Wed, 01 May 2024 10:00:00 GMT"}


def test_addresses_are_fetched_once(album):
    with web({"/a.png": (200, IMAGE, picture(0)), "/%E7%8C%AB.png?x=%E7%8C%AB": (200, {}, picture(1))}) as (url, asked):
        table = album.write_list(f"url,caption\n{url}/a.png,a cat\n{url}/猫.png?x=猫#part,猫\n{url}/gone.png,\n")
        report = album.build(table)
        assert (report.encoded, report.failed) == (2, 1)
        row = album.by_path()[f"{url}/a.png"]
        assert (address_of(row), row.stamp.size, row.caption) == (f"{url}/a.png", len(picture(0)), "a cat")
        assert row.stamp.mtime_ns == 1714557600 * 10**9
        assert album.layout.thumbnail(row.sha256).is_file()
        assert album.failed() == {f"{url}/gone.png": "url_status"}
        asked.clear()
        album.write_list(f"url,caption\n{url}/a.png,another\n{url}/猫.png?x=猫#part,猫\n{url}/gone.png,\n")
        album.update()
        assert asked == ["/gone.png"]
        assert (album.by_path()[f"{url}/a.png"].caption, album.by_path()[f"{url}/a.png"].stamp.size) == (
            "another",
            len(picture(0)),
        )


def test_a_file_that_was_never_there_keeps_no_address_back(album):
    with web({"/a.png": (200, IMAGE, picture(0)), "/b.png": (200, IMAGE, picture(1))}) as (url, _):
        album.build(album.write_list(f"path\n{url}/a.png\ngone.png\n"))
        album.write_list(f"path\n{url}/a.png\ngone.png\n{url}/b.png\n")
        report = album.update()
        assert (report.encoded, report.failed, report.warnings) == (1, 1, ())


def test_offline_nothing_is_fetched_and_later_it_is(album):
    album.draw("a.png")
    with web({"/b.png": (200, IMAGE, picture(0))}) as (url, asked):
        table = album.write_list(f"path,url\npictures/a.png,\n,{url}/b.png\n")
        report = album.build(table, settings=album.settings(offline=True))
        assert (report.encoded, report.failed, asked) == (1, 1, [])
        assert album.failed() == {f"{url}/b.png": "offline"}
        assert album.update().encoded == 1
        assert album.failed() == {}


def test_the_same_picture_at_two_addresses_is_encoded_once(album):
    with web({"/a.png": (200, IMAGE, picture(0)), "/b.png": (200, IMAGE, picture(0))}) as (url, _):
        assert album.build(album.write_list(f"url\n{url}/a.png\n{url}/b.png\n")).encoded == 1
        assert len(album.by_path()) == 2


def test_a_picture_that_moved_to_another_address_is_not_encoded_again(album):
    with web({"/a.png": (200, IMAGE, picture(0)), "/b.png": (200, IMAGE, picture(0))}) as (url, _):
        album.build(album.write_list(f"url\n{url}/a.png\n"))
        (before,) = album.indexed()
        album.write_list(f"url\n{url}/b.png\n")
        report = album.update()
        (after,) = album.indexed()
        assert (report.encoded, report.reused, report.removed) == (0, 1, 1)
        assert (after.id, after.path) == (before.id, f"{url}/b.png")


def test_several_servers_are_waited_for_at_once(album):
    together = Barrier(4, timeout=120)

    def when_all_are_there() -> Answer:
        return 200, IMAGE, picture(together.wait())

    with web({f"/{n}.png": when_all_are_there for n in range(4)}) as (url, _):
        report = album.build(album.write_list("\n".join(["url", *(f"{url}/{n}.png" for n in range(4))])))
    assert (report.encoded, report.failed) == (4, 0)


def test_addresses_through_real_workers(album, processes):
    with web({f"/{n}.png": (200, IMAGE, picture(n)) for n in range(70)}) as (url, asked):
        table = album.write_list("\n".join(["url", *(f"{url}/{n}.png" for n in range(70))]))
        done = album.command(
            "build", table, "--data", album.data, "--encoder", "hash", "--workers", 2, "--allow-private", "127.0.0.1"
        )
        assert "70 encoded" in done.stdout, done.stderr
        assert len(asked) == 70


def busy_once() -> Callable[[], Answer]:
    answers = iter([(503, {}, b"busy"), (200, IMAGE, picture(0))])
    return lambda: next(answers)


FETCHED = {
    "ok": ((200, IMAGE, picture(0)), None),
    "busy_once": (busy_once(), None),
    "redirected": ((302, {"Location": "/ok"}, b""), None),
    "busy": ((503, {}, b""), ("url_status", "503 Service Unavailable")),
    "forbidden": ((403, {}, b""), ("url_status", "403 Forbidden")),
    "loop": ((302, {"Location": "/loop"}, b""), ("url_redirects", "302 Found")),
    "to_file": ((302, {"Location": "file:///etc/hostname"}, b""), ("url_redirects", "302 Found")),
    "to_ftp": ((301, {"Location": "ftp://127.0.0.1/x"}, b""), ("url_redirects", "301 Moved Permanently")),
    "page": ((200, {"Content-Type": "text/html; charset=utf-8"}, b"\n<!doctype html>"), ("url_web_page", "")),
    "empty": ((200, IMAGE, b""), ("empty_file", "")),
    "cut": ((200, {**IMAGE, "Content-Length": "9999"}, picture(0)), ("url_unreachable", "Connection reset by peer")),
    "large": ((200, IMAGE, bytes(50_000)), ("too_many_bytes", "> 0.0381470 MiB")),
    "claims": ((200, {**IMAGE, "Content-Length": str(10**12)}, b""), ("too_many_bytes", "> 0.0381470 MiB")),
}


@pytest.mark.parametrize("name", FETCHED)
def test_what_an_address_may_answer(name):
    answer, problem = FETCHED[name]
    limits, fetching = DecodeLimits(max_bytes=40_000), Fetching(allow_private="127.0.0.1", timeout_s=60, pause_s=0)
    with web({f"/{name}": answer, "/ok": FETCHED["ok"][0]}) as (url, asked):
        if problem is None:
            assert fetch_address(f"{url}/{name}", limits, fetching)[0] == picture(0)
            return
        with pytest.raises(DecodeError) as caught:
            fetch_address(f"{url}/{name}", limits, fetching)
        assert (caught.value.reason, caught.value.detail[:9]) == (problem[0], problem[1][:9])
        assert asked.count(f"/{name}") <= 6


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("http://127.0.0.1:1/a.png", "url_unreachable"),
        ("http://127.0.0.1:99999/a.png", "url_invalid"),
        ("http://[::1/a.png", "url_invalid"),
        ("http:///a.png", "url_invalid"),
        ("file:///etc/hostname", "url_invalid"),
        ("http://" + "ü" * 100 + "/a.png", "url_invalid"),
        ("http://127.0.0.1:1/\r\nHost: evil", "url_unreachable"),
    ],
)
def test_addresses_that_lead_nowhere(address, reason):
    with pytest.raises(DecodeError) as caught:
        fetch_address(address, DecodeLimits(), Fetching(allow_private="127.0.0.1", timeout_s=60, pause_s=0))
    assert caught.value.reason == reason


def test_an_address_that_never_answers():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(DecodeError) as caught:
            fetch_address(
                f"http://127.0.0.1:{silent.getsockname()[1]}/",
                DecodeLimits(),
                Fetching(allow_private="127.0.0.1", timeout_s=0.05, pause_s=0),
            )
    assert (caught.value.reason, caught.value.detail) == ("url_timeout", "0.05")


@pytest.mark.parametrize(
    "first",
    [
        b"HTTP/1.1 200 OK\r\nX: ",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;",
    ],
)
def test_a_server_that_sends_byte_by_byte_is_not_waited_for_forever(first):
    def drip() -> Iterator[bytes]:
        yield first
        for _ in range(500):
            Event().wait(0.01)
            yield b"a"

    with speak(drip) as address, pytest.raises(DecodeError) as caught:
        fetch_address(address, DecodeLimits(), Fetching(allow_private="127.0.0.1", timeout_s=0.05, pause_s=0))
    assert caught.value.reason == "url_timeout"
    assert caught.value.detail in ("0.3", "0.05")  # of the whole answer, or where this machine is busy of one byte


def test_what_comes_with_a_redirect_is_not_read():
    with web({"/ok": (200, IMAGE, picture(0))}) as (url, _):
        head = f"HTTP/1.1 302 Found\r\nLocation: {url}/ok\r\nContent-Length: 1000000000000\r\n\r\n"
        with speak(lambda: [head.encode(), bytes(100_000)]) as address:
            assert fetch_address(address, DecodeLimits(), Fetching(allow_private="127.0.0.1", timeout_s=60, pause_s=0))[
                0
            ] == picture(0)


@pytest.mark.parametrize(
    "moment",
    [
        "Wed, 01 May 99999999999 10:00:00 GMT",
        "Wed, 01 May 2024 10:00:00 +9999999",
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "\xff",
    ],
)
def test_a_date_that_is_none_costs_no_picture(album, moment):
    with web({"/a.png": (200, {**IMAGE, "Last-Modified": moment}, picture(0))}) as (url, _):
        assert album.build(album.write_list(f"url\n{url}/a.png\n")).encoded == 1


def test_the_words_of_a_server_are_told_in_short_and_without_control_characters():
    with (
        speak(lambda: [b"\x1b[31mSSH-2.0 " + b"\xff" * 60_000 + b"\r\n"]) as address,
        pytest.raises(DecodeError) as caught,
    ):
        fetch_address(address, DecodeLimits(), Fetching(allow_private="127.0.0.1", timeout_s=60, pause_s=0))
    assert caught.value.reason == "url_unreachable"
    assert caught.value.detail.startswith("[31mSSH-2.0 ÿ")
    assert len(caught.value.detail) <= 200


def test_every_reason_is_said_in_both_languages():
    for code in DECODE_REASONS:
        english, chinese = (decode_reason(code, "410 Gone").text(language) for language in ("en", "zh"))
        assert any("\u4e00" <= char <= "\u9fff" for char in chinese)
        assert ("410 Gone" in english) == ("410 Gone" in chinese)
