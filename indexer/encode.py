"""Records -> unit vectors -> vector store and catalog, timed stage by stage."""

import time
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

import numpy as np

from indexer.dataset import FILES_A_WORKER, FailureRecord, ImageDataset, ImageRecord, Record, load_records
from indexer.devices import DeviceEncoders
from indexer.store.catalog import Catalog
from indexer.store.records import ImageFile
from indexer.store.vector_store import VectorStore
from models.vectors import Vectors

_FLUSH_SECONDS = 5.0  # a killed run loses at most so much work
_FLUSH_ROWS = 2048


@dataclass(slots=True)
class Progress:
    """How far a run has come. `seconds` sums each stage; reading and colours over all workers."""

    total: int
    encoded: int = 0
    copied: int = 0  # files whose content had a vector: copies, and what was moved
    failed: int = 0
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def done(self) -> int:
        """Files dealt with."""
        return self.encoded + self.copied + self.failed

    def add(self, stage: str, seconds: float) -> None:
        """Add to a stage's time."""
        self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds


OnProgress = Callable[[Progress], None]
UnderWay = deque[tuple[list[Record], list[int], Future[Vectors] | None]]  # a batch, those of it being encoded


@dataclass(frozen=True, slots=True)
class Found:
    """A file, what was found in it, and its vector where it has one of its own."""

    file: ImageFile
    record: Record
    vector: Vectors | None = None


class EncodeRun:
    """Encodes files and records them: each flush is one shard and one transaction, all of it or nothing."""

    def __init__(
        self,
        catalog: Catalog,
        store: VectorStore,
        encoder_id: int,
        progress: Progress,
        changing: set[int] | None = None,
    ) -> None:
        """Begin. `changing` are the pictures whose file will turn out to hold something else."""
        self._catalog = catalog
        self._store = store
        self._encoder_id = encoder_id
        self._changing = set() if changing is None else changing
        self.progress = progress
        self._pending: list[Found] = []
        self._flushed_at = time.monotonic()
        self._repeated_sizes: set[int] = set()
        self._met: set[str] = set()  # checksums of contents that may come again

    def run(
        self,
        dataset: ImageDataset,
        encoders: DeviceEncoders,
        *,
        workers: int,
        batch_size: int,
        on_progress: OnProgress,
    ) -> None:
        """Encode every file of `dataset`. When interrupted, what was encoded so far is kept.

        Encoders are loaded after the workers have started: they are forks, and an encoder's threads must not be there.
        """
        sizes = Counter(file.size for file in dataset.files)
        self._repeated_sizes = {size for size, count in sizes.items() if count > 1}
        workers = min(workers, 1 + len(dataset) // FILES_A_WORKER)
        under_way: UnderWay = deque()
        try:
            records = load_records(dataset, workers=workers, batch_size=batch_size, on_started=encoders.load)
            for batch in records:
                self._submit(batch, encoders, under_way)
                while len(under_way) > encoders.ahead:
                    self._collect(dataset, encoders, under_way)
                    on_progress(self.progress)
                if len(self._pending) >= _FLUSH_ROWS or time.monotonic() - self._flushed_at > _FLUSH_SECONDS:
                    self.flush()
            while under_way:
                self._collect(dataset, encoders, under_way)
                on_progress(self.progress)
        finally:
            self.flush()

    def flush(self) -> None:
        """Make everything encoded so far durable."""
        started = time.perf_counter()
        pending, self._pending, self._flushed_at = self._pending, [], time.monotonic()
        if not pending:
            return
        with self._catalog.writing():
            vectors: dict[int, Vectors] = {}
            for found in pending:
                self._record(found, vectors)
            if vectors:
                content_ids = list(vectors)
                shard = self._store.write(
                    self._catalog.next_shard(), np.array(content_ids, np.int64), np.stack(list(vectors.values()))
                )
                self._catalog.put_shard(self._encoder_id, shard, content_ids)
                self._catalog.put_vectors_changed(content_ids)
        self.progress.add("write", time.perf_counter() - started)

    def _record(self, found: Found, vectors: dict[int, Vectors]) -> None:
        """Enter a file into the catalog, and its vector, if it is a new one, into `vectors` by content id."""
        record = found.record
        if isinstance(record, FailureRecord):
            self._changing.discard(self._catalog.put_failure(found.file, record.reason, record.detail))
            return
        if isinstance(record, ImageRecord):
            content_id: int | None = self._catalog.put_content(record.facts)
        else:
            content_id = self._catalog.find_content(record.sha256)
        if content_id is None:
            return  # cannot be while this run holds the write lock; the next run looks at the file again
        if found.vector is not None:
            vectors[content_id] = found.vector
        image_id = self._catalog.put_image(
            record.file, content_id, changing=self._changing, has_new_vector=content_id in vectors
        )
        self._changing.discard(image_id)

    def _submit(self, batch: list[Record], encoders: DeviceEncoders, under_way: UnderWay) -> None:
        started = time.perf_counter()
        images = [record for record in batch if isinstance(record, ImageRecord)]
        fresh = [record for record in images if not self._is_repeat(record)]
        encoding = encoders.submit(np.stack([record.pixels for record in fresh])) if fresh else None
        under_way.append((batch, [record.index for record in fresh], encoding))
        self.progress.add("read and decode", sum(record.seconds[0] for record in images))
        self.progress.add("thumbnail and colours", sum(record.seconds[1] for record in images))
        self.progress.add("encode", time.perf_counter() - started)

    def _is_repeat(self, record: ImageRecord) -> bool:
        """Say whether the same content has been met before; its vector is, or will be, there."""
        fetched = record.file.address is not None  # of which nothing was known before
        if fetched and self._catalog.is_encoded(record.facts.sha256, self._encoder_id):
            return True
        if record.file.size not in self._repeated_sizes and not fetched:
            return False
        repeat = record.facts.sha256 in self._met
        self._met.add(record.facts.sha256)
        return repeat

    def _collect(self, dataset: ImageDataset, encoders: DeviceEncoders, under_way: UnderWay) -> None:
        started = time.perf_counter()
        batch, encoded, encoding = under_way[0]
        vectors = dict(zip(encoded, encoders.result(encoding), strict=True)) if encoding is not None else {}
        # One append: an interrupt leaves a batch whole or not at all.
        self._pending += [Found(dataset.files[record.index], record, vectors.get(record.index)) for record in batch]
        under_way.popleft()
        failed = sum(isinstance(record, FailureRecord) for record in batch)
        self.progress.encoded += len(vectors)
        self.progress.failed += failed
        self.progress.copied += len(batch) - len(vectors) - failed
        self.progress.add("encode", time.perf_counter() - started)
