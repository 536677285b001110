"""The body of a request, on its way to the service: bounded in bytes, and in time between its pieces."""

from collections.abc import AsyncIterator

from anyio import Event, fail_after
from starlette.requests import ClientDisconnect
from starlette.types import Receive


class BodyTooLarge(Exception):
    """More bytes than may be sent."""


class BodyTooSlow(Exception):
    """Nothing came for long."""


class BoundedBody:
    """Reads a body once. `is_read` is set when nothing more of it will be read."""

    def __init__(self, receive: Receive, most_bytes: int, stall_s: float) -> None:
        self._receive = receive
        self._stall_s = stall_s
        self._most = most_bytes
        self.is_read = Event()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the body in pieces. Raises BodyTooLarge, BodyTooSlow and ClientDisconnect."""
        received, more = 0, True
        while more:
            try:
                with fail_after(self._stall_s):
                    message = await self._receive()
            except TimeoutError as error:
                raise BodyTooSlow from error
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            piece: bytes = message.get("body", b"")
            received += len(piece)
            if received > self._most:
                raise BodyTooLarge
            more = message.get("more_body", False)
            if piece:
                yield piece
        self.is_read.set()

    async def read(self) -> bytes:
        """Return the whole body. Raises as iterating does."""
        return b"".join([piece async for piece in self])

    async def wait_until_gone(self) -> None:
        """Return when the client has gone away, once its body has been read."""
        await self.is_read.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass
