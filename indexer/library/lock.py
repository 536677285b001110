"""One writer at a time."""

import contextlib
import fcntl
from collections.abc import Iterator

from indexer.library.errors import LibraryBusy, LibraryUnwritable
from indexer.library.layout import Layout
from models.foundation.wording import os_wording


@contextlib.contextmanager
def write_lock(layout: Layout) -> Iterator[None]:
    """Hold the library's write lock. Raises LibraryBusy at once if another process has it.

    A POSIX record lock: it belongs to this process alone and ends with it, however it ends. Worker processes that
    outlive a killed parent for a moment do not keep it.
    """
    try:
        layout.data.mkdir(parents=True, exist_ok=True)
        file = layout.lock.open("a")
    except OSError as error:
        raise LibraryUnwritable(layout.data, os_wording(error)) from error
    with file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise LibraryBusy(layout.data) from error
        yield
