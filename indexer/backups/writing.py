"""A backup of a library, while it is used and written to: one file, there whole or not at all."""

import io
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from indexer.backups.archive import ArchiveWriter, BackupHead, Member, OnBytes
from indexer.backups.contents import Contents, Held, hold_contents, list_others, open_other
from indexer.backups.errors import BackupInside, BackupUnwritable, BesideDamaged, ChangedMeanwhile
from indexer.library.builds.manifest import FORMAT
from indexer.library.catalog.database import copy_catalog
from indexer.library.catalog.sqlite_errors import sqlite_message
from indexer.library.damage import Damage, DamageKind
from indexer.library.errors import CatalogCorrupt, IndexDamaged, NoIndex
from indexer.library.layout import Layout
from models.foundation.files import sha256_of, sha256_of_file, sync_folder
from models.foundation.messages import os_message

OnProgress = Callable[[int, int], None]  # bytes done, of how many
_SMALL = 2**20  # bytes: what is read at once


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupReport:
    """A backup that was written, or restored."""

    file: Path
    data: Path
    files: int
    bytes: int  # of the library's files
    build: str
    pictures: int
    encoders: tuple[str, ...]
    thumbnails: bool
    weights: bool
    seconds: float


def write_backup(
    data: Path,
    file: Path,
    *,
    thumbnails: bool = True,
    weights: bool = True,
    on_progress: OnProgress = lambda _done, _all: None,
) -> BackupReport:
    """Write a backup of the library in `data` to `file`, compressed if it ends in .gz or .tgz; one there is replaced.

    Raises NoIndex, BackupInside, BackupUnwritable, ChangedMeanwhile, and what is wrong with the library: damaged files
    are not backed up. Of what could not be finished nothing is left.
    """
    started = time.perf_counter()
    layout, file = Layout(data.absolute()), file.absolute()
    if not layout.data.is_dir():
        raise NoIndex(layout.data)
    if file.resolve().is_relative_to(layout.data.resolve()):
        raise BackupInside(file, layout.data)
    with _scratch(file) as scratch:
        contents = hold_contents(layout, scratch)
        try:
            others = list(list_others(layout, thumbnails=thumbnails, weights=weights))
            total = sum(held.info.st_size for held in contents.held) + sum(_size(path) for _, path in others)
            head = _head_of(contents, total, thumbnails=thumbnails, weights=weights)
            done = _WrittenBytes(total, on_progress)
            with (scratch / "backup").open("wb") as target:
                archive = ArchiveWriter(target, head, compressed=file.suffix in (".gz", ".tgz"))
                files = _put_held(archive, contents, done.advance)
                files += sum(_put_other(archive, name, path, scratch, done.advance) for name, path in others)
                if contents.build:  # last: what names it is there when all of it is
                    files += _put_bytes(archive, "builds/CURRENT", f"{contents.build}\n".encode(), done.advance)
                archive.finish()
                target.flush()
                os.fsync(target.fileno())
        finally:
            contents.close()
        (scratch / "backup").replace(file)
        sync_folder(file.parent)
    return BackupReport(
        file=file,
        data=layout.data,
        files=files,
        bytes=done.done,
        build=head.build,
        pictures=head.pictures,
        encoders=head.encoders,
        thumbnails=thumbnails,
        weights=weights,
        seconds=round(time.perf_counter() - started, 3),
    )


class _WrittenBytes:
    def __init__(self, total: int, on_progress: OnProgress) -> None:
        self.done = 0
        self._total, self._on_progress = total, on_progress

    def advance(self, more: int) -> None:
        self.done += more
        self._on_progress(self.done, max(self._total, self.done))


@contextmanager
def _scratch(file: Path) -> Iterator[Path]:
    """Give a folder beside the backup, which is gone afterwards. What keeps it from being written is said so."""
    folder = None
    try:
        folder = Path(tempfile.mkdtemp(prefix=f".{file.name}.", suffix=".tmp", dir=file.parent))
        yield folder
    except sqlite3.OperationalError as error:  # of the copy of the catalog
        raise BackupUnwritable(file, sqlite_message(error)) from error
    except OSError as error:
        raise BackupUnwritable(file, os_message(error)) from error
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def _head_of(contents: Contents, total: int, *, thumbnails: bool, weights: bool) -> BackupHead:
    return BackupHead(
        version=version("xuntu"),
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        schema=contents.schema,
        manifest=FORMAT,
        build=contents.build,
        encoders=contents.encoders,
        pictures=contents.pictures,
        bytes=total,
        thumbnails=thumbnails,
        weights=weights,
    )


def _put_held(archive: ArchiveWriter, contents: Contents, on_bytes: OnBytes) -> int:
    """Write the files that are held; raises IndexDamaged or CatalogCorrupt for one that is not what was written."""
    first: dict[tuple[int, int], Held] = {}
    for held in contents.held:
        info = held.info
        known = first.setdefault((info.st_dev, info.st_ino), held)
        sha256 = held.sha256 or sha256_of(held.path)
        link = "" if known is held else known.name
        member = Member(name=held.name, size=info.st_size, mtime_ns=info.st_mtime_ns, sha256=sha256, link=link)
        try:
            found = archive.add(member, held.file, on_bytes)
        except EOFError:
            found = ""
        if found != sha256:
            raise _damaged(held)
        if link:
            on_bytes(info.st_size)
    return len(contents.held)


def _damaged(held: Held) -> IndexDamaged | CatalogCorrupt:
    damage = Damage(held.path, DamageKind.CHANGED)
    if held.name.startswith("catalog"):
        return CatalogCorrupt(held.path, damage.reason)
    of_vectors = held.name.startswith("vectors/")
    return IndexDamaged(damage, command="xuntu index update" if of_vectors else "xuntu index rebuild")


def _put_other(archive: ArchiveWriter, name: str, path: Path, scratch: Path, on_bytes: OnBytes) -> int:
    """Write one of the other files; return 0 if it is gone by now. A database is copied as it is at one moment."""
    source = path
    if path.suffix == ".sqlite3":
        source = scratch / path.name
        try:
            copy_catalog(path, source)
        except CatalogCorrupt as error:
            raise BesideDamaged(path, error.why) from error
    file = open_other(source)
    if file is None:
        return 0
    with file:
        info = os.fstat(file.fileno())
        if info.st_size <= _SMALL:
            return _put_bytes(archive, name, file.read(), on_bytes, mtime_ns=info.st_mtime_ns)
        sha256 = sha256_of_file(file)
        file.seek(0)
        member = Member(name=name, size=info.st_size, mtime_ns=info.st_mtime_ns, sha256=sha256)
        try:
            found = archive.add(member, file, on_bytes)
        except EOFError:
            found = ""
        if found != sha256:
            raise ChangedMeanwhile(path)
    return 1


def _put_bytes(
    archive: ArchiveWriter, name: str, content: bytes, on_bytes: OnBytes, *, mtime_ns: int | None = None
) -> int:
    changed = time.time_ns() if mtime_ns is None else mtime_ns
    member = Member(name=name, size=len(content), mtime_ns=changed, sha256=sha256_of_file(io.BytesIO(content)))
    archive.add(member, io.BytesIO(content), on_bytes)
    return 1


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
