"""`xuntu mcp`: the library as tools for assistants, on standard input and output."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from models.foundation.terminal import Data, language

if TYPE_CHECKING:
    from api.client import AsyncClient
    from api.config import Settings


def mcp(
    context: typer.Context,
    *,
    api: Annotated[
        str | None,
        typer.Option(
            help="Ask the service at this address, with the token in XUNTU_API__TOKEN, if any.", show_default=False
        ),
    ] = None,
    data: Data = None,
) -> None:
    """Give an assistant (Claude Desktop and others) tools to search the library, by the Model Context Protocol."""
    import anyio

    from api.config import Settings
    from models.config import load_settings
    from models.foundation.errors import BackendNotInstalled

    for package in ("mcp", "httpx"):
        if find_spec(package) is None:
            raise BackendNotInstalled(package, "mcp")
    folder: Path | None = data or context.obj
    anyio.run(_serve, load_settings(Settings, data=folder), api)


async def _serve(settings: "Settings", api: str | None) -> None:
    """Serve until the assistant closes the input."""
    from api.client import AsyncClient
    from api.mcp.server import make_server

    token = None if settings.api.token is None else settings.api.token.get_secret_value()
    there = AsyncClient(api, token, language=language()) if api else _open_here(settings)
    async with there as client:
        await make_server(lambda _: nullcontext(client)).run_stdio_async()


@asynccontextmanager
async def _open_here(settings: "Settings") -> AsyncIterator["AsyncClient"]:
    """Return a client of a service in this process, which nobody else can reach."""
    import secrets

    import httpx

    from api.client import AsyncClient
    from api.http.app import create_app

    own = secrets.token_urlsafe()
    settings.libraries = {}
    settings.api.preload_image = False  # an assistant asks with words
    app = create_app(settings, page_token=own, looks_after=False)
    async with app.router.lifespan_context(app):
        http = httpx.AsyncClient(transport=httpx.ASGITransport(app), trust_env=False)
        async with AsyncClient("http://127.0.0.1", own, language=language(), http=http) as client:
            yield client
