"""The doors of the write side: what each command does, from folders to a published build."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ParamSpec

import numpy as np

from indexer.annotators.registry import library_annotators, list_annotators
from indexer.config import IndexerSettings
from indexer.errors import InvalidRoot, RootInside, UnknownAnnotator, UnknownRoot
from indexer.library.builds.current import delete_builds_but, find_build_damage, read_current
from indexer.library.builds.manifest import Manifest, parts_of
from indexer.library.catalog.records import StoredEncoder
from indexer.library.catalog.writer import Catalog
from indexer.library.damage import Damage, DamageKind
from indexer.library.encoders import check_vectors_whole, find_damage, open_encoders, rewrite_shards
from indexer.library.errors import IndexDamaged, LibraryUnwritable, NoIndex
from indexer.library.index.backends import get_backend, open_index
from indexer.library.layout import Layout
from indexer.library.lock import write_lock
from indexer.library.replicas.replica import check_home
from indexer.library.run_progress import ProgressFile
from indexer.library.sources.kinds import open_source
from indexer.library.storage.addresses import address_in, named_path
from indexer.pipeline.annotate import record_of
from indexer.pipeline.backfill import AnnotatorCounts, OnAnnotate, backfill, count_annotations
from indexer.pipeline.library_annotators import annotate_library
from indexer.pipeline.progress_lines import ProgressLines
from indexer.pipeline.publish import Check, PublishOptions, publish
from indexer.pipeline.run import BuildOptions, BuildReport, Run
from indexer.pipeline.sending import check_not_published, claim_storage, delete_thumbnails_but, fetch_vectors, send
from indexer.sources.places import source_at
from models.foundation.errors import ImageSearchError
from models.foundation.messages import Message, message

P = ParamSpec("P")

__all__ = [
    "BuildOptions",
    "BuildReport",
    "CompactReport",
    "annotate",
    "build",
    "compact",
    "rebuild",
    "remedy",
    "remove_root",
    "verify",
]


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
    IndexMismatch, EncodersLeftOut, EncoderNotInLibrary, LastEncoder, LibraryBusy, LibraryUnwritable and what the
    encoders raise; whatever was done before that is kept.
    """
    started = time.perf_counter()
    layout = Layout(settings.data.absolute())
    folders = [_checked_path(path, layout) for path in paths]
    if not folders and not layout.catalog.exists():
        raise NoIndex(layout.data)
    with _opened(layout, settings) as catalog, _noted(layout, options) as told:
        return Run(settings, layout, catalog, told, started).run(folders)


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
    with _opened(layout, settings) as catalog:
        stored = _complete_encoders(layout, catalog)
        catalog.check_seal(thorough=True)
        check_vectors_whole(catalog, open_encoders(layout, stored, settings.runtime).values())
        manifest = publish(layout, catalog, stored, replace(_anew(settings), on_progress=on_index, check=check))
        catalog.sync_texts()
        catalog.seal()
        return _report_unread(catalog, manifest, stored, started)


def remove_root(settings: IndexerSettings, path: Path) -> BuildReport:
    """Take a source out of the library, and publish a build without its pictures. Their vectors stay until `compact`.

    Raises UnknownRoot, NoIndex, LibraryBusy or LibraryUnwritable.
    """
    started = time.perf_counter()
    layout = Layout(settings.data.absolute())
    if not layout.catalog.exists():
        raise NoIndex(layout.data)
    with _opened(layout, settings) as catalog:
        catalog.check_seal(thorough=True)
        roots = {root.path: root for root in catalog.list_roots()}
        if path not in roots:
            raise UnknownRoot(path, list(roots))
        with catalog.writing():
            removed = catalog.remove_root(roots[path].id)
        around = [other for other in roots.values() if other.path != path and open_source(other).reaches(path)]
        stored = _complete_encoders(layout, catalog)
        manifest = publish(layout, catalog, stored, _options(settings))
        catalog.sync_texts()
        catalog.seal()
        report = _report_unread(catalog, manifest, stored, started)
    warnings = tuple(RootInside(path, other.path) for other in around)
    return replace(report, removed=removed, warnings=warnings)


def _report_unread(
    catalog: Catalog, manifest: Manifest, stored: Sequence[StoredEncoder], started: float
) -> BuildReport:
    """Return the report of a run that read no picture."""
    counts = catalog.counts()
    return BuildReport(
        build=manifest.build,
        seen=counts["indexed"] + counts["failed"],
        encoded=0,
        reused=counts["indexed"],
        failed=counts["failed"],
        removed=0,
        seconds=round(time.perf_counter() - started, 3),
        encoders=tuple(encoder.name for encoder in stored),
    )


def annotate(
    settings: IndexerSettings,
    names: Sequence[str] = (),
    *,
    again: bool = False,
    on_annotate: OnAnnotate = lambda *_: None,
    on_warning: Callable[[ImageSearchError], None] = lambda _: None,
) -> list[AnnotatorCounts]:
    """Put annotators (no names: all that are set up) to work on what they have not seen, or `again` on everything.

    Nothing is encoded, and no build is made. Raises UnknownAnnotator, AnnotatorNotSetUp, NoIndex, LibraryBusy,
    LibraryUnwritable, and what keeps an annotator from going on; what was found is kept.
    """
    layout = Layout(settings.data.absolute())
    if not layout.catalog.exists():
        raise NoIndex(layout.data)
    known = {annotator.name: annotator for annotator in list_annotators()}
    for name in names:
        if name not in known and name not in library_annotators():
            raise UnknownAnnotator(name, [*known, *library_annotators()])
    of_all = [*known, *(one for one in library_annotators() if one not in settings.left_out)]
    chosen = list(dict.fromkeys(names or of_all))
    of_pictures = [known[name] for name in chosen if name in known]
    with _opened(layout, settings) as catalog:
        catalog.check_seal(thorough=True)
        with catalog.writing():
            catalog.put_annotators(map(record_of, known.values()))
            if again:
                for annotator in of_pictures:
                    catalog.forget_annotations(record_of(annotator))
        backfill(
            catalog,
            layout,
            of_pictures,
            settings.decode_limits,
            moments=settings.video.moment_options,
            most=None,
            on_annotate=on_annotate,
        )
        try:
            of_libraries = [name for name in chosen if name in library_annotators()]
            done = annotate_library(
                catalog,
                layout,
                settings,
                of_libraries,
                named=names,
                is_asked_for=True,
                again=again,
                on_annotate=on_annotate,
            )
        finally:
            catalog.sync_texts()
            catalog.seal()
        for warning in done.warnings:
            on_warning(warning)
        for failure in done.failures:
            raise failure
        return count_annotations(catalog)


def compact(settings: IndexerSettings) -> CompactReport:
    """Give back the room of pictures that are gone: their rows, vectors and thumbnails, and the build before this one.

    They get a new id should they ever return. Raises NoIndex, LibraryBusy, LibraryUnwritable or IndexDamaged.
    """
    started = time.perf_counter()
    layout = Layout(settings.data.absolute())
    if not layout.catalog.exists():
        raise NoIndex(layout.data)
    before = _bytes_below(layout.data)
    with _opened(layout, settings) as catalog:
        catalog.check_seal(thorough=True)
        encoders = open_encoders(layout, _library_encoders(catalog), settings.runtime).values()
        check_vectors_whole(catalog, encoders)
        with catalog.writing():
            forgotten = catalog.forget_removed()
        catalog.sync_texts()
        for encoder in encoders:
            rewrite_shards(catalog, encoder, catalog.list_shards(encoder.id))
        manifest = publish(layout, catalog, _complete_encoders(layout, catalog), _anew(settings))
        delete_builds_but(layout, {manifest.build})
        thumbnails = _delete_thumbnails_but(layout, settings, catalog.list_checksums())
        catalog.vacuum()
        catalog.seal()
    return CompactReport(
        build=manifest.build,
        forgotten=forgotten,
        thumbnails=thumbnails,
        freed_bytes=max(0, before - _bytes_below(layout.data)),
        seconds=round(time.perf_counter() - started, 3),
    )


def _options(settings: IndexerSettings) -> PublishOptions:
    return PublishOptions(index=settings.index_options, runtime=settings.runtime)


def _anew(settings: IndexerSettings) -> PublishOptions:
    return replace(_options(settings), anew=True)


def remedy(problems: Sequence[Damage]) -> Message:
    """Return what to do about what `verify` found."""
    if any(problem.kind is DamageKind.CATALOG for problem in problems):
        return message("Restore catalog.sqlite3 from a backup, or build anew: xuntu index build PATH --data OTHER")
    return message("Run `xuntu index update`: it encodes again what is lost and makes a new index.")


def verify(settings: IndexerSettings) -> list[Damage]:
    """Return each thing wrong with the catalog, the vector store and the build in use.

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
            if found and found[0].kind is not DamageKind.CATALOG:
                _distrust(layout)
    except LibraryUnwritable:
        pass  # a read-only library, to which nobody writes
    return found


def _find_problems(layout: Layout, settings: IndexerSettings) -> list[Damage]:
    catalog = Catalog(layout.catalog)
    try:
        damage = catalog.check()
        if damage:
            return [damage]
        encoders = open_encoders(layout, _library_encoders(catalog), settings.runtime).values()
        found = [damage for encoder in encoders for damage in find_damage(catalog, encoder)]
        if not catalog.has_readable_seal():
            found.append(Damage("catalog.seal", DamageKind.CHANGED))
        for encoder in encoders:
            missing = catalog.count_without_vector(encoder.id)
            if missing:
                found.append(Damage(encoder.spec.name, DamageKind.WITHOUT_VECTOR, found=missing))
        found += _find_problems_of_build(layout, catalog)
    finally:
        catalog.close()
    return found


def _find_problems_of_build(layout: Layout, catalog: Catalog) -> list[Damage]:
    stored = {encoder.name: encoder.id for encoder in catalog.list_encoders()}
    try:
        manifest = read_current(layout)
        found = find_build_damage(layout.builds / manifest.build, manifest)
        if not found and manifest.generation == catalog.generation():
            for entry in (entry for entry in manifest.indexes if entry.encoder in stored):
                index = open_index(layout.builds / manifest.build, entry)
                parts = manifest.find(parts_of(entry.encoder))
                of_parts = open_index(layout.builds / manifest.build, parts).list_ids() if parts else ()
                for held, wanted in (
                    (index.list_ids(), catalog.locations(stored[entry.encoder])),
                    (of_parts, catalog.part_locations(stored[entry.encoder])),
                ):
                    if not np.array_equal(held, wanted.ids):
                        found.append(Damage(manifest.build, DamageKind.OTHER_PICTURES))
    except IndexDamaged as error:
        found = [error.damage]
    except NoIndex:
        found = [Damage(layout.current, DamageKind.NO_BUILD_IN_USE)]
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
def _opened(layout: Layout, settings: IndexerSettings) -> Iterator[Catalog]:
    """Hold the write lock and the catalog; raise at once what would keep a build from being made at the end."""
    get_backend(settings.index_options.backend)
    check_home(layout)
    with write_lock(layout):
        store = claim_storage(layout.data, settings)
        if store and not layout.catalog.exists():
            check_not_published(store)
        catalog = Catalog(layout.catalog, create=True)
        try:
            if store:
                fetch_vectors(layout, catalog, store)
            yield catalog
            if store:
                send(layout, catalog, store)
        finally:
            catalog.close()


@contextmanager
def _noted(layout: Layout, options: BuildOptions) -> Iterator[BuildOptions]:
    """Have the library's folder say how far a run has come, besides whoever is told."""
    file = ProgressFile(layout)
    lines = ProgressLines(file.write, step_s=1.0)
    try:
        yield replace(
            options,
            on_scan=_both(lines.scanned, options.on_scan),
            on_progress=_both(lines.advance, options.on_progress),
            on_index=_both(lines.indexed, options.on_index),
            on_annotate=_both(lines.annotated, options.on_annotate),
            on_renew=_both(lines.renewed, options.on_renew),
        )
    finally:
        file.close()


def _both(first: Callable[P, object], second: Callable[P, object]) -> Callable[P, None]:
    def call(*args: P.args, **kwargs: P.kwargs) -> None:
        first(*args, **kwargs)
        second(*args, **kwargs)

    return call


def _checked_path(path: Path, layout: Layout) -> Path:
    folder = named_path(path)
    if address_in(folder):
        return folder
    if not folder.exists():
        raise InvalidRoot(path, message("there is no such folder or file"))
    source_at(folder)
    if folder == layout.data.resolve():
        raise InvalidRoot(path, message("this is the library's own data folder; name another one with --data"))
    return folder


def _library_encoders(catalog: Catalog) -> list[StoredEncoder]:
    """Return the encoders that a library has been built with. Raises NoIndex."""
    stored = catalog.list_encoders()
    if not stored:
        raise NoIndex(catalog.path.parent)
    return stored


def _complete_encoders(layout: Layout, catalog: Catalog) -> list[StoredEncoder]:
    """Return a library's encoders without those of which no build has an index, since they have not seen all pictures.

    An encoder that is being added waits for the run that encodes the last picture. Raises NoIndex.
    """
    try:
        built_with = {index.encoder for index in read_current(layout).indexes}
    except (NoIndex, IndexDamaged):
        built_with = set()
    stored = _library_encoders(catalog)
    complete = [one for one in stored if one.name in built_with or not catalog.count_without_vector(one.id)]
    return complete or stored


def _delete_thumbnails_but(layout: Layout, settings: IndexerSettings, checksums: set[str]) -> int:
    """Delete the thumbnails of contents nobody has any more, in storage as well; return how many."""
    kept = [*layout.thumbnails.glob("*/*"), *layout.cached_thumbnails.glob("*/*")]
    gone = [path for path in kept if path.stem.partition("-")[0] not in checksums]
    for path in gone:
        path.unlink(missing_ok=True)
    store = claim_storage(layout.data, settings)
    return max(len(gone), delete_thumbnails_but(store, checksums) if store else 0)


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
