"""Pieces of a download -> an answer, for as long as the client takes them at some pace."""

import logging
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Final

from anyio import create_task_group, move_on_after
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.http.headers import is_head
from api.http.sending import disposition

logger = logging.getLogger(__name__)

_SLOWEST: Final = 2**15  # bytes a second, once the first seconds are over
_FIRST_SECONDS: Final = 60.0


class Pace:
    """How long a client may still be waited for: its first seconds, and for what it has taken as long as that may take.

    Only the time counts that it was waited for.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        """`now`: seconds from any moment on."""
        self._now = now
        self._since = 0.0
        self.left_s = _FIRST_SECONDS

    def begin(self) -> None:
        """Begin to wait for the client."""
        self._since = self._now()

    def took(self, count: int) -> None:
        """Note that it has taken so many bytes."""
        self.left_s += count / _SLOWEST - (self._now() - self._since)


class StreamedResponse(Response):
    """Sends a download whose size nobody knows before it is there.

    It ends where the client hangs up, or takes what it is sent at less than 32 KiB a second: then the connection is
    closed within the answer, as where something goes wrong on the way.
    """

    def __init__(self, pieces: AsyncGenerator[bytes, None], *, kind: str, name: str) -> None:
        super().__init__(media_type=kind)
        self._pieces = pieces
        self.headers["Content-Disposition"] = disposition(name)
        self.headers["Cache-Control"] = "no-store"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers = [one for one in self.raw_headers if one[0] != b"content-length"]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if is_head(scope):
            await send({"type": "http.response.body", "body": b""})
            return
        async with create_task_group() as tasks:

            async def wait_for_the_end() -> None:
                while (await receive())["type"] != "http.disconnect":
                    pass
                tasks.cancel_scope.cancel()

            tasks.start_soon(wait_for_the_end)
            if await self._send(send):
                await send({"type": "http.response.body", "body": b""})
            tasks.cancel_scope.cancel()

    async def _send(self, send: Send) -> bool:
        """Send the pieces, and say whether all were taken."""
        pace = Pace()
        async with aclosing(self._pieces) as pieces:
            async for piece in pieces:
                if not piece:
                    continue
                pace.begin()
                with move_on_after(max(0.0, pace.left_s)) as waiting:
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                if waiting.cancelled_caught:
                    logger.info("a client that took a download too slowly was let go")
                    return False
                pace.took(len(piece))
        return True
