"""The keys in use: read beside the loop when their file changes, so that no request asks the disk."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from api.http.refusals import KeyExpired
from api.keys.errors import KeysUnreadable
from api.keys.records import KeyRecord
from api.keys.store import read_keys
from api.search.reloading_file import ReloadingFile

logger = logging.getLogger(__name__)

MOST_STALE_S = 1.0  # after which a key that was made or revoked is known to be


class KeyRing:
    """The keys in a file. Until it has been read, a key is asked for and none is known."""

    def __init__(self, path: Path, *, follow_seconds: float, now: Callable[[], float] = time.time) -> None:
        """`now`: seconds since 1970."""
        self._file = ReloadingFile(path, partial(read_keys, path))
        self._every_s = min(follow_seconds, MOST_STALE_S)
        self._now = now
        self._keys: dict[str, KeyRecord] | None = {}
        self._failed = False

    @property
    def is_asked_for(self) -> bool:
        """Whether the file of keys is there, be it empty."""
        return self._keys is not None

    def find(self, digest: str) -> KeyRecord | None:
        """Return the key with this digest (hex), None if there is none. Raises KeyExpired."""
        record = (self._keys or {}).get(digest)
        if record and record.is_expired(datetime.fromtimestamp(self._now(), UTC)):
            raise KeyExpired(record.name)
        return record

    def read(self) -> None:
        """Read the file if it has changed. Raises KeysUnreadable; the keys that were known stay in use."""
        found = self._file.get()
        self._keys = None if found is None else {record.digest: record for record in found}

    @asynccontextmanager
    async def follow(self) -> AsyncIterator[None]:
        """Read the file, and again whenever it changes, as long as the context lasts. Raises KeysUnreadable."""
        await asyncio.to_thread(self.read)
        follower = asyncio.create_task(self._follow())
        try:
            yield
        finally:
            follower.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await follower

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            try:
                await asyncio.to_thread(self.read)
                self._failed = False
            except KeysUnreadable as error:
                if not self._failed:  # once, not every second
                    logger.error("the keys known before stay in use: %s", error)
                self._failed = True
            except Exception:  # whatever it is, keys are followed
                logger.exception("the keys were not looked at")
