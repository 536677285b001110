"""A library whose index or storage is to lie elsewhere: moved without an encoder, and checked.

Broken off, it is gone on with. What lies in the storage before is brought home first; only then the library's own file
says where it lies now, its index is made of its vectors, and all is sent.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from indexer.config import IndexerSettings
from indexer.errors import MoveUnverified
from indexer.library.builds.current import read_current
from indexer.library.catalog.writer import Catalog
from indexer.library.encoders import check_vectors_whole, open_encoders
from indexer.library.errors import NoIndex
from indexer.library.index.backends import get_backend
from indexer.library.layout import Layout
from indexer.library.lock import write_lock
from indexer.library.opened import open_build
from indexer.library.replicas.replica import check_home
from indexer.library.storage.addresses import read_index_address, read_storage_address
from indexer.library.storage.documents import VECTORS
from indexer.library.storage.errors import ObjectMissing
from indexer.library.storage.library_file import LibraryFile
from indexer.library.storage.object_store import open_store
from indexer.library.storage.port import ObjectStore
from indexer.library.storage.thumbnail_cache import thumbnail_cache
from indexer.library.vectors.store import VectorStore
from indexer.pipeline.publish import PublishOptions, publish
from indexer.pipeline.sending import claim, do_all, fetch_vectors, list_shards, send
from models.foundation.files import replace_file
from models.foundation.messages import message

LOCAL = "local"  # in place of an address: the library's own folder
_SAMPLED = 256  # vectors that are compared after the move
_SAMPLED_SHARDS = 4
_LEAST_COSINE = 0.999


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveReport:
    """Where a library lies after it was moved, and what was checked."""

    index: str | None
    storage: str | None
    build: str
    pictures: int
    vectors_compared: int
    thumbnails: int


def move_library(
    settings: IndexerSettings,
    *,
    index: str | None = None,
    storage: str | None = None,
    on_index: Callable[[int, int], None] = lambda _done, _all: None,
) -> MoveReport:
    """Move the index and the storage of a library to addresses, LOCAL for its folder; None leaves them where they are.

    Run again after it was broken off, it goes on. What lies at the address before is left there. Raises NoIndex,
    InvalidAddress, StorageTaken, StorageUnavailable, UnknownIndexBackend, LibraryElsewhere, LibraryBusy, IndexDamaged,
    or MoveUnverified where what lies there afterwards is not what was moved.
    """
    layout = Layout(settings.data.absolute())
    if not layout.catalog.exists():
        raise NoIndex(layout.data)
    check_home(layout)
    before = LibraryFile.read(layout.data)
    after = LibraryFile(
        id=before.id or LibraryFile.make().id,
        index=_chosen(index, before.index, lambda text: read_index_address(text).text),
        storage=_chosen(storage, before.storage, lambda text: read_storage_address(text).text),
    )
    if after.index:
        get_backend(read_index_address(after.index).backend)
    with write_lock(layout):
        catalog = Catalog(layout.catalog, create=True)
        try:
            catalog.check_seal(thorough=True)
            store = open_store(after.storage) if after.storage else None
            if store:
                claim(store, after)
            if before.storage and before.storage != after.storage:
                old = open_store(before.storage)
                fetch_vectors(layout, catalog, old)
                _fetch_thumbnails(layout, old)
            check_vectors_whole(catalog, open_encoders(layout, catalog.list_encoders(), settings.runtime).values())
            _publish(layout, catalog, settings, before, after, on_index)
            if store:
                send(layout, catalog, store)
            return _verify(layout, catalog, after, store)
        finally:
            catalog.close()


def _chosen(asked: str | None, before: str | None, read: Callable[[str], str]) -> str | None:
    if asked is None:
        return before
    return None if asked == LOCAL else read(asked)


def _publish(
    layout: Layout,
    catalog: Catalog,
    settings: IndexerSettings,
    before: LibraryFile,
    after: LibraryFile,
    on_index: Callable[[int, int], None],
) -> None:
    """Have the library's file say where it lies now, and make its index there; if that fails, it says what it said."""
    after.write(layout.data)
    options = settings.index_options
    manifest = read_current(layout)
    if all(entry.backend == options.backend for entry in manifest.indexes) and before.index == after.index:
        return
    built_with = {entry.encoder for entry in manifest.indexes}
    encoders = [one for one in catalog.list_encoders() if one.name in built_with]
    try:
        publish(
            layout,
            catalog,
            encoders,
            PublishOptions(index=options, runtime=settings.runtime, anew=True, on_progress=on_index),
        )
    except BaseException:
        replace(before, id=after.id).write(layout.data)
        raise
    catalog.seal()


def _fetch_thumbnails(layout: Layout, store: ObjectStore) -> None:
    """Put every thumbnail of a storage into the library's folder, out of its cache where it is there."""
    cache = thumbnail_cache(layout)

    def fetch(name: str) -> None:
        path = layout.data / name
        if path.exists():
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        if held := cache.find(name.partition("/")[2]):
            held.replace(path)
            return
        try:
            replace_file(path, store.get(name))
        except ObjectMissing:
            return

    do_all(fetch, (one.name for one in store.list(layout.thumbnails.name)))


def _verify(layout: Layout, catalog: Catalog, after: LibraryFile, store: ObjectStore | None) -> MoveReport:
    """Compare counts and a sample of vectors with what the catalog and the vectors of the library say."""
    opened = open_build(layout.data)
    try:
        compared = 0
        for one in opened.indexes:
            stored = next(encoder for encoder in catalog.list_encoders() if encoder.name == one.entry.encoder)
            locations = catalog.locations(stored.id)
            if one.index.count() != len(locations.ids):
                said = message(
                    "the index has {found} pictures, and the catalog {count}",
                    found=one.index.count(),
                    count=len(locations.ids),
                )
                raise MoveUnverified(said)
            chosen = np.sort(np.random.default_rng(0).permutation(len(locations.ids))[:_SAMPLED])
            sample = replace(
                locations, ids=locations.ids[chosen], shards=locations.shards[chosen], rows=locations.rows[chosen]
            )
            own = VectorStore(layout.vectors(stored.name), one.index.dim).gather(sample)
            if len(chosen) and (np.einsum("ij,ij->i", own, one.index.fetch(sample.ids)).min() < _LEAST_COSINE):
                raise MoveUnverified(message("vectors of the index are not those of the library"))
            compared += len(chosen)
        thumbnails = _verify_storage(layout, catalog, store) if store else len(list(layout.thumbnails.glob("*/*.webp")))
        return MoveReport(
            index=after.index,
            storage=after.storage,
            build=opened.manifest.build,
            pictures=len(opened.index),
            vectors_compared=compared,
            thumbnails=thumbnails,
        )
    finally:
        opened.close()
        opened.catalog.close()


def _verify_storage(layout: Layout, catalog: Catalog, store: ObjectStore) -> int:
    """Read a sample of what was sent; return how many thumbnails lie there."""
    shards = list_shards(layout, catalog)
    there = {one.name for one in store.list(VECTORS)}
    if {name for _, name, _, _ in shards} != there:
        raise MoveUnverified(message("vectors are missing in the storage"))
    for _, name, _, sha256 in shards[:: max(1, len(shards) // _SAMPLED_SHARDS)]:
        if hashlib.sha256(store.get(name)).hexdigest() != sha256:
            raise MoveUnverified(message("vectors in the storage are not those of the library"))
    return sum(1 for _ in store.list(layout.thumbnails.name))
