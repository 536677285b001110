"""A library -> its object storage. What a run that was killed, or found the storage away, has not sent, the next sends.

Thumbnails and vectors go by names that say what is in them, files of a build as blocks named by their checksum; only
then CURRENT is replaced, on the condition that it is as it was. What nothing names any more goes last.
"""

import hashlib
import json
import sqlite3
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import TypeVar

from indexer.library.builds.current import read_current
from indexer.library.catalog.database import copy_catalog
from indexer.library.catalog.writer import Catalog
from indexer.library.config import LibrarySettings
from indexer.library.damage import Damage, DamageKind
from indexer.library.errors import IndexDamaged, LibraryUnwritable, NoIndex
from indexer.library.layout import Layout
from indexer.library.storage import documents
from indexer.library.storage.documents import BLOCK_BYTES, SentBuild, SentFile, block_name, document_name, shard_names
from indexer.library.storage.errors import LibraryElsewhere, ObjectMissing, ObjectUnreadable, StorageTaken
from indexer.library.storage.library_file import LibraryFile
from indexer.library.storage.object_store import open_store
from indexer.library.storage.port import ObjectStore
from indexer.library.storage.thumbnail_cache import thumbnail_cache, thumbnail_name
from models.foundation.files import JSON_ERRORS, replace_file
from models.foundation.messages import os_message

T = TypeVar("T")

_AT_ONCE = 16  # objects that are under way at a time
_SCRATCH = "sending"  # folder in the library of the copy of its catalog
_KEPT = ("routing.json", "keys.json", "relevance", "queries")  # what belongs to a library besides its build


def claim_storage(data: Path, settings: LibrarySettings) -> ObjectStore | None:
    """Return the storage of the library in the folder `data`, which is this library's from now on; None without one.

    A library without a file of its own gets one, where settings name a storage. Raises StorageTaken, StorageDiffers,
    StorageUnavailable, LibraryFileUnreadable, BackendNotInstalled or LibraryUnwritable.
    """
    address = settings.storage_address
    if address is None:
        return None
    file = LibraryFile.read(data)
    if file.storage is None:
        file = LibraryFile(id=file.id or LibraryFile.make().id, index=file.index, storage=address)
        claim(open_store(address), file)
        file.write(data)
    store = open_store(address)
    claim(store, file)
    return store


def claim(store: ObjectStore, file: LibraryFile) -> None:
    """Write which library lies in a storage, unless it says so.

    Raises StorageTaken, ObjectUnreadable or ObjectChanged.
    """
    content = json.dumps({"format": documents.FORMAT, "id": file.id, "index": file.index}).encode()
    try:
        found = json.loads(store.get(documents.LIBRARY))
        other, index = str(found["id"]), found["index"]
    except ObjectMissing:
        store.put(documents.LIBRARY, content, etag="")
        return
    except JSON_ERRORS as error:
        raise ObjectUnreadable(store.address, documents.LIBRARY) from error
    if other != file.id:
        raise StorageTaken(store.address, other)
    if index != file.index:
        store.put(documents.LIBRARY, content)


def check_not_published(store: ObjectStore) -> None:
    """Raise LibraryElsewhere where a build lies in a storage of which this machine has no catalog to go on from."""
    try:
        store.head(documents.CURRENT)
    except ObjectMissing:
        return
    raise LibraryElsewhere(store.address)


def send(layout: Layout, catalog: Catalog, store: ObjectStore) -> None:
    """Send what of a library is not in its storage, and delete there what it has no more.

    To be called under the write lock. Raises StorageUnavailable, ObjectChanged where another machine writes there, and
    IndexDamaged or OSError for what cannot be read here; then all is as it was for those who read there.
    """
    send_thumbnails(layout, store)
    shards = _send_vectors(layout, catalog, store)
    try:
        manifest = read_current(layout)
    except NoIndex:
        return
    build = _send_build(layout, manifest.build, manifest.previous, store)
    _delete_unnamed(store, build, shards)


def send_thumbnails(layout: Layout, store: ObjectStore) -> int:
    """Send the thumbnails that are in the library's folder, and keep them in its cache; return how many."""
    cache = thumbnail_cache(layout)

    def send_one(path: Path) -> None:
        name = thumbnail_name(layout, path)
        store.put(f"thumbnails/{name}", path.read_bytes())
        cache.take(name, path)

    return do_all(send_one, layout.thumbnails.glob("*/*.webp"))


def delete_thumbnails_but(store: ObjectStore, checksums: set[str]) -> int:
    """Delete thumbnails in storage of contents that nobody has any more; return how many."""
    gone = (one.name for one in store.list("thumbnails") if Path(one.name).stem.partition("-")[0] not in checksums)
    return do_all(store.delete, gone)


def fetch_vectors(layout: Layout, catalog: Catalog, store: ObjectStore) -> int:
    """Fetch the files of vectors that the catalog names and that are not here; return how many.

    One that is not what was written is not kept: the run that follows makes its vectors again.
    """

    def fetch(wanted: tuple[Path, str, str]) -> None:
        path, name, sha256 = wanted
        with suppress(ObjectMissing):
            data = store.get(name)
            if hashlib.sha256(data).hexdigest() == sha256:
                path.parent.mkdir(parents=True, exist_ok=True)
                replace_file(path, data)

    missing = [
        (path, name, sha256)
        for folder, name, file, sha256 in list_shards(layout, catalog)
        if not (path := folder / file).exists()
    ]
    return do_all(fetch, missing)


def list_shards(layout: Layout, catalog: Catalog) -> list[tuple[Path, str, str, str]]:
    """Return (folder, name of the object, name of the file, checksum) of each file of vectors that counts."""
    return [
        (layout.vectors(encoder.name), *names)
        for encoder in catalog.list_encoders()
        for shard in catalog.list_shards(encoder.id)
        for names in shard_names(encoder.name, shard.number, shard.sha256, shard.ids_sha256)
    ]


def _send_vectors(layout: Layout, catalog: Catalog, store: ObjectStore) -> set[str]:
    """Send the vectors that are not there; return the names of all that are to be there."""
    there = {one.name for one in store.list(documents.VECTORS)}
    wanted = list_shards(layout, catalog)

    def send_one(shard: tuple[Path, str, str, str]) -> None:
        folder, name, file, sha256 = shard
        data = (folder / file).read_bytes()
        if hashlib.sha256(data).hexdigest() != sha256:
            raise IndexDamaged(Damage(folder / file, DamageKind.CHANGED), command="xuntu index update")
        store.put(name, data)

    do_all(send_one, [shard for shard in wanted if shard[1] not in there], at_once=2)
    return {name for _, name, _, _ in wanted}


def _send_build(layout: Layout, build: str, previous: str | None, store: ObjectStore) -> SentBuild:
    """Send the files of a build with a copy of the catalog, and put it in use there; return what was sent."""
    scratch = layout.data / _SCRATCH
    try:
        scratch.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=scratch) as folder:
            copy = Path(folder) / layout.catalog.name
            _copy_catalog(layout, copy)
            files = [(layout.catalog.name, copy)]
            files += [(path.relative_to(layout.data).as_posix(), path) for path in _list_files(layout, build)]
            there = {one.name for one in store.list(documents.BLOCKS)}
            sent = SentBuild(build, previous, tuple(_send_file(name, path, store, there) for name, path in files))
    except OSError as error:
        raise LibraryUnwritable(scratch, os_message(error)) from error
    finally:
        with suppress(OSError):
            scratch.rmdir()
    store.put(document_name(sent.name), sent.to_json())
    _put_current(store, sent.name)
    return sent


def _list_files(layout: Layout, build: str) -> list[Path]:
    tops = [layout.builds / build, *(layout.data / name for name in _KEPT)]
    below = (sorted(top.rglob("*")) if top.is_dir() else [top] for top in tops)
    return [path for paths in below for path in paths if path.is_file() and not path.name.startswith(".")]


def _copy_catalog(layout: Layout, copy: Path) -> None:
    """Copy the catalog to a file that needs no other beside it."""
    copy_catalog(layout.catalog, copy)
    with closing(sqlite3.connect(copy)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE").fetchall()


def _send_file(name: str, path: Path, store: ObjectStore, there: set[str]) -> SentFile:
    """Send the blocks of a file that are not there, and return what it is."""
    whole, blocks, size = hashlib.sha256(), [], 0

    def read() -> Iterable[tuple[str, bytes]]:
        nonlocal size
        with path.open("rb") as file:
            while block := file.read(BLOCK_BYTES):
                whole.update(block)
                size += len(block)
                blocks.append(hashlib.sha256(block).hexdigest())
                if block_name(blocks[-1]) not in there:
                    there.add(block_name(blocks[-1]))
                    yield block_name(blocks[-1]), block

    do_all(lambda block: store.put(*block), read(), at_once=4)
    return SentFile(name, size, whole.hexdigest(), tuple(blocks))


def _put_current(store: ObjectStore, name: str) -> None:
    """Say which build is in use, unless somebody else has said so meanwhile. Raises ObjectChanged."""
    try:
        etag = store.head(documents.CURRENT).etag
        if store.get(documents.CURRENT) == f"{name}\n".encode():
            return
    except ObjectMissing:
        etag = ""
    store.put(documents.CURRENT, f"{name}\n".encode(), etag=etag)


def _delete_unnamed(store: ObjectStore, build: SentBuild, shards: set[str]) -> None:
    """Delete documents of other builds than this one and the one before, and blocks and vectors that nothing names."""
    blocks = {block_name(sha256) for file in build.files for sha256 in file.blocks}
    for one in list(store.list(documents.BUILDS)):
        name = Path(one.name).stem
        if name == build.name:
            continue
        before = _read_document(store, name) if build.previous and name.startswith(f"{build.previous}-") else None
        if before is None:
            store.delete(one.name)
        else:
            blocks |= {block_name(sha256) for file in before.files for sha256 in file.blocks}
    do_all(store.delete, [one.name for one in store.list(documents.BLOCKS) if one.name not in blocks])
    do_all(store.delete, [one.name for one in store.list(documents.VECTORS) if one.name not in shards])


def _read_document(store: ObjectStore, name: str) -> SentBuild | None:
    try:
        return SentBuild.from_json(store.address, name, store.get(document_name(name)))
    except (ObjectMissing, ObjectUnreadable):
        return None


def do_all(do: Callable[[T], object], items: Iterable[T], *, at_once: int = _AT_ONCE) -> int:
    """Do something with each item, a few at a time; return how many. Raises what the first raises that fails."""
    done, waiting = 0, []
    with ThreadPoolExecutor(at_once) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(do, item))
                if len(waiting) >= 2 * at_once:
                    waiting.pop(0).result()
                done += 1
            for one in waiting:
                one.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return done
