"""Requests of the browser, asked of the service in the page's name: with its token, which the browser never sees.

Bodies are streamed both ways. A browser that goes away ends what it asked for; a service that hangs up within an answer
breaks it off, which the browser notices.
"""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import parse_qsl, urlencode

import httpx
from anyio import CancelScope, create_task_group, fail_after
from pydantic import ValidationError
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.client.errors import ServiceTooSlow, ServiceUnreachable
from api.schemas import Problem
from ui.config import TIMEOUT_S, PageSettings
from ui.gateway.bodies import BodyTooLarge, BodyTooSlow, BoundedBody
from ui.gateway.refusals import refuse, refuse_failed, refuse_page, request_id
from ui.gateway.routes import AllowedRequest

log = logging.getLogger(__name__)

RawHeaders = list[tuple[bytes, bytes]]

MOST_BYTES: Final = {"json": 2**20, "picture": 64 * 2**20}
KEPT: Final = "private, max-age=31536000, immutable"  # what a thumbnail is whose address names its content

STALL_S: Final = 30.0

_CONNECT_S: Final = 3.0
# Connections are not kept for as long as the service keeps them (5 s), so that none is closed while it is used again.
_LIMITS: Final = httpx.Limits(max_connections=512, max_keepalive_connections=64, keepalive_expiry=2.0)
_ASKED: Final = (
    "accept",
    "accept-encoding",
    "accept-language",
    "content-type",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "range",
    "traceparent",
)
_ANSWERED: Final = frozenset(
    (
        "accept-ranges",
        "cache-control",
        "content-disposition",
        "content-encoding",
        "content-length",
        "content-range",
        "content-type",
        "etag",
        "last-modified",
        "retry-after",
        "vary",
        "x-request-id",
    )
)
# What the service says of a token that it does not take, or that may not do this. Other 403 are about a picture.
_OF_TOKENS: Final = frozenset(("unauthorized", "key_expired", "forbidden", "library_forbidden"))
_MOST_PROBLEM: Final = 2**16
_FAILURES: Final = (BodyTooLarge, BodyTooSlow, httpx.RequestError, httpx.InvalidURL, UnicodeDecodeError)


class ServiceProxy:
    """Asks the service. `lifespan` opens and closes its connections."""

    def __init__(self, settings: PageSettings, *, timeout_s: float = TIMEOUT_S, stall_s: float = STALL_S) -> None:
        """`timeout_s`: how long the service may say nothing; `stall_s`: how long a browser sends or takes nothing."""
        self._stall_s = stall_s
        self._url = settings.api_url
        token = settings.token.get_secret_value()
        self._token = [(b"authorization", f"Bearer {token}".encode())] if token else []
        self._timeout = httpx.Timeout(timeout_s, connect=min(timeout_s, _CONNECT_S))
        self._http: httpx.AsyncClient | None = None
        self._is_away = False

    @asynccontextmanager
    async def lifespan(self, _: object = None) -> AsyncIterator[None]:
        """Hold connections to the service open."""
        trusted = httpx.create_ssl_context()  # SSL_CERT_FILE counts, and no proxy of the environment
        async with httpx.AsyncClient(limits=_LIMITS, verify=trusted, trust_env=False) as self._http:
            yield
        self._http = None

    async def answer(self, allowed: AllowedRequest, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request with what the service says."""
        body = BoundedBody(receive, MOST_BYTES[allowed.body], self._stall_s)
        request = Request(scope)
        async with create_task_group() as tasks:

            async def end_when_gone() -> None:
                await body.wait_until_gone()
                tasks.cancel_scope.cancel()

            tasks.start_soon(end_when_gone)
            await self._answer(allowed, request, body, send)
            tasks.cancel_scope.cancel()

    async def _answer(self, allowed: AllowedRequest, request: Request, body: BoundedBody, send: Send) -> None:
        try:
            found = await self._ask(allowed, request, body)
        except ClientDisconnect:
            return
        except _FAILURES as error:
            refusal = self._explain(allowed, request, error)
            await refusal(request.scope, request.receive, send)
            return
        body.is_read.set()  # what the service has not waited for, nobody reads
        try:
            headers = _headers(allowed, request, found)
            if found.is_stream_consumed:
                await _say_refusal(request, found, headers)(request.scope, request.receive, send)
            else:
                await _pass_on(found, headers, send, self._stall_s)
        finally:
            with CancelScope(shield=True):
                await found.aclose()

    async def _ask(self, allowed: AllowedRequest, request: Request, body: BoundedBody) -> httpx.Response:
        """Return the answer of the service, of which the head has come, and all of it where it is a refusal.

        Raises ClientDisconnect, and what `_FAILURES` names.
        """
        asked = await self._make(allowed, request, body)
        if self._http is None:
            raise httpx.ConnectError("the page has not started")
        answer = await self._http.send(asked, stream=True)
        self._is_away = False
        length = int(answer.headers.get("content-length", _MOST_PROBLEM + 1))
        if answer.status_code in (401, 403) and length <= _MOST_PROBLEM:
            await answer.aread()
        return answer

    def _explain(self, allowed: AllowedRequest, request: Request, error: Exception) -> Response:
        """Return what is said where there is no answer."""
        match error:
            case BodyTooLarge():
                return refuse(request, "request_too_large", limit=MOST_BYTES[allowed.body] // 2**20)
            case BodyTooSlow():
                return refuse(request, "request_timeout")
            case httpx.TimeoutException():
                log.info("the service has not answered in time: %r", error)
                return refuse_failed(request, 504, ServiceTooSlow(self._url))
            case httpx.RequestError():
                log.log(logging.INFO if self._is_away else logging.WARNING, "the service cannot be reached: %r", error)
                self._is_away = True  # said once
                return refuse_failed(request, 502, ServiceUnreachable(self._url))
            case _:
                return refuse(request, "bad_request")

    async def _make(self, allowed: AllowedRequest, request: Request, body: BoundedBody) -> httpx.Request:
        """Return the request to the service. A small body is waited for, so that no slow client keeps it waiting.

        Raises as BoundedBody does, and InvalidURL or UnicodeDecodeError where the query is none.
        """
        length = request.headers.get("content-length", "")
        if length.isdecimal() and int(length) > MOST_BYTES[allowed.body]:
            raise BodyTooLarge
        query: bytes = request.scope["query_string"]
        if allowed.is_thumbnail:
            query = _without_key(query)
        url = f"{self._url}/{allowed.path}"
        headers = [(name.encode(), value.encode("latin-1")) for name, value in _chosen(request)]
        headers += [*self._token, (b"x-request-id", request_id(request).encode())]
        if allowed.body == "picture" and length:
            headers.append((b"content-length", length.encode("latin-1")))
        return httpx.Request(
            request.method,
            f"{url}?{query.decode('ascii')}" if query else url,
            headers=headers,
            content=body if allowed.body == "picture" else await body.read(),
            extensions={"timeout": self._timeout.as_dict()},
        )


def _chosen(request: Request) -> list[tuple[str, str]]:
    return [(name, value) for name in _ASKED for value in request.headers.getlist(name)]


def _without_key(query: bytes) -> bytes:
    """Return a query without `v`, which tells the browser that another content is at another address."""
    pairs = [(name, value) for name, value in parse_qsl(query, keep_blank_values=True) if name != b"v"]
    return urlencode(pairs).encode("ascii")


def _headers(allowed: AllowedRequest, request: Request, answer: httpx.Response) -> RawHeaders:
    """Return the headers of an answer that the browser gets."""
    passed = _ANSWERED | {"location"} if allowed.is_file else _ANSWERED
    found = [(name.lower(), value) for name, value in answer.headers.raw if name.decode("latin-1").lower() in passed]
    if allowed.is_thumbnail and answer.status_code in (200, 304) and request.query_params.get("v"):
        MutableHeaders(raw=found)["Cache-Control"] = KEPT
    return found


def _say_refusal(request: Request, answer: httpx.Response, headers: RawHeaders) -> Response:
    """Return what is said of 401 and 403, of which all has come.

    Where the service refuses the page's token, that is the matter of whoever runs the page.
    """
    try:
        problem = Problem.model_validate_json(answer.content)
    except ValidationError:
        problem = None
    if problem and problem.code in _OF_TOKENS:
        return refuse_page(request, problem)
    passed = Response(answer.content, answer.status_code)  # which is no longer packed
    passed.raw_headers += [one for one in headers if one[0] not in (b"content-length", b"content-encoding")]
    return passed


async def _pass_on(answer: httpx.Response, headers: RawHeaders, send: Send, stall_s: float) -> None:
    """Send what the service sends; where that breaks off, return, so that the server hangs up on the browser."""
    await send({"type": "http.response.start", "status": answer.status_code, "headers": headers})
    try:
        async for piece in answer.aiter_raw():
            with fail_after(stall_s):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
    except (httpx.TransportError, TimeoutError) as error:
        log.info("an answer broke off: %r", error)
        return
    await send({"type": "http.response.body", "body": b"", "more_body": False})
