"""The form of a backup: a tar file, which any tar reads, with a head, the files of the library, and an end.

    xuntu-backup.json       what it is: its format, the version and the state of the library that it was made of
    library/...             files as they lie in the folder of a library
    xuntu-backup-end.json   how many files there are, and one checksum of all

Each file carries its SHA-256 and the time that it was changed, to the nanosecond, in its own header (PAX), so that
neither writing nor reading holds a list of all of them. One file under two names (a hard link) is stored once.
A backup without an end was cut short.
"""

import gzip
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from indexer.backups.errors import BackupDamaged, BackupTooNew
from models.foundation.files import JSON_ERRORS
from models.foundation.messages import Readable, message, os_message

FORMAT = 1
_HEAD, _END, _BELOW = "xuntu-backup.json", "xuntu-backup-end.json", "library/"
_SHA256, _CHANGED = "XUNTU.sha256", "XUNTU.mtime_ns"
_MOST_JSON = 2**20  # bytes of a head or an end
_BLOCK = 2**20
_LEVEL = 1  # of gzip: vectors and pictures hardly become smaller
_TAR_ERRORS = (tarfile.TarError, OSError, EOFError, ValueError, OverflowError)

OnBytes = Callable[[int], None]  # how many more


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupHead:
    """What a backup says of itself. `bytes`: of all its files, about; `schema`, `manifest`: formats in it."""

    version: str
    created_at: str  # ISO 8601, UTC
    schema: int
    manifest: int
    build: str
    encoders: tuple[str, ...]
    pictures: int
    bytes: int
    thumbnails: bool
    weights: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A file of a backup. `name`: its path in the folder of the library, `/` between names; `link`: another of them."""

    name: str
    size: int
    mtime_ns: int
    sha256: str
    link: str = ""


class ArchiveWriter:
    """Writes a backup into an open file. Raises OSError as that does."""

    def __init__(self, file: IO[bytes], head: BackupHead, *, compressed: bool) -> None:
        self._zipped = gzip.GzipFile(fileobj=file, mode="wb", compresslevel=_LEVEL, mtime=0) if compressed else None
        self._tar = tarfile.open(fileobj=self._zipped or file, mode="w", format=tarfile.PAX_FORMAT)  # noqa: SIM115
        self._sum = hashlib.sha256()
        self._count = self._bytes = 0
        self._put_json(_HEAD, {"format": FORMAT, **asdict(head)})

    def add(self, member: Member, content: IO[bytes], on_bytes: OnBytes) -> str:
        """Write a file of `member.size` bytes; return the SHA-256 of what was written, hex.

        Raises EOFError where `content` has less.
        """
        info = _info(_BELOW + member.name, member.size)
        info.mtime = member.mtime_ns // 10**9
        info.pax_headers = {_SHA256: member.sha256, _CHANGED: str(member.mtime_ns)}
        if member.link:
            info.type, info.linkname, info.size = tarfile.LNKTYPE, _BELOW + member.link, 0
            self._tar.addfile(info)
            found = member.sha256
        else:
            reader = _Summing(content, member.size, on_bytes)
            self._tar.addfile(info, reader)  # type: ignore[arg-type]  # of a file, it reads alone
            found = reader.sha256
        _count(self._sum, member)
        self._count, self._bytes = self._count + 1, self._bytes + info.size
        return found

    def finish(self) -> None:
        """Write the end."""
        self._put_json(_END, {"files": self._count, "bytes": self._bytes, "sha256": self._sum.hexdigest()})
        self._tar.close()
        if self._zipped:
            self._zipped.close()

    def _put_json(self, name: str, content: dict[str, Any]) -> None:
        data = json.dumps(content, ensure_ascii=False, indent=1).encode()
        self._tar.addfile(_info(name, len(data)), io.BytesIO(data))


class ArchiveReader:
    """Reads a backup from its beginning to its end, once. Raises BackupDamaged and BackupTooNew."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._tar = tarfile.open(path, "r|*")  # noqa: SIM115 - closed by `close`
        except _TAR_ERRORS as error:
            why: Readable = message("it is no backup of xuntu")
            raise self.damaged(os_message(error) if isinstance(error, OSError) and error.errno else why) from error
        try:
            self.head = self._read_head()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._tar.close()

    def files(self) -> Iterator[tuple[Member, IO[bytes] | None]]:
        """Yield each file and its content, None for one that is another under a second name; all are read in order.

        Once all are read, it is known that none is missing. What a file says of its content is for others to compare.
        """
        seen: set[str] = set()
        total, count, size = hashlib.sha256(), 0, 0
        while (info := self._next()) is not None:
            if info.name == _END:
                end = self._read_json(info)
                if end != {"files": count, "bytes": size, "sha256": total.hexdigest()}:
                    raise self.damaged(message("its files are not those that were written"))
                return
            member = self._member(info, seen)
            seen.add(member.name)
            content = None if member.link else self._tar.extractfile(info)
            yield member, content
            _count(total, member)
            count, size = count + 1, size + info.size
        raise self.damaged(message("it is cut short"))

    def copy(self, content: IO[bytes], to: IO[bytes] | None, member: Member, on_bytes: OnBytes) -> None:
        """Copy the content of a file and compare it with its checksum. Raises OSError as writing does."""
        found, left = hashlib.sha256(), member.size
        while left:
            try:
                block = content.read(min(_BLOCK, left))
            except _TAR_ERRORS as error:
                raise self.damaged(message("it is cut short")) from error
            if not block:
                raise self.damaged(message("it is cut short"))
            found.update(block)
            left -= len(block)
            on_bytes(len(block))
            if to is not None:
                to.write(block)
        if found.hexdigest() != member.sha256:
            raise self.damaged(message("{name} in it has changed since it was written", name=member.name))

    def damaged(self, why: Readable) -> BackupDamaged:
        """Return the error that says what is wrong with the file."""
        return BackupDamaged(self.path, why)

    def _read_head(self) -> BackupHead:
        info = self._next()
        if info is None or info.name != _HEAD:
            raise self.damaged(message("it is no backup of xuntu"))
        content = self._read_json(info)
        try:
            if content["format"] > FORMAT:
                raise BackupTooNew(self.path, str(content.get("version")))
            known = {one.name: content[one.name] for one in fields(BackupHead)}
            return BackupHead(**{**known, "encoders": tuple(map(str, known["encoders"])), "bytes": int(known["bytes"])})
        except JSON_ERRORS as error:
            raise self.damaged(message("what it says of itself cannot be read")) from error

    def _next(self) -> tarfile.TarInfo | None:
        cast("Any", self._tar).members.clear()  # of a library there may be millions
        try:
            return self._tar.next()
        except _TAR_ERRORS as error:
            raise self.damaged(message("it is cut short, or not what was written")) from error

    def _read_json(self, info: tarfile.TarInfo) -> dict[str, Any]:
        try:
            file = self._tar.extractfile(info)
            if file is None or info.size > _MOST_JSON:
                raise ValueError("no file, or no head")
            found: dict[str, Any] = dict(json.loads(file.read()))
        except (*JSON_ERRORS, *_TAR_ERRORS) as error:
            raise self.damaged(message("what it says of itself cannot be read")) from error
        return found

    def _member(self, info: tarfile.TarInfo, seen: set[str]) -> Member:
        """Return what is said of a file. Whatever could lead out of the folder of a library is refused."""
        try:
            tarfile.data_filter(info, os.devnull)
            if not info.name.startswith(_BELOW) or not (info.isreg() or info.islnk()):
                raise ValueError(info.name)
            name = info.name.removeprefix(_BELOW)
            link = info.linkname.removeprefix(_BELOW) if info.islnk() else ""
            sha256, changed = info.pax_headers[_SHA256], int(info.pax_headers[_CHANGED])
        except (tarfile.FilterError, ValueError, KeyError) as error:
            raise self.damaged(message("{name} in it is nothing that a backup holds", name=info.name)) from error
        if not _is_inside(name) or name in seen or (info.islnk() and link not in seen):
            raise self.damaged(message("{name} in it is nothing that a backup holds", name=info.name))
        return Member(name=name, size=info.size, mtime_ns=changed, sha256=sha256, link=link)


class _Summing:
    """Reads a file and sums up what was read."""

    def __init__(self, file: IO[bytes], size: int, on_bytes: OnBytes) -> None:
        self._file, self._left, self._on_bytes = file, size, on_bytes
        self._found = hashlib.sha256()

    @property
    def sha256(self) -> str:
        return self._found.hexdigest()

    def read(self, size: int) -> bytes:
        data = self._file.read(min(size, self._left))
        if not data and self._left:
            raise EOFError("shorter than it was")
        self._found.update(data)
        self._left -= len(data)
        self._on_bytes(len(data))
        return data


def _info(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o644
    return info


def _count(total: "hashlib._Hash", member: Member) -> None:
    total.update(
        f"{member.name}\0{member.link}\0{member.sha256}\0{member.mtime_ns}\n".encode("utf-8", "surrogateescape")
    )


def _is_inside(name: str) -> bool:
    """Say whether a name is a plain path below a folder, without hidden parts."""
    path = PurePosixPath(name)
    plain = bool(path.parts) and not path.is_absolute() and str(path) == name and "\0" not in name
    return plain and not any(part.startswith(".") for part in path.parts)
