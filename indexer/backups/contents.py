"""What belongs to a backup: files that belong together, held open, so that a run that goes on cannot take them away.

First the build in use is opened, then the catalog copied, then the vectors opened that the copy names. A build is older
than the catalog beside it at all times, and vectors are written before the catalog names them; files that a run deletes
in between are missed, and all begins anew.
"""

import contextlib
import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path

from indexer.library.builds.current import current_build
from indexer.library.builds.manifest import Manifest
from indexer.library.catalog.database import copy_catalog
from indexer.library.catalog.writer import Catalog
from indexer.library.damage import Damage, DamageKind
from indexer.library.errors import (
    CatalogCorrupt,
    CatalogTooOld,
    FileUnavailable,
    IndexDamaged,
    LibraryError,
    NoIndex,
    unreadable,
)
from indexer.library.layout import Layout
from models.foundation.files import sha256_of
from models.foundation.messages import os_message

_TRIES = 4
_LEFT_OUT = {
    *("catalog.sqlite3", "catalog.seal", "vectors", "builds", "write.lock"),
    *("uploads", "jobs", "tickets", "progress.json"),
}
_BESIDE_DATABASES = ("-wal", "-shm", "-journal")


@dataclass(frozen=True, slots=True)
class Held:
    """An open file of a library. `name`: its path in the folder, `/` between names; `sha256`: what has to be in it."""

    name: str
    path: Path
    file: BufferedReader
    sha256: str = ""

    @property
    def info(self) -> os.stat_result:
        """What the system says of the open file."""
        return os.fstat(self.file.fileno())


@dataclass(slots=True)
class Contents:
    """The files of a library that belong together. Close it when they are read."""

    schema: int = 0
    pictures: int = 0
    build: str = ""
    encoders: tuple[str, ...] = ()
    held: list[Held] = field(default_factory=list)
    stack: ExitStack = field(default_factory=ExitStack)

    def close(self) -> None:
        """Close the files."""
        self.stack.close()

    def hold(self, name: str, path: Path, sha256: str = "") -> None:
        """Open a file. Raises OSError."""
        self.held.append(Held(name, path, self.stack.enter_context(path.open("rb")), sha256))


def hold_contents(layout: Layout, scratch: Path) -> Contents:
    """Hold what belongs together in a library; its catalog is copied into the folder `scratch`.

    Raises NoIndex, IndexDamaged, CatalogCorrupt, IndexUnavailable or FileUnavailable; and OSError or
    sqlite3.OperationalError where the copy cannot be written.
    """
    _raise_file_limit()
    for left in reversed(range(_TRIES)):
        contents = Contents()
        try:
            _hold_build(layout, contents)
            _hold_catalog(layout, contents, scratch)
            _hold_vectors(layout, contents, scratch / layout.catalog.name)
        except (IndexDamaged, CatalogCorrupt):  # or what a run has just deleted or written
            contents.close()
            if not left:
                raise
        except BaseException:
            contents.close()
            raise
        else:
            return contents
    raise AssertionError("the last try returns or raises")


def list_others(layout: Layout, *, thumbnails: bool, weights: bool) -> Iterator[tuple[str, Path]]:
    """Yield (name, path) of every other file: thumbnails, weights, what was calibrated, what a person put there.

    What is of the moment is left out: jobs, uploads, hidden and temporary files, what SQLite keeps beside a database.
    """
    left_out = {*_LEFT_OUT, *(() if thumbnails else ("thumbnails",)), *(() if weights else ("weights",))}
    for top in sorted(layout.data.iterdir()):
        if top.name not in left_out and _is_kept(top.name):
            if top.is_dir():
                yield from _walk(top, top.name)
            elif top.is_file():
                yield top.name, top


def _hold_build(layout: Layout, contents: Contents) -> None:
    try:
        contents.build = current_build(layout)
    except NoIndex:
        if not layout.catalog.exists():
            raise
        return
    folder = layout.builds / contents.build
    manifest = Manifest.read(folder)
    checksums = {file.file: file.sha256 for index in manifest.all_indexes for file in index.files}
    contents.encoders = tuple(index.encoder for index in manifest.indexes)
    for name in (*checksums, "manifest.json"):
        with _explaining(folder / name):
            contents.hold(f"builds/{contents.build}/{name}", folder / name, checksums.get(name, ""))


def _hold_catalog(layout: Layout, contents: Contents, scratch: Path) -> None:
    """Copy the catalog, check the copy, and seal it. One of an earlier version is copied as it is."""
    copy = scratch / layout.catalog.name
    for path in scratch.glob("catalog*"):
        path.unlink()
    with contextlib.suppress(CatalogTooOld):
        _check_seal(layout)
    copy_catalog(layout.catalog, copy)
    with contextlib.suppress(CatalogTooOld):
        Catalog(copy).close()
        catalog = Catalog(copy, create=True)  # to write the seal of the copy
        try:
            catalog.seal()
            damage = catalog.check()
        finally:
            catalog.close()
        if damage:
            raise CatalogCorrupt(layout.catalog, damage.why or damage.reason)
        seal = copy.with_suffix(".seal")
        contents.hold(seal.name, seal)
    contents.hold(layout.catalog.name, copy, sha256_of(copy))


def _check_seal(layout: Layout) -> None:
    """Raise CatalogCorrupt if the catalog is not what was sealed: its copy would be sealed as it is."""
    catalog = Catalog(layout.catalog)
    try:
        catalog.check_seal(thorough=True)
    finally:
        catalog.close()


def _hold_vectors(layout: Layout, contents: Contents, copy: Path) -> None:
    with closing(sqlite3.connect(copy)) as catalog:
        (contents.schema,) = catalog.execute("PRAGMA user_version").fetchone()
        counted = "SELECT count(*) FROM images WHERE status = 'indexed'"
        (contents.pictures,) = catalog.execute(counted).fetchone()
        shards = catalog.execute(
            "SELECT name, number, sha256, ids_sha256 FROM shards JOIN encoders ON encoders.id = encoder_id "
            "ORDER BY encoder_id, number"
        ).fetchall()
    for encoder, number, sha256, ids_sha256 in shards:
        folder = layout.vectors(encoder)
        for name, checksum in ((f"{number:05d}.npy", sha256), (f"{number:05d}.ids.npy", ids_sha256)):
            with _explaining(folder / name, command="xuntu index update"):
                contents.hold(f"vectors/{encoder}/{name}", folder / name, checksum)


@contextlib.contextmanager
def _explaining(path: Path, command: str = "xuntu index rebuild") -> Iterator[None]:
    """Turn what the system says of a file of the library into an error of the library."""
    try:
        yield
    except FileNotFoundError:
        raise IndexDamaged(Damage(path, DamageKind.MISSING), command=command) from None
    except OSError as error:
        raise unreadable(error, Damage(path, DamageKind.FAILING, why=os_message(error)), command=command) from error


def open_other(path: Path) -> BufferedReader | None:
    """Open one of the other files; None if it is gone, or no regular file. Raises LibraryError."""
    try:
        file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb")  # a FIFO would be waited for
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unavailable(path, error) from error
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        return None
    return file


def _unavailable(path: Path, error: OSError) -> LibraryError:
    return FileUnavailable(path, os_message(error))


def _walk(folder: Path, name: str) -> Iterator[tuple[str, Path]]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except FileNotFoundError:
        return
    except OSError as error:
        raise _unavailable(folder, error) from error
    for entry in entries:
        if _is_kept(entry.name):
            below = f"{name}/{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(Path(entry.path), below)
            elif entry.is_file():
                yield below, Path(entry.path)


def _is_kept(name: str) -> bool:
    return not name.startswith(".") and not name.endswith((".tmp", ".part", *_BESIDE_DATABASES))


def _raise_file_limit() -> None:
    """Let this process hold as many files as the system lets it: a large library has some thousands."""
    try:
        import resource
    except ImportError:  # not on this system
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
