"""A library out of a backup: read and checked beside what is there, then put in its place."""

import contextlib
import errno
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from indexer.backups.archive import ArchiveReader, Member
from indexer.backups.errors import BackupTooNew, LibraryThere
from indexer.backups.writing import BackupReport, OnProgress
from indexer.library.builds.current import read_current
from indexer.library.builds.manifest import FORMAT
from indexer.library.catalog.migrations import SCRIPTS
from indexer.library.errors import LibraryError, LibraryUnwritable
from indexer.library.layout import Layout
from indexer.library.lock import write_lock
from models.foundation.files import sync_folder
from models.foundation.messages import os_message

_NEW, _OLD = ".restore.", ".replaced."
_PRIVATE = ("boards.sqlite3", "keys.json")  # for the owner alone, as they were made
_MERGED = ("weights", "thumbnails", "queries")  # named by what is in them: what the backup lacks may stay


def read_backup(file: Path, *, on_progress: OnProgress = lambda _done, _all: None) -> BackupReport:
    """Read a backup to its end and check all of it; nothing is restored. Raises BackupDamaged or BackupTooNew."""
    started = time.perf_counter()
    with _opened(file) as archive:
        counter = _ReadBytes(archive.head.bytes, on_progress)
        for member, content in archive.files():
            counter.files += 1
            if content is None:
                counter.advance(member.size)
            else:
                archive.copy(content, None, member, counter.advance)
        return _report(archive, file, file, counter, started)


def restore_backup(
    file: Path,
    data: Path,
    *,
    replace: bool = False,
    on_progress: OnProgress = lambda _done, _all: None,
) -> BackupReport:
    """Make the folder `data` a library again. One that is there is refused, unless `replace`; weights of its own stay.

    All is read and checked before anything that is there is touched. Raises BackupDamaged, BackupTooNew, LibraryThere,
    LibraryBusy and LibraryUnwritable; of what could not be finished nothing is left.
    """
    started = time.perf_counter()
    layout = Layout(data.absolute())
    with _opened(file) as archive, _folder(layout) as scratch:
        there = sorted(path.name for path in _of_library(layout))
        if there and not replace:
            raise LibraryThere(layout.data, there)
        if shutil.disk_usage(layout.data).free < archive.head.bytes:
            raise LibraryUnwritable(layout.data, os_message(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))))
        counter = _ReadBytes(archive.head.bytes, on_progress)
        for member, content in archive.files():
            counter.files += 1
            target = scratch / member.name
            target.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                _link(scratch / member.link, target)
                counter.advance(target.stat().st_size)
            else:
                with target.open("xb") as new:
                    archive.copy(content, new, member, counter.advance)
                    new.flush()
                    _keep(new.fileno(), member)
        if archive.head.build:
            try:
                read_current(Layout(scratch))
            except LibraryError as error:
                raise archive.damaged(error) from error
        _put_in_place(layout, scratch)
        return _report(archive, file, layout.data, counter, started)


class _ReadBytes:
    def __init__(self, total: int, on_progress: OnProgress) -> None:
        self.files = self.bytes = 0
        self._total, self._on_progress = total, on_progress

    def advance(self, more: int) -> None:
        self.bytes += more
        self._on_progress(self.bytes, max(self._total, self.bytes))


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[ArchiveReader]:
    """Open a backup; one whose library this version cannot read is refused. Raises BackupDamaged or BackupTooNew."""
    archive = ArchiveReader(file)
    try:
        if archive.head.schema > len(SCRIPTS) or archive.head.manifest > FORMAT:
            raise BackupTooNew(file, archive.head.version)
        yield archive
    finally:
        archive.close()


@contextlib.contextmanager
def _folder(layout: Layout) -> Iterator[Path]:
    """Hold the folder of a library, and give one in it to restore into, which is gone afterwards."""
    is_new = not layout.data.exists()
    scratch = layout.data / f"{_NEW}{os.getpid()}"
    try:
        with write_lock(layout):
            for kind in (_NEW, _OLD):  # of a process that was killed
                for left in layout.data.glob(f"{kind}*"):
                    shutil.rmtree(left, ignore_errors=True)
            try:
                scratch.mkdir()
                yield scratch
            except OSError as error:
                raise LibraryUnwritable(layout.data, os_message(error)) from error
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
    except BaseException:
        if is_new:
            layout.lock.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                layout.data.rmdir()
        raise


def _link(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError:  # not on this file system
        shutil.copy2(source, target)


def _keep(descriptor: int, member: Member) -> None:
    """Make a file durable, as old as it was: runs go by that. Thumbnails can be made again, so they are not forced."""
    if member.name in _PRIVATE:
        os.fchmod(descriptor, 0o600)
    os.utime(descriptor, ns=(member.mtime_ns, member.mtime_ns))
    if not member.name.startswith("thumbnails/"):
        os.fsync(descriptor)


def _of_library(layout: Layout) -> list[Path]:
    """Return what lies in a folder and would be replaced."""
    names = (path for path in layout.data.iterdir() if not path.name.startswith("."))
    return [path for path in names if path.name not in ("write.lock", "uploads", "jobs", *_MERGED)]


def _put_in_place(layout: Layout, scratch: Path) -> None:
    """Put the new library in the place of what is there: the build that is in use last. Goes back if it is stopped."""
    old = layout.data / f"{_OLD}{os.getpid()}"
    old.mkdir()
    moved: list[tuple[Path, Path]] = []

    def move(source: Path, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        source.rename(target)
        moved.append((source, target))

    try:
        for path in sorted(_of_library(layout), key=lambda one: one.name != "builds"):
            move(path, old / path.name)
        for path in sorted(scratch.iterdir(), key=lambda one: one.name == "builds"):
            for new in _split(path):
                place = layout.data / new.relative_to(scratch)
                if place.exists():
                    move(place, old / new.relative_to(scratch))
                move(new, place)
        sync_folder(layout.data)
    except BaseException:
        for source, target in reversed(moved):
            target.rename(source)
        shutil.rmtree(old, ignore_errors=True)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _split(path: Path) -> list[Path]:
    """Return the parts of which each takes the place of another: of what is merged, what lies in the folder."""
    return sorted(path.iterdir()) if path.name in _MERGED and path.is_dir() else [path]


def _report(archive: ArchiveReader, file: Path, data: Path, counter: _ReadBytes, started: float) -> BackupReport:
    head = archive.head
    return BackupReport(
        file=file.absolute(),
        data=data,
        files=counter.files,
        bytes=counter.bytes,
        build=head.build,
        pictures=head.pictures,
        encoders=head.encoders,
        thumbnails=head.thumbnails,
        weights=head.weights,
        seconds=round(time.perf_counter() - started, 3),
    )
