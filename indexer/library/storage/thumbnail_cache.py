"""Thumbnails of a library whose storage lies elsewhere: what of them is here, and the rest as it is asked for.

What lies in `thumbnails` has not been sent yet. What has been, or was fetched, lies in `cache/thumbnails`, of which the
files that were asked for longest ago go when there is too much.
"""

import contextlib
import os
import threading
from pathlib import Path

from indexer.library.layout import Layout
from indexer.library.storage.errors import ObjectMissing
from indexer.library.storage.library_file import LibraryFile
from indexer.library.storage.object_store import open_store

CACHE_BYTES = 10 * 2**30
_LOOK_BYTES = 64 * 2**20  # so much is written between two looks at how much there is
_KEPT_SHARE = 0.9


class FileCache:
    """Files of a folder that can be had again, of which there are at most about `most_bytes`."""

    def __init__(self, folder: Path, most_bytes: int = CACHE_BYTES) -> None:
        self.folder, self._most_bytes = folder, most_bytes
        self._written, self._lock = 0, threading.Lock()

    def find(self, name: str) -> Path | None:
        """Return a file that is there; it counts as asked for now."""
        path = self.folder / name
        try:
            os.utime(path)
        except OSError:
            return None
        return path

    def put(self, name: str, data: bytes) -> Path:
        """Write a file; a reader sees all of it or nothing. Raises OSError."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
        try:
            scratch.write_bytes(data)
            scratch.replace(path)
        finally:
            scratch.unlink(missing_ok=True)
        self._note(len(data))
        return path

    def take(self, name: str, file: Path) -> None:
        """Move a file here. Raises OSError."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        size = file.stat().st_size
        file.replace(path)
        self._note(size)

    def trim(self) -> None:
        """Delete the files that were asked for longest ago, where there are too many bytes."""
        found: list[tuple[int, int, Path]] = []
        for path in self.folder.rglob("*"):
            with contextlib.suppress(OSError):
                if path.is_file():
                    info = path.stat()
                    found.append((info.st_mtime_ns, info.st_size, path))
        total = sum(size for _, size, _ in found)
        if total <= self._most_bytes:
            return
        for _, size, path in sorted(found):
            path.unlink(missing_ok=True)
            total -= size
            if total <= self._most_bytes * _KEPT_SHARE:
                return

    def _note(self, size: int) -> None:
        with self._lock:
            self._written += size
            is_due = self._written >= min(_LOOK_BYTES, self._most_bytes)
            if is_due:
                self._written = 0
        if is_due:
            self.trim()


_caches: dict[Path, FileCache] = {}


def thumbnail_cache(layout: Layout) -> FileCache:
    """Return the cache of a library's thumbnails."""
    return _caches.setdefault(layout.cached_thumbnails, FileCache(layout.cached_thumbnails))


def thumbnail_name(layout: Layout, path: Path) -> str:
    """Return the name of a thumbnail below its folder, `/` between folders."""
    return path.relative_to(layout.thumbnails).as_posix()


def find_thumbnail(layout: Layout, sha256: str, part: int = 0) -> Path:
    """Return the file of a thumbnail, fetched if it lies in the library's storage alone; missing if it is nowhere.

    Raises StorageUnavailable, LibraryFileUnreadable or BackendNotInstalled.
    """
    path = layout.thumbnail(sha256, part)
    if path.is_file():
        return path
    address = LibraryFile.read(layout.data).storage
    if address is None:
        return path
    name, cache = thumbnail_name(layout, path), thumbnail_cache(layout)
    if found := cache.find(name):
        return found
    with contextlib.suppress(ObjectMissing):
        return cache.put(name, open_store(address).get(f"thumbnails/{name}"))
    return path
