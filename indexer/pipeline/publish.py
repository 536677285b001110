"""Vector store -> a verified, immutable build, published by replacing one line.

A build is made beside the one in use, of which it takes over what has not changed. `CURRENT` is replaced only once
the new files, read back from disk, hold what they should. The build before it stays, so that `rollback` has somewhere
to go.
"""

import logging
import secrets
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy as np

from indexer.library.builds.current import (
    current_build,
    delete_builds_but,
    is_untouched,
    read_current,
    stamp_of_build,
    use_build,
)
from indexer.library.builds.manifest import Manifest, parts_of
from indexer.library.catalog.records import StoredEncoder
from indexer.library.catalog.writer import Catalog
from indexer.library.damage import Damage, DamageKind
from indexer.library.errors import IndexDamaged, LibraryUnwritable, NoIndex
from indexer.library.index.backends import get_backend
from indexer.library.index.port import IndexBackend, OpenIndex
from indexer.library.index.records import EncoderVectors, IndexEntry, IndexOptions
from indexer.library.index.self_recall import measure_self_recall
from indexer.library.layout import Layout
from indexer.library.vectors.shard_files import ShardFiles
from indexer.pipeline.query_bank import read_query_bank
from models.encoders.registry import get_spec
from models.encoders.runtime import Runtime
from models.foundation.files import replace_file, sync_folder
from models.foundation.messages import message, os_message

logger = logging.getLogger(__name__)

Check = Callable[[Layout, Manifest], None]

_PARTS_BACKEND = "faiss"
_LEAST_SELF_RECALL = {"flat": 1.0}
_LEAST_APPROXIMATE = 0.9  # an approximate index may look past a picture; a broken one does


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishOptions:
    """How an index is made.

    `anew` takes nothing over from the build before; `on_progress` gets the number of vectors done, and of all. `check`
    looks at the build that is about to be published, and keeps the one in use by raising an error. `takes_place`: it
    takes the place of an earlier part of itself, which is nothing to go back to.
    """

    index: IndexOptions = field(default_factory=IndexOptions)
    runtime: Runtime = field(default_factory=Runtime)
    anew: bool = False
    takes_place: bool = False
    on_progress: Callable[[int, int], None] = lambda _done, _all: None
    check: Check = lambda _layout, _build: None


def publish(layout: Layout, catalog: Catalog, encoders: Sequence[StoredEncoder], options: PublishOptions) -> Manifest:
    """Make a build of everything indexed, with an index for each encoder, verify it and put it in use.

    Raises LibraryUnwritable, IndexDamaged or what the check raises; then the build is deleted.
    """
    now = datetime.now(UTC)
    name = f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"
    folder = layout.builds / name
    try:
        previous: str | None = None if options.takes_place else current_build(layout)
    except (NoIndex, IndexDamaged):
        previous = None
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise LibraryUnwritable(layout.builds, os_message(error)) from error
    try:
        generation = catalog.generation()
        entries = [_write_index(folder, layout, catalog, encoder, options) for encoder in encoders]
        parts = [_write_parts(folder, layout, catalog, encoder, options) for encoder in encoders]
        manifest = Manifest(
            build=name,
            created_at=now.isoformat(timespec="seconds"),
            version=version("xuntu"),
            generation=generation,
            previous=previous,
            indexes=tuple(entries),
            parts=tuple(part for part in parts if part is not None),
        )
        replace_file(folder / "manifest.json", manifest.to_json())
        sync_folder(layout.builds)
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError):
            raise LibraryUnwritable(layout.builds, os_message(error)) from error
        if isinstance(error, RuntimeError):  # how FAISS reports a failed write
            why = message("FAISS reports: {said}", said=str(error))
            raise LibraryUnwritable(layout.builds, why) from error
        raise
    try:
        options.check(layout, manifest)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    use_build(layout, name)
    with catalog.writing():
        catalog.put_meta("checked_build", stamp_of_build(layout, manifest))
    delete_builds_but(layout, {name, previous})
    return manifest


def _write_index(
    folder: Path, layout: Layout, catalog: Catalog, encoder: StoredEncoder, options: PublishOptions
) -> IndexEntry:
    """Make the index of one encoder in the folder of a build, read it back, and return what it is."""
    vectors, chosen = _describe(folder, layout, catalog, encoder, options)
    previous, since = _open_previous(layout, catalog, encoder, encoder.name, chosen.backend, anew=options.anew)
    backend = get_backend(chosen.backend)
    entry = backend.make(previous, catalog.changes_since(since, encoder.id), vectors, chosen)
    _verify(backend, folder, entry)
    return entry


def _write_parts(
    folder: Path, layout: Layout, catalog: Catalog, encoder: StoredEncoder, options: PublishOptions
) -> IndexEntry | None:
    """Make the index of the parts of long pictures; None where there are none.

    It is one of FAISS, whatever has that of the pictures: parts have ids of their own, which filters know nothing of.
    """
    locations = catalog.part_locations(encoder.id)
    if not len(locations):
        return None
    name, options = parts_of(encoder.name), replace(options, on_progress=lambda _done, _all: None)
    vectors, chosen = _describe(folder, layout, catalog, encoder, options)
    chosen = replace(chosen, backend=_PARTS_BACKEND)
    vectors = replace(vectors, encoder=name, count=len(locations), locate=lambda: locations)
    previous, since = _open_previous(layout, catalog, encoder, name, chosen.backend, anew=options.anew)
    held = previous.index.list_ids() if previous else np.empty(0, np.int64)
    backend = get_backend(chosen.backend)
    entry = backend.make(previous, catalog.part_changes_since(since, encoder.id, held), vectors, chosen)
    _verify(backend, folder, entry)
    return entry


def _describe(
    folder: Path, layout: Layout, catalog: Catalog, encoder: StoredEncoder, options: PublishOptions
) -> tuple[EncoderVectors, IndexOptions]:
    """Return the vectors of whole pictures of an encoder, and how an index of them is made."""
    spec = get_spec(encoder.name, options.runtime)
    shards = catalog.list_shards(encoder.id)
    vectors = EncoderVectors(
        encoder=spec.name,
        fingerprint=encoder.fingerprint,
        space=spec.space,
        folder=folder,
        count=catalog.counts()["indexed"],
        store=ShardFiles(layout.vectors(spec.name), spec.dim, checksums={one.number: one.sha256 for one in shards}),
        locate=lambda: catalog.locations(encoder.id),
        catalog=catalog,
        read_bank=cache(lambda: read_query_bank(layout, encoder, options.runtime)),
        on_progress=options.on_progress,
    )
    corrects = options.index.hub_correction and spec.hub_share > 0
    return vectors, replace(options.index, hub_correction=corrects)


def _open_previous(
    layout: Layout, catalog: Catalog, encoder: StoredEncoder, name: str, backend: str, *, anew: bool
) -> tuple[OpenIndex | None, int]:
    """Return the index `name` of the build in use, if a new one can be made of it, and what generation it is of."""
    try:
        manifest = read_current(layout)
        entry = None if anew else manifest.find(name)
        if entry is None or entry.fingerprint != encoder.fingerprint or not catalog.takes_over(manifest.generation):
            return None, 0
        if entry.backend != backend or not is_untouched(layout, manifest, catalog):
            return None, 0
        folder = layout.builds / manifest.build
        return OpenIndex(entry, get_backend(backend).open(folder, entry)), manifest.generation
    except (IndexDamaged, NoIndex):
        return None, 0


def _verify(backend: IndexBackend, folder: Path, entry: IndexEntry) -> None:
    """Read an index back. Raises IndexDamaged if it does not hold what it should."""
    index = backend.open(folder, entry)
    if len(index) != entry.count or (entry.count and index.dim != entry.dim):
        found, expected = f"{len(index)} x {index.dim}", f"{entry.count} x {entry.dim}"
        raise IndexDamaged(Damage(folder, DamageKind.OTHER_CONTENT, found=found, expected=expected))
    least = _LEAST_SELF_RECALL.get(entry.recipe, _LEAST_APPROXIMATE)
    if entry.self_recall < least or measure_self_recall(index) != entry.self_recall:
        raise IndexDamaged(Damage(folder, DamageKind.FINDS_TOO_LITTLE, found=entry.self_recall))
    index.close()
