"""A ZIP that is written piece by piece: what has been written is taken away, so that none of it is held.

Files are stored as they are, since pictures are packed already. Sizes and checksums stand behind each file, where they
are known, and in the directory at the end. Files and archives beyond 4 GiB are ZIP64.
"""

import struct
import time
from typing import IO, Final
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

_FIRST_YEAR, _LAST_YEAR = 1980, 2107  # that the format has
_READABLE: Final = 0o100644 << 16  # a file that everybody may read and its owner write
_UNIX: Final = 3
_MOST_SECONDS: Final = 2**31 - 1


class ZipPieces:
    """Writes a ZIP. What has been written is returned by `add`, `end` and `finish`."""

    def __init__(self) -> None:
        self._sink = _Sink()
        self._zip = ZipFile(self._sink, "w", ZIP_STORED)  # type: ignore[call-overload] # what is written to it, it needs
        self._open: IO[bytes] | None = None
        self._info: ZipInfo | None = None

    def begin(self, name: str, size: int, written_ns: int | None, *, packed: bool = False) -> None:
        """Begin a file of so many bytes, which was written at a time in nanoseconds since 1970; `packed`: deflated."""
        info = _describe(name, written_ns)
        info.file_size, info.compress_type = size, ZIP_DEFLATED if packed else ZIP_STORED
        self._info, self._open = info, self._zip.open(info, "w")

    def add(self, data: bytes) -> bytes:
        """Write bytes of the file that has begun."""
        if self._open is None:
            raise ValueError("no file has begun")
        self._open.write(data)
        return self._sink.take()

    def end(self, *, keep: bool = True) -> bytes:
        """End the file; without `keep` it is left out of the directory, and so not there for whoever opens the ZIP."""
        if self._open is not None and self._info is not None:
            self._open.close()
            if not keep:
                self._zip.filelist.remove(self._info)
                self._zip.NameToInfo.pop(self._info.filename, None)
            self._open = self._info = None
        return self._sink.take()

    def finish(self) -> bytes:
        """Write the directory."""
        self._zip.close()
        return self._sink.take()

    def close(self) -> None:
        """Let go of an archive that may not have been finished."""
        self.end()
        self._zip.close()


class _Sink:
    """What a ZIP is written to, which cannot go back."""

    def __init__(self) -> None:
        self._held: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._held.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is kept back."""

    def take(self) -> bytes:
        data = b"".join(self._held)
        self._held.clear()
        return data


def _describe(name: str, written_ns: int | None) -> ZipInfo:
    seconds = int(time.time()) if written_ns is None else written_ns // 10**9
    try:
        local = time.localtime(seconds)[:6]
    except (ValueError, OverflowError, OSError):
        local = (0,) * 6
    if not _FIRST_YEAR <= local[0] <= _LAST_YEAR:
        local = (_FIRST_YEAR, 1, 1, 0, 0, 0)
    info = ZipInfo(name, local)
    info.external_attr, info.create_system = _READABLE, _UNIX
    if abs(seconds) <= _MOST_SECONDS:  # the same to the second and in UTC, for systems that read it
        info.extra = struct.pack("<HHBl", 0x5455, 5, 1, seconds)
    return info
