"""A picture of the library -> its file, open, and known to be still what was indexed.

Where a file lies is looked up once. What is said of it afterwards, and what is read, is of the file that is open: what
is put in its place meanwhile, a link or anything else, does not matter.

A file is known by its checksum. Of one that is larger than CHECKED_BYTES the catalog's size and time are believed, if
it lies in the folder that the picture belongs to; another size says at once that it is another file.
"""

import hashlib
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from io import BufferedReader
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

from indexer.library.catalog.records import ImageRow
from indexer.library.sources.items import ByteRange
from indexer.library.sources.kinds import open_source
from indexer.library.sources.port import Bytes, FilePath, Redirect, StoredBytes
from models.pictures.errors import DecodeError
from models.pictures.files import explain, open_file, real_path
from models.pictures.formats import HEAD, say_video
from models.pictures.limits import DecodeLimits, check_bytes
from models.pictures.locations.patches import Patch
from models.videos.clips import says_clip

CHECKED_BYTES: Final = 32 * 2**20
_CHUNK_BYTES: Final = 2**20
_SETTLED_NS: Final = 2 * 10**9  # a file that changed later than this ago may change again without another time
_REMEMBERED: Final = 4096


class FileState(NamedTuple):
    """What tells a file, as it is at a moment, from every other, and from itself at another moment."""

    device: int
    inode: int
    size: int
    written_ns: int
    changed_ns: int

    @classmethod
    def of(cls, file: BufferedReader) -> "FileState":
        """Return the state of an open file. Raises OSError."""
        info = os.fstat(file.fileno())
        return cls(info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns)


class OpenOriginal:
    """The bytes of a picture, those of a file that is open, a part of them, or bytes in memory. It is to be closed.

    They begin at `start` of the file, `size` is their number; `state` is that of the file when it was opened, None
    without one; `patches` are given out in place of what is there.
    """

    def __init__(self, held: BufferedReader | bytes | StoredBytes, part: ByteRange | None = None) -> None:
        self.held = held
        self.state = FileState.of(held) if isinstance(held, BufferedReader) else None
        self.patches: Sequence[Patch] = ()
        self.start = part.start if part else 0
        self.size = part.length if part else _size_of(held)

    def read(self, offset: int, count: int) -> bytes:
        """Return `count` bytes from an offset on, fewer at the end only. Raises DecodeError (changed, io_error)."""
        count = max(0, min(count, self.size - offset))
        start = self.start + offset
        if isinstance(self.held, StoredBytes):
            data = self.held.read(start, count)
        else:
            data = self.held[start : start + count] if isinstance(self.held, bytes) else _pread(self.held, start, count)
        return _patched(data, offset, self.patches) if self.patches else data

    def check_unchanged(self) -> None:
        """Raise DecodeError (changed) if the file has been written since it was opened.

        One that was only moved, or that another has taken the place of, is what it was.
        """
        if self.state and isinstance(self.held, BufferedReader):
            now = FileState.of(self.held)
            if (now.size, now.written_ns) != (self.state.size, self.state.written_ns):
                raise DecodeError("changed")

    def close(self) -> None:
        """Close the file."""
        if isinstance(self.held, BufferedReader):
            self.held.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def open_original(row: ImageRow, limits: DecodeLimits, *, follow_links: bool = True) -> OpenOriginal | Redirect:
    """Open a picture of the library where its source has it, or return its address; nothing is fetched.

    Raises DecodeError (changed, linked_away where links are not to be followed, not_found and what else reading raises)
    or UnknownSource.
    """
    match open_source(row.source).original(row, limits):
        case Redirect() as redirect:
            return redirect
        case Bytes(data):
            return OpenOriginal(data)  # a source vouches for what it has read
        case StoredBytes() as stored:
            return OpenOriginal(stored)  # and for what it reads by its etag
        case FilePath() as place:
            opened, is_inside = _open(place, follow_links=follow_links)
            try:
                _check(opened, row, limits, is_believed=is_inside and place.part is None)
            except BaseException:
                opened.close()
                raise
            return opened


def open_clip(row: ImageRow, *, follow_links: bool = True) -> tuple[OpenOriginal, str] | None:
    """Open the film beside a picture of the library, and say its name; None where there is none.

    The catalog knows nothing of it but that it is there: it has to say itself that it is one. Raises DecodeError or
    UnknownSource.
    """
    path = None if row.is_video else open_source(row.source).clip(row.path)
    if path is None:
        return None
    original = open_source(row.source).original(row, DecodeLimits())
    within = original.within if isinstance(original, FilePath) else None
    opened, _ = _open(FilePath(path, within=within), follow_links=follow_links)
    try:
        if not isinstance(opened.held, BufferedReader) or not _is_clip(opened.held):
            raise DecodeError("changed")
    except BaseException:
        opened.close()
        raise
    return opened, path.name


def _is_clip(file: BufferedReader) -> bool:
    with explain():
        file.seek(0)
        return say_video(file.read(HEAD)) and says_clip(file)


def _open(place: FilePath, *, follow_links: bool) -> tuple[OpenOriginal, bool]:
    """Open a file, and say whether it lies in the folder that it belongs to. Raises DecodeError."""
    with explain():
        file = open_file(place.path)
    try:
        with explain():
            is_inside = _lies_within(file, place)
            if not is_inside and not follow_links and (place.within is not None or _is_link(file, place.path)):
                raise DecodeError("linked_away")
            return OpenOriginal(file, place.part), is_inside
    except BaseException:
        file.close()
        raise


def _lies_within(file: BufferedReader, place: FilePath) -> bool:
    if place.within is None:
        return False
    real = real_path(file, place.path)
    return real is not None and real.is_relative_to(os.path.realpath(place.within))


def _is_link(file: BufferedReader, path: Path) -> bool:
    """Say whether the last name of a path is one: another file is open then than the one of that name."""
    info = os.lstat(path)
    return not os.path.samestat(info, os.fstat(file.fileno()))


def _check(opened: OpenOriginal, row: ImageRow, limits: DecodeLimits, *, is_believed: bool) -> None:
    """Raise DecodeError (changed) unless an open file is still a picture of the catalog. Much is not read for it."""
    state = opened.state
    if state is None:
        return
    stamp = row.stamp
    if stamp.size is not None and opened.size != stamp.size:
        raise DecodeError("changed")
    if is_believed and opened.size > CHECKED_BYTES and state.written_ns == stamp.mtime_ns:
        return
    check_bytes(opened.size, limits)
    if _checksum(opened, state) != row.sha256:
        raise DecodeError("changed")


_checksums: OrderedDict[tuple[FileState, int, int], str] = OrderedDict()
_checksums_lock = threading.Lock()


def _checksum(opened: OpenOriginal, state: FileState) -> str:
    """Return the checksum of what is open, hex; each state of a file is read once. Raises DecodeError."""
    key = state, opened.start, opened.size
    with _checksums_lock:
        if key in _checksums:
            _checksums.move_to_end(key)
            return _checksums[key]
    digest = hashlib.sha256()
    for offset in range(0, opened.size, _CHUNK_BYTES):
        digest.update(opened.read(offset, _CHUNK_BYTES))
    opened.check_unchanged()
    if abs(time.time_ns() - state.changed_ns) > _SETTLED_NS:
        with _checksums_lock:
            _checksums[key] = digest.hexdigest()
            if len(_checksums) > _REMEMBERED:
                _checksums.popitem(last=False)
    return digest.hexdigest()


def _size_of(held: BufferedReader | bytes | StoredBytes) -> int:
    if isinstance(held, StoredBytes):
        return held.size
    return len(held) if isinstance(held, bytes) else FileState.of(held).size


def _pread(file: BufferedReader, start: int, count: int) -> bytes:
    with explain():
        data = os.pread(file.fileno(), count, start)
        while len(data) < count:  # the system gives less at a time, or the file has been cut
            more = os.pread(file.fileno(), count - len(data), start + len(data))
            if not more:
                raise DecodeError("changed")
            data += more
    return data


def _patched(data: bytes, offset: int, patches: Sequence[Patch]) -> bytes:
    """Return bytes that begin at an offset with those patches over them that reach into them."""
    result, end = bytearray(data), offset + len(data)
    for start, patch in patches:
        first, last = max(start, offset), min(start + len(patch), end)
        if first < last:
            result[first - offset : last - offset] = patch[first - start : last - start]
    return bytes(result)
