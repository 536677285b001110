"""Vector store -> a verified, immutable build, published by replacing one line.

A build is made beside the one in use. `CURRENT` is replaced only once the new files, read back from disk, hold
what they should. The build before it stays, so that `rollback` has somewhere to go.
"""

import os
import re
import secrets
import shutil
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np

from indexer.errors import IndexDamaged, LibraryUnwritable, NoIndex, NothingToRollBack
from indexer.index.base import VectorIndex
from indexer.index.factory import FLAT, create_index, open_index
from indexer.store.catalog import Catalog
from indexer.store.layout import Layout
from indexer.store.manifest import IndexFile, Manifest
from indexer.store.records import StoredEncoder
from indexer.store.vector_store import VectorStore
from models.files import replace_file, sha256_of, sync_folder
from models.registry import get_spec
from models.vectors import Ids, check_vectors

_BUILD_NAME = re.compile(r"[0-9TZ]{1,32}-[0-9a-f]{1,16}")
_CHUNK_ROWS = 65_536
_RECALL_SAMPLE = 100


def current_build(layout: Layout) -> str:
    """Return the name of the build in use. Raises NoIndex."""
    try:
        name = layout.current.read_text(encoding="ascii").strip()
    except (FileNotFoundError, NotADirectoryError):
        raise NoIndex(layout.data) from None
    except OSError as error:
        raise IndexDamaged(layout.current, error.strerror or "it cannot be read") from error
    except UnicodeDecodeError as error:
        raise IndexDamaged(layout.current, "it does not name a build") from error
    if not _BUILD_NAME.fullmatch(name) or not (layout.builds / name).is_dir():
        raise IndexDamaged(layout.current, "it does not name a build")
    return name


def read_current(layout: Layout) -> Manifest:
    """Return the manifest of the build in use. Raises NoIndex or IndexDamaged."""
    return Manifest.read(layout.builds / current_build(layout))


def publish(layout: Layout, catalog: Catalog, encoder: StoredEncoder, *, anew: bool = False) -> Manifest:
    """Make a build of everything indexed, verify it and put it in use. Raises LibraryUnwritable or IndexDamaged."""
    now = datetime.now(UTC)
    name = f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"
    folder = layout.builds / name
    try:
        previous: str | None = current_build(layout)
    except (NoIndex, IndexDamaged):
        previous = None
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise LibraryUnwritable(layout.builds, error.strerror or str(error)) from error
    try:
        generation = catalog.generation()
        index = _fill_index(layout, catalog, encoder)
        path = folder / f"{encoder.name}.faiss"
        index.save(path)
        with path.open("rb") as file:
            os.fsync(file.fileno())
        manifest = Manifest(
            build=name,
            created_at=now.isoformat(timespec="seconds"),
            version=version("xuntu"),
            generation=generation,
            previous=previous,
            indexes=(_verify(path, encoder, len(index)),),
        )
        replace_file(folder / "manifest.json", manifest.to_json())
        sync_folder(layout.builds)
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, (OSError, RuntimeError)):  # the second is how FAISS reports a failed write
            raise LibraryUnwritable(layout.builds, getattr(error, "strerror", None) or str(error)) from error
        raise
    _use(layout, name)
    delete_builds_but(layout, {name, previous})
    return manifest


def roll_back(layout: Layout) -> Manifest:
    """Put the build before the one in use back in use, if it is whole. Raises NothingToRollBack."""
    try:
        current: Manifest | None = read_current(layout)
    except IndexDamaged:
        current = None
    if current is None:  # CURRENT or its manifest is damaged: any whole build is better, the newest first
        candidates = sorted((path.name for path in layout.builds.glob("*-*")), reverse=True)
    else:
        candidates = [current.previous] if current.previous else []
    for name in candidates:
        try:
            manifest = Manifest.read(layout.builds / name)
        except IndexDamaged:
            continue
        if not find_build_damage(layout.builds / name, manifest):
            _use(layout, name)
            return manifest
    raise NothingToRollBack


def is_untouched(layout: Layout, manifest: Manifest, catalog: Catalog) -> bool:
    """Say whether a build is whole; it is read in full only if it has been touched since that was last done."""
    folder = layout.builds / manifest.build
    stamp = manifest.build
    for index in manifest.indexes:
        try:
            info = (folder / index.file).stat()
        except OSError:
            return False
        stamp += f" {info.st_size}:{info.st_mtime_ns}"
    if stamp == catalog.get_meta("checked_build"):
        return True
    if find_build_damage(folder, manifest):
        return False
    with catalog.writing():
        catalog.put_meta("checked_build", stamp)
    return True


def find_build_damage(folder: Path, manifest: Manifest) -> list[str]:
    """Return a sentence for each index file of a build that is not what was written."""
    found = []
    for index in manifest.indexes:
        path = folder / index.file
        if not path.is_file():
            found.append(f"{path.name} is missing from build {manifest.build}")
        elif sha256_of(path) != index.sha256:
            found.append(f"{path.name} of build {manifest.build} has changed since it was written")
    return found


def _fill_index(layout: Layout, catalog: Catalog, encoder: StoredEncoder) -> VectorIndex:
    spec = get_spec(encoder.name)
    index = create_index(spec.dim)
    store = VectorStore(layout.vectors(spec.name), spec.dim)
    locations = catalog.locations(encoder.id)
    for start in range(0, len(locations.ids), _CHUNK_ROWS):
        part = locations[start : start + _CHUNK_ROWS]
        index.upsert(part.ids, check_vectors(store.gather(part), spec.dim))
    return index


def _verify(path: Path, encoder: StoredEncoder, count: int) -> IndexFile:
    """Read an index file back and describe it. Raises IndexDamaged if it does not hold what it should."""
    spec = get_spec(encoder.name)
    index = open_index(path)
    if (len(index), index.dim) != (count, spec.dim):
        raise IndexDamaged(path, f"it holds {len(index)} x {index.dim}, expected {count} x {spec.dim}")
    recall = _self_recall(index)
    if recall < 1:
        raise IndexDamaged(path, f"only {recall:.0%} of sampled pictures find themselves")
    index.close()
    return IndexFile(
        encoder=spec.name,
        fingerprint=encoder.fingerprint,
        space=spec.space,
        dim=spec.dim,
        metric="inner_product",
        recipe=FLAT,
        count=count,
        file=path.name,
        bytes=path.stat().st_size,
        sha256=sha256_of(path),
        self_recall=recall,
    )


def _self_recall(index: VectorIndex) -> float:
    """Return the share of sampled vectors that are their own nearest (or as near as an exact copy)."""
    if not len(index):
        return 1.0
    ids: Ids = index.list_ids()
    sample = np.random.default_rng(0).choice(ids, min(_RECALL_SAMPLE, len(ids)), replace=False)
    vectors = index.fetch(sample)
    own = (vectors * vectors).sum(axis=1)
    return float((index.search(vectors, 1).scores[:, 0] >= own - 1e-5).mean())


def _use(layout: Layout, name: str) -> None:
    try:
        replace_file(layout.current, f"{name}\n".encode())
    except OSError as error:
        raise LibraryUnwritable(layout.current, error.strerror or str(error)) from error


def delete_builds_but(layout: Layout, kept: set[str | None]) -> None:
    """Delete older builds and what interrupted runs left. A service that has one mapped keeps its pages."""
    for path in layout.builds.iterdir():
        if path.is_dir() and path.name not in kept:
            shutil.rmtree(path, ignore_errors=True)
        elif path.suffix == ".tmp":
            path.unlink(missing_ok=True)
