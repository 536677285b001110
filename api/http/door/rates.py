"""How often each may ask: requests counted in a window that slides over time.

Of the window before, the share counts that the last `seconds` still reach into: nobody may ask twice as often by asking
at the end of one window and the beginning of the next, and whatever the rate, two numbers are kept for each who asks.
"""

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from api.keys.rates import Rate

_MOST_COUNTED = 2**16


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one stands with its rate, after it has asked. `wait_s`: until more requests are let in than now."""

    rate: Rate
    allowed: bool
    remaining: int
    wait_s: float


class RateCounter(Protocol):
    """Counts requests."""

    async def take(self, rate: Rate, who: str) -> Standing:
        """Count a request of somebody, if its rate allows one more."""
        ...

    async def close(self) -> None:
        """Let go of what is held."""
        ...


@dataclass(slots=True)
class _Window:
    started: float
    before: int = 0  # requests of the window before
    inside: int = 0

    def move_to(self, now: float, seconds: int) -> None:
        """Go on to the window of this moment."""
        passed = int((now - self.started) // seconds)
        if passed == 1:
            self.started, self.before, self.inside = self.started + seconds, self.inside, 0
        elif passed > 1:
            self.started, self.before, self.inside = now, 0, 0


class MemoryRates:
    """Counts in this process. Those who have not asked for longest are forgotten where there are too many."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, most: int = _MOST_COUNTED) -> None:
        self._clock = clock
        self._most = most
        self._windows: OrderedDict[tuple[Rate, str], _Window] = OrderedDict()

    async def take(self, rate: Rate, who: str) -> Standing:
        """Count a request; see RateCounter."""
        now = self._clock()
        window = self._windows.setdefault((rate, who), _Window(now))
        self._windows.move_to_end((rate, who))
        if len(self._windows) > self._most:
            self._windows.popitem(last=False)
        window.move_to(now, rate.seconds)
        left_s = window.started + rate.seconds - now
        allowed = count_used(rate, window.before, left_s, window.inside) < rate.requests
        window.inside += allowed
        return tell_standing(rate, allowed=allowed, before=window.before, inside=window.inside, left_s=left_s)

    async def close(self) -> None:
        """Nothing is held."""


def count_used(rate: Rate, before: int, left_s: float, inside: int) -> int:
    """Return how many requests count now; `left_s` of the window before still reach into the last `rate.seconds`."""
    return int(before * left_s / rate.seconds) + inside


def tell_standing(rate: Rate, *, allowed: bool, before: int, inside: int, left_s: float) -> Standing:
    """Return where somebody stands; the window ends in `left_s` seconds, as the one before stops to count."""
    remaining = max(0, rate.requests - count_used(rate, before, left_s, inside))
    wait_s = left_s
    if not remaining and inside < rate.requests and before:  # those before fade out within this window
        wait_s = left_s - (rate.requests - inside) * rate.seconds / before
    return Standing(rate, allowed, remaining, max(0.0, wait_s))


def address_of(host: str) -> str:
    """Return what is counted as one address: of IPv6 the network of 64 bits, which one customer has."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, 64), strict=False))


def rate_headers(standings: Sequence[tuple[str, Standing]]) -> list[tuple[bytes, bytes]]:
    """Return RateLimit and RateLimit-Policy (IETF draft) of what was counted, by name; none where nothing was."""
    if not standings:
        return []
    policies = ", ".join(f'"{name}";q={one.rate.requests};w={one.rate.seconds}' for name, one in standings)
    states = ", ".join(f'"{name}";r={one.remaining};t={math.ceil(one.wait_s)}' for name, one in standings)
    return [(b"ratelimit-policy", policies.encode()), (b"ratelimit", states.encode())]
