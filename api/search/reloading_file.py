"""A small file that is read again when it has changed, so that a running service follows it."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")


class ReloadingFile(Generic[T]):
    """What `read` makes of the file at `path`, whether or not it is there. Safe to use from threads."""

    def __init__(self, path: Path, read: Callable[[], T]) -> None:
        self._path = path
        self._read = read
        self._lock = threading.Lock()
        self._known: tuple[tuple[int, ...] | None, T] | None = None

    def get(self) -> T:
        """Return what the file says now."""
        try:
            found = self._path.stat()
            state: tuple[int, ...] | None = (found.st_mtime_ns, found.st_size, found.st_ino)
        except OSError:
            state = None
        with self._lock:
            if self._known is None or self._known[0] != state:
                self._known = state, self._read()
            return self._known[1]
