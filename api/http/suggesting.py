"""What may be suggested of a library: made beside the loop, when somebody first types, and kept."""

import asyncio
import logging
import threading
import time
from dataclasses import dataclass, replace

from api.search.engine import SearchEngine
from api.search.known_values import make_table
from api.search.suggesting import SuggestionTable
from models.foundation.errors import ImageSearchError

logger = logging.getLogger(__name__)

_WAIT_S = 0.5  # for the first table of a library; until it is there nothing is suggested
_FRESH_S = 600.0  # at least: a library that is being indexed changes all the time


@dataclass(frozen=True, slots=True)
class _Made:
    """A table, of which build and which state of the catalog it is, and when it was last looked at."""

    build: str
    version: int
    at: float
    table: SuggestionTable


class SuggestionTables:
    """The table of one library: that of the build in use, or until it is made the one before. For the loop alone."""

    def __init__(self, fresh_s: float = _FRESH_S) -> None:
        """`fresh_s`: so long a table is not looked at again, whatever annotators find meanwhile."""
        self._fresh_s = fresh_s
        self._made: _Made | None = None
        self._making: asyncio.Task[None] | None = None
        self._stopped = threading.Event()

    async def get(self, engine: SearchEngine) -> SuggestionTable | None:
        """Return the table; None where none is made yet, which has begun."""
        made = self._made
        is_old = made is None or made.build != engine.opened.manifest.build
        if is_old or (made and time.monotonic() - made.at > self._fresh_s):
            self._making = self._making or asyncio.create_task(self._make(engine))
            if is_old:
                await asyncio.wait([self._making], timeout=_WAIT_S)
        return self._made.table if self._made else None

    async def stop(self) -> None:
        """Have the work that is going on end."""
        self._stopped.set()
        if self._making:
            await asyncio.wait([self._making])

    async def _make(self, engine: SearchEngine) -> None:
        try:
            self._made = await asyncio.to_thread(self._make_now, engine, self._made)
        except ImageSearchError as error:
            logger.error("nothing is suggested: %s", error)
        finally:
            self._making = None

    def _make_now(self, engine: SearchEngine, before: _Made | None) -> _Made:
        build, version = engine.opened.manifest.build, engine.opened.catalog.version()
        if before and (before.build, before.version) == (build, version):
            return replace(before, at=time.monotonic())
        table = make_table(engine, self._stopped)
        return _Made(build, version, time.monotonic(), table)
