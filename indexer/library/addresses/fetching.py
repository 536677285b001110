"""Pictures at addresses: fetched once, within limits of size and time, and never from inside this network."""

import errno
import os
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from http.client import HTTPException, HTTPMessage, HTTPResponse, responses
from types import TracebackType
from typing import Self
from urllib.error import HTTPError, URLError

from indexer.library.addresses.connections import Deadline, open_address
from indexer.library.addresses.guard import AddressGuard, Resolver, look_up
from indexer.library.addresses.networks import read_allowed
from indexer.library.addresses.shown import shown_address, without_queries
from models.pictures.errors import DecodeError, ImageTooLarge
from models.pictures.limits import DecodeLimits

_CHUNK_BYTES = 1 << 18
_PATIENCE = 6  # a whole answer may take so many times as long as a connection
_AGAIN = (408, 429, 500, 502, 503, 504)  # may be better a moment later
_MAX_DETAIL_CHARS = 200
_HEADERS = {"User-Agent": "xuntu", "Accept": "image/*, */*;q=0.5"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetching:
    """How to fetch. `timeout_s` is for a connection and for each wait for bytes; an answer may take six times as long.

    `pause_s` lies before the one more try where a server says that it is busy. `allow_private` are the exceptions of
    `read_allowed`; `through_proxy`: by the proxies of the environment. `resolver` looks names up.
    """

    offline: bool = False
    timeout_s: float = 20.0
    pause_s: float = 0.5
    allow_private: str = ""
    through_proxy: bool = False
    resolver: Resolver = look_up

    @property
    def guard(self) -> AddressGuard:
        """What keeps addresses from leading inside."""
        allowed = read_allowed(self.allow_private)
        return AddressGuard(allowed=allowed, through_proxy=self.through_proxy, resolver=self.resolver)

    def begin(self) -> Deadline:
        """Return the deadline of an answer that is asked for now."""
        return Deadline(_PATIENCE * self.timeout_s, wait_s=self.timeout_s)


class OpenAddress:
    """An answer that has begun: `media_type` as the server says, `length` in bytes where it does, and its bytes.

    Bytes come in chunks, once, within the limits and the deadline that it was opened with. To be closed.
    """

    def __init__(self, address: str, response: HTTPResponse, limits: DecodeLimits, fetching: Fetching) -> None:
        self.media_type: str = response.headers.get_content_type()
        self.length: int | None = response.length
        self.modified_ns: int = _modified_ns(response.headers)
        self._address, self._response, self._limits, self._fetching = address, response, limits, fetching

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        self._response.close()

    def __iter__(self) -> Iterator[bytes]:
        """Yield the bytes. Raises DecodeError (url_unreachable, url_timeout) or ImageTooLarge (too_many_bytes)."""
        size = 0
        with _explained(self._address, self._fetching):
            while chunk := self._response.read1(_CHUNK_BYTES):
                size += len(chunk)
                _check_length(size, self._limits)
                yield chunk
            if self._response.length:
                raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))


def open_guarded(
    address: str, limits: DecodeLimits, fetching: Fetching, deadline: Deadline | None = None
) -> OpenAddress:
    """Return what lies at an address, as it comes: its bytes are not read yet. Who gives a deadline may end it.

    Raises DecodeError (offline, url_invalid, url_inside, url_insecure, url_proxy, url_unreachable, url_timeout,
    url_status, url_redirects) or ImageTooLarge (too_many_bytes).
    """
    if fetching.offline:
        raise DecodeError("offline")
    guard = fetching.guard
    deadline = deadline or fetching.begin()
    with _explained(address, fetching):
        try:
            response = open_address(address, _HEADERS, guard, deadline)
        except HTTPError as error:
            error.close()
            if error.code not in _AGAIN:
                raise
            time.sleep(fetching.pause_s)
            response = open_address(address, _HEADERS, guard, deadline)
    try:
        _check_length(response.length or 0, limits)
    except ImageTooLarge:
        response.close()
        raise
    return OpenAddress(address, response, limits, fetching)


def fetch_address(address: str, limits: DecodeLimits, fetching: Fetching) -> tuple[bytes, int]:
    """Return what lies at an address, and when it was changed last (else now), in nanoseconds.

    Raises what `open_guarded` does, and DecodeError (url_web_page, empty_file).
    """
    with open_guarded(address, limits, fetching) as answer:
        data = b"".join(answer)
        if answer.media_type == "text/html" and data.lstrip()[:1] == b"<":
            raise DecodeError("url_web_page")
        if not data:
            raise DecodeError("empty_file")
        return data, answer.modified_ns


def _check_length(size: int, limits: DecodeLimits) -> None:
    if size > limits.max_bytes:
        raise ImageTooLarge("too_many_bytes", f"> {limits.max_bytes / 2**20:g} MiB")


@contextmanager
def _explained(address: str, fetching: Fetching) -> Iterator[None]:
    """Turn what fetching raises into DecodeError, which says nothing that is secret in the address."""
    try:
        yield
    except HTTPError as error:
        error.close()
        reason = "url_redirects" if 300 <= error.code < 400 else "url_status"
        raise DecodeError(reason, f"{error.code} {responses.get(error.code, '')}".strip()) from error
    except (OSError, HTTPException, ValueError) as error:
        cause = error.reason if isinstance(error, URLError) else error
        if isinstance(cause, TimeoutError):
            raise DecodeError("url_timeout", f"{fetching.timeout_s:g}") from error
        if isinstance(cause, ValueError) and not isinstance(cause, (ssl.SSLError, socket.gaierror)):
            raise DecodeError("url_invalid", _printable(shown_address(address))) from error
        why = getattr(cause, "strerror", None) or getattr(cause, "verify_message", None) or str(cause)
        raise DecodeError("url_unreachable", _printable(without_queries(str(why or type(cause).__name__)))) from error


def _printable(why: str) -> str:
    """Return the beginning of what went wrong, which may be in the words of a server."""
    return " ".join("".join(char if char.isprintable() else " " for char in why[:_MAX_DETAIL_CHARS]).split())


def _modified_ns(headers: HTTPMessage) -> int:
    try:
        moment = parsedate_to_datetime(str(headers["Last-Modified"]))
        return int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()) * 10**9
    except (ValueError, OverflowError):
        return time.time_ns()
