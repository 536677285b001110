"""The folder of uploads on disk: a file appears whole, under a name of its own; what is deleted stays for a while."""

import errno
import hashlib
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

from api.http.kept_pictures.errors import NoRoom, UnreadKind, UploadFolderError
from api.http.kept_pictures.names import check_name, check_suffix
from models.foundation.messages import os_message
from models.pictures.errors import DecodeError, ImageTooLarge, decode_reason
from models.pictures.formats import HEAD, SUFFIXES, is_video, say_video
from models.pictures.limits import DecodeLimits

_TRASH = ".trash"
_DAY_S = 86_400
_FULL = (errno.ENOSPC, errno.EDQUOT)
_NO_PICTURE = ("not_an_image", "is_a_video", "not_a_video", "unread", "needs_formats", "needs_video")


def check_file(name: str, data: bytes, limits: DecodeLimits) -> tuple[str, bool]:
    """Return the name under which a file may be kept, and whether it is a picture that is to be decoded first.

    Those are not that only packages of the extra `formats` decode, nor videos, whose first bytes are looked at. Raises
    UnsafeName, UnreadKind, DecodeError or ImageTooLarge.
    """
    name = check_name(name)
    suffix = check_suffix(name)
    if len(data) > limits.max_bytes:
        raise ImageTooLarge("too_many_bytes", f"> {limits.max_bytes / 2**20:.0f} MiB").named(name)
    if not data:
        raise DecodeError("empty_file", name=name)
    if is_video(name) and not say_video(data[:HEAD]):
        raise UnreadKind(name, decode_reason("not_a_video"))
    return name, not is_video(name) and (not suffix or suffix in SUFFIXES)


def name_error(name: str, error: DecodeError) -> DecodeError | UnreadKind:
    """Return why a picture is not kept, by the name of its file."""
    return UnreadKind(name, error.why) if error.reason in _NO_PICTURE else error.named(name)


class UploadFolder:
    """A folder that the operator named. Not for the loop: it waits for the disk."""

    def __init__(self, root: Path) -> None:
        self.root = root.expanduser().resolve()

    def find_same(self, name: str, data: bytes) -> Path | None:
        """Return the file of this name, if it holds just this."""
        path = self.root / name
        return path if holds_just(path, data) else None

    def store(self, name: str, data: bytes) -> Path:
        """Keep a file under its name, or with a number where that is taken, and return where.

        Raises UploadFolderError or NoRoom; then nothing is left of it.
        """
        with _explained():
            self.root.mkdir(exist_ok=True)
            scratch = self.root / f".{secrets.token_hex(8)}.part"  # hidden, so that no run takes it
            try:
                with scratch.open("xb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                return self._publish(scratch, name)
            finally:
                scratch.unlink(missing_ok=True)

    def _publish(self, scratch: Path, name: str) -> Path:
        """Give a file its name, that of no other file: whoever makes the name first has it."""
        stem, dot, suffix = name.rpartition(".")
        before, after = (stem, dot + suffix) if stem else (name, "")
        for number in count(1):
            path = self.root / (name if number == 1 else f"{before} ({number}){after}")
            with suppress(FileExistsError):
                path.touch(exist_ok=False)
                break
        return scratch.replace(path)

    def holds(self, path: Path) -> bool:
        """Say whether a file lies in the folder, or below it; links of folders are followed."""
        parent = path.parent.resolve()
        return parent.is_relative_to(self.root) and not parent.is_relative_to(self.root / _TRASH)

    def delete(self, path: Path, days: int) -> None:
        """Move a file into the trash, or delete it where nothing stays there, and what has been there longer.

        Raises UploadFolderError, and FileNotFoundError where it is gone.
        """
        trash = self.root / _TRASH
        with _explained():
            if not days:
                path.unlink()
                return
            trash.mkdir(exist_ok=True)
            (trash / ".nomedia").touch()
            os.utime(path, follow_symlinks=False)  # its days begin now
            path.rename(trash / f"{secrets.token_hex(4)}-{path.name}"[:250])
            self._empty(trash, days)

    def _empty(self, trash: Path, days: int) -> None:
        until = time.time() - days * _DAY_S
        for path in trash.iterdir():
            with suppress(OSError):  # what others have put there, or deleted meanwhile
                if path.name != ".nomedia" and path.lstat().st_mtime < until:
                    path.unlink(missing_ok=True)


def holds_just(path: Path, data: bytes) -> bool:
    """Say whether a file is there and its content is this."""
    try:
        return path.stat().st_size == len(data) and path.read_bytes() == data
    except OSError:
        return False


def checksum(data: bytes) -> str:
    """Return the SHA-256 of a file's content, hex."""
    return hashlib.sha256(data).hexdigest()


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise (NoRoom if error.errno in _FULL else UploadFolderError)(os_message(error)) from error
