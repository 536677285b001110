"""Annotators that are new, or newer than what a library was indexed with, are put to work on what is there.

Nothing is encoded again. An annotator that needs a thumbnail gets that; one that needs more gets the picture from where
it lies. What was found is kept every few hundred pictures, so that a run which is interrupted is gone on with.
"""

import logging
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
from indexer.library.originals import read_original
from indexer.library.thumbnails import DECODED_SIDE
from indexer.pipeline.annotate import annotate, record_of
from models.foundation.devices import count_cpus
from models.pictures.decode import decode_image
from models.pictures.errors import DecodeError
from models.pictures.limits import DecodeLimits

logger = logging.getLogger(__name__)

MOST_A_RUN = 100_000  # with an update: a few minutes of work; the next run goes on
_AT_ONCE = 500

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
    most: int | None = MOST_A_RUN,
    on_annotate: OnAnnotate = lambda *_: None,
) -> dict[str, int]:
    """Put annotators, which the catalog knows, to work on contents that they have not seen in their version.

    At most on `most` each. Return name -> in how many it found nothing, of those that had anything to do. A picture
    that cannot be reached just now, be it at an address or on a drive that is not connected, is left for another time.
    Raises LibraryUnwritable.
    """
    problems: dict[str, int] = {}
    with ThreadPoolExecutor(count_cpus()) as pool:
        for annotator in annotators:
            _, _, total = catalog.count_annotated(record_of(annotator))
            if total:
                wanted = total if most is None else min(total, most)
                on_done = partial(on_annotate, annotator.name)
                problems[annotator.name] = _backfill(catalog, layout, annotator, limits, pool, wanted, on_done)
    return problems


def _backfill(
    catalog: Catalog,
    layout: Layout,
    annotator: Annotator,
    limits: DecodeLimits,
    pool: ThreadPoolExecutor,
    wanted: int,
    on_done: Callable[[int, int], None],
) -> int:
    record, after, seen, problems = record_of(annotator), 0, 0, 0
    while seen < wanted:
        on_done(seen, wanted)
        todo = catalog.list_unannotated(record, after, min(_AT_ONCE, wanted - seen))
        if not todo:
            break
        rows = catalog.list_images_of([content_id for content_id, _ in todo])
        jobs = [(layout.thumbnail(sha256), rows.get(content_id, ())) for content_id, sha256 in todo]
        made = list(pool.map(lambda job: _annotate(annotator, job[0], job[1], limits), jobs))
        found = [(content_id, one) for (content_id, _), one in zip(todo, made, strict=True) if one is not None]
        with catalog.writing():
            catalog.put_annotations(record, found)
        after, seen = todo[-1][0], seen + len(todo)
        problems += sum(one.problem is not None for _, one in found)
    on_done(seen, wanted)
    return problems


def _annotate(
    annotator: Annotator, thumbnail: Path, rows: Sequence[ImageRow], limits: DecodeLimits
) -> Annotation | None:
    picture = _read_thumbnail(thumbnail) if annotator.needs == "thumbnail" else None
    if picture is None:
        picture = next(filter(None, (_read_picture(row, limits) for row in rows)), None)
    return None if picture is None else annotate(annotator, picture)


def _read_thumbnail(path: Path) -> AnnotatedPicture | None:
    try:
        with Image.open(path, formats=["WEBP"]) as image:
            return AnnotatedPicture(image=image.convert("RGB"))
    except (OSError, ValueError):
        return None


def _read_picture(row: ImageRow, limits: DecodeLimits) -> AnnotatedPicture | None:
    try:
        data = read_original(row, limits)
        decoded = decode_image(data, short_side=DECODED_SIDE, long_side=DECODED_SIDE, limits=limits)
    except (DecodeError, UnknownSource) as error:
        logger.info("%s is not annotated now: %s", row.place, error)
        return None
    return AnnotatedPicture(image=decoded.image, data=data, exif=decoded.exif, metadata=decoded.metadata)
