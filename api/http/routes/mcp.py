"""The library as tools for assistants at /mcp, where that is switched on: each call asks with its caller's token."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, FastAPI, Request, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api.client import AsyncClient
from api.http.door import gates
from api.http.door.access import read_token
from models.foundation.errors import BackendNotInstalled

if TYPE_CHECKING:
    from mcp.server.mcpserver import Context


class McpMount:
    """Makes `router`, and answers its requests while it `runs`."""

    def __init__(self) -> None:
        """Raise BackendNotInstalled without the packages."""
        for package in ("mcp", "httpx"):
            if find_spec(package) is None:
                raise BackendNotInstalled(package, "mcp")
        self.router = APIRouter(tags=["mcp"])
        self._app: ASGIApp | None = None

        @self.router.api_route("/mcp", methods=["GET", "POST", "DELETE"], include_in_schema=False)
        @gates.gated(gates.Scope.SEARCH, gates.Work.LIGHT)
        async def speak_mcp() -> Response:
            return _Handed(self._app)

    @asynccontextmanager
    async def runs(self, app: FastAPI) -> AsyncIterator[None]:
        """Answer, by asking `app`, as long as the context lasts."""
        from mcp.server.transport_security import TransportSecuritySettings

        from api.mcp.server import make_server

        def connect(context: "Context[Any, Any]") -> AbstractAsyncContextManager[AsyncClient]:
            request: Request | None = context.request_context.request
            if request is None:
                raise RuntimeError("the tools are asked without a request")
            return _ask_as(app, request)

        server = make_server(connect)
        # Who may ask is checked at the door, names of this machine before it.
        security = TransportSecuritySettings(enable_dns_rebinding_protection=False)
        inner = server.streamable_http_app(stateless_http=True, json_response=True, transport_security=security)
        async with server.session_manager.run():
            self._app = inner
            yield
        self._app = None


def _ask_as(app: FastAPI, request: Request) -> AsyncClient:
    """Return a client in this process that has the token, the address and the language of a request."""
    import httpx

    token = read_token(request.headers)
    client = (request.client.host, request.client.port) if request.client else ("127.0.0.1", 0)
    return AsyncClient(
        "http://127.0.0.1",
        None if token is None else token.decode("utf-8", "replace"),
        language=request.headers.get("accept-language", "en"),
        http=httpx.AsyncClient(transport=httpx.ASGITransport(app, client=client), trust_env=False),
    )


class _Handed(Response):
    """An answer that another application gives."""

    def __init__(self, app: ASGIApp | None) -> None:
        super().__init__()
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if self._app is None:
            raise RuntimeError("the tools are asked before the service has started")
        await self._app(scope, receive, send)
