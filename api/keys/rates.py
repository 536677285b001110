"""How often a caller may ask: 60/min."""

import re
from dataclasses import dataclass

from api.keys.errors import InvalidRate

_UNITS = {"s": 1, "min": 60, "h": 3600, "day": 86400}
_NAMES = {
    **dict.fromkeys(("s", "sec", "second"), "s"),
    **dict.fromkeys(("m", "min", "minute"), "min"),
    **dict.fromkeys(("h", "hour"), "h"),
    **dict.fromkeys(("d", "day"), "day"),
}
RATE_PATTERN = rf"\s*([1-9][0-9]{{0,8}})\s*/\s*({'|'.join(sorted(_NAMES, key=len, reverse=True))})\s*"
_RATE = re.compile(RATE_PATTERN)


@dataclass(frozen=True, slots=True)
class Rate:
    """So many requests in so many seconds."""

    requests: int
    seconds: int

    @classmethod
    def parse(cls, text: str) -> "Rate":
        """Read a rate such as 10/s, 60/min, 1000/h or 5000/day. Raises InvalidRate."""
        found = _RATE.fullmatch(text.lower())
        if not found:
            raise InvalidRate(text)
        return cls(int(found[1]), _UNITS[_NAMES[found[2]]])

    def __str__(self) -> str:
        unit = next(name for name, seconds in _UNITS.items() if seconds == self.seconds)
        return f"{self.requests}/{unit}"
