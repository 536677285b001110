"""Connections: how many there may be, and how long a client may take for each part of a request."""

import asyncio
import json
import logging
import resource
import time
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from api.config import ApiSettings

logger = logging.getLogger(__name__)

_SLOWEST = 2**15  # bytes a second of a body, once its first seconds are over
_MAX_HEAD_BYTES = 2**16  # of an address and its headers
_MAX_HEADERS = 200
_RESERVED = 192  # descriptors that are not for connections: of the catalog, the index, pictures


def find_connection_limit(settings: ApiSettings) -> int:
    """Return how many connections there may be: as set, and below what the system lets a process open.

    The soft limit of the system is raised to the hard one first.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft not in (hard, resource.RLIM_INFINITY):
        wanted = settings.max_connections + 2 * _RESERVED
        raised = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        if raised > soft:
            resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
            soft = raised
    if soft == resource.RLIM_INFINITY:
        return settings.max_connections
    return max(1, min(settings.max_connections, soft - min(_RESERVED, soft // 2)))


def bounded_protocol(settings: ApiSettings) -> type[HttpToolsProtocol]:
    """Return the protocol of a server with these settings."""
    limit = find_connection_limit(settings)

    class Protocol(BoundedProtocol):
        max_connections = limit
        header_s = settings.header_seconds
        body_s = settings.body_seconds
        stall_s = settings.stall_seconds

    return Protocol


class BoundedProtocol(HttpToolsProtocol):
    """One connection. Where there are too many, one that has asked nothing yet makes room for the next."""

    max_connections: int
    header_s: float
    body_s: float
    stall_s: float

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._timer: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None
        self.since = time.monotonic()  # when it was made, or its last answer complete
        self._begun = False
        self._in_headers = True
        self._head_bytes = 0  # as they came, which a header that does not end shows first
        self._header_bytes = 0  # of the address and the headers that are complete
        self._body_since = 0.0
        self._body_bytes = 0

    @property
    def is_waiting(self) -> bool:
        """Whether no request of it is read or answered."""
        answered = self._answered
        return answered is None or answered.response_complete

    @property
    def _answered(self) -> RequestResponseCycle | None:
        """The request that is answered, or was last."""
        return self.cycle

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to count the time for headers, or say at once that there is no room."""
        super().connection_made(transport)
        if len(self.connections) > self.max_connections and not self._make_room():
            self._refuse(503, "overloaded")
            return
        self._timer = self.loop.call_later(self.header_s, self._take_too_long)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timers."""
        self._cancel()
        if self._stalled:
            self._stalled.cancel()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Begin to count the time for headers of a request that follows another."""
        super().on_message_begin()
        self._begun = True
        self._head_bytes = self._header_bytes = 0
        if not self._in_headers:
            self._in_headers = True
            self._wait(self.header_s)

    def data_received(self, data: bytes) -> None:
        """Refuse a head that is too large before it is complete."""
        if self._in_headers:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_headers and self._head_bytes > _MAX_HEAD_BYTES and not self.transport.is_closing():
            self._refuse(431, "request_header_fields_too_large")

    def on_url(self, url: bytes) -> None:
        """Count its bytes."""
        self._count_head(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count its bytes; of trailers, which nobody reads, too."""
        self._count_head(len(name) + len(value))
        super().on_header(name, value)

    def _count_head(self, count: int) -> None:
        self._header_bytes += count
        if self._header_bytes > _MAX_HEAD_BYTES or len(self.headers) >= _MAX_HEADERS:
            raise _HeadTooLarge  # the parser stops, and an invalid request is answered

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - as it is called
        """Answer a request that cannot be read as every other error is."""
        too_large = self._header_bytes > _MAX_HEAD_BYTES or len(self.headers) >= _MAX_HEADERS
        self._refuse(431, "request_header_fields_too_large") if too_large else self._refuse(400, "bad_request")

    def on_headers_complete(self) -> None:
        """Count the time for the body from now on."""
        self._in_headers = False
        self._body_since, self._body_bytes = time.monotonic(), 0
        self._wait(self.body_s)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Count its bytes."""
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Wait for nothing: the answer is up to the service."""
        self._cancel()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Be idle from now on."""
        self.since = time.monotonic()
        super().on_response_complete()

    def pause_writing(self) -> None:
        """Give a client that takes nothing some time."""
        super().pause_writing()
        if self._stalled is None:
            self._stalled = self.loop.call_later(self.stall_s, self._drop)

    def resume_writing(self) -> None:
        """Go on: it has taken something."""
        if self._stalled:
            self._stalled.cancel()
            self._stalled = None
        super().resume_writing()

    def _wait(self, seconds: float) -> None:
        self._cancel()
        self._timer = self.loop.call_later(seconds, self._take_too_long)

    def _cancel(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _take_too_long(self) -> None:
        """Close the connection, unless a body comes fast enough, or waits for the service to read it."""
        self._timer = None
        if not self._begun:  # nothing has come
            self.transport.close()
            return
        answered = self._answered
        if self._in_headers and answered and not answered.response_complete:  # another is answered meanwhile
            self._wait(self.header_s)
            return
        if not self._in_headers:
            due = self._body_since + self.body_s + self._body_bytes / _SLOWEST
            left = self.body_s if self.flow.read_paused else due - time.monotonic()
            if left > 0:
                self._wait(left)
                return
        self._refuse(408, "request_timeout")

    def _refuse(self, status: int, code: str) -> None:
        """Say what is wrong, where nothing is said yet, and close."""
        cycle = self._answered
        if cycle and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()
        if cycle is None or not cycle.response_started or cycle.response_complete:
            self.transport.write(_problem(status, code))
        self.transport.close()

    def _drop(self) -> None:
        logger.info("a client that took nothing for %g s was let go", self.stall_s)
        self.transport.abort()

    def _make_room(self) -> bool:
        """Close the connection that has waited longest without asking anything; say whether there was one."""
        idle = [one for one in self.connections if isinstance(one, BoundedProtocol) and one.is_waiting]
        oldest = min((one for one in idle if one is not self), key=lambda one: one.since, default=None)
        if oldest is None:
            return False
        self.connections.discard(oldest)
        oldest.transport.abort()
        return True


class _HeadTooLarge(Exception):
    """An address and headers of too many bytes."""


def _problem(status: int, code: str) -> bytes:
    phrase = HTTPStatus(status).phrase
    told = {"type": f"urn:xuntu:{code.replace('_', '-')}", "title": phrase, "status": status, "detail": f"{phrase}."}
    body = json.dumps({**told, "code": code, "request_id": ""}).encode()
    retry = "Retry-After: 1\r\n" if status == 503 else ""
    head = f"HTTP/1.1 {status} {phrase}\r\nContent-Type: application/problem+json\r\n{retry}"
    return f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body
