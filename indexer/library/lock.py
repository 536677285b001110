"""One writer at a time."""

import contextlib
import fcntl
import threading
from collections.abc import Iterator
from pathlib import Path

from indexer.library.errors import LibraryBusy, LibraryUnwritable
from indexer.library.layout import Layout
from models.foundation.messages import os_message

_held: set[Path] = set()  # by threads of this process, whom its lock on the file does not keep apart
_held_lock = threading.Lock()


@contextlib.contextmanager
def write_lock(layout: Layout) -> Iterator[None]:
    """Hold the library's write lock. Raises LibraryBusy at once if another process or thread has it.

    A POSIX record lock: it belongs to this process alone and ends with it, however it ends. Worker processes that
    outlive a killed parent for a moment do not keep it.
    """
    path = layout.lock.resolve()
    with _held_lock:
        if path in _held:
            raise LibraryBusy(layout.data)
        _held.add(path)
    try:
        with _file_lock(layout):
            yield
    finally:
        with _held_lock:
            _held.discard(path)


@contextlib.contextmanager
def _file_lock(layout: Layout) -> Iterator[None]:
    try:
        layout.data.mkdir(parents=True, exist_ok=True)
        file = layout.lock.open("a")
    except OSError as error:
        raise LibraryUnwritable(layout.data, os_message(error)) from error
    with file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise LibraryBusy(layout.data) from error
        yield
