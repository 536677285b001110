"""Picture files and videos -> records, in worker processes: read, hash, decode, thumbnail, colours, preprocess."""

import contextlib
import hashlib
import logging
import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from indexer.library.annotations.port import AnnotatedPicture, Annotator, Frames
from indexer.library.annotations.values import Annotation
from indexer.library.catalog.records import Content
from indexer.library.layout import Layout
from indexer.library.sources.items import Item
from indexer.library.sources.port import ReadOptions, Source
from indexer.library.thumbnails import DECODED_SIDE, SPARE, decoded_side, write_thumbnail
from indexer.pipeline.annotate import annotate
from models.encoders.encoder import Preprocess
from models.foundation.errors import BackendNotInstalled
from models.pictures.decode import DecodedImage, decode_image
from models.pictures.errors import DecodeError
from models.pictures.files import open_regular
from models.pictures.formats import is_extra_installed, is_video
from models.pictures.parts import Box, PicturePart, crop, list_parts, list_regions, region_side
from models.videos.options import MomentOptions

if TYPE_CHECKING:
    from models.videos.opening import Video

logger = logging.getLogger(__name__)

PREFETCH = 4  # batches each worker prepares ahead
_FETCHED_AT_ONCE = 8  # remote items, by each worker
FILES_A_WORKER = 64  # fewer are not worth another process


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """A decoded picture: its position in the data set, pixels by the name of an encoder, and what the catalog keeps.

    `item` is as it was when it was read; `pixels` are of the whole picture, (1, h, w, 3), or of each of its `parts`; an
    encoder that has the vectors has none; `content` is None where the catalog has it; `annotations` are what each
    annotator found in one that is new, by their names; `seconds` are those spent reading and decoding, and on thumbnail
    and annotations; `partial` says of the parts of a video that they do not reach its end.
    """

    index: int
    item: Item
    sha256: str
    pixels: Mapping[str, npt.NDArray[np.uint8]]
    parts: Sequence[PicturePart]
    content: Content | None
    annotations: Mapping[str, Annotation]
    seconds: tuple[float, float]
    partial: bool = False


@dataclass(frozen=True, slots=True)
class CopyRecord:
    """An item whose content is known and has its vectors: a copy, or one that was moved. Nothing of it is decoded."""

    index: int
    item: Item
    sha256: str


@dataclass(frozen=True, slots=True)
class FailureRecord:
    """A file that cannot be used: `reason` is a key of DECODE_REASONS."""

    index: int
    reason: str
    detail: str = ""


Record = ImageRecord | CopyRecord | FailureRecord


class RecordSource(Protocol):
    """What a DataLoader needs of a data set."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Record: ...


@dataclass(frozen=True, slots=True)
class EncoderView:
    """How one encoder sees pictures. `encoded` maps a size in bytes to the checksums of files that have its vector."""

    preprocess: Preprocess
    image_size: int
    encoded: Mapping[int, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ImageDataset:
    """A map-style data set. An item is a record and never an exception, so a bad file cannot stop a run.

    Each picture is read and decoded once for all encoders, to the size that the largest of them wants. `sources` has
    those of the items by their ids, `views` one for each encoder by its name. `of_parts`: the items are long pictures
    and videos, of which the catalog has the whole, and it is their parts that are made; or, `of_regions` as well, the
    regions of other pictures.
    """

    items: Sequence[Item]
    sources: Mapping[int, Source]
    views: Mapping[str, EncoderView]
    layout: Layout
    options: ReadOptions = field(default_factory=ReadOptions)
    annotators: Sequence[Annotator] = ()
    of_parts: bool = False
    of_regions: bool = False
    moments: MomentOptions = field(default_factory=MomentOptions)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Record:
        try:
            return self._read(index)
        except DecodeError as error:
            return FailureRecord(index, error.reason, error.detail)
        except Exception:
            locator = self.items[index].locator
            logger.warning("reading %s failed", self.sources[locator.source_id].place(locator), exc_info=True)
            return FailureRecord(index, "crashed")

    def __getitems__(self, indices: Sequence[int]) -> list[Record]:
        """Return several records, as a DataLoader asks for them; servers are waited for side by side."""
        if not any(self.items[index].remote for index in indices):
            return [self[index] for index in indices]
        with ThreadPoolExecutor(_FETCHED_AT_ONCE) as pool:
            return list(pool.map(self.__getitem__, indices))

    def _read(self, index: int) -> ImageRecord | CopyRecord:
        started = time.perf_counter()
        item = self.items[index]
        if item.problem is not None:
            raise DecodeError(*item.problem)
        if is_video(item.locator.key):
            return self._read_video(index, item)
        stamp, data = self.sources[item.locator.source_id].read(item, self.options)
        item = replace(item, stamp=stamp)
        sha256 = hashlib.sha256(data).hexdigest()
        wanted = self._views_lacking(sha256, len(data))
        if not wanted:
            return CopyRecord(index, item, sha256)
        decoded = decode_image(
            data, short_side=self._short_side, long_side=DECODED_SIDE, spare=SPARE, limits=self.options.limits
        )
        decoded_at = time.perf_counter()
        parts: Sequence[PicturePart] = ()
        seen = [decoded.image]
        if self.of_parts:
            boxes = (list_regions if self.of_regions else list_parts)(decoded.width, decoded.height)
            parts = [PicturePart(box) for box in boxes]
            seen = [crop(decoded.image, box, (decoded.width, decoded.height)) for box in boxes]
            if not self.of_regions:  # of which the whole picture is shown
                self._write_thumbnails(sha256, dict(enumerate(seen, 1)))
        if not seen:
            return CopyRecord(index, item, sha256)  # the file holds something else by now, which the next scan finds
        is_new = len(wanted) == len(self.views) and not self.of_parts
        content, annotations = self._describe(sha256, data, decoded) if is_new else (None, {})
        pixels = {name: np.stack([view.preprocess(one) for one in seen]) for name, view in wanted.items()}
        seconds = decoded_at - started, time.perf_counter() - decoded_at
        return ImageRecord(index, item, sha256, pixels, parts, content, annotations, seconds)

    def _views_lacking(self, sha256: str, size: int) -> dict[str, EncoderView]:
        """Return how those encoders see a picture that have no vector of it."""
        return {name: view for name, view in self.views.items() if sha256 not in view.encoded.get(size, ())}

    def _read_video(self, index: int, item: Item) -> ImageRecord | CopyRecord:
        """Read a video where it lies: what stands for all of it, or its moments."""
        started = time.perf_counter()
        path = self.sources[item.locator.source_id].own_file(item)
        if path is None:
            raise DecodeError("video_elsewhere")
        if not is_extra_installed("av"):
            raise DecodeError("needs_video", item.locator.key.rpartition(".")[2].upper())
        with open_regular(path) as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            wanted = self._views_lacking(sha256, file.tell())
            if not wanted:
                return CopyRecord(index, item, sha256)
            from models.videos.moments import decode_cover, read_moments
            from models.videos.opening import open_video

            with open_video(file, self.options.limits) as video:
                if self.of_parts:
                    wanted = dict(self.views)  # moments may come out otherwise now: numbers are those of all encoders
                    return self._read_moments(ImageRecord(index, item, sha256, {}, (), None, {}, (0, 0)), video, wanted)
                cover = decode_cover(video, self.options.limits, short_side=self._short_side, long_side=DECODED_SIDE)
        decoded_at = time.perf_counter()
        is_new = len(wanted) == len(self.views)
        frames = partial(read_moments, path, self.moments, self.options.limits)
        content, annotations = self._describe(sha256, b"", cover, frames) if is_new else (None, {})
        pixels = {name: view.preprocess(cover.image)[None] for name, view in wanted.items()}
        seconds = decoded_at - started, time.perf_counter() - decoded_at
        return ImageRecord(index, item, sha256, pixels, (), content, annotations, seconds)

    def _read_moments(self, record: ImageRecord, video: "Video", wanted: Mapping[str, EncoderView]) -> ImageRecord:
        """Return a record with the moments of a video: one frame at a time is held, and what encoders see of each."""
        from models.videos.moments import Moment, Reached, decode_cover, list_moments

        started, reached, limits = time.perf_counter(), Reached(), self.options.limits
        parts: list[PicturePart] = []
        pixels: dict[str, list[npt.NDArray[np.uint8]]] = {name: [] for name in wanted}

        def keep(moment: Moment) -> None:
            parts.append(PicturePart(Box(0, 0, *moment.size), moment.at_ms))
            self._write_thumbnails(record.sha256, {len(parts): moment.image})
            for name, view in wanted.items():
                pixels[name].append(view.preprocess(moment.image))

        sides = {"short_side": self._short_side, "long_side": DECODED_SIDE}
        try:
            for moment in list_moments(video, self.moments, limits, reached=reached, **sides):
                keep(moment)
        except DecodeError:  # what was found counts, so that the file is not read again and again
            reached.breaks_off = True
        if not parts:
            cover = decode_cover(video, limits, **sides)
            keep(Moment(0, cover.image, (cover.width, cover.height)))
        return replace(
            record,
            pixels={name: np.stack(own) for name, own in pixels.items()},
            parts=parts,
            seconds=(time.perf_counter() - started, 0.0),
            partial=reached.breaks_off or reached.out_of_time,
        )

    @property
    def _short_side(self) -> int:
        side = decoded_side([view.image_size for view in self.views.values()])
        return region_side(side) if self.of_regions else side

    def _write_thumbnails(self, sha256: str, images: Mapping[int, Image.Image]) -> None:
        """Write thumbnails of a picture, 0, or of its parts by their numbers."""
        with contextlib.suppress(OSError):  # the service makes a missing thumbnail from the picture itself
            for part, image in images.items():
                write_thumbnail(image, self.layout.thumbnail(sha256, part))

    def _describe(
        self, sha256: str, data: bytes, decoded: DecodedImage, frames: Frames | None = None
    ) -> tuple[Content, Mapping[str, Annotation]]:
        """Write the thumbnail of a picture that is new, and return what the catalog keeps of it."""
        self._write_thumbnails(sha256, {0: decoded.image})
        picture = AnnotatedPicture(
            image=decoded.image, data=data, exif=decoded.exif, metadata=decoded.metadata, frames=frames
        )
        content = Content(
            sha256=sha256,
            format=decoded.format,
            width=decoded.width,
            height=decoded.height,
            partial=decoded.partial,
            dropped=decoded.dropped,
            duration_ms=decoded.duration_ms,
        )
        return content, {one.name: annotate(one, picture) for one in self.annotators}


def load_records(
    dataset: RecordSource,
    *,
    workers: int,
    batch_size: int,
    prefetch: int = PREFETCH,
    on_started: Callable[[], None] = lambda: None,
) -> Iterator[list[Record]]:
    """Yield the records of `dataset` in order, in batches, read by `workers` processes (0: by this one).

    Each has `prefetch` batches ready. A file that kills its worker becomes a failure record. `on_started` is called
    once the workers, which are forks, run and read the first batches. Raises BackendNotInstalled without torch.
    """
    start = 0
    while start < len(dataset):
        try:
            todo = range(start, len(dataset))
            for batch in _load(dataset, todo, workers, batch_size, prefetch=prefetch, on_started=on_started):
                yield batch
                start += len(batch)
        except RuntimeError as error:
            if not _worker_died(error):
                raise
            # One of the files under way did it. Read those one by one, so that only the guilty one is lost.
            suspects = range(start, min(len(dataset), start + max(workers, 1) * prefetch * batch_size))
            for record in _load_one_by_one(dataset, suspects):
                yield [record]
                start += 1


def _load_one_by_one(dataset: RecordSource, indices: range) -> Iterator[Record]:
    start = indices.start
    while start < indices.stop:
        try:
            for batch in _load(dataset, range(start, indices.stop), 1, 1, prefetch=1):
                yield batch[0]
                start += 1
        except RuntimeError as error:
            if not _worker_died(error):
                raise
            yield FailureRecord(start, "crashed")
            start += 1


def _load(
    dataset: RecordSource,
    indices: range,
    workers: int,
    batch_size: int,
    *,
    prefetch: int = PREFETCH,
    on_started: Callable[[], None] = lambda: None,
) -> Iterator[list[Record]]:
    if not workers:  # what the DataLoader would do, without the seconds that importing torch takes
        on_started()
        for start in range(indices.start, indices.stop, batch_size):
            batch = range(start, min(start + batch_size, indices.stop))
            yield dataset.__getitems__(batch) if isinstance(dataset, ImageDataset) else [dataset[i] for i in batch]
        return
    try:
        from torch.utils.data import DataLoader
    except ImportError as error:
        raise BackendNotInstalled("torch", "index") from error
    with _calm_torch():
        loader: DataLoader[list[Record]] = DataLoader(
            dataset,  # type: ignore[arg-type]
            batch_size=batch_size,
            sampler=indices,
            num_workers=workers,
            collate_fn=list,
            prefetch_factor=prefetch,
            worker_init_fn=partial(_begin_worker, os.getpid()),
            multiprocessing_context="spawn" if _needs_own_process(dataset) else None,
        )
        batches = iter(loader)
    on_started()
    yield from batches


def _needs_own_process(dataset: RecordSource) -> bool:
    """Say whether what reads the items cannot go on in a fork of this process."""
    return isinstance(dataset, ImageDataset) and any(one.needs_own_process for one in dataset.sources.values())


def _begin_worker(parent: int, _worker: int) -> None:
    end_with_parent(parent)


def end_with_parent(parent: int) -> None:
    """End this process soon after its parent, however that ends; waiting on its pipe it would never notice."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=watch, daemon=True).start()


@contextlib.contextmanager
def _calm_torch() -> Iterator[None]:
    """Keep torch from speaking to the person, and from interrupting this process when a worker dies.

    Its handler of SIGCHLD raises wherever the main thread happens to be, be it inside a transaction. Without it the
    death is noticed where the next batch is waited for, a few seconds later.
    """
    main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGCHLD)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "This DataLoader will create", UserWarning)
            yield
    finally:
        if main:
            signal.signal(signal.SIGCHLD, before)


def _worker_died(error: RuntimeError) -> bool:
    return str(error).startswith("DataLoader worker")
