"""A path -> the bytes of the file there, whatever it may be."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, Final

from models.pictures.errors import DecodeError
from models.pictures.limits import DecodeLimits, check_bytes

_DEFAULT_LIMITS: Final = DecodeLimits()
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
    try:
        with _open(path) as file:
            yield file
    except OSError as error:
        raise DecodeError(_OS_REASONS.get(error.errno or 0, "io_error"), error.strerror or "") from error


def _open(path: Path) -> BufferedReader:
    try:
        # Before, because opening a device may set it going; and after, because the file may be another now.
        _check_regular(path.stat())
        file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
    except ValueError as error:  # a NUL in the path
        raise DecodeError("not_found") from error
    try:
        _check_regular(os.fstat(file.fileno()))
    except BaseException:
        file.close()
        raise
    return file


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
