"""One writer at a time."""

import contextlib
import fcntl
import os
import struct
import sys
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


def find_writer(layout: Layout) -> int | None:
    """Return the process that holds the library's write lock, 0 where it is not of this machine; None for nobody."""
    path = layout.lock.resolve()
    with _held_lock:
        if path in _held:  # to open and close the file would give this process's own lock away
            return os.getpid()
        try:
            with path.open("rb+") as file:
                asked = _FLOCK.pack(*_in_order(fcntl.F_WRLCK, 0))
                kind, pid = _from_order(_FLOCK.unpack(fcntl.fcntl(file, fcntl.F_GETLK, asked)))
        except OSError:
            return None
    return None if kind == fcntl.F_UNLCK else max(0, pid)


# struct flock, whose members have another order on other systems than Linux: start, length, process, kind, whence.
_IS_LINUX = sys.platform == "linux"
_FLOCK = struct.Struct("hhqqi4x" if _IS_LINUX else "qqihh")


def _in_order(kind: int, pid: int) -> tuple[int, ...]:
    return (kind, os.SEEK_SET, 0, 0, pid) if _IS_LINUX else (0, 0, pid, kind, os.SEEK_SET)


def _from_order(members: tuple[int, ...]) -> tuple[int, int]:
    return (members[0], members[4]) if _IS_LINUX else (members[3], members[2])


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
