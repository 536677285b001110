"""Whether a request may come in: who asks, how often, and whether it may do that."""

import logging
import math

from fastapi import Request

from api.config import ApiSettings
from api.http.door.access import Caller, Callers, read_token
from api.http.door.gates import Scope
from api.http.door.rates import MemoryRates, RateCounter, Standing, address_of
from api.http.door.redis_rates import RedisRates
from api.http.metrics import Metrics
from api.http.refusals import RequestError, ScopeMissing, TokenNeeded, TooManyRequests
from api.keys.rates import Rate

logger = logging.getLogger(__name__)


class Entrance:
    """Checks every request for which a scope is asked."""

    def __init__(self, settings: ApiSettings, callers: Callers, metrics: Metrics) -> None:
        """Take what is checked. Raises BackendNotInstalled and InvalidSetting."""
        self._callers = callers
        self._metrics = metrics
        self._address_rate = Rate.parse(settings.rate) if settings.rate else None
        memory = MemoryRates()
        self._rates: RateCounter = memory if settings.redis is None else RedisRates(settings.redis, memory)

    async def check(self, request: Request, scope: Scope) -> None:
        """Let a request in, whose state then has its `caller`, and the `standings` of what was counted.

        Who it is, is found first but said last: what comes without a valid token counts for its address too. Raises
        TooManyRequests, TokenNeeded, KeyExpired and ScopeMissing.
        """
        state = request.scope["state"]
        standings: list[tuple[str, Standing]] = []
        state["standings"] = standings
        address = request.client.host if request.client else "?"
        found = self._find(request)
        if self._address_rate and (isinstance(found, RequestError) or found.has_address_rate):
            await self._count("address", self._address_rate, address_of(address), standings)
        if isinstance(found, RequestError):
            logger.warning("no valid token from %s for %s %s", address, request.method, request.url.path)
            raise found
        state["caller"] = found
        self._metrics.caller_requests.labels(found.name).inc()
        if found.rate:
            await self._count("key", found.rate, found.identity, standings)
        if scope not in found.scopes:
            raise ScopeMissing(found.name, scope)

    async def close(self) -> None:
        """Let go of what counts rates."""
        await self._rates.close()

    def _find(self, request: Request) -> Caller | RequestError:
        token = read_token(request.headers)
        try:
            return self._callers.find(token) or TokenNeeded(was_given=token is not None)
        except RequestError as error:
            return error

    async def _count(self, what: str, rate: Rate, who: str, standings: list[tuple[str, Standing]]) -> None:
        standing = await self._rates.take(rate, f"{what}:{who}")
        standings.append((what, standing))
        if not standing.allowed:
            self._metrics.limited.labels(what).inc()
            raise TooManyRequests(max(1, math.ceil(standing.wait_s)))
