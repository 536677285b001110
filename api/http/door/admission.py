"""How many requests are answered at once, by kind of work, and how many bytes of bodies are held for them."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from api.http.door.gates import Work
from api.search.errors import Overloaded

_LONGEST_WAIT = 60  # seconds that a client is asked to stay away at most
_NEW = 0.2  # how much a request that has just ended counts in the mean time that one takes


@dataclass(slots=True)
class _Room:
    """What is known of one kind of work. `limit`: 0 for no limit. `mean_s`: how long such a request takes."""

    limit: int
    inside: int = 0
    mean_s: float = 0.0

    @property
    def is_full(self) -> bool:
        return 0 < self.limit <= self.inside


class Admission:
    """Counts the requests inside. Not for several threads: everything happens on the loop."""

    def __init__(
        self,
        limits: Mapping[Work, int],
        max_bytes: int,
        on_refusal: Callable[[Work], object] = lambda _: None,
        on_change: Callable[[Work | None], object] = lambda _: None,
    ) -> None:
        """Take how many of each kind may be inside (0, or none given: any number), and how many bytes of bodies.

        `on_change` is called when another number of a kind is inside, and with None when other bytes are held.
        """
        self._on_refusal = on_refusal
        self._on_change = on_change
        self._rooms = {work: _Room(limits.get(work, 0)) for work in Work}
        self._max_bytes = max_bytes
        self._bytes = 0

    def enter(self, work: Work) -> None:
        """Count one more inside. Raises Overloaded."""
        if self._rooms[work].is_full:
            raise self.refuse(work)
        self._add(work, 1)

    def refuse(self, work: Work) -> Overloaded:
        """Return the error of a request that there is no room for: to come again when there is likely to be.

        That is in as many seconds as such a request has taken of late.
        """
        self._on_refusal(work)
        return Overloaded(min(max(1, math.ceil(self._rooms[work].mean_s)), _LONGEST_WAIT))

    def count(self, work: Work) -> int:
        """Return how many are inside."""
        return self._rooms[work].inside

    @property
    def held_bytes(self) -> int:
        """How many bytes of bodies are held."""
        return self._bytes

    def has_room(self, count: int, *, is_large: bool) -> bool:
        """Say whether so many more bytes can be held. A part is kept for bodies without pictures."""
        return self._bytes + count <= self._max_bytes - (self._max_bytes // 8 if is_large else 0)

    def hold(self, count: int, *, is_large: bool = False) -> bool:
        """Say whether so many more bytes are held now."""
        if not self.has_room(count, is_large=is_large):
            return False
        self._bytes += count
        self._on_change(None)
        return True

    def release(self, count: int) -> None:
        """Hold so many bytes less."""
        if count:
            self._bytes -= count
            self._on_change(None)

    def move(self, before: Work, after: Work) -> None:
        """Count a request as another kind of work from now on. Raises Overloaded where there is no room for it."""
        self.enter(after)
        self._add(before, -1)

    def leave(self, work: Work, took_s: float) -> None:
        """Count a request that is done."""
        room = self._rooms[work]
        self._add(work, -1)
        room.mean_s += (_NEW if room.mean_s else 1.0) * (took_s - room.mean_s)

    def _add(self, work: Work, count: int) -> None:
        self._rooms[work].inside += count
        self._on_change(work)


class Place:
    """The place of one request: from when it waits outside, until `leave`."""

    def __init__(self, admission: Admission, work: Work) -> None:
        self.work = work
        self._admission = admission
        self._since: float | None = None
        self._bytes = 0

    def enter(self) -> None:
        """Go inside. Raises Overloaded."""
        self._admission.enter(self.work)
        self._since = time.perf_counter()

    def become(self, work: Work) -> None:
        """Take a place among requests of another kind instead. Raises Overloaded."""
        if work is not self.work:
            self._admission.move(self.work, work)
            self.work = work

    def check(self, count: int) -> None:
        """Raise Overloaded where there is no room for a large body of so many bytes now; they are held as they come."""
        if not self._admission.has_room(count, is_large=True):
            raise self._admission.refuse(self.work)

    def hold(self, count: int, *, is_large: bool = False) -> None:
        """Hold so many more bytes of its body. Raises Overloaded."""
        if not self._admission.hold(count, is_large=is_large):
            self._drop()  # at once: others that come beside it have room again
            raise self._admission.refuse(self.work)
        self._bytes += count

    def leave(self) -> None:
        """Give the place and the bytes back."""
        self._drop()
        if self._since is not None:
            self._admission.leave(self.work, time.perf_counter() - self._since)

    def _drop(self) -> None:
        self._admission.release(self._bytes)
        self._bytes = 0
