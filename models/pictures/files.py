"""A path -> the bytes of the file there, whatever it may be."""

import contextlib
import errno
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, Final

from models.pictures.errors import DecodeError
from models.pictures.limits import DecodeLimits, check_bytes

_DEFAULT_LIMITS: Final = DecodeLimits()
_HANDLES: Final = "/proc/self/fd"
# Where files can be looked at before they are opened; elsewhere they are opened without waiting, and looked at then.
_O_PATH: Final = os.O_PATH if sys.platform == "linux" and Path(_HANDLES).is_dir() else 0
_OS_REASONS: Final = {
    **dict.fromkeys((errno.ENOENT, errno.ENOTDIR, errno.ELOOP), "not_found"),
    **dict.fromkeys((errno.EACCES, errno.EPERM), "permission_denied"),
}


def read_image_file(
    path: Path, limits: DecodeLimits = _DEFAULT_LIMITS, *, part: tuple[int, int] | None = None
) -> bytes:
    """Return the bytes of a regular file, links followed; never wait for a writer or a device.

    With `part`, only so many of them: the offset of the first, and their number, of which none may be missing.

    Raises DecodeError (empty_file, truncated, not_a_regular_file, not_found, permission_denied, io_error) or
    ImageTooLarge (too_many_bytes).
    """
    with open_regular(path) as file:
        if part is not None:
            return _read_part(file, *part, limits)
        size = os.fstat(file.fileno()).st_size
        check_bytes(size, limits)
        data = file.read(size + 1)
    if not data:
        raise DecodeError("empty_file")
    check_bytes(len(data), limits)  # it may have grown
    return data


@contextmanager
def open_regular(path: Path) -> Iterator[BufferedReader]:
    """Open a regular file, links followed; never wait for a writer or a device. It is closed at the end.

    Raises DecodeError (not_a_regular_file, not_found, permission_denied, io_error), for what is done with it too.
    """
    with explain(), open_file(path) as file:
        yield file


@contextmanager
def explain() -> Iterator[None]:
    """Turn what the system says of a file into DecodeError (not_found, permission_denied, io_error)."""
    try:
        yield
    except OSError as error:
        raise DecodeError(_OS_REASONS.get(error.errno or 0, "io_error"), error.strerror or "") from error


def open_file(path: Path) -> BufferedReader:
    """Open a regular file, links followed; nothing else is ever opened, so that no device is set going.

    Raises DecodeError (not_a_regular_file) or OSError.
    """
    try:
        handle = os.open(path, _O_PATH | os.O_NONBLOCK | os.O_CLOEXEC)  # to look at what is there, not into it
    except ValueError as error:  # a NUL in the path
        raise DecodeError("not_found") from error
    try:
        _check_regular(os.fstat(handle))
        if not _O_PATH:
            return os.fdopen(os.dup(handle), "rb")
        return os.fdopen(os.open(f"{_HANDLES}/{handle}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
    finally:
        os.close(handle)


def real_path(file: BufferedReader, path: Path) -> Path | None:
    """Return where a file that was opened by `path` lies, without any link on the way; None where nobody can say.

    The system is asked about the file that is open, so that links which are changed meanwhile do not matter.
    """
    with contextlib.suppress(OSError):
        if _O_PATH:
            return Path(f"{_HANDLES}/{file.fileno()}").readlink()
        found = os.path.realpath(path, strict=True)
        if os.path.samestat(os.lstat(found), os.fstat(file.fileno())):
            return Path(found)
    return None


def _read_part(file: BinaryIO, offset: int, size: int, limits: DecodeLimits) -> bytes:
    check_bytes(size, limits)
    file.seek(offset)
    data = file.read(size)
    if len(data) < size or not size:
        raise DecodeError("truncated" if size else "empty_file")
    return data


def _check_regular(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        kinds = {"p": "FIFO", "s": "socket", "d": "directory"}
        raise DecodeError("not_a_regular_file", kinds.get(stat.filemode(status.st_mode)[0], "device"))
