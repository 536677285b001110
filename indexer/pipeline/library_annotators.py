"""Annotators that find facts in pictures which are indexed: what a person's settings and a library's vectors tell.

They are at work when pictures can already be searched. What was found is kept every few seconds, so that a run which is
interrupted, or killed, is gone on with.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import cache

from PIL import Image

from indexer.annotators.errors import AnnotatorNotSetUp
from indexer.annotators.registry import library_annotators
from indexer.config import IndexerSettings
from indexer.library.annotated import AnnotatedLibrary
from indexer.library.annotations.fields import AnnotatorRecord
from indexer.library.annotations.port import IndexedPictures, LibraryAnnotator
from indexer.library.annotations.values import Annotation, Failure, Values, to_annotation
from indexer.library.catalog.records import ImageRow
from indexer.library.catalog.writer import Catalog
from indexer.library.encoders import open_encoders
from indexer.library.errors import UnknownSource
from indexer.library.layout import Layout
from indexer.library.originals import decode_original, is_fetched
from indexer.library.storage.thumbnail_cache import find_thumbnail
from indexer.library.thumbnails import make_thumbnail
from indexer.pipeline.annotate import record_of
from indexer.pipeline.backfill import OnAnnotate
from indexer.pipeline.query_bank import read_query_bank
from models.foundation.errors import ImageSearchError
from models.pictures.errors import DecodeError
from models.pictures.limits import DecodeLimits

logger = logging.getLogger(__name__)

_AT_ONCE = 4096  # pictures that an annotator gets
_KEPT_AFTER = 5.0  # seconds
_SHOWN_AFTER = 0.2  # seconds


@dataclass(slots=True)
class LibraryAnnotations:
    """What a run of library annotators came to.

    In how many pictures each had a problem, what a person should know, and what kept one from going on.
    """

    problems: dict[str, int] = field(default_factory=dict)
    warnings: list[ImageSearchError] = field(default_factory=list)
    failures: list[ImageSearchError] = field(default_factory=list)


def annotate_library(
    catalog: Catalog,
    layout: Layout,
    settings: IndexerSettings,
    names: Sequence[str],
    *,
    named: Sequence[str] = (),
    is_asked_for: bool = False,
    again: bool = False,
    on_annotate: OnAnnotate = lambda *_: None,
) -> LibraryAnnotations:
    """Put library annotators to work on what they have not seen, or `again` on everything.

    `is_asked_for`: a person waits for what they find, and for nothing else. What keeps one from going on is among the
    failures; what it found before that is kept. Raises AnnotatorNotSetUp for one that was `named`.
    """
    done = LibraryAnnotations()
    library = open_annotated_library(catalog, layout, settings)
    if library is None:
        return done
    for name in names:
        try:
            annotator = library_annotators()[name](settings, library)
            most = annotator.most(is_asked_for=is_asked_for)
            if most == 0:
                continue
            _enter(catalog, annotator, again=again)
            _LibraryWork(catalog, annotator, library, settings.decode_limits, on_annotate).do(most, done.problems)
            done.warnings += annotator.warnings
        except AnnotatorNotSetUp:
            if name in named:
                raise
        except ImageSearchError as error:
            done.failures.append(error)
    return done


def open_annotated_library(catalog: Catalog, layout: Layout, settings: IndexerSettings) -> AnnotatedLibrary | None:
    """Return a library as its annotators see it; None where nothing has been encoded yet."""
    stored = catalog.list_encoders()
    if not stored:
        return None
    return AnnotatedLibrary(
        layout=layout,
        catalog=catalog,
        stored=stored[0],
        encoder=open_encoders(layout, stored[:1], settings.runtime)[stored[0].name],
        runtime=settings.runtime,
        read_bank=cache(lambda: read_query_bank(layout, stored[0], settings.runtime)),
    )


def _enter(catalog: Catalog, annotator: LibraryAnnotator, *, again: bool) -> None:
    """Enter an annotator in the catalog; where it would find something else now, have it look at everything again."""
    record, key = record_of(annotator), f"state of {annotator.name}"
    if record in catalog.list_annotators() and not again and catalog.get_meta(key) == annotator.state:
        return
    with catalog.writing():
        catalog.put_annotators([record])
        if again or catalog.get_meta(key) != annotator.state:
            catalog.forget_annotations(record)
            catalog.put_meta(key, annotator.state)


@dataclass(frozen=True, slots=True)
class _LibraryWork:
    """One annotator on the pictures of a library that it has not seen."""

    catalog: Catalog
    annotator: LibraryAnnotator
    library: AnnotatedLibrary
    limits: DecodeLimits
    on_annotate: OnAnnotate

    def do(self, most: int | None, problems: dict[str, int]) -> None:
        """Look at all that it has not seen, at most at `most`, and count in how many it had a problem."""
        record = record_of(self.annotator)
        left = self.catalog.count_annotated(record)[2]
        total = left if most is None else min(left, most)
        after = seen = 0
        while total and (most is None or seen < most):
            at_once = _AT_ONCE if most is None else min(_AT_ONCE, most - seen)
            todo = self.catalog.list_unannotated(record, after, at_once)
            if not todo:
                break
            after = todo[-1][0]
            ids, pictures = self._open([content_id for content_id, _ in todo])
            if not ids:
                continue
            with closing(self.annotator.annotate(pictures)) as found:
                shown = _Shown(self.on_annotate, record.name, seen, total)
                seen += self._keep_all(record, ids, found, problems, shown)

    def _open(self, content_ids: Sequence[int]) -> tuple[list[int], IndexedPictures]:
        """Return those of contents that are indexed and have a vector, and their pictures."""
        rows = self.catalog.list_images_of(content_ids)
        found, vectors = self.library.gather([one for one in content_ids if one in rows])
        ids = found.tolist()

        def read(row: int, side: int) -> Image.Image | None:
            return self._read(rows[ids[row]], side)

        return ids, IndexedPictures(vectors=vectors, read=read)

    def _read(self, rows: Sequence[ImageRow], side: int) -> Image.Image | None:
        """Return a picture that lies in several places from the first that has it; one at an address as it was kept."""
        for row in rows:
            with suppress(DecodeError, UnknownSource):
                decoded = decode_original(row, short_side=0, long_side=side, limits=self.limits)
                return make_thumbnail(decoded.image, side)
        for row in rows:
            if is_fetched(row):
                with (
                    suppress(OSError, ValueError),
                    Image.open(find_thumbnail(self.library.layout, row.sha256)) as image,
                ):
                    return image.convert("RGB")
        logger.info("%s cannot be looked at now", rows[0].place)
        return None

    def _keep_all(
        self,
        record: AnnotatorRecord,
        ids: Sequence[int],
        found: Iterator[tuple[int, Values | Failure]],
        problems: dict[str, int],
        progress: "_Shown",
    ) -> int:
        """Keep what is found every few seconds, and at the end, whatever ends it; from then on words find it.

        Return of how many pictures.
        """
        waiting: list[tuple[int, Annotation]] = []
        done = 0
        kept_at = time.monotonic()

        def keep() -> None:
            with self.catalog.writing():
                self.catalog.put_annotations(record, waiting)
            waiting.clear()
            self.catalog.sync_texts()

        try:
            progress.show(0)
            for done, (row, values) in enumerate(found, 1):
                annotation = to_annotation(record, values)
                waiting.append((ids[row], annotation))
                problems[record.name] = problems.get(record.name, 0) + (annotation.problem is not None)
                progress.show(done)
                if time.monotonic() - kept_at > _KEPT_AFTER:
                    keep()
                    kept_at = time.monotonic()
        finally:
            if waiting:
                keep()
        progress.show(len(ids), always=True)
        return done


@dataclass(slots=True)
class _Shown:
    """Shows how far an annotator has come, a few times a second."""

    on_annotate: Callable[[str, int, int], None]
    name: str
    before: int
    total: int
    shown_at: float = 0.0

    def show(self, done: int, *, always: bool = False) -> None:
        if always or time.monotonic() - self.shown_at > _SHOWN_AFTER:
            self.shown_at = time.monotonic()
            self.on_annotate(self.name, self.before + done, max(self.total, self.before + done))
