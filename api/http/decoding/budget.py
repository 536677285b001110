"""A number of bytes that is shared out, in the order in which it is asked for."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class MemoryBudget:
    """Bytes that are taken for a while. Who asks for many is not overtaken by those who ask for few.

    For one event loop.
    """

    def __init__(self, total_bytes: int) -> None:
        self.total_bytes = total_bytes
        self._free = total_bytes
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def take(self, size_bytes: int) -> AsyncIterator[None]:
        """Hold so many bytes, as soon as they are free; at most all there are."""
        size = min(size_bytes, self.total_bytes)
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append((size, turn))
        self._give()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # it was given, and is not wanted any more
                self._free += size
            else:
                self._waiting.remove((size, turn))
            self._give()
            raise
        try:
            yield
        finally:
            self._free += size
            self._give()

    def _give(self) -> None:
        while self._waiting and (self._waiting[0][0] <= self._free or self._waiting[0][1].done()):
            size, turn = self._waiting[0]
            if turn.done():  # cancelled: whoever waits for it takes it out
                break
            self._waiting.popleft()
            self._free -= size
            turn.set_result(None)
