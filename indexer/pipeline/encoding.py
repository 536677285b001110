"""What a run encodes: pictures, and what of them has vectors beside that of the whole."""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from indexer.config import IndexerSettings
from indexer.library.annotations.port import Annotator
from indexer.library.catalog.records import ImageRow
from indexer.library.catalog.writer import Catalog
from indexer.library.encoders import LibraryEncoder
from indexer.library.errors import UnknownSource
from indexer.library.layout import Layout
from indexer.library.sources.items import Item
from indexer.library.sources.kinds import open_source
from indexer.library.sources.port import ReadOptions, Source
from indexer.pipeline.annotate import record_of
from indexer.pipeline.encode import EncodeRun, MomentsRun, OnProgress, PartsRun, Progress, RegionsRun
from indexer.pipeline.engines.port import EncodingEngine
from indexer.pipeline.growth import Growth
from indexer.pipeline.read import EncoderView, ImageDataset
from models.encoders.registry import get_preprocess
from models.foundation.messages import mark


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryEncoding:
    """What a run encodes into a library: `engine` does it, `encoders` are the library's, by their names."""

    settings: IndexerSettings
    layout: Layout
    catalog: Catalog
    engine: EncodingEngine
    encoders: Mapping[str, LibraryEncoder]
    annotators: Sequence[Annotator]
    progress: Progress
    on_progress: OnProgress

    def encode_pictures(
        self, known: Sequence[Item], new: Sequence[Item], changing: set[int], growth: Growth | None = None
    ) -> None:
        """Encode items at paths that are known, and at new ones.

        `changing` are the pictures whose file will turn out to hold something else. `growth` publishes
        the first of them while others are encoded.
        """
        self.progress.total = len(known) + len(new)
        records = [record_of(annotator) for annotator in self.annotators]
        run = EncodeRun(self.catalog, self.encoders, self.progress, changing, annotators=records)
        self._encode_with(run, [*known, *new], known=len(known), growth=growth)

    def encode_parts(self) -> None:
        """Encode the parts of long pictures and videos that have none yet: new ones, and those of earlier versions."""
        rows = self._readable(self.catalog.list_lacking_parts(self._ids))
        self._encode_parts_with(PartsRun, [row for row in rows if not row.is_video], mark("parts of long pictures"))
        self._encode_parts_with(MomentsRun, [row for row in rows if row.is_video], mark("moments of videos"))

    def encode_regions(self) -> None:
        """Encode the regions of other pictures, where they are wanted; forget them where they are not any more."""
        wanted = self.settings.regions
        if wanted is not None and wanted != self.catalog.has_regions:
            with self.catalog.writing():
                self.catalog.put_regions_wanted(wanted)
        rows = self._readable(self.catalog.list_lacking_regions(self._ids))
        self._encode_parts_with(RegionsRun, rows, mark("regions"))

    def _encode_parts_with(self, kind: type[PartsRun], rows: Sequence[ImageRow], stage: str) -> None:
        if not rows:
            return
        started, sources = time.perf_counter(), self._sources()
        items = [
            Item(row.locator, row.stamp, remote=sources[row.locator.source_id].address(row.path) is not None)
            for row in rows
        ]
        progress = Progress(total=len(items))
        self._encode_with(kind(self.catalog, self.encoders, progress), items, of_parts=True)
        if progress.refused.first is not None:
            self.progress.refused.add(progress.refused.first, progress.refused.count)
        self.progress.add(stage, time.perf_counter() - started)

    def _readable(self, ids: Sequence[int]) -> list[ImageRow]:
        """Return a picture of each of these contents that can be read."""
        sources = self._sources() if ids else {}
        return [
            row
            for rows in self.catalog.list_images_of(ids).values()
            for row in sorted(
                (one for one in rows if one.locator.source_id in sources),
                key=lambda one: len(rows) > 1 and _is_gone(sources[one.locator.source_id].file(one.path)),
            )[:1]
        ]

    def _sources(self) -> dict[int, Source]:
        sources: dict[int, Source] = {}
        for root in self.catalog.list_roots():
            with suppress(UnknownSource):  # its pictures wait until what reads it is installed again
                sources[root.id] = open_source(root)
        return sources

    def _encode_with(
        self,
        run: EncodeRun,
        items: Sequence[Item],
        *,
        known: int = 0,
        of_parts: bool = False,
        growth: Growth | None = None,
    ) -> None:
        if not items:
            return
        self.on_progress(run.progress)
        settings = self.settings
        sizes = {item.stamp.size for item in items if item.stamp.size is not None}
        needed = {item.locator.source_id for item in items}
        dataset = ImageDataset(
            items,
            {root.id: open_source(root) for root in self.catalog.list_roots() if root.id in needed},
            {name: self._view(encoder, sizes, of_parts=of_parts) for name, encoder in self.encoders.items()},
            self.layout,
            ReadOptions(
                limits=settings.decode_limits,
                offline=settings.offline,
                fetch_timeout_s=settings.fetch_timeout_seconds,
                allow_private=settings.allow_private,
                through_proxy=settings.fetch_through_proxy,
            ),
            self.annotators,
            of_parts,
            isinstance(run, RegionsRun),
            settings.video.moment_options,
        )
        run.run(self.engine, dataset, known=known, on_progress=self.on_progress, growth=growth)

    def _view(self, encoder: LibraryEncoder, sizes: set[int], *, of_parts: bool) -> EncoderView:
        preprocess = get_preprocess(encoder.spec.name, self.settings.runtime)
        encoded = self.catalog.encoded_by_size(sizes, encoder.id, of_parts=of_parts)
        return EncoderView(preprocess, encoder.spec.image_size, encoded)

    @property
    def _ids(self) -> list[int]:
        """The encoders' ids in the catalog."""
        return [encoder.id for encoder in self.encoders.values()]


def _is_gone(path: Path | None) -> bool:
    return path is not None and not path.exists()
