"""A picture at an address -> its bytes, fetched for a client: small ones, a few at once, and only what was indexed."""

import asyncio
import hashlib
import io
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from typing import Final
from urllib.parse import unquote, urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.http.connection import while_connected
from api.http.decoding.budget import MemoryBudget
from api.http.headers import accepts
from api.http.sending import CACHE
from api.search.errors import AddressNotFetched, AddressWithheld, FileChanged
from indexer.library.addresses.connections import Deadline
from indexer.library.addresses.fetching import open_guarded
from indexer.library.catalog.records import ImageRow
from indexer.library.config import LibrarySettings
from indexer.library.opening import CHECKED_BYTES
from models.pictures.errors import DecodeError, ImageTooLarge
from models.pictures.limits import DecodeLimits

logger = logging.getLogger(__name__)

_AT_ONCE: Final = 4
_HELD_BYTES: Final = 4 * CHECKED_BYTES  # of what is fetched or sent


class AddressFetches:
    """Fetches pictures for clients on threads of its own, and counts the bytes that are held for them."""

    def __init__(self, settings: LibrarySettings) -> None:
        self._fetching = settings.fetching
        self._most_bytes = min(CHECKED_BYTES, settings.max_file_bytes)
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="fetching")
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._budget = MemoryBudget(_HELD_BYTES)
        self._asked: set[Deadline] = set()

    def check_size(self, row: ImageRow) -> None:
        """Raise AddressWithheld for a picture that is too large to be held until it is known to be what it was."""
        if (row.stamp.size or 0) > self._most_bytes:
            raise AddressWithheld(row.id, "large")

    async def fetch(self, row: ImageRow, address: str, held: AsyncExitStack) -> bytes:
        """Return a picture, whose bytes count until `held` is left; where this is cancelled, the fetch is ended.

        Raises FileChanged and AddressNotFetched.
        """
        size = self._most_bytes if row.stamp.size is None else row.stamp.size
        await held.enter_async_context(self._budget.take(size))
        async with self._turns:
            deadline = self._fetching.begin()
            self._asked.add(deadline)
            try:
                return await asyncio.get_running_loop().run_in_executor(
                    self._threads, self._fetch, row, address, size, deadline
                )
            finally:
                deadline.end()
                self._asked.discard(deadline)

    def _fetch(self, row: ImageRow, address: str, size: int, deadline: Deadline) -> bytes:
        data, digest = io.BytesIO(), hashlib.sha256()
        try:
            with open_guarded(address, DecodeLimits(max_bytes=size), self._fetching, deadline) as answer:
                for chunk in answer:
                    data.write(chunk)
                    digest.update(chunk)
        except ImageTooLarge as error:
            raise FileChanged(row.id) from error
        except DecodeError as error:
            logger.warning("picture %d was not fetched: %s", row.id, error)
            raise AddressNotFetched(row.id) from error
        if digest.hexdigest() != row.sha256:
            raise FileChanged(row.id)
        return data.getvalue()

    def close(self) -> None:
        """End what is being fetched."""
        for deadline in self._asked:
            deadline.end()
        self._threads.shutdown(wait=False, cancel_futures=True)


class FetchedResponse(Response):
    """Fetches a picture once nothing else is in the way, and sends the answer that `prepare` makes of its bytes.

    `tag` is what a client that has the picture calls it: nothing is fetched for that one.
    """

    def __init__(
        self, fetches: AddressFetches, row: ImageRow, address: str, tag: str, prepare: Callable[[bytes], Response]
    ) -> None:
        super().__init__()
        self._fetches, self._row, self._address, self._tag, self._prepare = fetches, row, address, tag, prepare

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        async with AsyncExitStack() as held:
            if accepts(request.headers, "if-none-match", self._tag):
                answer = Response(status_code=304, headers={**CACHE, "ETag": self._tag})
            else:
                answer = await while_connected(request, self._make(held))
            await answer(scope, receive, send)

    async def _make(self, held: AsyncExitStack) -> Response:
        data = await self._fetches.fetch(self._row, self._address, held)
        return await asyncio.to_thread(self._prepare, data)


def name_at(address: str) -> str:
    """Return the name of the file at an address; nothing of its query, which may be secret."""
    return unquote(urlsplit(address).path).rpartition("/")[2]
