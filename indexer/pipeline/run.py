"""One build or update, under the write lock: scan, encode, publish."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from indexer.annotators.registry import library_annotators, list_annotators
from indexer.config import IndexerSettings
from indexer.errors import (
    ClockJumped,
    InvalidList,
    MountGone,
    NoPictures,
    NotAnnotated,
    RecallMissed,
    RootEmptied,
    UnknownRoot,
    VectorsLost,
)
from indexer.library.builds.current import is_untouched, read_current
from indexer.library.builds.manifest import Manifest
from indexer.library.catalog.words.pinyin import is_installed
from indexer.library.catalog.writer import Catalog
from indexer.library.encoders import LibraryEncoder, choose_encoders, merge_small_shards, open_encoders
from indexer.library.errors import IndexDamaged, NoIndex, UnknownSource
from indexer.library.layout import Layout
from indexer.library.sources.items import Item, KnownItem, Name, Root, Stamp
from indexer.library.sources.kinds import open_source
from indexer.library.sources.port import ScanContext, Source
from indexer.library.storage.errors import StorageUnavailable
from indexer.pipeline.addresses import check_fetchable, warn_inside, warn_not_fetched
from indexer.pipeline.annotate import record_of
from indexer.pipeline.backfill import OnAnnotate, backfill
from indexer.pipeline.changes import Changes, compare, items_as_known
from indexer.pipeline.encode import OnProgress, Progress
from indexer.pipeline.encoding import LibraryEncoding
from indexer.pipeline.engines.opening import open_engine
from indexer.pipeline.growth import FIRST, Growth, end_growth, is_early
from indexer.pipeline.library_annotators import annotate_library
from indexer.pipeline.publish import Check, PublishOptions, publish
from indexer.pipeline.renew import renew
from indexer.sources.places import source_at
from indexer.sources.rules import compile_patterns, has_files
from models.encoders.registry import get_installed_spec
from models.foundation.errors import BackendNotInstalled, ImageSearchError
from models.foundation.messages import mark
from models.pictures.formats import DECODING


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
    encoders: tuple[str, ...] = ()  # of the library now, the main one first
    dropped: tuple[str, ...] = ()  # encoders whose vectors were deleted, as was asked
    stages: dict[str, float] = field(default_factory=dict)  # seconds; reading summed over the workers
    warnings: tuple[ImageSearchError, ...] = ()

    def to_dict(self) -> dict[str, object]:
        """Return the report as `--json` prints it."""
        names = ("build", "seen", "encoded", "reused", "failed", "removed", "seconds", "encoders", "dropped")
        return {name: getattr(self, name) for name in names}


_MOST_PATHS = 1_000  # that changed in a source; beyond them it is scanned as a whole


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildOptions:
    """What a run is asked to do beyond the library's own state.

    `encoders`, the main one first: none are the library's own, or the default for a new one. Further ones are added,
    and those `dropped` leave it with their vectors.
    """

    encoders: Sequence[str] = ()
    dropped: Sequence[str] = ()
    include: Sequence[str] = ()
    exclude: Sequence[str] = ()
    hidden: bool = False
    defaults: bool = True  # what systems and programs put beside pictures is left out
    columns: Mapping[str, str] = field(default_factory=dict)  # of lists: path, url, caption, tags -> the column's name
    allow_empty: Sequence[Path] = ()  # sources, or drives in them, of which it is believed that their pictures are gone
    retry: bool = False  # every failed file again, not only those whose reason may have gone
    reencode: bool = False  # every picture again
    only: Sequence[Path] | None = None  # nothing but these files and folders is looked at
    on_scan: Callable[[int], None] = lambda _: None
    on_progress: OnProgress = lambda _: None
    on_index: Callable[[int, int], None] = lambda _done, _all: None
    on_annotate: OnAnnotate = lambda *_: None
    on_renew: Callable[[int, int], None] = lambda _done, _all: None
    check: Check = lambda _layout, _build: None  # of a build that is about to be published
    publish_at: int = FIRST  # pictures of a library without a build that are published before all are encoded; 0: none


class Run:
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
        names = choose_encoders(options.encoders or settings.encoders, options.dropped, catalog.list_encoders())
        self.specs = [get_installed_spec(name, settings.runtime) for name in names]
        self.encoders: dict[str, LibraryEncoder] = {}
        if (catalog.has_pinyin if settings.pinyin is None else settings.pinyin) and not is_installed():
            raise BackendNotInstalled("pypinyin", "pinyin")
        self.annotators = tuple(one for one in list_annotators() if one.name not in settings.left_out)
        self.records = [record_of(annotator) for annotator in self.annotators]
        self.progress = Progress(total=0)
        self.retry = options.retry
        self.dead: list[Root] = []  # sources that are not there
        self.warnings: list[ImageSearchError] = []
        self.named: Sequence[Path] = ()
        self.stamps: dict[int, Stamp] = {}  # of sources that were read to their end, by root

    def run(self, folders: Sequence[Path]) -> BuildReport:
        """Scan, encode, publish. Raises InvalidList for a list among `folders`; later it is a warning."""
        self.named = folders
        self.catalog.check_seal(thorough=self.options.only is None)
        if self.options.reencode:
            check_fetchable(self.catalog, self.settings)
        self._renew()
        changes = self._scan(folders)
        last_image = self.catalog.last_image()
        self._record_presence(changes)
        if self.options.only is None and not any(change.seen or change.removed for change in changes):
            raise self._nothing_found()
        for encoder in self.encoders.values():  # leftovers of an interrupted run; nobody else writes under the lock
            encoder.store.delete_all_but(self.catalog.list_shards(encoder.id))
        self._encode(changes)
        self.warnings += warn_not_fetched(self.progress)
        self._adopt_moved(last_image)
        self._record_stamps()
        for encoder in self.encoders.values():
            merge_small_shards(self.catalog, encoder)
        self._end_renewal()
        self._backfill()
        self._sync_texts()
        manifest = self._publish_if_changed()
        end_growth(self.catalog)
        self._end_changes_of_encoders()
        self._annotate_library()
        self.catalog.seal()
        return BuildReport(
            build=manifest.build,
            seen=sum(change.seen for change in changes),
            encoded=self.progress.encoded,
            reused=sum(change.unchanged + len(change.returned) for change in changes) + self.progress.copied,
            failed=self.progress.failed + sum(change.still_failed for change in changes),
            removed=sum(len(change.removed) for change in changes),
            seconds=round(time.perf_counter() - self.started, 3),
            encoders=tuple(spec.name for spec in self.specs),
            dropped=tuple(self.options.dropped),
            stages={stage: round(seconds, 3) for stage, seconds in self.progress.seconds.items()},
            warnings=tuple(self.warnings),
        )

    def _encode(self, changes: Sequence[Changes]) -> None:
        with open_engine(self.settings, self.layout, self.catalog, self.specs) as engine:
            encoding = LibraryEncoding(
                settings=self.settings,
                layout=self.layout,
                catalog=self.catalog,
                engine=engine,
                encoders=self.encoders,
                annotators=self.annotators,
                progress=self.progress,
                on_progress=self.options.on_progress,
            )
            encoding.encode_pictures(
                # Known paths first: then a copy that has come finds its original settled, and not about to change.
                [item for change in changes for item in change.changed],
                [item for change in changes for item in change.new],
                {image_id for change in changes for image_id in change.changing},
                self._make_growth(),
            )
            encoding.encode_parts()
            encoding.encode_regions()

    @property
    def encoder_ids(self) -> list[int]:
        """The encoders' ids in the catalog."""
        return [encoder.id for encoder in self.encoders.values()]

    def _nothing_found(self) -> ImageSearchError:
        """Return why there is nothing to index: what happened to a root says more than that there is no picture."""
        lost = [warning for warning in self.warnings if not isinstance(warning, VectorsLost)]
        return lost[0] if lost else NoPictures([root.path for root in self.catalog.list_roots()])

    def _scan(self, folders: Sequence[Path]) -> list[Changes]:
        """Look at every root of the library. New ones become part of it only if the library has a picture then."""
        started = time.perf_counter()
        failure: ImageSearchError | None = None
        with self.catalog.writing() as transaction:
            self._put_encoders()
            self._check_named()
            self.catalog.put_annotators(self.records)
            for encoder in self.encoders.values():
                self._forget_damaged_shards(encoder)
            self._add_roots(folders)
            roots = self.catalog.list_roots()
            changes = [self._scan_root(root, [other.path for other in roots if other != root]) for root in roots]
            nothing = not any(change.seen or change.removed or change.forgotten for change in changes)
            if nothing and self.options.only is None:
                failure = self._nothing_found()
                transaction.undo()
        if failure:
            raise failure
        self.progress.add(mark("scan"), time.perf_counter() - started)
        return changes

    def _check_named(self) -> None:
        """Raise UnknownRoot where pictures are believed to be gone of what is neither a source nor a drive in one."""
        for path in self.options.allow_empty:
            roots = self.catalog.list_roots()
            drives = [root.path / folder for root in roots for folder in root.mounts]
            if path not in [*(root.path for root in roots), *drives, *self.named]:
                raise UnknownRoot(path, [root.path for root in roots])

    def _put_encoders(self) -> None:
        """Enter the encoders of this run into the catalog, and take those that are dropped out of it."""
        for stored in self.catalog.list_encoders():
            if stored.name in self.options.dropped:
                self.catalog.drop_encoder(stored.id)
        named = [(spec.name, spec.fingerprint) for spec in self.specs]
        if self.options.reencode:
            self.catalog.begin_reencoding(named)
        self.catalog.put_encoders(named)
        self.encoders = open_encoders(self.layout, self.catalog.list_encoders(), self.settings.runtime)

    def _end_changes_of_encoders(self) -> None:
        """Delete the vectors of encoders that are not the library's any more, once it does without them."""
        if self.catalog.get_meta("reencoding"):
            if any(self.catalog.count_without_vector(encoder.id) for encoder in self.encoders.values()):
                return
            self.catalog.end_reencoding()
        self.layout.delete_vectors_but([spec.name for spec in self.specs])

    def _forget_damaged_shards(self, encoder: LibraryEncoder) -> None:
        """Drop shards that are not what was written, so that their pictures are encoded again.

        Only those that have been touched since they were last read in full are read again.
        """
        for shard in self.catalog.list_shards(encoder.id):
            stamp = encoder.store.stamp(shard.number)
            if stamp and stamp == shard.checked:
                continue
            damage = encoder.store.find_damage(shard)
            if damage:
                self.catalog.drop_shards(encoder.id, [shard.number])
                self.warnings.append(VectorsLost(damage, shard.rows))
            else:
                self.catalog.put_checked(encoder.id, shard.number, stamp)

    def _add_roots(self, folders: Sequence[Path]) -> None:
        """Add folders that no root of the library looks into yet; change how those that are roots are scanned."""
        options = self.options
        for folder in folders:
            known = self.catalog.list_roots()
            if folder in [root.path for root in known] or not any(_reaches(root, folder) for root in known):
                compile_patterns([*options.include, *options.exclude])
                self.catalog.put_root(
                    folder,
                    kind=source_at(folder).kind,
                    include=options.include,
                    exclude=options.exclude,
                    hidden=options.hidden,
                    defaults=options.defaults,
                    columns=options.columns,
                )

    def _scan_root(self, root: Root, others: Sequence[Path]) -> Changes:
        try:
            source = open_source(root)
            only = self.options.only
            if only is not None and root.path not in only:
                changes = self._scan_part(source, others, only)
                if changes is not None:
                    return changes
            return self._scan_whole(source, others)
        except (InvalidList, BackendNotInstalled, UnknownSource, StorageUnavailable) as error:
            if root.path in self.named:
                raise
            self.warnings.append(error)
            return Changes()

    def _scan_whole(self, source: Source, others: Sequence[Path]) -> Changes:
        root = source.root
        known = self.catalog.known_items(root, self.encoder_ids)
        context = ScanContext(other_roots=others)
        found = self._find_items(source, known, context)
        self.warnings += context.warnings
        indexed = sum(item.status == "indexed" for item in known.values())
        believed = root.path in self.options.allow_empty
        if indexed and not believed and source.is_out_of_sight(found, known):
            there = root.path.exists()
            self.warnings.append(RootEmptied(root.path, indexed, there=there, files=there and has_files(root.path)))
            if not there:
                self.dead.append(root)
            return Changes()
        self.warnings += warn_inside(source, known, self.settings)
        gone = [] if believed else self._find_gone_mounts(root, context.mounts, found, known)
        self.catalog.put_mounts(root, sorted({*context.mounts, *gone}))
        return compare(found, known, [*context.unreadable, *gone] if found else [], retry=self.retry)

    def _find_items(self, source: Source, known: Mapping[Name, KnownItem], context: ScanContext) -> list[Item]:
        """Return the items of a source. One that says that it has not been touched is not read again."""
        stamp = source.stamp()
        to_look_at = self.retry or any(item.stale for item in known.values())
        if stamp.is_known and stamp == source.root.stamp and not to_look_at:
            return items_as_known(source.root, known)
        if source.root.stamp.is_known:  # until this run is through, the catalog is not what the source was then
            self.catalog.put_source_stamp(source.root.id, Stamp())
        found: list[Item] = []
        for item in source.scan(context):
            found.append(item)
            if len(found) % 1000 == 0:
                self.options.on_scan(len(found))
        if stamp.is_known and not context.warnings:
            self.stamps[source.root.id] = stamp
        return found

    def _scan_part(self, source: Source, others: Sequence[Path], only: Sequence[Path]) -> Changes | None:
        """Look at some paths of a source; None if only a scan of the whole can tell what has become of them."""
        root = source.root
        paths = [str(path.relative_to(root.path)) for path in only if path.is_relative_to(root.path)]
        if len(paths) > _MOST_PATHS or any(source.needs_whole(path) for path in paths):
            return None
        paths = list(source.with_related(paths))
        context = ScanContext(other_roots=others)
        known = self.catalog.known_items(root, self.encoder_ids, paths)
        changes = compare(source.scan_paths(paths, context), known, context.unreadable)
        lost = len(changes.removed)
        # So much at once may be a drive that is not connected, which the whole scan finds out.
        return None if lost and 2 * lost >= self.catalog.count_indexed(root) else changes

    def _find_gone_mounts(
        self, root: Root, mounts: Sequence[str], found: Sequence[Item], known: Mapping[Name, KnownItem]
    ) -> list[str]:
        """Return the folders that were another drive's, are not any more, and miss most of their pictures."""
        gone = []
        for folder in set(root.mounts) - set(mounts):
            if root.path / folder in self.options.allow_empty:
                continue
            before = sum(item.status == "indexed" and str(name).startswith(folder) for name, item in known.items())
            now = sum(item.locator.key.startswith(folder) for item in found)
            if 2 * now < before:
                gone.append(folder)
                self.warnings.append(MountGone(root.path / folder, before - now))
        return gone

    def _renew(self) -> None:
        """Find the pictures that look otherwise to this version of the decoder; files that failed are tried again."""
        if self.options.only is not None:
            return
        self.retry |= self.catalog.get_meta("decoding") != str(DECODING)
        started = time.perf_counter()
        if renew(self.catalog, self.settings.decode_limits, self.options.on_renew):
            self.progress.add(mark("looking again"), time.perf_counter() - started)

    def _end_renewal(self) -> None:
        """Record that files that failed have been tried by this version of the decoder."""
        if self.options.only is None and self.catalog.get_meta("decoding") != str(DECODING):
            with self.catalog.writing():
                self.catalog.put_meta("decoding", str(DECODING))

    def _record_presence(self, changes: Sequence[Changes]) -> None:
        gone = [image_id for change in changes for image_id in (*change.removed, *change.forgotten)]
        returned = [image_id for change in changes for image_id in change.returned]
        described = [pair for change in changes for pair in change.described]
        if gone or returned or described:
            with self.catalog.writing():
                if gone:
                    self.catalog.put_removed(gone)
                if returned:
                    self.catalog.put_returned(returned)
                self.catalog.put_seen(described)

    def _adopt_moved(self, after: int) -> None:
        """Take pictures for those of sources that are not there, where most of one have turned up: it has moved.

        Where only some have, a drive is unplugged, and they are copies. `after` was the last id before this run.
        """
        for root in self.dead:
            moved = self.catalog.match_moved(root, after)
            if 2 * len(moved) > self.catalog.count_indexed(root):
                with self.catalog.writing():
                    self.catalog.adopt(moved)
        gone = [root.path for root in self.dead if not self.catalog.count_indexed(root)]
        self.warnings = [one for one in self.warnings if not (isinstance(one, RootEmptied) and one.path in gone)]

    def _record_stamps(self) -> None:
        """Note which sources need not be read again, now that all that they name is in the catalog."""
        if self.stamps:
            with self.catalog.writing():
                for root_id, stamp in self.stamps.items():
                    self.catalog.put_source_stamp(root_id, stamp)

    def _sync_texts(self) -> None:
        started = time.perf_counter()
        self.catalog.sync_named_moments(datetime.now())
        if self.catalog.sync_texts(pinyin=self.settings.pinyin):
            self.progress.add(mark("texts"), time.perf_counter() - started)

    def _backfill(self) -> None:
        started = time.perf_counter()
        if self.options.only is None:
            problems = backfill(
                self.catalog,
                self.layout,
                self.annotators,
                self.settings.decode_limits,
                moments=self.settings.video.moment_options,
                on_annotate=self.options.on_annotate,
            )
            if problems:
                self.progress.problems.update(problems)
                self.progress.add(mark("annotations"), time.perf_counter() - started)
        self.warnings += [NotAnnotated(name, count) for name, count in self.progress.problems.items() if count]

    def _annotate_library(self) -> None:
        """Find what vectors tell and servers say, now that the pictures can be searched."""
        started = time.perf_counter()
        names = [name for name in library_annotators() if name not in self.settings.left_out]
        on_annotate = self.options.on_annotate
        done = annotate_library(self.catalog, self.layout, self.settings, names, on_annotate=on_annotate)
        self.warnings += [*done.warnings, *done.failures]
        self.warnings += [NotAnnotated(name, count) for name, count in done.problems.items() if count]
        if self.catalog.sync_texts() or done.problems:
            self.progress.add(mark("annotations"), time.perf_counter() - started)

    def _publish_if_changed(self) -> Manifest:
        started = time.perf_counter()
        try:
            manifest = read_current(self.layout)
            built_with = [(index.encoder, index.fingerprint) for index in manifest.indexes]
            is_current = manifest.generation == self.catalog.generation()
            is_of_these = built_with == [(spec.name, spec.fingerprint) for spec in self.specs]
            if is_current and is_of_these and is_untouched(self.layout, manifest, self.catalog):
                return manifest
            self._check_clock(manifest)
        except (NoIndex, IndexDamaged):
            pass
        options = PublishOptions(
            index=self.settings.index_options,
            runtime=self.settings.runtime,
            on_progress=self.options.on_index,
            check=self.options.check,
            takes_place=is_early(self.layout, self.catalog),
        )
        manifest = publish(self.layout, self.catalog, self.catalog.list_encoders(), options)
        self.progress.add(mark("index and publish"), time.perf_counter() - started)
        for tuning in (index.tuning for index in manifest.all_indexes):
            if tuning.get("target_missed"):
                self.warnings.append(RecallMissed(tuning["recalls"], tuning["target"]))
        return manifest

    def _make_growth(self) -> Growth:
        """Return what publishes the first pictures of a library before all are encoded."""
        whole = self.options.only is None and not self.options.reencode
        index = self.settings.index_options
        return Growth(
            self.layout,
            self.catalog,
            PublishOptions(index=index, runtime=self.settings.runtime),
            first=self.options.publish_at if whole else 0,
            most=index.flat_values // max(spec.dim for spec in self.specs),
            prepare=self._sync_texts,
        )

    def _check_clock(self, before: Manifest) -> None:
        now = datetime.now(UTC)
        if now < datetime.fromisoformat(before.created_at):
            self.warnings.append(ClockJumped(now.isoformat(timespec="seconds"), before.created_at))


def _reaches(root: Root, folder: Path) -> bool:
    try:
        return open_source(root).reaches(folder)
    except UnknownSource:
        return False
