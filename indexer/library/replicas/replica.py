"""A library that another machine writes: its build in use, fetched from object storage into a folder, and followed.

Of files that have changed only the blocks that differ are fetched. Nobody who searches in the folder sees half of it:
the new build is put beside the old one, then the catalog replaced, then CURRENT.
"""

import hashlib
import json
import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from indexer.library.builds.current import delete_builds_but, use_build
from indexer.library.errors import LibraryUnwritable
from indexer.library.layout import Layout
from indexer.library.lock import write_lock
from indexer.library.storage import documents
from indexer.library.storage.documents import BLOCK_BYTES, SentBuild, SentFile, block_name, document_name, read_current
from indexer.library.storage.errors import (
    LibraryElsewhere,
    LibraryExists,
    NoLibraryThere,
    ObjectMissing,
    ObjectUnreadable,
    StorageDiffers,
)
from indexer.library.storage.library_file import LibraryFile
from indexer.library.storage.object_store import open_store
from models.foundation.files import JSON_ERRORS, replace_file
from models.foundation.messages import os_message

_TRIES = 3  # another build may be published, and blocks of this one deleted, while it is fetched
_AT_ONCE = 8

_Blocks = Mapping[str, tuple[Path, int]]  # where a block lies that is here already: a file, and an offset in it


def is_replica(layout: Layout) -> bool:
    """Say whether the library is written on another machine, and only followed in this folder."""
    return layout.received.exists()


def check_home(layout: Layout) -> None:
    """Raise LibraryElsewhere where the library is written on another machine."""
    if is_replica(layout):
        raise LibraryElsewhere(LibraryFile.read(layout.data).storage or "")


def open_replica(data: Path, address: str | None) -> "Replica | None":
    """Return what follows the library at an address in the folder `data`; None for a library that is written here.

    An empty folder becomes a replica, if there is an address. Raises NoLibraryThere, LibraryExists, StorageDiffers,
    StorageUnavailable, ObjectUnreadable, BackendNotInstalled, LibraryFileUnreadable or LibraryUnwritable.
    """
    layout, file = Layout(data.absolute()), LibraryFile.read(data)
    if is_replica(layout):
        if address and file.storage != address:
            raise StorageDiffers(file.storage or "", address)
        return Replica(layout, file.storage or "")
    if layout.catalog.exists():
        if address and file.storage is None:
            raise LibraryExists(layout.data)
        return None
    address = address or file.storage
    if not address or _is_new(file, address):
        return None
    _begin(layout, address)
    return Replica(layout, address)


def _is_new(file: LibraryFile, address: str) -> bool:
    """Say whether a library has just been made here, and nothing of it lies in its storage yet."""
    if file.storage != address:
        return False
    try:
        open_store(address).head(documents.CURRENT)
    except ObjectMissing:
        return True
    return False


def _begin(layout: Layout, address: str) -> None:
    store = open_store(address)
    try:
        found = json.loads(store.get(documents.LIBRARY))
        file = LibraryFile(id=str(found["id"]), index=found["index"], storage=address)
    except ObjectMissing:
        raise NoLibraryThere(address) from None
    except JSON_ERRORS as error:
        raise ObjectUnreadable(address, documents.LIBRARY) from error
    file.write(layout.data)
    replace_file(layout.received, b"{}\n")


class Replica:
    """The folder of a library that is followed."""

    def __init__(self, layout: Layout, address: str) -> None:
        self.layout, self.address = layout, address
        self._store = open_store(address)
        self._etag = ""
        self._name: str | None = None  # of what was in use when this was asked last

    def update(self) -> bool:
        """Fetch the build in use, if it is another than before; say whether it is.

        Raises NoLibraryThere, StorageUnavailable, ObjectUnreadable, LibraryBusy where another process is at it, or
        LibraryUnwritable. What was there before stays in use then.
        """
        for left in reversed(range(_TRIES)):
            try:
                return self._update()
            except ObjectMissing as error:
                if not left:
                    raise ObjectUnreadable(self.address, error.name) from error
            except OSError as error:
                raise LibraryUnwritable(self.layout.data, os_message(error)) from error
        raise AssertionError("the last try returns or raises")

    def _update(self) -> bool:
        try:
            etag = self._store.head(documents.CURRENT).etag
            if etag and etag == self._etag:
                return False
            name = read_current(self.address, self._store.get(documents.CURRENT))
        except ObjectMissing:
            raise NoLibraryThere(self.address) from None
        with write_lock(self.layout):
            before = self._read_received()
            if before is None or before.name != name:
                document = self._store.get(document_name(name))
                self._take(SentBuild.from_json(self.address, name, document), before)
        is_new, self._etag, self._name = name != self._name, etag, name
        return is_new

    def _read_received(self) -> SentBuild | None:
        try:
            values = json.loads(self.layout.received.read_bytes())
            return SentBuild.from_json(self.address, values["name"], values["document"].encode())
        except (*JSON_ERRORS, ObjectUnreadable):
            return None

    def _take(self, build: SentBuild, before: SentBuild | None) -> None:
        data, held = self.layout.data, {file.name: file for file in before.files} if before else {}
        blocks = dict(_list_blocks(data, held.values()))
        last = self.layout.catalog.name
        for file in sorted(build.files, key=lambda one: (one.name == last, one.name)):
            path = data / file.name
            if held.get(file.name) != file or not path.is_file() or path.stat().st_size != file.size:
                self._fetch(file, path, blocks)
        received = {"name": build.name, "document": build.to_json().decode()}
        replace_file(self.layout.received, json.dumps(received, ensure_ascii=False).encode())
        use_build(self.layout, build.build)
        for name in held.keys() - {file.name for file in build.files}:
            if not name.startswith(f"{self.layout.builds.name}/"):
                (data / name).unlink(missing_ok=True)
        delete_builds_but(self.layout, {build.build, before.build if before else None})

    def _fetch(self, file: SentFile, path: Path, blocks: _Blocks) -> None:
        """Put a file together, of blocks that are here and of those that are not."""
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
        try:
            with scratch.open("wb") as target, ThreadPoolExecutor(_AT_ONCE) as pool:
                descriptor = target.fileno()

                def place(number: int) -> None:
                    os.pwrite(descriptor, self._block(file.blocks[number], blocks), number * BLOCK_BYTES)

                list(pool.map(place, range(len(file.blocks))))
                os.fsync(descriptor)
            with scratch.open("rb") as done:
                if hashlib.file_digest(done, "sha256").hexdigest() != file.sha256:
                    raise ObjectUnreadable(self.address, file.name)
            scratch.replace(path)
        finally:
            scratch.unlink(missing_ok=True)

    def _block(self, sha256: str, blocks: _Blocks) -> bytes:
        """Return a block. Raises ObjectMissing or ObjectUnreadable."""
        if sha256 in blocks:
            path, offset = blocks[sha256]
            try:
                with path.open("rb") as file:
                    data = os.pread(file.fileno(), BLOCK_BYTES, offset)
            except OSError:
                data = b""
            if hashlib.sha256(data).hexdigest() == sha256:
                return data
        data = self._store.get(block_name(sha256))
        if hashlib.sha256(data).hexdigest() != sha256:
            raise ObjectUnreadable(self.address, block_name(sha256))
        return data


def _list_blocks(data: Path, files: Iterable[SentFile]) -> Iterator[tuple[str, tuple[Path, int]]]:
    for file in files:
        for number, sha256 in enumerate(file.blocks):
            yield sha256, (data / file.name, number * BLOCK_BYTES)
