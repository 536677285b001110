"""Where addresses of lists may lead: never inside this machine or network, however they are written or looked up."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from threading import Thread

import pytest

from indexer.config import IndexerSettings
from indexer.library.addresses.fetching import Fetching, fetch_address, open_guarded
from indexer.library.addresses.networks import AllowedHosts, find_inside, read_allowed
from models.config import load_settings
from models.foundation.errors import InvalidSetting
from models.pictures.errors import DecodeError, ImageTooLarge, decode_reason
from models.pictures.limits import DecodeLimits

LIMITS = DecodeLimits(max_bytes=1000)
PATIENT = {"timeout_s": 60, "pause_s": 0}


@contextmanager
def web(answers: dict[str, tuple[int, dict[str, str], bytes]]) -> Iterator[tuple[int, list[str]]]:
    """Serve on loopback; yields the port, and what was asked for, with its Host."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(f"{self.headers['Host']} {self.path}")
            status, headers, body = answers.get(self.path, (200, {}, b"picture"))
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
        yield server.server_port, asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def port():
    with web({}) as (number, _):
        yield number


def resolver(**hosts: list[list[str]]):
    """Look names up in a table: each name has, for every time that it is looked up, its addresses."""
    asked: list[str] = []

    def look_up(host: str, port: int):
        asked.append(host)
        answers = hosts[host.split(".", maxsplit=1)[0]]
        addresses = answers[min(asked.count(host), len(answers)) - 1]
        return [
            (socket.AF_INET6, (one, port, 0, 0)) if ":" in one else (socket.AF_INET, (one, port)) for one in addresses
        ]

    look_up.asked = asked
    return look_up


def refusal(address: str, **fetching: object) -> DecodeError:
    with pytest.raises(DecodeError) as caught:
        fetch_address(address, LIMITS, Fetching(**{**PATIENT, **fetching}))
    return caught.value


KINDS = {
    "127.0.0.1": "machine",
    "127.255.255.254": "machine",
    "0.0.0.0": "machine",  # noqa: S104
    "0.1.2.3": "machine",
    "::1": "machine",
    "::": "machine",
    "169.254.1.1": "link",
    "fe80::1": "link",
    "10.0.0.1": "private",
    "172.31.255.255": "private",
    "192.168.1.1": "private",
    "fd12:3456::1": "private",
    "fec0::1": "private",
    "64:ff9b:1::a00:1": "private",
    "100.64.0.1": "shared",
    "100.127.255.255": "shared",
    "224.0.0.251": "multicast",
    "ff02::1": "multicast",
    "ff0e::1": "multicast",
    "192.0.0.8": "reserved",
    "192.0.2.1": "reserved",
    "192.88.99.1": "reserved",
    "198.19.0.1": "reserved",
    "203.0.113.9": "reserved",
    "240.0.0.1": "reserved",
    "255.255.255.255": "reserved",
    "2001:db8::1": "reserved",
    "100::1": "reserved",
    "3fff::1": "reserved",
    "5f00::1": "reserved",
    "2001:20::1": "reserved",
    "169.254.169.254": "metadata",
    "169.254.170.2": "metadata",
    "100.100.100.200": "metadata",
    "168.63.129.16": "metadata",
    "fd00:ec2::254": "metadata",
    # IPv4 within IPv6
    "::ffff:127.0.0.1": "machine",
    "::ffff:10.0.0.1": "private",
    "::ffff:169.254.169.254": "metadata",
    "::ffff:8.8.8.8": None,
    "::127.0.0.1": "machine",
    "::8.8.8.8": "reserved",
    "64:ff9b::127.0.0.1": "machine",
    "64:ff9b::a9fe:a9fe": "metadata",
    "64:ff9b::8.8.8.8": None,
    "2002:7f00:1::": "machine",
    "2002:a9fe:a9fe::1": "metadata",
    "2002:808:808::1": "reserved",
    "2001:0:808:808:0:0:80ff:fffe": "machine",  # Teredo, whose client is 127.0.0.1
    "2001:0:808:808:0:0:f7f7:f7f7": "reserved",
    # The public internet
    "8.8.8.8": None,
    "1.1.1.1": None,
    "172.32.0.1": None,
    "100.128.0.1": None,
    "2606:4700:4700::1111": None,
}


@pytest.mark.parametrize("address", KINDS)
def test_kinds_of_addresses(address):
    assert find_inside(ip_address(address)) == KINDS[address]


SPELLINGS = [
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "0177.0.0.1",
    "017700000001",
    "127.0.0.1.",
    "localhost",
    "LOCALHOST.",
    "１２７.0.0.1",
    "①②⑦.⓪.⓪.①",
    "127。0。0。1",
    "0",
    "0.0.0.0",  # noqa: S104
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "[::]",
    "169.254.169.254",
    "0xa9fea9fe",
    "2852039166",
    "0251.0376.0251.0376",
    "[fd00:ec2::254]",
    "100.100.100.200",
]


@pytest.mark.parametrize("host", SPELLINGS)
def test_every_spelling_is_refused(host, port, no_network_beyond):
    assert refusal(f"http://{host}:{port}/a.png").reason == "url_inside"
    assert refusal(f"https://{host}:{port}/a.png").reason == "url_inside"
    assert no_network_beyond == []


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.%31:{port}/",
        "http://%31%32%37.0.0.1:{port}/",
        "http://[fe80::1%25eth0]:{port}/",
        "http://user@127.0.0.1:{port}/",
        "http://user:secret@127.0.0.1:{port}/",
        "http://example.com\\@127.0.0.1:{port}/",
        "http://127.0.0.1\\.example.com:{port}/",
        "http://127.0.0.1 .example.com:{port}/",
        "gopher://127.0.0.1:{port}/",
        "//127.0.0.1:{port}/",
    ],
)
def test_what_is_no_address_is_not_fetched_and_shows_no_password(address, port, no_network_beyond):
    error = refusal(address.format(port=port), allow_private="127.0.0.1")
    assert error.reason == "url_invalid"
    assert "secret" not in str(error)
    assert no_network_beyond == []


@pytest.fixture
def no_network_beyond(monkeypatch):
    """Note what is connected to."""
    connected: list[object] = []

    class Noting(socket.socket):
        def connect(self, address: object) -> None:
            connected.append(address)
            super().connect(address)

    monkeypatch.setattr(socket, "socket", Noting)
    return connected


def test_a_name_is_looked_up_once_and_connected_to_as_it_was(port, no_network_beyond):
    rebinding = resolver(pictures=[["127.0.0.1"], ["127.0.0.2"]])
    fetching = Fetching(resolver=rebinding, allow_private="127.0.0.1", **PATIENT)
    assert fetch_address(f"http://pictures.example:{port}/a.png", LIMITS, fetching)[0] == b"picture"
    assert rebinding.asked == ["pictures.example"]
    assert no_network_beyond == [("127.0.0.1", port)]
    # Looked up anew for another picture, it leads elsewhere, and is refused.
    assert refusal(f"http://pictures.example:{port}/b.png", resolver=rebinding, allow_private="127.0.0.1").reason == (
        "url_inside"
    )
    assert len(no_network_beyond) == 1


@pytest.mark.parametrize("addresses", [["8.8.8.8", "10.0.0.1"], ["2606:4700::1", "::1"], ["::ffff:169.254.169.254"]])
def test_one_address_inside_is_enough_to_refuse_a_name(addresses, no_network_beyond):
    assert refusal("https://pictures.example/", resolver=resolver(pictures=[addresses])).reason == "url_inside"
    assert no_network_beyond == []


def test_the_server_is_asked_by_its_name():
    with web({}) as (port, asked):
        fetching = Fetching(resolver=resolver(pictures=[["127.0.0.1"]]), allow_private="pictures.example", **PATIENT)
        fetch_address(f"http://Pictures.EXAMPLE.:{port}/a.png", LIMITS, fetching)
        assert asked == [f"pictures.example:{port} /a.png"]


def test_a_certificate_is_checked_by_the_name(monkeypatch):
    """The server speaks no TLS; what matters is the name that the handshake begins with."""
    named: list[str] = []

    def note(_self: ssl.SSLContext, _sock: socket.socket, *, server_hostname: str) -> None:
        named.append(server_hostname)
        raise ssl.SSLCertVerificationError("not this one")

    monkeypatch.setattr(ssl.SSLContext, "wrap_socket", note)
    with web({}) as (port, asked):
        error = refusal(
            f"https://pictures.example:{port}/a.png",
            resolver=resolver(pictures=[["127.0.0.1"]]),
            allow_private="127.0.0.0/8",
        )
    assert (error.reason, named, asked) == ("url_unreachable", ["pictures.example"], [])
    assert ssl.create_default_context().check_hostname


def test_redirects_are_checked_hop_by_hop():
    answers = {
        f"/{name}": (302, {"Location": location}, b"")
        for name, location in {
            "metadata": "http://169.254.169.254/latest/meta-data/",
            "spelled": "http://2852039166/latest/meta-data/",
            "named": "http://inner.example/",
            "other": "http://127.0.0.2/",
            "secret": "http://user:secret@127.0.0.1/",
            "loop": "/loop",
        }.items()
    }
    with web(answers) as (port, asked):

        def look_up(host: str, number: int):
            known = {"pictures.example": "127.0.0.1", "inner.example": "10.0.0.1"}
            return [(socket.AF_INET, (known.get(host) or socket.inet_ntoa(socket.inet_aton(host)), number))]

        options = {"resolver": look_up, "allow_private": "pictures.example"}
        for name in ("metadata", "spelled", "named", "other"):
            assert refusal(f"http://pictures.example:{port}/{name}", **options).reason == "url_inside"
        for name in ("secret", "loop"):
            error = refusal(f"http://pictures.example:{port}/{name}", **options)
            assert (error.reason, "secret" in error.detail) == ("url_redirects", False)
        assert len(asked) <= 5 + 6


def test_https_does_not_lead_on_to_http(monkeypatch):
    monkeypatch.setattr(ssl.SSLContext, "wrap_socket", lambda _self, sock, **_options: sock)
    with web({"/a.png": (301, {"Location": "http://pictures.example/b.png"}, b"")}) as (port, _):
        options = {"resolver": resolver(pictures=[["127.0.0.1"]]), "allow_private": "pictures.example"}
        error = refusal(f"https://pictures.example:{port}/a.png", **options)
    assert (error.reason, error.detail) == ("url_insecure", "pictures.example")


@pytest.mark.parametrize(
    ("allowed", "host", "address", "permitted"),
    [
        ("nas.local", "nas.local", "10.1.2.3", True),
        ("NAS.local.", "nas.local", "10.1.2.3", True),
        ("nas.local", "other.local", "10.1.2.3", False),
        ("nas.local", "evil.nas.local", "10.1.2.3", False),
        ("10.1.2.3", "nas.local", "10.1.2.3", True),
        ("10.1.2.3", "nas.local", "::ffff:10.1.2.3", True),
        ("10.1.2.3", "nas.local", "64:ff9b::10.1.2.3", True),
        ("10.1.0.0/16", "nas.local", "10.1.9.9", True),
        ("10.1.0.0/16", "nas.local", "10.2.0.1", False),
        ("[::1]", "localhost", "::1", True),
        ("fd00::/8, 127.0.0.1", "localhost", "127.0.0.1", True),
        # No name and no network lets anybody to the secrets of a machine: only the address itself does.
        ("nas.local", "nas.local", "169.254.169.254", False),
        ("169.254.0.0/16", "nas.local", "169.254.169.254", False),
        ("0.0.0.0/0,::/0", "nas.local", "fd00:ec2::254", False),
        ("169.254.169.254", "nas.local", "169.254.169.254", True),
    ],
)
def test_what_exceptions_permit(allowed, host, address, permitted):
    kind = find_inside(ip_address(address))
    assert read_allowed(allowed).permits(host, ip_address(address), kind) is permitted


def test_exceptions_of_settings(monkeypatch):
    assert read_allowed("") == AllowedHosts()
    monkeypatch.setenv("XUNTU_ALLOW_PRIVATE", "nas.local, 10.0.0.0/8")
    settings = IndexerSettings()
    assert settings.fetching.guard.allowed == read_allowed("nas.local,10.0.0.0/8")
    for wrong in ("http://nas.local", "nas.local:80", "user@nas", "10.0.0.0/33", "a b"):
        with pytest.raises(InvalidSetting) as caught:
            load_settings(IndexerSettings, allow_private=wrong)
        assert wrong in caught.value.text("en")
        assert "既不是主机名" in caught.value.text("zh")


def test_the_refusal_says_what_why_and_how(port):
    error = refusal(f"http://localhost:{port}/a.png", resolver=resolver(localhost=[["127.0.0.1"]]))
    for language, why in (("en", "which is this machine"), ("zh", "即本机")):
        said = decode_reason(error.reason, error.detail).text(language)
        for part in ("localhost", "127.0.0.1", why, "--allow-private", "XUNTU_ALLOW_PRIVATE"):
            assert part in said


# Proxies of the environment


def test_a_proxy_is_not_used_unless_it_is_meant(monkeypatch):
    with web({}) as (port, asked):
        monkeypatch.setenv("http_proxy", f"http://user:secret@127.0.0.1:{port}")
        monkeypatch.delenv("no_proxy", raising=False)
        nowhere = resolver(pictures=[["8.8.8.8"]], inner=[["10.0.0.1"]])
        error = refusal("http://pictures.example/a.png", resolver=nowhere)
        assert (error.reason, "secret" in str(error), asked) == ("url_proxy", False, [])
        through = {"resolver": nowhere, "through_proxy": True}
        fetched, _ = fetch_address("http://pictures.example/a.png", LIMITS, Fetching(**through, **PATIENT))
        assert (fetched, asked) == (b"picture", ["pictures.example http://pictures.example/a.png"])
        # What is known here to be inside is refused all the same.
        assert refusal("http://inner.example/a.png", **through).reason == "url_inside"
        monkeypatch.setenv("no_proxy", "*")
        direct = Fetching(resolver=resolver(pictures=[["127.0.0.1"]]), allow_private="127.0.0.1", **PATIENT)
        assert fetch_address(f"http://pictures.example:{port}/b.png", LIMITS, direct)[0] == b"picture"
        assert asked[1:] == [f"pictures.example:{port} /b.png"]


# What streams


def test_an_answer_is_streamed_within_its_limits():
    with web({"/a.png": (200, {"Content-Type": "image/png"}, bytes(900)), "/large": (200, {}, bytes(1001))}) as (
        port,
        _,
    ):
        fetching = Fetching(allow_private="127.0.0.1", **PATIENT)
        with open_guarded(f"http://127.0.0.1:{port}/a.png", LIMITS, fetching) as answer:
            assert (answer.media_type, answer.length, b"".join(answer)) == ("image/png", 900, bytes(900))
        with pytest.raises(ImageTooLarge):
            open_guarded(f"http://127.0.0.1:{port}/large", LIMITS, fetching)
        with pytest.raises(DecodeError) as caught:
            open_guarded(f"http://127.0.0.1:{port}/a.png", LIMITS, Fetching(offline=True))
        assert caught.value.reason == "offline"


@contextmanager
def speak(answer: bytes) -> Iterator[str]:
    """Answer one connection with these bytes; yields the address."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def run() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                try:
                    connection.sendall(answer)
                except OSError:
                    return

        thread = Thread(target=run)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/a.png"
        thread.join()


def test_headers_are_bounded():
    head = b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: " % n + b"a" * 60_000 + b"\r\n" for n in range(90)) + b"\r\n"
    with speak(head) as address:
        error = refusal(address, allow_private="127.0.0.1")
    assert (error.reason, "bytes of headers" in error.detail) == ("url_unreachable", True)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\nshort",
    ],
)
def test_an_answer_that_is_cut_short_is_none(answer):
    with speak(answer) as address:
        assert refusal(address, allow_private="127.0.0.1").reason == "url_unreachable"


def test_an_answer_without_end_is_cut_off():
    with speak(b"HTTP/1.1 200 OK\r\n\r\n" + bytes(100_000)) as address:
        assert refusal(address, allow_private="127.0.0.1").reason == "too_many_bytes"
