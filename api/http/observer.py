"""What every request gets, and what is written down of it: an id, a line in the log, a count and a time."""

import logging
import re
import secrets
import time

from fastapi import Request
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.door.gates import Gates
from api.http.errors import http_problem
from api.http.logs import request_ids
from api.http.metrics import Metrics
from api.http.tracing import Tracing

logger = logging.getLogger(__name__)
access = logging.getLogger("xuntu.access")

_ID = re.compile(r"[\w.:/+=@-]{1,128}", re.ASCII)
_TRACE = re.compile(r"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?")


class Observer:
    """Stands outside of all else, so that it sees what goes wrong there too."""

    def __init__(self, app: ASGIApp, *, gates: Gates, metrics: Metrics, tracing: Tracing, access_log: bool) -> None:
        self.app = app
        self._gates = gates
        self._metrics = metrics
        self._tracing = tracing
        self._access_log = access_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        request = Request(scope)
        request_id = _request_id(request)
        way = self._gates.find(request.method, scope["path"])
        scope.setdefault("state", {}).update(request_id=request_id, way=way)
        request_ids.set(request_id)  # of this task and those that it starts
        status = None

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", []), (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            route = way.path if way else "none"
            with self._tracing.request(request, route, request_id) as span:
                try:
                    await self.app(scope, receive, send_with_id)
                except ClientDisconnect:
                    logger.info("a client went away from %s", route)
                except Exception:  # whatever it is, the client is told which request it was
                    logger.exception("unexpected error on %s", request.url.path)
                    if status is None:
                        await http_problem(request, 500)(scope, receive, send_with_id)
                finally:
                    span.answered(status or 499)
        finally:
            self._write_down(request, status or 499, time.perf_counter() - started)

    def _write_down(self, request: Request, status: int, took_s: float) -> None:
        way = request.scope["state"]["way"]
        route = way.path if way else "none"
        method = request.method if request.method in _METHODS else "other"
        self._metrics.requests.labels(method, route, str(status)).inc()
        self._metrics.worker_requests.inc()
        self._metrics.request_seconds.labels(method, route).observe(took_s)
        if self._access_log:
            caller = request.scope["state"].get("caller")
            told = {
                "client": request.client.host if request.client else None,
                "method": request.method,
                "path": request.scope["path"],
                "route": route,
                "status": status,
                "ms": round(1000 * took_s, 1),
                "caller": caller.name if caller else None,
                "trace": _trace_id(request),
            }
            access.info("%(method)s %(path)s %(status)s %(ms)s ms", told, extra={"told": told})


_METHODS = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"}


def _request_id(request: Request) -> str:
    """Return the id that the client gave its request, that of its trace, or a new one."""
    given = request.headers.get("x-request-id", "")
    return given if _ID.fullmatch(given) else _trace_id(request) or secrets.token_hex(8)


def _trace_id(request: Request) -> str | None:
    found = _TRACE.fullmatch(request.headers.get("traceparent", ""))
    return found[1] if found else None
