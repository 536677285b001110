"""Pictures that were sent to be asked with, kept for a while under the checksum of what is in them.

Each has two files in one folder: the picture as it was sent, and a thumbnail. Several processes may keep the same
folder: files are written aside and renamed, and what adds or takes away holds a lock. Where the library has a storage,
they lie there as well, so that other machines that answer from it have them.
"""

import hashlib
import os
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG

from filelock import FileLock

from api.search.errors import UploadGone, UploadsOff, UploadsUnavailable
from indexer.library.storage.shared_files import SharedFiles

_PREFIX = "sha256-"
_ID = re.compile(r"sha256-([0-9a-f]{64})")
_THUMBNAIL = ".webp"
_ROOM = 0.9  # of the size that all may have, once it was reached: so not every further one looks for the oldest
_STALE_S = 3_600  # seconds after which what is still written aside was left by a process that ended
_BLOCK = 4_096  # bytes of the disk that a file takes at least
_LOCK = ".lock"


@dataclass(frozen=True, slots=True)
class CheckedPicture:
    """What decoding says of a picture: its size in pixels, upright, and a thumbnail, WebP."""

    width: int
    height: int
    thumbnail: bytes


@dataclass(frozen=True, slots=True)
class KeptPicture:
    """A picture that is kept: `expires_at` is in seconds since 1970."""

    id: str
    width: int
    height: int
    expires_at: float


@dataclass(frozen=True, slots=True)
class _KeptUpload:
    """The files of one picture, or one that is written aside: bytes of the disk, and when the last of them was made."""

    paths: tuple[Path, ...]
    bytes: int
    since: float

    @property
    def is_aside(self) -> bool:
        """Whether it is not all there, or was not when its process ended."""
        return self.paths[0].name.startswith(".")


class UploadStore:
    """Keeps pictures in a folder for `max_age_s` seconds, `max_bytes` of them at most: the oldest leave first.

    With `max_bytes` 0 nothing is kept. Safe to use from several threads and processes.
    """

    def __init__(self, folder: Path, *, max_bytes: int, max_age_s: float, shared: SharedFiles | None = None) -> None:
        """`shared` is for other machines."""
        self._folder = folder
        self._shared = shared
        self._max_bytes = max_bytes
        self._max_age_s = max_age_s
        self._there = max_bytes  # bytes, at most as far as this process knows: nothing is known yet

    def check_room(self, count: int) -> None:
        """Refuse a picture of so many bytes that cannot be kept. Raises UploadsOff or UploadsUnavailable."""
        if not self._max_bytes:
            raise UploadsOff
        if count > self._max_bytes * _ROOM / 2:
            raise UploadsUnavailable

    def keep(self, data: bytes, checked: CheckedPicture) -> KeptPicture:
        """Keep a picture that was checked; one that is there already is kept for as long again.

        Raises UploadsOff or UploadsUnavailable.
        """
        self.check_room(len(data))
        name = hashlib.sha256(data).hexdigest()
        path = self._folder / name
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._lock():
                self._write(path.with_suffix(_THUMBNAIL), checked.thumbnail)
                self._write(path, data)
                since = path.stat().st_mtime
                self._there += len(data) + len(checked.thumbnail) + 2 * _BLOCK
                if self._there > self._max_bytes:
                    self._clean(self._max_bytes * _ROOM)
        except OSError as error:
            raise UploadsUnavailable from error
        if self._shared:
            self._shared.put(path.with_suffix(_THUMBNAIL).name, checked.thumbnail)
            self._shared.put(name, data)
        return KeptPicture(_PREFIX + name, checked.width, checked.height, since + self._max_age_s)

    def read(self, upload_id: str) -> bytes:
        """Return a picture file as it was sent. Raises UploadGone."""
        return self._read(upload_id, "")

    def read_thumbnail(self, upload_id: str) -> bytes:
        """Return a thumbnail, WebP. Raises UploadGone."""
        return self._read(upload_id, _THUMBNAIL)

    def delete(self, upload_id: str) -> None:
        """Delete a picture and its thumbnail; one that is not there stays so. Raises UploadGone for what is no id."""
        path = self._path(upload_id)
        with suppress(OSError):
            path.unlink(missing_ok=True)
            path.with_suffix(_THUMBNAIL).unlink(missing_ok=True)
        if self._shared:
            self._shared.delete(path.name, path.with_suffix(_THUMBNAIL).name)

    def clean(self) -> None:
        """Delete what is too old, and the oldest where all is too much. What cannot be deleted is left."""
        if self._folder.is_dir():
            with suppress(OSError), self._lock():
                self._clean(self._max_bytes)
        if self._shared:
            self._shared.clean(self._max_age_s)

    def _clean(self, most: float) -> None:
        now = time.time()
        kept = sorted(self._list(), key=lambda one: one.since)
        total = sum(one.bytes for one in kept)
        for one in kept:
            age = _STALE_S if one.is_aside else self._max_age_s
            if total > most or one.since + age <= now:
                for path in one.paths:
                    path.unlink(missing_ok=True)
                total -= one.bytes
        self._there = total

    def _list(self) -> list[_KeptUpload]:
        found: dict[str, _KeptUpload] = {}
        for path in self._folder.iterdir():
            with suppress(FileNotFoundError):
                stat = path.lstat()
                if path.name == _LOCK or not S_ISREG(stat.st_mode):
                    continue
                one = found.get(path.stem, _KeptUpload((), 0, 0.0))
                size = max(stat.st_size, _BLOCK)
                found[path.stem] = _KeptUpload((*one.paths, path), one.bytes + size, max(one.since, stat.st_mtime))
        return list(found.values())

    def _read(self, upload_id: str, suffix: str) -> bytes:
        path = self._path(upload_id)
        name = path.with_suffix(suffix).name
        try:
            if path.stat().st_mtime + self._max_age_s > time.time():
                data = path.with_suffix(suffix).read_bytes()
                if self._shared and self._shared.has(name) is False:  # deleted by way of another machine
                    raise UploadGone(upload_id)
                return data
        except OSError:
            pass  # it may have been sent to another machine
        found = self._shared.get(name) if self._shared else None
        if found is None or found.written_at + self._max_age_s <= time.time():
            raise UploadGone(upload_id)
        return found.data

    def _path(self, upload_id: str) -> Path:
        found = _ID.fullmatch(upload_id)
        if found is None or not self._max_bytes:
            raise UploadGone(upload_id)
        return self._folder / found[1]

    def _write(self, path: Path, data: bytes) -> None:
        """Write a file that only this user may read, all of it or nothing."""
        handle, scratch = tempfile.mkstemp(prefix=".", dir=self._folder)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(scratch).replace(path)
        except BaseException:
            Path(scratch).unlink(missing_ok=True)
            raise

    @contextmanager
    def _lock(self) -> Iterator[None]:
        with FileLock(self._folder / _LOCK, mode=0o600):
            yield
