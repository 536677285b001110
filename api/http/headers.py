"""What every answer says and what every request has to: protection of browsers, HEAD, compression, content types.

Nothing that is answered here is a page but /docs, which has a policy of its own: no browser is to run, to
guess at, or to embed elsewhere, what comes from a picture library.
"""

from collections.abc import Sequence
from typing import Final

from fastapi import FastAPI, Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PROTECTION: Final = {
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox",
    "Referrer-Policy": "no-referrer",
}
_PAGES: Final = ("/docs", "/redoc")
# They are made of this service's files alone; a script stands in them.
_PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; frame-ancestors 'none'"
)
_COMPRESSED_FROM: Final = 1024  # bytes
# Whatever is sent but JSON: it is small, packed already, or sent bit by bit.
_NOT_COMPRESSED: Final = (
    *("image/*", "video/*", "audio/*", "text/*", "multipart/*"),
    *("application/octet-stream", "application/zip", "application/pdf"),
)
IS_HEAD: Final = "xuntu.head"  # in a scope: the body will not be sent


def compress(app: FastAPI) -> None:
    """Have an application compress its JSON."""
    app.add_middleware(GZipMiddleware, _COMPRESSED_FROM, 5, exclude_content_types=_NOT_COMPRESSED)


def allow_origins(app: FastAPI, origins: Sequence[str]) -> None:
    """Let web pages of other origins ask, and read what is answered; "*": of any. No cookies are taken."""
    app.add_middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_methods=["GET", "POST", "PUT", "DELETE"],
        allow_headers=["*"],
        expose_headers=["ETag", "Retry-After", "X-Request-ID"],
    )


def check_json(request: Request) -> None:
    """Refuse a body that does not say it is JSON, as a dependency of routes that take nothing else.

    A route whose clients say nothing of their bodies leaves it out.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise HTTPException(415, headers={"Accept-Post": "application/json"})


class Protection:
    """Adds headers that protect browsers to every answer which does not say them itself."""

    def __init__(self, app: ASGIApp, embedding: str) -> None:
        self.app = app
        self.headers = {**PROTECTION, "Cross-Origin-Resource-Policy": embedding}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        policy = _PAGE_POLICY if scope["path"] in _PAGES else self.headers["Content-Security-Policy"]
        protection = {**self.headers, "Content-Security-Policy": policy}

        async def send_protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in protection.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, send_protected)


class _Answered(OSError):
    """The headers are sent, and nothing else is wanted. An OSError, as of a client that has hung up."""


class Head:
    """Answers HEAD as GET without its body, on every route that has GET."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return
        is_answered = False

        async def send_without_body(message: Message) -> None:
            nonlocal is_answered
            if is_answered:
                raise _Answered
            if message["type"] == "http.response.start":
                await send(message)
            elif message["type"] == "http.response.body":
                is_answered = True
                await send({"type": "http.response.body", "body": b"", "more_body": False})

        try:
            await self.app({**scope, "method": "GET", IS_HEAD: True}, receive, send_without_body)
        except (OSError, ClientDisconnect):
            if not is_answered:
                raise


def is_head(scope: Scope) -> bool:
    """Say whether the body of an answer will not be sent."""
    return bool(scope.get(IS_HEAD))


def accepts(headers: Headers, name: str, tag: str) -> bool:
    """Say whether a header of conditions names an entity tag, or any."""
    given = headers.get(name, "")
    return given.strip() == "*" or tag in [one.strip().removeprefix("W/") for one in given.split(",")]
