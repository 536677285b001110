"""How soon a refusal is answered: at once; where many come, at a pace that leaves time for what is inside.

A client that asks again as soon as it is refused would otherwise take nearly all of the time: refusing has a price.
"""

import time
from collections.abc import Callable

_BURST = 100  # refusals that are answered at once
_A_SECOND = 200.0  # how many are answered in a second after that
_LONGEST_WAIT_S = 1.0  # the least that a refusal says to stay away for


class RefusalPacer:
    """Says how long each refusal waits. Not for several threads: everything happens on the loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._due = clock() - _BURST / _A_SECOND

    def next_wait_s(self) -> float:
        """Return how long the refusal that is made now is to wait, in seconds."""
        now = self._clock()
        due = max(self._due, now - _BURST / _A_SECOND) + 1 / _A_SECOND
        self._due = min(due, now + _LONGEST_WAIT_S)
        return max(self._due - now, 0.0)
