"""The door itself: every request passes it before its body is read."""

import asyncio
from collections import deque

from fastapi import Request
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.door.admission import Admission, Place
from api.http.door.entrance import Entrance
from api.http.door.gates import SMALL_BODY, Gate, Way, Work
from api.http.door.pacing import RefusalPacer
from api.http.door.rates import rate_headers
from api.http.errors import http_problem, problem_of
from api.http.refusals import RequestError
from api.search.errors import Overloaded

_OPEN = Gate(None, Work.LIGHT)  # of an address without a route


class Door:
    """Lets a request in, or refuses it: without a token, without a right, too large, or where there is no room.

    The observer before it has said which route answers.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        entrance: Entrance,
        admission: Admission,
        max_body: int,
    ) -> None:
        """`max_body`: the most bytes of a body that holds pictures."""
        self.app = app
        self._entrance = entrance
        self._admission = admission
        self._max_body = max_body
        self._pacer = RefusalPacer()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        way: Way | None = scope["state"]["way"]
        gate = way.gate if way else _OPEN
        most = self._max_body if gate.pictures else SMALL_BODY
        size = _declared(request)
        refusal = await self._check_access(request, gate, way.find_library(scope["path"]) if way else None)
        send = _telling_rates(request, send)
        refusal = refusal or _check_size(request, size, most)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        work = Work.PICTURE if gate.pictures and (size is None or size > SMALL_BODY) else gate.work
        place = Place(self._admission, work)
        scope["state"]["place"] = place
        overloaded: Overloaded | None = None
        try:
            if size and gate.scope is None:  # nobody reads it
                place.enter()
                await self.app(scope, _receive_nothing, send)
            elif size is None or size > SMALL_BODY:
                place.check(size or 0)
                place.enter()
                await _Counted(self.app, place, most)(scope, receive, send)
            else:
                if size:  # a slow client waits outside
                    receive = await _receive_all(receive, place)
                place.enter()
                await self.app(scope, receive, send)
        except Overloaded as error:
            overloaded = error
        finally:
            place.leave()
        if overloaded:
            await asyncio.sleep(self._pacer.next_wait_s())
            await problem_of(request, overloaded)(scope, receive, send)

    async def _check_access(self, request: Request, gate: Gate, library: str | None) -> Response | None:
        """Return the refusal of one who may not do this, or not now."""
        try:
            if gate.scope is not None:
                await self._entrance.check(request, gate.scope, library)
        except RequestError as error:
            return problem_of(request, error)
        return None


async def _receive_nothing() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _receive_all(receive: Receive, place: Place) -> Receive:
    """Return what receives a body that has come. Raises Overloaded where there is no room for it."""
    messages: deque[Message] = deque()
    while not messages or messages[-1].get("more_body"):
        message = await receive()
        place.hold(len(message.get("body", b"")))
        messages.append(message)

    async def receive_again() -> Message:
        return messages.popleft() if messages else await receive()

    return receive_again


class _Counted:
    """Counts the bytes of a body that does not say how long it is, and refuses it where it becomes too long."""

    def __init__(self, app: ASGIApp, place: Place, most: int) -> None:
        self._app = app
        self._place = place
        self._most = most
        self._received = 0
        self._overloaded: Overloaded | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""

        async def receive_counted() -> Message:
            if self._is_refused():
                return {"type": "http.disconnect"}
            message = await receive()
            count = len(message.get("body", b""))
            self._received += count
            try:
                self._place.hold(count, is_large=True)
            except Overloaded as error:
                self._overloaded = error
            return {"type": "http.disconnect"} if self._is_refused() else message

        async def send_unless_refused(message: Message) -> None:
            if not self._is_refused():
                await send(message)

        try:
            await self._app(scope, receive_counted, send_unless_refused)
        except ClientDisconnect:
            if not self._is_refused():
                raise
        if self._overloaded:
            raise self._overloaded
        if self._is_refused():
            await http_problem(Request(scope), 413)(scope, receive, send)

    def _is_refused(self) -> bool:
        return self._received > self._most or self._overloaded is not None


def _telling_rates(request: Request, send: Send) -> Send:
    """Return what sends an answer with where its caller stands."""
    headers = rate_headers(request.scope["state"].get("standings", ()))
    if not headers:
        return send

    async def send_with_rates(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", []), *headers]
        await send(message)

    return send_with_rates


def _declared(request: Request) -> int | None:
    """Return the length of a body, None where it is sent in pieces, and -1 where it cannot be read."""
    given = request.headers.get("content-length")
    if given is None:
        return None if "transfer-encoding" in request.headers else 0
    return int(given) if given.isascii() and given.isdigit() else -1


def _check_size(request: Request, size: int | None, most: int) -> Response | None:
    if size is None or 0 <= size <= most:
        return None
    return http_problem(request, 400 if size < 0 else 413)
