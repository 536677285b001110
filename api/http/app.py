"""The web application: routes, errors, limits and measurements around the service."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from importlib.metadata import version

from fastapi import FastAPI, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from api.config import Settings, is_loopback
from api.http.documentation import document, name_operation
from api.http.door.access import KnownCallers
from api.http.door.door import Door
from api.http.door.entrance import Entrance
from api.http.door.gates import SMALL_BODY, Gates
from api.http.door.key_ring import KeyRing
from api.http.errors import http_problem, install_error_handlers
from api.http.headers import Head, Protection, allow_origins, compress
from api.http.libraries import Libraries
from api.http.metrics import Metrics
from api.http.observer import Observer
from api.http.routes import (
    archive,
    batch,
    boards,
    clip_retrieval,
    contents,
    embeddings,
    fields,
    files,
    health,
    images,
    index,
    jobs,
    kept_pictures,
    libraries,
    library,
    operation,
    places,
    search,
    suggest,
    thumbnails,
    uploads,
    vectors,
)
from api.http.routes.mcp import McpMount
from api.http.tracing import Tracing, open_tracing
from api.schemas import Problem

_DESCRIPTION = (
    "A service may have several libraries, which `GET /v1/libraries` lists. Paths that begin with `/v1` mean the "
    "default one; each library has the same paths below `/v1/libraries/{library}`."
)


def create_app(
    settings: Settings,
    *,
    local_only: bool = False,
    page_token: str | None = None,
    tracing: Tracing | None = None,
    worker: str = "0",
    looks_after: bool = True,
) -> FastAPI:
    """Return the application. The library is opened when it starts.

    `local_only` answers to this machine's names; `page_token` is the secret of the page beside it; `tracing` takes the
    place of what the settings say; `worker` is what its process is called among several. With `looks_after` it runs
    jobs, tells the webhook and deletes old uploads, else it only answers. Raises BackendNotInstalled and
    InvalidSetting.
    """
    metrics = Metrics(worker)
    tracing = tracing or open_tracing(settings)
    served = Libraries(settings, metrics, tracing, looks_after=looks_after)
    keys = KeyRing(settings.keys_file, follow_seconds=settings.api.follow_seconds)
    tools = McpMount() if settings.api.mcp else None
    callers = KnownCallers(settings.api, keys, page_token)
    entrance = Entrance(settings.api, callers, metrics, has_several=bool(settings.libraries))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with keys.follow(), tools.runs(app) if tools else nullcontext():
            await served.start()
            metrics.workers.set(1)
            yield
            await served.stop()
        await entrance.close()
        await asyncio.to_thread(tracing.close)

    app = FastAPI(
        title="xuntu 寻图",
        summary="Find pictures by words in Chinese or English, or by another picture.",
        description=_DESCRIPTION,
        version=version("xuntu"),
        lifespan=lifespan,
        responses={"4XX": {"model": Problem}, "5XX": {"model": Problem}},
        generate_unique_id_function=name_operation,
        docs_url=None,
        redoc_url=None,
    )
    app.state.libraries, app.state.service = served, served.default
    asked = (search, batch, uploads, images, contents, vectors, thumbnails, files, fields, places, suggest, embeddings)
    mounted = (*asked, archive, boards, kept_pictures, index, library, operation, jobs)
    routers = [("/v1", module.router) for module in mounted]
    routers += [
        ("/v1", libraries.router),
        ("/v1", operation.of_service),
        ("", clip_retrieval.router),
        ("", health.router),
    ]
    if tools:
        routers.append(("", tools.router))
    named = [("/v1/libraries/{library}", module.router) for module in mounted]
    for prefix, router in routers:
        app.include_router(router, prefix=prefix)
    for prefix, router in named:
        app.include_router(router, prefix=prefix, include_in_schema=False)
    routers += named
    gates = Gates(routers)
    document(app, gates)
    install_error_handlers(app)
    compress(app)
    app.add_middleware(Head)
    app.add_middleware(
        Door,
        entrance=entrance,
        admission=served.admission,
        max_body=2 * settings.api.max_upload_bytes + SMALL_BODY,
    )
    if local_only:
        app.add_middleware(HostCheck)
    if settings.api.origins:
        allow_origins(app, settings.api.origins)
    app.add_middleware(Observer, gates=gates, metrics=metrics, tracing=tracing, access_log=settings.api.access_log)
    app.add_middleware(Protection, embedding=settings.api.embedding)
    return app


# A name or an address, and a port. What is written in another way names nobody.
_HOST = re.compile(rb"([0-9A-Za-z.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")


class HostCheck:
    """Refuses requests that do not name this machine, as a page elsewhere makes a browser send by changing its DNS."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] == "http":
            named = [value for name, value in scope["headers"] if name == b"host"]
            host = _HOST.fullmatch(named[0]) if len(named) == 1 else None
            if host is None or not is_loopback(host[1].decode("ascii")):
                await http_problem(Request(scope), 400)(scope, receive, send)
                return
        await self.app(scope, receive, send)
