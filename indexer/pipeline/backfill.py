"""Annotators that are new, or newer than what a library was indexed with, are put to work on what is there.

Nothing is encoded again. An annotator that needs a thumbnail gets that; one that needs more gets the picture from where
it lies. What was found is kept every few seconds, so that a run which is interrupted is gone on with.
"""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PIL import Image

from indexer.library.annotations.port import AnnotatedPicture, Annotator
from indexer.library.annotations.values import Annotation
from indexer.library.catalog.records import ImageRow
from indexer.library.catalog.writer import Catalog
from indexer.library.errors import UnknownSource
from indexer.library.layout import Layout
from indexer.library.originals import decode_original, find_video, read_original
from indexer.library.storage.thumbnail_cache import find_thumbnail
from indexer.library.thumbnails import DECODED_SIDE
from indexer.pipeline.annotate import annotate, record_of
from models.foundation.devices import count_cpus
from models.pictures.decode import decode_image
from models.pictures.errors import DecodeError
from models.pictures.limits import DecodeLimits
from models.videos.options import MomentOptions

logger = logging.getLogger(__name__)

MOST_A_RUN = 100_000  # with an update: a few minutes of work; the next run goes on
_AT_ONCE = 16, 500  # contents that are looked at before what was found is kept: at first, and at most
_KEPT_AFTER = 5.0  # seconds, about
_MOMENTS = MomentOptions()

OnAnnotate = Callable[[str, int, int], None]  # the annotator's name, contents done, and all of them


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotatorCounts:
    """How far an annotator has come: contents in which it found something, those with a problem, and those left."""

    name: str
    version: int
    annotated: int
    problems: int
    left: int


def count_annotations(catalog: Catalog) -> list[AnnotatorCounts]:
    """Return how far each annotator of a library has come."""
    found = []
    for record in catalog.list_annotators():
        seen, problems, left = catalog.count_annotated(record)
        found.append(
            AnnotatorCounts(
                name=record.name, version=record.version, annotated=seen - problems, problems=problems, left=left
            )
        )
    return found


def backfill(
    catalog: Catalog,
    layout: Layout,
    annotators: Iterable[Annotator],
    limits: DecodeLimits,
    *,
    moments: MomentOptions = _MOMENTS,
    most: int | None = MOST_A_RUN,
    on_annotate: OnAnnotate = lambda *_: None,
) -> dict[str, int]:
    """Put annotators, which the catalog knows, to work on contents that they have not seen in their version.

    At most on `most` each. Return name -> in how many it found nothing, of those that had anything to do. A picture
    that cannot be reached just now, be it at an address or on a drive that is not connected, is left for another time.
    Raises LibraryUnwritable.
    """
    counted = [(one, catalog.count_annotated(record_of(one))[2]) for one in annotators]
    lacking = [(one, left) for one, left in counted if left]
    problems = {one.name: 0 for one, _ in lacking}
    with ThreadPoolExecutor(count_cpus()) as pool:
        for small in (False, True):  # those that look at thumbnails apart, so that no picture is read for them
            group = [(one, left) for one, left in lacking if (one.needs == "thumbnail") == small]
            if group:
                names = ", ".join(one.name for one, _ in group)
                who = [one for one, _ in group]
                work = _BackfillWork(catalog, layout, who, limits, moments, pool, partial(on_annotate, names))
                problems |= work.do(max(left for _, left in group), most)
    return problems


@dataclass(frozen=True, slots=True)
class _BackfillWork:
    """Annotators that look at the same, each picture at once for all of them."""

    catalog: Catalog
    layout: Layout
    group: Sequence[Annotator]
    limits: DecodeLimits
    moments: MomentOptions
    pool: ThreadPoolExecutor
    on_done: Callable[[int, int], None]

    def do(self, total: int, most: int | None) -> dict[str, int]:
        """Look at all contents that one of them has not seen, at most at `most`; return how many had a problem."""
        problems = dict.fromkeys((one.name for one in self.group), 0)
        after = seen = 0
        at_once = _AT_ONCE[0]
        while most is None or seen < most:
            self.on_done(seen, max(total, seen))
            started = time.monotonic()
            todo = self._list_next(after, at_once if most is None else min(at_once, most - seen))
            if not todo:
                break
            rows = self.catalog.list_images_of(list(todo))
            jobs = [(sha256, rows.get(one, ()), who) for one, (sha256, who) in todo.items()]
            made = list(self.pool.map(self._annotate, jobs))
            found: dict[str, list[tuple[int, Annotation]]] = {one.name: [] for one in self.group}
            for content_id, annotations in zip(todo, made, strict=True):
                for name, annotation in annotations.items():
                    found[name].append((content_id, annotation))
                    problems[name] += annotation.problem is not None
            with self.catalog.writing():
                for one in self.group:
                    self.catalog.put_annotations(record_of(one), found[one.name])
            after, seen = max(todo), seen + len(todo)
            took = max(time.monotonic() - started, 0.001)
            at_once = min(max(round(at_once * min(_KEPT_AFTER / took, 4)), 1), _AT_ONCE[1])
        self.on_done(seen, max(total, seen))
        return problems

    def _list_next(self, after: int, limit: int) -> dict[int, tuple[str, list[Annotator]]]:
        """Return the next contents, ascending: id -> checksum, and who has not seen it."""
        todo: dict[int, tuple[str, list[Annotator]]] = {}
        for one in self.group:
            for content_id, sha256 in self.catalog.list_unannotated(record_of(one), after, limit):
                todo.setdefault(content_id, (sha256, []))[1].append(one)
        return {content_id: todo[content_id] for content_id in sorted(todo)[:limit]}

    def _annotate(self, job: tuple[str, Sequence[ImageRow], Sequence[Annotator]]) -> dict[str, Annotation]:
        sha256, rows, annotators = job
        picture = _read_thumbnail(find_thumbnail(self.layout, sha256)) if annotators[0].needs == "thumbnail" else None
        if picture is None:
            picture = next(filter(None, (_read_picture(row, self.limits, self.moments) for row in rows)), None)
        return {} if picture is None else {one.name: annotate(one, picture) for one in annotators}


def _read_thumbnail(path: Path) -> AnnotatedPicture | None:
    try:
        with Image.open(path, formats=["WEBP"]) as image:
            return AnnotatedPicture(image=image.convert("RGB"))
    except (OSError, ValueError):
        return None


def _read_picture(row: ImageRow, limits: DecodeLimits, moments: MomentOptions) -> AnnotatedPicture | None:
    try:
        if row.is_video:
            return _read_video(row, limits, moments)
        data = read_original(row, limits)
        decoded = decode_image(data, short_side=DECODED_SIDE, long_side=DECODED_SIDE, limits=limits)
    except (DecodeError, UnknownSource) as error:
        logger.info("%s is not annotated now: %s", row.place, error)
        return None
    return AnnotatedPicture(image=decoded.image, data=data, exif=decoded.exif, metadata=decoded.metadata)


def _read_video(row: ImageRow, limits: DecodeLimits, moments: MomentOptions) -> AnnotatedPicture:
    cover = decode_original(row, short_side=DECODED_SIDE, long_side=DECODED_SIDE, limits=limits)
    from models.videos.moments import read_moments

    frames = partial(read_moments, find_video(row), moments, limits)
    return AnnotatedPicture(image=cover.image, exif=cover.exif, metadata=cover.metadata, frames=frames)
