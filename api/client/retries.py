"""When a call is tried again, and after how long."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_ASKED_TO_WAIT = (429, 503)
# What a 503 says that passes by itself. Others, such as no_index, need somebody to do something.
_PASSING = {"overloaded", "service_unavailable"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often a call is tried again that could not be answered just now: 429, 503, or a connection that failed.

    Before the first further try `backoff_s` is waited, twice as long before each next, a random part less; and at least
    as long as the service asks for (Retry-After). Where that is longer than `longest_s`, the call fails at once.
    """

    retries: int = 2
    backoff_s: float = 0.2
    longest_s: float = 30.0

    def wait_s(self, tries: int, retry_after: str = "") -> float | None:
        """Return the seconds to wait after so many `tries`; None where the call has failed."""
        if tries > self.retries:
            return None
        backoff = self.backoff_s * 2 ** (tries - 1) * random.uniform(0.5, 1)  # noqa: S311 - so that clients part
        wait = max(min(backoff, self.longest_s), read_retry_after(retry_after))
        return wait if wait <= self.longest_s else None


def is_passing(status: int, code: str | None) -> bool:
    """Say whether an answer may be another the next time; `code` is that of its problem, None where it has none."""
    return status in _ASKED_TO_WAIT and (status != 503 or code is None or code in _PASSING)


def read_retry_after(value: str) -> float:
    """Return the seconds that a Retry-After header asks for, which may be a date; 0 where it says nothing."""
    if value.strip().isdecimal():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return 0.0
    moment = moment.replace(tzinfo=moment.tzinfo or UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
