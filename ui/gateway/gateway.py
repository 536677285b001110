"""What stands before Streamlit: the page's routes below /api/ and /assets/, its documents, and who may ask at all.

It stands outside of Streamlit's own middleware, which would compress files that can be asked for in ranges.
"""

from collections.abc import Collection
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ui.gateway.assets import Assets
from ui.gateway.documents import Documents
from ui.gateway.host_config import HOST_CONFIG, answer_host_config
from ui.gateway.packing import Packing
from ui.gateway.proxy import ServiceProxy
from ui.gateway.refusals import language_of, refuse, sentence
from ui.gateway.routes import AllowedRequest, find_allowed
from ui.gateway.sites import HostNames, is_cross_site, is_own_page, may_connect

# Nothing here may be shown by another site, guessed at, or told to others as where somebody came from.
_PROTECTION: Final = {
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
# Files of the library are anybody's: none of them runs as a page of this origin.
_OF_LIBRARY: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"
}
# What Streamlit gives out is shown in no frame of another site, where people could be led to click.
_OF_PAGE: Final = {
    "Content-Security-Policy": "base-uri 'self'; form-action 'self'; frame-ancestors 'self'; object-src 'none'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
_READ: Final = ("GET", "HEAD")


class PageGateway:
    """Answers what is below `base`/api/ and `base`/assets/, and leaves everything else to the application in it.

    `base` is the path below which the page lies, "" for none.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        service: ServiceProxy,
        assets: Assets,
        hosts: HostNames,
        base: str,
        origins: Collection[str] = (),
    ) -> None:
        """`origins`: those of other pages that may open websockets, as Streamlit is told in `corsAllowedOrigins`."""
        path = base.strip("/")
        self._app = Packing(app, f"/{path}/static/" if path else "/static/")
        self._service = service
        self._assets = assets
        self._hosts = hosts
        self._origins = frozenset(origins)
        self._base = f"/{path}/" if path else "/"
        self._documents = Documents(app, assets, self._base)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        host = _host_of(scope)
        if not self._hosts.has(host):
            await _refuse_host(host, scope, receive, send)
            return
        if scope["type"] == "websocket":
            if may_connect(Headers(scope=scope), self._origins):
                await self._app(scope, receive, send)
            else:
                await _refuse_websocket(receive, send)
            return
        path: str = scope["path"]
        own = path.removeprefix(self._base) if path.startswith(self._base) else None
        kind, _, rest = (own or "").partition("/")
        if kind == "api":
            await self._answer_api(rest, scope, receive, _protecting(send, {**_PROTECTION, **_OF_LIBRARY}))
        elif kind == "assets":
            request = Request(scope)
            found = await self._assets.answer(request, rest) or refuse(request, "not_found")
            await found(scope, receive, _protecting(send, _PROTECTION))
        elif own == HOST_CONFIG and scope["method"] in _READ:
            await answer_host_config(host)(scope, receive, _protecting(send, _PROTECTION))
        elif own is not None and (page := self._documents.page_of(scope["method"], own)):
            await self._documents.answer(page, scope, receive, _protecting(send, _OF_PAGE))
        else:
            await self._app(scope, receive, _protecting(send, _OF_PAGE))

    async def _answer_api(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        allowed = find_allowed(request.method, path)
        refusal = _check(request, allowed)
        if refusal:
            await refusal(scope, receive, send)
        elif allowed:
            await self._service.answer(allowed, scope, receive, send)


def _check(request: Request, allowed: AllowedRequest | None) -> Response | None:
    """Return the refusal of what is not passed on."""
    if is_cross_site(request.headers):
        return refuse(request, "cross_site")
    if allowed is None:
        return refuse(request, "not_found")
    if request.method in _READ:
        return None
    if not is_own_page(request.headers):
        return refuse(request, "cross_site")
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not _takes(allowed, kind) and not (request.method == "DELETE" and not kind):
        return refuse(request, "unsupported_media_type")
    return None


def _takes(allowed: AllowedRequest, kind: str) -> bool:
    """Say whether a body may be of this type: none of those that a form of another site can send."""
    if allowed.body == "picture":
        return kind.startswith("image/") or kind == "application/octet-stream"
    return kind == "application/json"


def _host_of(scope: Scope) -> str:
    named = [value for name, value in scope["headers"] if name == b"host"]
    return named[0].decode("latin-1") if len(named) == 1 else ""


async def _refuse_host(host: str, scope: Scope, receive: Receive, send: Send) -> None:
    """Refuse a connection under a name that is not the page's, in a sentence that a browser shows."""
    if scope["type"] == "websocket":
        await _refuse_websocket(receive, send)
        return
    said = sentence("unknown_host", language_of(Request(scope)), host=host[:100] or "?")
    refusal = Response(said, 421, {"Cache-Control": "no-store"}, "text/plain")
    await refusal(scope, receive, _protecting(send, _PROTECTION))


async def _refuse_websocket(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.close", "code": 1008})


def _protecting(send: Send, headers: dict[str, str]) -> Send:
    """Return what sends answers with these headers."""

    async def send_protected(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = list(message.get("headers", ()))
            MutableHeaders(scope=message).update(headers)
        await send(message)

    return send_protected
