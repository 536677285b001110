"""Records -> unit vectors -> vector store and catalog, timed stage by stage."""

import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from indexer.errors import EncodersDiffer
from indexer.library.annotations.fields import AnnotatorRecord
from indexer.library.annotations.values import Annotation
from indexer.library.catalog.writer import Catalog
from indexer.library.encoders import LibraryEncoder
from indexer.library.part_keys import owners_of, pack_key
from indexer.library.sources.items import Item
from indexer.pipeline.changes import NOT_FETCHED
from indexer.pipeline.engines import DeviceEncoders
from indexer.pipeline.read import (
    FILES_A_WORKER,
    PREFETCH,
    FailureRecord,
    ImageDataset,
    ImageRecord,
    Record,
    load_records,
)
from models.foundation.messages import mark
from models.foundation.vectors import Pixels, Vectors
from models.pictures.parts import FIRST_REGION

_FLUSH_SECONDS = 5.0  # a killed run loses at most so much work
_FLUSH_ROWS = 2048


@dataclass(slots=True)
class NotFetched:
    """Addresses that were not fetched: how many, and what became of the first."""

    count: int = 0
    first: FailureRecord | None = None

    def add(self, record: FailureRecord, count: int = 1) -> None:
        """Count some."""
        self.count += count
        self.first = self.first or record


@dataclass(slots=True)
class Progress:
    """How far a run has come. `seconds` sums each stage; reading and annotating over all workers."""

    total: int
    encoded: int = 0
    copied: int = 0  # files whose content had a vector: copies, and what was moved
    failed: int = 0
    refused: NotFetched = field(default_factory=NotFetched)  # as they lead inside this network
    kept: NotFetched = field(default_factory=NotFetched)  # indexed, and to be fetched again another time
    problems: Counter[str] = field(default_factory=Counter)  # by annotator: pictures in which it found nothing
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def done(self) -> int:
        """Files dealt with."""
        return self.encoded + self.copied + self.failed

    def note(self, record: FailureRecord, *, stays: bool) -> None:
        """Count a failure; a picture that `stays` is as it was."""
        if record.reason == "url_inside":
            self.refused.add(record)
        if stays:
            self.kept.add(record)
            self.copied += 1
        else:
            self.failed += 1

    def add(self, stage: str, seconds: float) -> None:
        """Add to a stage's time."""
        self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds


OnProgress = Callable[[Progress], None]
# Vectors of one content, by the name of the encoder that made them: float32 (n, dim), of the whole or of its n parts.
OwnVectors = dict[str, Vectors]


class Publishing(Protocol):
    """What publishes a part of what a run encodes while it goes on."""

    def is_due(self, progress: Progress) -> bool:
        """Say whether it is time, as far as the run has come. Asked often."""
        ...

    def publish(self) -> None:
        """Publish what the catalog has."""
        ...


@dataclass(frozen=True, slots=True)
class EncodedItem:
    """An item, what was found in it, and the vectors that were made of it."""

    item: Item
    record: Record
    vectors: OwnVectors


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A batch; by the name of an encoder, positions in the data set, one for each row, and the vectors to come."""

    batch: list[Record]
    encodings: dict[str, tuple[list[int], list[Future[Vectors]]]]


class EncodeRun:
    """Encodes files and records them: each flush is one transaction and one shard of each encoder, or nothing.

    What belongs to an encoder goes by its name, from the pixels that are made for it to the shard with its vectors.
    """

    _first = 0  # number of the first vector of a picture: that of the whole
    _files_a_worker = FILES_A_WORKER
    _most_workers = 1_000
    _prefetch = PREFETCH

    def __init__(
        self,
        catalog: Catalog,
        encoders: Mapping[str, LibraryEncoder],
        progress: Progress,
        changing: set[int] | None = None,
        *,
        annotators: Sequence[AnnotatorRecord] = (),
    ) -> None:
        """Begin. `changing` are the pictures whose file will turn out to hold something else.

        `annotators` are those of the data set, which the catalog knows.
        """
        self._catalog = catalog
        self._encoders = encoders
        self._changing = set() if changing is None else changing
        self._annotators = annotators
        self.progress = progress
        self._pending: list[EncodedItem] = []
        self._flushed_at = time.monotonic()
        self._repeated_sizes: set[int] = set()
        self._met: set[str] = set()  # checksums of contents that may come again
        self._rows_at_once = 1

    def run(
        self,
        dataset: ImageDataset,
        devices: Mapping[str, DeviceEncoders],
        *,
        workers: int,
        batch_size: int,
        rows_at_once: int = 0,
        on_progress: OnProgress,
        growth: Publishing | None = None,
    ) -> None:
        """Encode every file of `dataset`. When interrupted, what was encoded so far is kept.

        `growth` publishes what there is on the way, when it says that it is time.
        Encoders are loaded after the workers have started: they are forks, and an encoder's threads must not be there.
        They get at most `rows_at_once` rows at once, 0 for as many as there are pictures in a batch.
        Raises EncodersDiffer unless the views of `dataset`, `devices` and the encoders have the same names.
        """
        self._check_names(dataset, devices)
        ahead = max(encoders.ahead for encoders in devices.values())

        def load() -> None:
            for encoders in devices.values():
                encoders.load()

        sizes = Counter(item.stamp.size for item in dataset.items)
        self._rows_at_once = rows_at_once or batch_size
        self._repeated_sizes = {size for size, count in sizes.items() if count > 1 and size is not None}
        workers = min(workers, self._most_workers, 1 + len(dataset) // self._files_a_worker)
        under_way: deque[UnderWay] = deque()
        try:
            for batch in load_records(
                dataset, workers=workers, batch_size=batch_size, prefetch=self._prefetch, on_started=load
            ):
                under_way.append(self._submit(batch, devices))
                while len(under_way) > ahead:
                    self._collect(dataset, devices, under_way)
                    on_progress(self.progress)
                if growth and growth.is_due(self.progress):
                    self.flush()
                    growth.publish()
                if len(self._pending) >= _FLUSH_ROWS or time.monotonic() - self._flushed_at > _FLUSH_SECONDS:
                    self.flush()
            while under_way:
                self._collect(dataset, devices, under_way)
                on_progress(self.progress)
        finally:
            self.flush()

    def _check_names(self, dataset: ImageDataset, devices: Mapping[str, DeviceEncoders]) -> None:
        library = {name: encoder.spec.name for name, encoder in self._encoders.items()}
        loaded = {name: encoders.spec.name for name, encoders in devices.items()}
        seen = {name: name for name in dataset.views}
        if not library == loaded == seen or any(name != own for name, own in library.items()):
            raise EncodersDiffer(library=library.values(), devices=loaded.values(), views=seen)

    def flush(self) -> None:
        """Make everything encoded so far durable."""
        started = time.perf_counter()
        pending, self._pending, self._flushed_at = self._pending, [], time.monotonic()
        if not pending:
            return
        with self._catalog.writing():
            vectors: dict[int, OwnVectors] = {}
            annotations: dict[str, list[tuple[int, Annotation]]] = {record.name: [] for record in self._annotators}
            for found in pending:
                self._record(found, vectors, annotations)
            for record in self._annotators:
                self._catalog.put_annotations(record, annotations[record.name])
            for name, encoder in self._encoders.items():
                self._write(encoder, {key: own[name] for key, own in vectors.items() if name in own})
            if vectors:
                self._catalog.put_vectors_changed(vectors)
        self.progress.add(mark("write"), time.perf_counter() - started)

    def _write(self, encoder: LibraryEncoder, vectors: dict[int, Vectors]) -> None:
        """Write vectors by content id to a shard."""
        if vectors:
            keys = [pack_key(key, self._first + place) for key, own in vectors.items() for place in range(len(own))]
            self._catalog.drop_parts(encoder.id, vectors)
            numbers, rows = np.array(keys, np.int64), np.concatenate(list(vectors.values()))
            shard = encoder.store.write(self._catalog.next_shard(), owners_of(numbers), rows)
            self._catalog.put_shard(encoder.id, shard, numbers)

    def _record(
        self,
        found: EncodedItem,
        vectors: dict[int, OwnVectors],
        annotations: dict[str, list[tuple[int, Annotation]]],
    ) -> None:
        """Enter an item into the catalog; its new vectors, if there are any, into `vectors` by content id.

        What annotators found goes into `annotations`, by their names.
        """
        record = found.record
        if isinstance(record, FailureRecord):
            stays = self._stays(found.item, record)
            if stays is not None:
                self._changing.discard(stays)
                return
            self._changing.discard(self._catalog.put_failure(found.item, record.reason, record.detail))
            return
        if isinstance(record, ImageRecord) and record.content is not None:
            known = self._catalog.put_content(record.content)
            content_id: int | None = known
            for name, annotation in record.annotations.items():
                annotations[name].append((known, annotation))
                self.progress.problems[name] += annotation.problem is not None
        else:
            content_id = self._catalog.find_content(record.sha256)
        if content_id is None:
            return  # cannot be while this run holds the write lock; the next run looks at the file again
        if found.vectors:
            vectors[content_id] = found.vectors
        image_id = self._catalog.put_image(
            record.item, content_id, changing=self._changing, has_new_vector=content_id in vectors
        )
        self._changing.discard(image_id)

    def _stays(self, item: Item, record: FailureRecord) -> int | None:
        """Return the picture that is indexed, and stays so though it could not be fetched just now; None if none is."""
        if record.reason not in NOT_FETCHED or not item.remote:
            return None
        return self._catalog.find_indexed(item.locator)

    def _submit(self, batch: list[Record], devices: Mapping[str, DeviceEncoders]) -> UnderWay:
        """Begin to encode what is new in a batch."""
        started = time.perf_counter()
        images = [record for record in batch if isinstance(record, ImageRecord)]
        fresh = [record for record in images if not self._is_repeat(record)]
        encodings: dict[str, tuple[list[int], list[Future[Vectors]]]] = {}
        for name, encoders in devices.items():
            own = [(record.index, pixels) for record in fresh if (pixels := self._pixels(record, name)) is not None]
            if own:
                indices = [index for index, pixels in own for _ in pixels]
                rows, size = np.concatenate([pixels for _, pixels in own]), self._rows_at_once
                encodings[name] = indices, [encoders.submit(rows[at : at + size]) for at in range(0, len(rows), size)]
        self.progress.add(mark("read and decode"), sum(record.seconds[0] for record in images))
        self.progress.add(mark("thumbnail and annotations"), sum(record.seconds[1] for record in images))
        self.progress.add(mark("encode"), time.perf_counter() - started)
        return UnderWay(batch, encodings)

    def _pixels(self, record: ImageRecord, name: str) -> Pixels | None:
        """Return what an encoder has to encode of a picture, None where its vector is there."""
        # Of what is remote nothing was known before it was fetched.
        if record.item.remote and self._catalog.is_encoded(record.sha256, self._encoders[name].id):
            return None
        return record.pixels.get(name)

    def _is_repeat(self, record: ImageRecord) -> bool:
        """Say whether the same content has been met before in this run; its vectors will be there."""
        if record.item.stamp.size not in self._repeated_sizes and not record.item.remote:
            return False
        repeat = record.sha256 in self._met
        self._met.add(record.sha256)
        return repeat

    def _collect(
        self, dataset: ImageDataset, devices: Mapping[str, DeviceEncoders], under_way: deque[UnderWay]
    ) -> None:
        """Wait for the first batch that is under way, and keep what came of it."""
        started = time.perf_counter()
        batch = under_way[0].batch
        vectors: dict[int, OwnVectors] = {}
        for name, (indices, encodings) in under_way[0].encodings.items():
            rows = np.concatenate([devices[name].result(encoding) for encoding in encodings])
            starts = [at for at, index in enumerate(indices) if not at or index != indices[at - 1]]
            for start, own in zip(starts, np.split(rows, starts[1:]), strict=True):
                vectors.setdefault(indices[start], {})[name] = own
        # One append: an interrupt leaves a batch whole or not at all.
        self._pending += [
            EncodedItem(dataset.items[record.index], _without_pixels(record), vectors.get(record.index, {}))
            for record in batch
        ]
        under_way.popleft()
        failures = [record for record in batch if isinstance(record, FailureRecord)]
        for record in failures:
            self.progress.note(record, stays=self._stays(dataset.items[record.index], record) is not None)
        self.progress.encoded += len(vectors)
        self.progress.copied += len(batch) - len(vectors) - len(failures)
        self.progress.add(mark("encode"), time.perf_counter() - started)


def _without_pixels(record: Record) -> Record:
    """Return a record that may wait to be written: of a video, its pixels are hundreds of megabytes."""
    return replace(record, pixels={}) if isinstance(record, ImageRecord) else record


class PartsRun(EncodeRun):
    """Encodes the parts of long pictures that are indexed, in the same way. What cannot be read now is left alone."""

    _first = 1

    def _record(
        self,
        found: EncodedItem,
        vectors: dict[int, OwnVectors],
        annotations: dict[str, list[tuple[int, Annotation]]],  # noqa: ARG002 - parts have none
    ) -> None:
        record = found.record
        if not isinstance(record, ImageRecord) or not found.vectors:
            return
        content_id = self._catalog.find_content(record.sha256)
        if content_id is not None:  # else the file holds something else by now, which the next scan finds
            vectors[content_id] = found.vectors
            self._catalog.put_parts(content_id, record.parts, first=self._first)
            if record.partial:
                self._catalog.put_partial(content_id)


class RegionsRun(PartsRun):
    """Encodes the regions of pictures that are not long."""

    _first = FIRST_REGION


class MomentsRun(PartsRun):
    """Encodes the moments of videos that are indexed. One video is much work, and what encoders see of it is much."""

    _files_a_worker = 2
    _most_workers = 4  # each holds what encoders see of a whole video
    _prefetch = 1
