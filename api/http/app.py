"""The web application: routes, errors, limits and measurements around the service."""

import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import Depends, FastAPI, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.config import Settings, is_loopback
from api.http.errors import http_problem, install_error_handlers
from api.http.mapping import check_token
from api.http.metrics import Metrics
from api.http.routes import fields, health, images, index, search, thumbnails
from api.http.service import Service
from api.schemas import Problem


def create_app(settings: Settings, *, local_only: bool = False) -> FastAPI:
    """Return the application. The library is opened when it starts; `local_only` answers to this machine's names."""
    metrics = Metrics()
    service = Service(settings, metrics)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await service.start()
        yield
        await service.stop()

    app = FastAPI(
        title="xuntu 寻图",
        summary="Find pictures by words in Chinese or English, or by another picture.",
        version=version("xuntu"),
        lifespan=lifespan,
        responses={"4XX": {"model": Problem}, "5XX": {"model": Problem}},
    )
    app.state.service = service
    for router in (search.router, images.router, thumbnails.router, fields.router, index.router):
        app.include_router(router, prefix="/v1", dependencies=[Depends(check_token)])
    app.include_router(health.router)
    install_error_handlers(app)
    app.add_middleware(BodyLimit, max_bytes=2 * settings.api.max_upload_bytes + 2**20)
    if local_only:
        app.add_middleware(HostCheck)
    app.add_middleware(Observer, metrics=metrics)
    return app


class Observer:
    """Gives every request an id, and counts and times it by route."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = request_id
        status = 500

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", []), (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            self.metrics.requests.labels(route, str(status)).inc()
            self.metrics.request_seconds.labels(route).observe(time.perf_counter() - started)


class BodyLimit:
    """Refuses a request whose body is larger than any picture that is let in, before it is stored anywhere."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self.app = app
        self.max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        declared = request.headers.get("content-length", "0")
        if not declared.isdigit() or int(declared) > self.max_bytes:
            await http_problem(request, 413 if declared.isdigit() else 400)(scope, receive, send)
            return
        received = 0

        async def receive_limited() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.max_bytes:  # a body without a declared length
                return {"type": "http.disconnect"}
            return message

        async def send_unless_too_big(message: Message) -> None:
            if received <= self.max_bytes:
                await send(message)

        await self.app(scope, receive_limited, send_unless_too_big)
        if received > self.max_bytes:
            await http_problem(request, 413)(scope, receive, send)


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
