"""The runner: what each command of the write side does, from folders to a published build."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from indexer.config import IndexerSettings
from indexer.dataset import ImageDataset
from indexer.devices import DeviceEncoders
from indexer.encode import EncodeRun, OnProgress, Progress
from indexer.errors import IndexDamaged, InvalidRoot, NoIndex, NoPictures, RootEmptied, VectorsLost
from indexer.publish import find_build_damage, publish, read_current
from indexer.scan import Changes, ImageFile, compare, compile_patterns, reaches, scan
from indexer.store.catalog import Catalog, Root, StoredEncoder
from indexer.store.layout import Layout
from indexer.store.lock import write_lock
from indexer.store.manifest import Manifest
from indexer.store.vector_store import VectorStore
from models.decode import DecodeLimits
from models.devices import count_cpus
from models.errors import ImageSearchError
from models.registry import DEFAULT_ENCODER, get_installed_spec, get_preprocess, get_spec

_SHARD_ROWS = 65_536
_SMALL_SHARDS = 16  # more small shards than this are merged at the end of a run


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildReport:
    """What a run did. `seen` = `encoded` + `reused` + `failed`; `failed` counts every file seen and not indexed."""

    build: str
    seen: int
    encoded: int
    reused: int
    failed: int
    removed: int
    seconds: float
    stages: dict[str, float] = field(default_factory=dict)  # seconds; reading summed over the workers
    warnings: tuple[ImageSearchError, ...] = ()

    def to_dict(self) -> dict[str, object]:
        """Return the report as `--json` prints it."""
        names = ("build", "seen", "encoded", "reused", "failed", "removed", "seconds")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildOptions:
    """What a run is asked to do beyond the library's own state."""

    encoder: str | None = None  # None: the library's own, or the default for a new one
    include: Sequence[str] = ()
    exclude: Sequence[str] = ()
    hidden: bool = False
    allow_empty: bool = False
    on_scan: Callable[[int], None] = lambda _: None
    on_progress: OnProgress = lambda _: None


def build(settings: IndexerSettings, paths: Sequence[Path], options: BuildOptions) -> BuildReport:
    """Add folders to the library (none: only those it has), bring it up to date and publish a build.

    Nothing that is already encoded is encoded again. Raises InvalidRoot, NoPictures, RootEmptied, IndexMismatch,
    LibraryBusy, LibraryUnwritable and what the encoder raises; whatever was done before that is kept.
    """
    started = time.perf_counter()
    layout = Layout(settings.data.absolute())
    folders = [_checked_folder(path, layout) for path in paths]
    if not folders and not layout.catalog.exists():
        raise NoIndex(layout.data)
    with write_lock(layout):
        catalog = Catalog(layout.catalog, create=True)
        try:
            return _Run(settings, layout, catalog, options, started).run(folders)
        finally:
            catalog.close()


def rebuild(settings: IndexerSettings) -> BuildReport:
    """Publish a new build from the vector store; no picture is read and no encoder loaded."""
    started = time.perf_counter()
    layout = Layout(settings.data.absolute())
    if not layout.catalog.exists():
        raise NoIndex(layout.data)
    with write_lock(layout):
        catalog = Catalog(layout.catalog, create=True)
        try:
            stored = _library_encoder(catalog)
            spec = get_spec(stored.name)
            store = VectorStore(layout.vectors(spec.name), spec.dim)
            for shard in catalog.list_shards(stored.id):
                damage = store.find_damage(shard)
                if damage:
                    raise IndexDamaged(store.folder, damage, command="xuntu index update")
            manifest = publish(layout, catalog, stored)
            counts = catalog.counts()
        finally:
            catalog.close()
    return BuildReport(
        build=manifest.build,
        seen=counts["indexed"] + counts["failed"],
        encoded=0,
        reused=counts["indexed"],
        failed=counts["failed"],
        removed=0,
        seconds=round(time.perf_counter() - started, 3),
    )


def verify(settings: IndexerSettings) -> list[str]:
    """Return a sentence for each thing wrong with the catalog, the vector store and the build in use."""
    layout = Layout(settings.data.absolute())
    catalog = Catalog(layout.catalog)
    try:
        damage = catalog.check()
        if damage:
            return [f"the catalog is damaged: {damage}"]
        stored = _library_encoder(catalog)
        store = VectorStore(layout.vectors(stored.name), get_spec(stored.name).dim)
        found = [text for shard in catalog.list_shards(stored.id) if (text := store.find_damage(shard))]
        missing = catalog.counts()["indexed"] - len(catalog.locations(stored.id).ids)
        if missing:
            found.append(f"{missing} pictures have no vector")
        try:
            manifest = read_current(layout)
            found += find_build_damage(layout.builds / manifest.build, manifest)
        except IndexDamaged as error:
            found.append(error.en)
    finally:
        catalog.close()
    return found


class _Run:
    """One build or update, under the write lock."""

    def __init__(
        self,
        settings: IndexerSettings,
        layout: Layout,
        catalog: Catalog,
        options: BuildOptions,
        started: float,
    ) -> None:
        self.settings = settings
        self.layout = layout
        self.catalog = catalog
        self.options = options
        self.started = started
        stored = catalog.stored_encoder()
        name = options.encoder or (stored.name if stored else DEFAULT_ENCODER)
        self.spec = get_installed_spec(name, settings.runtime)
        self.encoder_id = 0
        self.store = VectorStore(layout.vectors(self.spec.name), self.spec.dim)
        self.progress = Progress(total=0)
        self.warnings: list[ImageSearchError] = []

    def run(self, folders: Sequence[Path]) -> BuildReport:
        """Scan, encode, publish."""
        changes = self._scan(folders)
        self._record_presence(changes)
        if not any(change.seen or change.removed for change in changes):
            raise self.warnings[0] if self.warnings else NoPictures([root.path for root in self.catalog.list_roots()])
        # Leftovers of an interrupted run; nothing else writes while the lock is held.
        self.store.delete_all_but(self.catalog.list_shards(self.encoder_id))
        self._encode([file for change in changes for file in change.todo])
        self._merge_shards()
        manifest = self._publish_if_changed()
        return BuildReport(
            build=manifest.build,
            seen=sum(change.seen for change in changes),
            encoded=self.progress.encoded,
            reused=sum(change.unchanged + len(change.returned) for change in changes),
            failed=self.progress.failed + sum(change.still_failed for change in changes),
            removed=sum(len(change.removed) for change in changes),
            seconds=round(time.perf_counter() - self.started, 3),
            stages={stage: round(seconds, 3) for stage, seconds in self.progress.seconds.items()},
            warnings=tuple(self.warnings),
        )

    def _scan(self, folders: Sequence[Path]) -> list[Changes]:
        """Look at every root of the library. New ones become part of it only if the library has a picture then."""
        started = time.perf_counter()
        with self.catalog.writing():
            self.encoder_id = self.catalog.encoder_id(self.spec.name, self.spec.fingerprint)
            self._forget_damaged_shards()
            self._add_roots(folders)
            roots = self.catalog.list_roots()
            changes = [self._scan_root(root, [other.path for other in roots if other != root]) for root in roots]
            if not any(change.seen or change.removed or change.forgotten for change in changes):
                raise self.warnings[0] if self.warnings else NoPictures([root.path for root in roots])
        self.progress.add("scan", time.perf_counter() - started)
        return changes

    def _forget_damaged_shards(self) -> None:
        """Drop shards that are not what was written, so that their pictures are encoded again."""
        for shard in self.catalog.list_shards(self.encoder_id):
            damage = self.store.find_damage(shard)
            if damage:
                self.catalog.drop_shards(self.encoder_id, [shard.number])
                self.warnings.append(VectorsLost(damage, shard.rows))

    def _add_roots(self, folders: Sequence[Path]) -> None:
        """Add folders that no root of the library looks into yet; change how those that are roots are scanned."""
        options = self.options
        for folder in folders:
            known = self.catalog.list_roots()
            if folder in [root.path for root in known] or not any(reaches(root, folder) for root in known):
                compile_patterns([*options.include, *options.exclude])
                self.catalog.put_root(folder, include=options.include, exclude=options.exclude, hidden=options.hidden)

    def _scan_root(self, root: Root, others: Sequence[Path]) -> Changes:
        known = self.catalog.known_files(root, self.encoder_id)
        unreadable: list[str] = []
        found: list[ImageFile] = []
        for file in scan(root, other_roots=others, unreadable=unreadable):
            found.append(file)
            if len(found) % 1000 == 0:
                self.options.on_scan(len(found))
        indexed = sum(file.status == "indexed" for file in known.values())
        if indexed and not found and not self.options.allow_empty:
            self.warnings.append(RootEmptied(root.path, indexed))
            return Changes()
        return compare(found, known, unreadable if found else [])

    def _record_presence(self, changes: Sequence[Changes]) -> None:
        gone = [image_id for change in changes for image_id in (*change.removed, *change.forgotten)]
        returned = [image_id for change in changes for image_id in change.returned]
        if gone or returned:
            with self.catalog.writing():
                self.catalog.put_removed(gone)
                self.catalog.put_returned(returned)

    def _encode(self, files: Sequence[ImageFile]) -> None:
        self.progress.total = len(files)
        if not files:
            return
        self.options.on_progress(self.progress)
        settings = self.settings
        dataset = ImageDataset(
            files,
            get_preprocess(self.spec.name),
            self.spec.image_size,
            self.layout,
            DecodeLimits(max_pixels=settings.max_pixels, max_bytes=settings.max_file_bytes),
        )
        with DeviceEncoders(self.spec, settings.runtime) as encoders:
            EncodeRun(self.catalog, self.store, self.encoder_id, self.progress).run(
                dataset,
                encoders,
                workers=count_cpus() if settings.workers is None else settings.workers,
                batch_size=settings.batch_size or encoders.batch_size,
                on_progress=self.options.on_progress,
            )

    def _merge_shards(self) -> None:
        """Replace many small shards by few big ones, leaving out rows nobody needs any more."""
        shards = self.catalog.list_shards(self.encoder_id)
        small = [shard.number for shard in shards if shard.rows < _SHARD_ROWS]
        if len(small) <= _SMALL_SHARDS:
            return
        everything = self.catalog.locations(self.encoder_id, removed=True)
        wanted = everything.among(small)
        number = shards[-1].number + 1
        with self.catalog.writing():
            for start in range(0, len(wanted.ids), _SHARD_ROWS):
                part = wanted[start : start + _SHARD_ROWS]
                shard = self.store.write(number, part.ids, self.store.gather(part))
                self.catalog.put_shard(self.encoder_id, shard, part.ids.tolist())
                number += 1
            self.catalog.drop_shards(self.encoder_id, small)
        self.store.delete_all_but(self.catalog.list_shards(self.encoder_id))

    def _publish_if_changed(self) -> Manifest:
        started = time.perf_counter()
        try:
            manifest = read_current(self.layout)
            whole = not find_build_damage(self.layout.builds / manifest.build, manifest)
            if whole and manifest.generation == self.catalog.generation():
                return manifest
        except (NoIndex, IndexDamaged):
            pass
        manifest = publish(self.layout, self.catalog, _library_encoder(self.catalog))
        self.progress.add("index and publish", time.perf_counter() - started)
        return manifest


def _checked_folder(path: Path, layout: Layout) -> Path:
    folder = path.expanduser().resolve()
    if not folder.exists():
        raise InvalidRoot(path, why_en="there is no such folder", why_zh="没有这个文件夹")
    if not folder.is_dir():
        raise InvalidRoot(path, why_en="not a folder; give the folder the pictures are in", why_zh="不是文件夹")
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
