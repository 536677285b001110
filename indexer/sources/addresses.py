"""Pictures at addresses: fetched once, within limits, over http and https only."""

import errno
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
from http.client import HTTPException, HTTPMessage, HTTPResponse, responses
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit, urlunsplit

from models.decode import DecodeLimits
from models.errors import DecodeError, ImageTooLarge

_CHUNK_BYTES = 1 << 18
_MAX_REDIRECTS = 5
_AGAIN = (408, 429, 500, 502, 503, 504)  # may be better a moment later
_KEPT = "!#$%&'()*+,/:;=?@[]~"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetching:
    """How to fetch. `timeout_s` is for a connection and for each wait for bytes; a picture may take six times as long.

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
    until = time.monotonic() + 6 * fetching.timeout_s
    request = urllib.request.Request(_encoded(address), headers={"User-Agent": "xuntu", "Accept": "image/*, */*;q=0.5"})  # noqa: S310 - _encoded lets http and https pass
    response: HTTPResponse
    with _opener().open(request, timeout=fetching.timeout_s) as response:
        _check_length(response.length or 0, limits)
        data = bytearray()
        while chunk := response.read1(_CHUNK_BYTES):
            data += chunk
            _check_length(len(data), limits)
            if time.monotonic() > until:
                raise TimeoutError
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


class _Redirects(urllib.request.HTTPRedirectHandler):
    max_redirections = _MAX_REDIRECTS

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        try:
            newurl = _encoded(newurl)
        except ValueError:
            raise HTTPError(req.full_url, code, msg, headers, fp) from None
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener() -> urllib.request.OpenerDirector:
    opener = urllib.request.OpenerDirector()  # build_opener would add file: and ftp:
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(context=ssl.create_default_context()),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _Redirects(),
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
            raise DecodeError("url_invalid", str(cause)[:200]) from error
        why = getattr(cause, "strerror", None) or getattr(cause, "verify_message", None) or str(cause)
        raise DecodeError("url_unreachable", why or type(cause).__name__) from error


def _modified_ns(headers: HTTPMessage) -> int:
    try:
        moment = parsedate_to_datetime(str(headers["Last-Modified"]))
    except ValueError:
        return time.time_ns()
    return int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()) * 10**9
