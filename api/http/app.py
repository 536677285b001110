"""The web application: routes, errors, limits and measurements around the service."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
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
from api.http.headers import Head, Protection, compress
from api.http.metrics import Metrics
from api.http.observer import Observer
from api.http.routes import (
    batch,
    fields,
    files,
    health,
    images,
    index,
    jobs,
    kept_pictures,
    library,
    search,
    thumbnails,
    uploads,
    vectors,
)
from api.http.service import Service
from api.schemas import Problem


def create_app(settings: Settings, *, local_only: bool = False, page_token: str | None = None) -> FastAPI:
    """Return the application. The library is opened when it starts.

    `local_only` answers to this machine's names; `page_token` is the secret of the page beside it. Raises
    BackendNotInstalled and InvalidSetting.
    """
    metrics = Metrics()
    service = Service(settings, metrics)
    keys = KeyRing(settings.keys_file, follow_seconds=settings.api.follow_seconds)
    entrance = Entrance(settings.api, KnownCallers(settings.api, keys, page_token), metrics)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with keys.follow():
            await service.start()
            yield
            await service.stop()
        await entrance.close()

    app = FastAPI(
        title="xuntu 寻图",
        summary="Find pictures by words in Chinese or English, or by another picture.",
        version=version("xuntu"),
        lifespan=lifespan,
        responses={"4XX": {"model": Problem}, "5XX": {"model": Problem}},
        generate_unique_id_function=name_operation,
        docs_url=None,
        redoc_url=None,
    )
    app.state.service = service
    mounted = (search, batch, uploads, images, vectors, thumbnails, files, kept_pictures, fields, index, library, jobs)
    routers = [("/v1", module.router) for module in mounted]
    routers.append(("", health.router))
    for prefix, router in routers:
        app.include_router(router, prefix=prefix)
    gates = Gates(routers)
    document(app, gates)
    install_error_handlers(app)
    compress(app)
    app.add_middleware(Head)
    app.add_middleware(
        Door,
        entrance=entrance,
        admission=service.admission,
        max_body=2 * settings.api.max_upload_bytes + SMALL_BODY,
    )
    if local_only:
        app.add_middleware(HostCheck)
    app.add_middleware(Observer, gates=gates, metrics=metrics, access_log=settings.api.access_log)
    app.add_middleware(Protection, embedding=settings.api.embedding)
    return app


class HostCheck:
    """Refuses requests that do not name this machine, as a page elsewhere makes a browser send by changing its DNS."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] == "http":
            request = Request(scope)
            if not is_loopback(request.url.hostname or ""):
                await http_problem(request, 400)(scope, receive, send)
                return
        await self.app(scope, receive, send)
