"""Pictures at addresses: fetched once, within limits, over http and https only."""

import errno
import io
import os
import socket
import ssl
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import cache, partial
from http.client import HTTPConnection, HTTPException, HTTPMessage, HTTPResponse, HTTPSConnection, responses
from typing import IO, Any, cast
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit, urlunsplit

from models.pictures.errors import DecodeError, ImageTooLarge
from models.pictures.limits import DecodeLimits

_CHUNK_BYTES = 1 << 18
_MAX_REDIRECTS = 5
_PATIENCE = 6  # a whole answer may take so many times as long as a connection
_AGAIN = (408, 429, 500, 502, 503, 504)  # may be better a moment later
_MAX_DETAIL_CHARS = 200
_KEPT = "!#$%&'()*+,/:;=?@[]~"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetching:
    """How to fetch. `timeout_s` is for a connection and for each wait for bytes; an answer may take six times as long.

    `pause_s` lies before the one more try where a server says that it is busy.
    """

    offline: bool = False
    timeout_s: float = 20.0
    pause_s: float = 0.5


def fetch_address(address: str, limits: DecodeLimits, fetching: Fetching) -> tuple[bytes, int]:
    """Return what lies at an address, and when it was changed last (else now), in nanoseconds.

    Raises DecodeError (offline, url_invalid, url_unreachable, url_timeout, url_status, url_redirects, url_web_page,
    empty_file) or ImageTooLarge (too_many_bytes).
    """
    if fetching.offline:
        raise DecodeError("offline")
    with _explained(fetching):
        try:
            return _fetch(address, limits, fetching)
        except HTTPError as error:
            error.close()
            if error.code not in _AGAIN:
                raise
        time.sleep(fetching.pause_s)
        return _fetch(address, limits, fetching)


def _fetch(address: str, limits: DecodeLimits, fetching: Fetching) -> tuple[bytes, int]:
    request = urllib.request.Request(_encoded(address), headers={"User-Agent": "xuntu", "Accept": "image/*, */*;q=0.5"})  # noqa: S310 - _encoded lets http and https pass
    response: HTTPResponse
    with _opener(_Deadline(_PATIENCE * fetching.timeout_s)).open(request, timeout=fetching.timeout_s) as response:
        _check_length(response.length or 0, limits)
        data = bytearray()
        while chunk := response.read1(_CHUNK_BYTES):
            data += chunk
            _check_length(len(data), limits)
        if response.length:
            raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
        if response.headers.get_content_type() == "text/html" and data.lstrip()[:1] == b"<":
            raise DecodeError("url_web_page")
        if not data:
            raise DecodeError("empty_file")
        return bytes(data), _modified_ns(response.headers)


def _check_length(size: int, limits: DecodeLimits) -> None:
    if size > limits.max_bytes:
        raise ImageTooLarge("too_many_bytes", f"> {limits.max_bytes / 2**20:g} MiB")


def _encoded(address: str) -> str:
    """Return an address as a server takes it: names of hosts in IDNA, other characters beyond ASCII in percent form.

    Raises ValueError for what is no address of http or https, or carries a password.
    """
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise ValueError(address)
    host = parts.hostname if parts.hostname.isascii() else parts.hostname.encode("idna").decode()
    host = f"[{host}]" if ":" in host else host
    netloc = host if parts.port is None else f"{host}:{parts.port}"
    return urlunsplit((parts.scheme, netloc, quote(parts.path, _KEPT), quote(parts.query, _KEPT), ""))


class _Deadline:
    """When all of an answer has to be there, redirects included, however slowly its bytes come."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._until = time.monotonic() + seconds

    def check(self) -> None:
        """Raise DecodeError (url_timeout) if it has passed."""
        if time.monotonic() > self._until:
            raise DecodeError("url_timeout", f"{self._seconds:g}")

    def connect(self, kind: type[HTTPConnection], host: str, **options: Any) -> HTTPConnection:
        """Return a connection whose answers have to keep to it."""
        connection = kind(host, **options)
        connection.response_class = cast("type[HTTPResponse]", partial(_Response, deadline=self))
        return connection


class _Response(HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, deadline: _Deadline, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp = io.BufferedReader(_FetchedBytes(self.fp.detach(), deadline))


class _FetchedBytes(io.RawIOBase):
    """The bytes of an answer as they come, before a deadline."""

    def __init__(self, raw: io.RawIOBase, deadline: _Deadline) -> None:
        self._raw = raw
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._deadline.check()
        return cast("int | None", self._raw.readinto(buffer))

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Http(urllib.request.HTTPHandler):
    def __init__(self, deadline: _Deadline) -> None:
        super().__init__()
        self._deadline = deadline

    def http_open(self, req: urllib.request.Request) -> HTTPResponse:
        return self.do_open(partial(self._deadline.connect, HTTPConnection), req)


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, deadline: _Deadline) -> None:
        super().__init__(context=_secure())
        self._deadline = deadline

    def https_open(self, req: urllib.request.Request) -> HTTPResponse:
        return self.do_open(partial(self._deadline.connect, HTTPSConnection), req, context=_secure())


@cache
def _secure() -> ssl.SSLContext:
    """Return what connections are checked with; reading the certificates of the system takes 30 ms."""
    return ssl.create_default_context()


class _AddressRedirects(urllib.request.HTTPRedirectHandler):
    max_redirections = _MAX_REDIRECTS

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        try:
            newurl = _encoded(newurl)
        except ValueError:
            raise HTTPError(req.full_url, code, msg, headers, fp) from None
        fp.close()  # or all that comes with the redirect would be read, however much
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener(deadline: _Deadline) -> urllib.request.OpenerDirector:
    opener = urllib.request.OpenerDirector()  # build_opener would add file: and ftp:
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        _Http(deadline),
        _Https(deadline),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _AddressRedirects(),
    ):
        opener.add_handler(handler)
    return opener


@contextmanager
def _explained(fetching: Fetching) -> Iterator[None]:
    """Turn what fetching raises into DecodeError."""
    try:
        yield
    except HTTPError as error:
        error.close()
        reason = "url_redirects" if 300 <= error.code < 400 else "url_status"
        raise DecodeError(reason, f"{error.code} {responses.get(error.code, '')}".strip()) from error
    except DecodeError:
        raise
    except (OSError, HTTPException, ValueError) as error:
        cause = error.reason if isinstance(error, URLError) else error
        if isinstance(cause, TimeoutError):
            raise DecodeError("url_timeout", f"{fetching.timeout_s:g}") from error
        if isinstance(cause, ValueError) and not isinstance(cause, (ssl.SSLError, socket.gaierror)):
            raise DecodeError("url_invalid", _printable(str(cause))) from error
        why = getattr(cause, "strerror", None) or getattr(cause, "verify_message", None) or str(cause)
        raise DecodeError("url_unreachable", _printable(str(why or type(cause).__name__))) from error


def _printable(why: str) -> str:
    """Return the beginning of what went wrong, which may be in the words of a server."""
    return " ".join("".join(char if char.isprintable() else " " for char in why[:_MAX_DETAIL_CHARS]).split())


def _modified_ns(headers: HTTPMessage) -> int:
    try:
        moment = parsedate_to_datetime(str(headers["Last-Modified"]))
        return int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()) * 10**9
    except (ValueError, OverflowError):
        return time.time_ns()
