"""Rates that several processes count together in Redis."""

import logging
import time
from typing import Any

from pydantic import SecretStr

from api.http.door.rates import MemoryRates, Standing, tell_standing
from api.keys.rates import Rate
from models.foundation.errors import BackendNotInstalled, InvalidSetting
from models.foundation.messages import verbatim

logger = logging.getLogger(__name__)

_TIMEOUT_S = 0.5  # what a request waits for Redis at most
_RETRY_S = 5.0  # after which Redis is asked again that has not answered
_PREFIX = "xuntu-rates"
_MOST_CONNECTIONS = 1024


class RedisRates:
    """Counts in Redis; where it does not answer, for a while in this process, which says so once."""

    def __init__(self, url: SecretStr, fallback: MemoryRates) -> None:
        """Connect when the first request is counted. Raises BackendNotInstalled and InvalidSetting."""
        try:
            from limits.aio.storage import RedisStorage
            from redis.asyncio import ConnectionPool
            from redis.asyncio.retry import Retry
            from redis.backoff import NoBackoff
            from redis.exceptions import RedisError
        except ModuleNotFoundError as error:
            raise BackendNotInstalled(error.name or "redis", "redis") from error
        waits: dict[str, Any] = {"socket_timeout": _TIMEOUT_S, "socket_connect_timeout": _TIMEOUT_S}
        try:
            self._pool: Any = ConnectionPool.from_url(
                url.get_secret_value(), max_connections=_MOST_CONNECTIONS, retry=Retry(NoBackoff(), 0), **waits
            )
        except ValueError as error:
            raise InvalidSetting("XUNTU_API__REDIS", str(url), verbatim(str(error))) from error
        options: dict[str, Any] = {"connection_pool": self._pool}
        self._storage = RedisStorage("async+redis://", implementation="redispy", key_prefix=_PREFIX, **options)
        self._failures = (RedisError, OSError)
        self._fallback = fallback
        self._retry_at = 0.0

    async def take(self, rate: Rate, who: str) -> Standing:
        """Count a request; see RateCounter."""
        if time.monotonic() >= self._retry_at:
            try:
                return await self._take(rate, who)
            except self._failures as error:
                if time.monotonic() >= self._retry_at:  # of many that wait, one says so
                    logger.error("Redis does not answer, this process counts rates alone for %g s: %s", _RETRY_S, error)
                self._retry_at = time.monotonic() + _RETRY_S
        return await self._fallback.take(rate, who)

    async def _take(self, rate: Rate, who: str) -> Standing:
        name = f"{who}:{rate}"
        allowed = await self._storage.acquire_sliding_window_entry(name, rate.requests, rate.seconds)
        before, left_before_s, inside, left_s = await self._storage.get_sliding_window(name, rate.seconds)
        if not before:
            left_before_s = left_s - rate.seconds
        return tell_standing(rate, allowed=allowed, before=before, inside=inside, left_s=left_before_s)

    async def close(self) -> None:
        """Close the connections."""
        await self._pool.aclose()
