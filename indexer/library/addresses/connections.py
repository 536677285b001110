"""Connections of http and https that a guard makes, and whose answers keep to a deadline."""

import io
import socket
import ssl
import time
import urllib.request
from contextlib import suppress
from functools import cache, partial
from http.client import HTTPConnection, HTTPException, HTTPMessage, HTTPResponse, HTTPSConnection
from math import inf
from typing import IO, Any, cast
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit, urlunsplit

from indexer.library.addresses.guard import AddressGuard
from indexer.library.addresses.networks import normalise_host
from models.pictures.errors import DecodeError

_MAX_REDIRECTS = 5
_MAX_HEAD_BYTES = 1 << 18  # status lines and headers of an answer
_KEPT = "!#$%&'()*+,/:;=?@[]~"


def encode_address(address: str) -> str:
    """Return an address as a server takes it: names of hosts in IDNA, other characters beyond ASCII in percent form.

    Raises ValueError for what is no address of http or https, or carries a password.
    """
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise ValueError(address)
    host = normalise_host(parts.hostname)
    host = f"[{host}]" if ":" in host else host
    netloc = host if parts.port is None else f"{host}:{parts.port}"
    return urlunsplit((parts.scheme, netloc, quote(parts.path, _KEPT), quote(parts.query, _KEPT), ""))


class Deadline:
    """When all of an answer has to be there, redirects included, however slowly its bytes come."""

    def __init__(self, seconds: float, *, wait_s: float) -> None:
        """Begin. No single wait is longer than `wait_s`."""
        self._seconds = seconds
        self._wait_s = wait_s
        self._until = time.monotonic() + seconds
        self._waits_for: socket.socket | None = None

    def end(self) -> None:
        """Let it pass now, from whatever thread: nobody waits any more for what was to come."""
        self._until = -inf
        if self._waits_for is not None:
            with suppress(OSError):  # it is closed
                socket.socket.shutdown(self._waits_for, socket.SHUT_RDWR)  # of TLS too, which wakes who reads

    def watch(self, connection: socket.socket) -> None:
        """Know what an answer comes by, which `end` hangs up."""
        self._waits_for = connection

    def wait_s(self) -> float:
        """Return how long to wait for what comes next. Raises DecodeError (url_timeout) if it has passed."""
        left = self._until - time.monotonic()
        if left <= 0:
            raise DecodeError("url_timeout", f"{self._seconds:g}")
        return min(left, self._wait_s)


class _Response(HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, deadline: Deadline, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        deadline.watch(sock)
        self._bytes = _FetchedBytes(self.fp.detach(), sock, deadline)
        self.fp = io.BufferedReader(self._bytes)

    def begin(self) -> None:
        self._bytes.left = _MAX_HEAD_BYTES
        super().begin()
        self._bytes.left = None


class _FetchedBytes(io.RawIOBase):
    """The bytes of an answer as they come, before a deadline; not more than are `left`, None for any number."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, deadline: Deadline) -> None:
        self._raw = raw
        self._sock = sock
        self._deadline = deadline
        self.left: int | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self.left is not None and self.left <= 0:
            raise HTTPException(f"more than {_MAX_HEAD_BYTES} bytes of headers")
        self._sock.settimeout(self._deadline.wait_s())
        count = cast("int | None", self._raw.readinto(buffer))
        if self.left is not None:
            self.left -= count or 0
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _GuardedHttp(HTTPConnection):
    def __init__(self, host: str, *, guard: AddressGuard, deadline: Deadline, **options: Any) -> None:
        super().__init__(host, **options)
        self._guard = guard
        self._deadline = deadline
        self.response_class = cast("type[HTTPResponse]", partial(_Response, deadline=deadline))

    def connect(self) -> None:
        self.sock = self._guard.connect(self.host, self.port, self._deadline.wait_s)


class _GuardedHttps(_GuardedHttp):
    default_port = 443

    def connect(self) -> None:
        super().connect()
        self.sock.settimeout(self._deadline.wait_s())
        try:
            self.sock = _secure().wrap_socket(self.sock, server_hostname=self.host)
        except BaseException:
            self.sock.close()
            raise


def _proxied(kind: type[HTTPConnection], host: str, *, deadline: Deadline, **options: Any) -> HTTPConnection:
    """Return a connection to a proxy of the environment, which is where it says."""
    connection = kind(host, **options)
    connection.response_class = cast("type[HTTPResponse]", partial(_Response, deadline=deadline))
    return connection


@cache
def _secure() -> ssl.SSLContext:
    """Return what connections are checked with; reading the certificates of the system takes 30 ms."""
    return ssl.create_default_context()


class _Handler(urllib.request.AbstractHTTPHandler):
    def __init__(self, guard: AddressGuard, deadline: Deadline) -> None:
        super().__init__()
        self._guard = guard
        self._deadline = deadline

    def http_open(self, req: urllib.request.Request) -> HTTPResponse:
        return self._open(req, _GuardedHttp, HTTPConnection)

    def https_open(self, req: urllib.request.Request) -> HTTPResponse:
        return self._open(req, _GuardedHttps, partial(HTTPSConnection, context=_secure()))

    def _open(self, req: urllib.request.Request, guarded: Any, proxied: Any) -> HTTPResponse:
        parts = urlsplit(req.full_url)
        host = parts.hostname or ""
        if req.host != parts.netloc:  # a proxy's
            self._guard.check_host(parts.scheme, host)
            return self.do_open(partial(_proxied, proxied, deadline=self._deadline), req)
        if not self._guard.through_proxy:
            self._guard.check_unproxied(parts.scheme, parts.netloc)
        return self.do_open(partial(guarded, guard=self._guard, deadline=self._deadline), req)

    http_request = https_request = urllib.request.AbstractHTTPHandler.do_request_


class _Redirects(urllib.request.HTTPRedirectHandler):
    max_redirections = _MAX_REDIRECTS

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        try:
            newurl = encode_address(newurl)
        except ValueError:
            raise HTTPError(req.full_url, code, msg, headers, fp) from None
        fp.close()  # or all that comes with the redirect would be read, however much
        if req.full_url.startswith("https:") and newurl.startswith("http:"):
            raise DecodeError("url_insecure", urlsplit(newurl).hostname or "")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def open_address(address: str, headers: dict[str, str], guard: AddressGuard, deadline: Deadline) -> HTTPResponse:
    """Return the beginning of an answer of 2xx, after up to five redirects, each of them checked.

    Nothing that an address or a header carries is a credential, so none goes to another host. Raises DecodeError
    (url_inside, url_insecure, url_proxy, url_timeout), HTTPError, OSError, HTTPException and ValueError.
    """
    opener = urllib.request.OpenerDirector()  # build_opener would add file: and ftp:
    for handler in (
        *([urllib.request.ProxyHandler()] if guard.through_proxy else []),
        urllib.request.UnknownHandler(),
        _Handler(guard, deadline),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _Redirects(),
    ):
        opener.add_handler(handler)
    request = urllib.request.Request(encode_address(address), headers=headers)  # noqa: S310 - http and https alone
    return cast("HTTPResponse", opener.open(request, timeout=deadline.wait_s()))
