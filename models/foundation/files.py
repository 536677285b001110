"""Files that are read by others while they are replaced, and the checksum that tells whether one is still the same."""

import hashlib
import os
import tokenize
from pathlib import Path

# What reading a file raises that is not what was written: an array, whose header NumPy has Python's own parser read,
# and a JSON document, which may hold numbers that no float does, and lists deeper than Python goes.
ARRAY_ERRORS = (OSError, ValueError, EOFError, TypeError, SyntaxError, tokenize.TokenError)
JSON_ERRORS = (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def replace_file(path: Path, data: bytes, *, mode: int = 0o666) -> None:
    """Write `data` to `path` so that a reader, or a crash, sees either the old content or all of the new.

    `mode`: who may read and write it, less what the umask forbids; it is never wider, not even while it is written.
    """
    scratch = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    scratch.unlink(missing_ok=True)  # another mode may be on what a process of that number left
    try:
        with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
