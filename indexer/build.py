"""The doors of the write side: what each command does, from folders to a published build."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from indexer.config import IndexerSettings
from indexer.errors import IndexDamaged, InvalidRoot, LibraryUnwritable, NoIndex
from indexer.index.segments import SegmentedIndex
from indexer.publish import Check, PublishOptions, delete_builds_but, find_build_damage, publish, read_current
from indexer.run import BuildOptions, BuildReport, Run, rewrite_shards
from indexer.sources.scanning import kind_of
from indexer.store.catalog import Catalog
from indexer.store.layout import Layout
from indexer.store.lock import write_lock
from indexer.store.records import StoredEncoder
from indexer.store.vector_store import VectorStore
from models.registry import get_spec

__all__ = ["BuildOptions", "BuildReport", "CompactReport", "build", "compact", "rebuild", "remedy", "verify"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactReport:
    """What compacting did: pictures forgotten for good, their thumbnails, and the bytes that came free."""

    build: str
    forgotten: int
    thumbnails: int
    freed_bytes: int
    seconds: float


def build(settings: IndexerSettings, paths: Sequence[Path], options: BuildOptions) -> BuildReport:
    """Add folders, lists and shards to the library (none: only what it has), bring it up to date, publish a build.

    Nothing that is already encoded is encoded again. Raises InvalidRoot, InvalidList, NoPictures, RootEmptied,
    IndexMismatch, LibraryBusy, LibraryUnwritable and what the encoder raises; whatever was done before that is kept.
    """
    started = time.perf_counter()
    layout = Layout(settings.data.absolute())
    folders = [_checked_path(path, layout) for path in paths]
    if not folders and not layout.catalog.exists():
        raise NoIndex(layout.data)
    with _opened(layout) as catalog:
        return Run(settings, layout, catalog, options, started).run(folders)


def rebuild(
    settings: IndexerSettings,
    *,
    on_index: Callable[[int, int], None] = lambda _done, _all: None,
    check: Check = lambda _layout, _build: None,
) -> BuildReport:
    """Publish a new build from the vector store; no picture is read and none encoded. `check`: see PublishOptions."""
    started = time.perf_counter()
    layout = Layout(settings.data.absolute())
    if not layout.catalog.exists():
        raise NoIndex(layout.data)
    with _opened(layout) as catalog:
        stored = _library_encoder(catalog)
        catalog.check_seal(thorough=True)
        spec = get_spec(stored.name, settings.runtime)
        store = VectorStore(layout.vectors(spec.name), spec.dim)
        for shard in catalog.list_shards(stored.id):
            damage = store.find_damage(shard)
            if damage:
                raise IndexDamaged(store.folder, damage, command="xuntu index update")
        manifest = publish(layout, catalog, stored, replace(_anew(settings), on_progress=on_index, check=check))
        catalog.sync_texts()
        catalog.seal()
        counts = catalog.counts()
    return BuildReport(
        build=manifest.build,
        seen=counts["indexed"] + counts["failed"],
        encoded=0,
        reused=counts["indexed"],
        failed=counts["failed"],
        removed=0,
        seconds=round(time.perf_counter() - started, 3),
    )


def compact(settings: IndexerSettings) -> CompactReport:
    """Give back the room of pictures that are gone: their rows, vectors and thumbnails, and the build before this one.

    They get a new id should they ever return. Raises NoIndex, LibraryBusy, LibraryUnwritable or IndexDamaged.
    """
    started = time.perf_counter()
    layout = Layout(settings.data.absolute())
    if not layout.catalog.exists():
        raise NoIndex(layout.data)
    before = _bytes_below(layout.data)
    with _opened(layout) as catalog:
        catalog.check_seal(thorough=True)
        stored = _library_encoder(catalog)
        store = VectorStore(layout.vectors(stored.name), get_spec(stored.name, settings.runtime).dim)
        for shard in catalog.list_shards(stored.id):
            damage = store.find_damage(shard)
            if damage:
                raise IndexDamaged(store.folder, damage, command="xuntu index update")
        with catalog.writing():
            forgotten = catalog.forget_removed(stored.id)
        catalog.sync_texts()
        rewrite_shards(catalog, store, stored.id, [shard.number for shard in catalog.list_shards(stored.id)])
        manifest = publish(layout, catalog, stored, _anew(settings))
        delete_builds_but(layout, {manifest.build})
        thumbnails = _delete_thumbnails_but(layout, catalog.list_checksums())
        catalog.vacuum()
        catalog.seal()
    return CompactReport(
        build=manifest.build,
        forgotten=forgotten,
        thumbnails=thumbnails,
        freed_bytes=max(0, before - _bytes_below(layout.data)),
        seconds=round(time.perf_counter() - started, 3),
    )


def _anew(settings: IndexerSettings) -> PublishOptions:
    return PublishOptions(index=settings.index_options, runtime=settings.runtime, anew=True)


_CATALOG_DAMAGED = "the catalog is damaged"


def remedy(problems: Sequence[str], language: str) -> str:
    """Return what to do about what `verify` found."""
    chinese = language.startswith("zh")
    if any(problem.startswith(_CATALOG_DAMAGED) for problem in problems):
        if chinese:
            return "请从备份恢复 catalog.sqlite3，或另建图片库：xuntu index build PATH --data OTHER"
        return "Restore catalog.sqlite3 from a backup, or build anew: xuntu index build PATH --data OTHER"
    if chinese:
        return "请运行 xuntu index update：它会重新编码丢失的部分并建立新的索引。"
    return "Run `xuntu index update`: it encodes again what is lost and makes a new index."


def verify(settings: IndexerSettings) -> list[str]:
    """Return a sentence for each thing wrong with the catalog, the vector store and the build in use.

    Reads every byte of them. What is found damaged, the next update looks at again. Raises LibraryBusy where it cannot
    be told from what another process is just writing.
    """
    layout = Layout(settings.data.absolute())
    found = _find_problems(layout, settings)
    if not found:
        return found
    try:
        with write_lock(layout):
            found = _find_problems(layout, settings)
            if found and not found[0].startswith(_CATALOG_DAMAGED):
                _distrust(layout)
    except LibraryUnwritable:
        pass  # a read-only library, to which nobody writes
    return found


def _find_problems(layout: Layout, settings: IndexerSettings) -> list[str]:
    catalog = Catalog(layout.catalog)
    try:
        damage = catalog.check()
        if damage:
            return [f"{_CATALOG_DAMAGED}: {damage}"]
        stored = _library_encoder(catalog)
        store = VectorStore(layout.vectors(stored.name), get_spec(stored.name, settings.runtime).dim)
        found = [text for shard in catalog.list_shards(stored.id) if (text := store.find_damage(shard))]
        if not catalog.has_readable_seal():
            found.append("catalog.seal has changed since it was written")
        missing = catalog.count_without_vector(stored.id)
        if missing:
            found.append(f"{missing} pictures have no vector")
        found += _find_problems_of_build(layout, catalog, stored)
    finally:
        catalog.close()
    return found


def _find_problems_of_build(layout: Layout, catalog: Catalog, stored: StoredEncoder) -> list[str]:
    try:
        manifest = read_current(layout)
        found = find_build_damage(layout.builds / manifest.build, manifest)
        if not found and manifest.generation == catalog.generation():
            index = SegmentedIndex.open(layout.builds / manifest.build, manifest.indexes[0].files)
            if not np.array_equal(index.list_ids(), catalog.locations(stored.id).ids):
                found.append(f"build {manifest.build} does not hold the pictures that the catalog says")
    except IndexDamaged as error:
        found = [error.en]
    except NoIndex:
        found = ["builds/CURRENT is missing: no build is in use"]
    return found


def _distrust(layout: Layout) -> None:
    """Have the next update read everything in full."""
    catalog = Catalog(layout.catalog, create=True)
    try:
        with catalog.writing():
            catalog.forget_checks()
    finally:
        catalog.close()


@contextmanager
def _opened(layout: Layout) -> Iterator[Catalog]:
    """Hold the write lock and the catalog."""
    with write_lock(layout):
        catalog = Catalog(layout.catalog, create=True)
        try:
            yield catalog
        finally:
            catalog.close()


def _checked_path(path: Path, layout: Layout) -> Path:
    folder = path.expanduser().resolve()
    if not folder.exists():
        raise InvalidRoot(path, why_en="there is no such folder or file", why_zh="没有这个文件夹或文件")
    kind_of(folder)
    if folder == layout.data.resolve():
        raise InvalidRoot(
            path,
            why_en="this is the library's own data folder; name another one with --data",
            why_zh="这是图片库自己的数据文件夹；请用 --data 另指定一个",
        )
    return folder


def _library_encoder(catalog: Catalog) -> StoredEncoder:
    """Return the encoder that a library has been built with. Raises NoIndex."""
    stored = catalog.stored_encoder()
    if stored is None:
        raise NoIndex(catalog.path.parent)
    return stored


def _delete_thumbnails_but(layout: Layout, checksums: set[str]) -> int:
    """Delete the thumbnails of contents nobody has any more; return how many."""
    gone = [path for path in layout.thumbnails.glob("*/*") if path.stem not in checksums]
    for path in gone:
        path.unlink(missing_ok=True)
    return len(gone)


def _bytes_below(folder: Path) -> int:
    """Return the bytes of all files below a folder; one with several names counts once."""
    sizes: dict[tuple[int, int], int] = {}
    for path in folder.rglob("*"):
        try:
            info = path.lstat()
        except OSError:
            continue
        if path.is_file():
            sizes[info.st_dev, info.st_ino] = info.st_size
    return sum(sizes.values())
