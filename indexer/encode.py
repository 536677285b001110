"""Records -> unit vectors -> vector store and catalog, timed stage by stage."""

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import chain

import numpy as np

from indexer.dataset import FILES_A_WORKER, FailureRecord, ImageDataset, ImageRecord, Record, load_records
from indexer.devices import DeviceEncoders
from indexer.scan import ImageFile
from indexer.store.catalog import Catalog, ImageFacts
from indexer.store.vector_store import VectorStore
from models.vectors import Vectors

_FLUSH_SECONDS = 5.0  # a killed run loses at most so much work
_FLUSH_ROWS = 2048


@dataclass(slots=True)
class Progress:
    """How far a run has come. `seconds` sums each stage; reading and colours over all workers."""

    total: int
    encoded: int = 0
    failed: int = 0
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def done(self) -> int:
        """Files dealt with."""
        return self.encoded + self.failed

    def add(self, stage: str, seconds: float) -> None:
        """Add to a stage's time."""
        self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds


OnProgress = Callable[[Progress], None]
UnderWay = deque[tuple[list[Record], Future[Vectors] | None]]  # None: no record of the batch is a picture


class EncodeRun:
    """Encodes files and records them: each flush is one shard and one transaction, all of it or nothing."""

    def __init__(self, catalog: Catalog, store: VectorStore, encoder_id: int, progress: Progress) -> None:
        self._catalog = catalog
        self._store = store
        self._encoder_id = encoder_id
        self.progress = progress
        self._pending: list[tuple[list[tuple[ImageFile, ImageFacts | FailureRecord]], Vectors | None]] = []
        self._flushed_at = time.monotonic()

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
        workers = min(workers, 1 + len(dataset) // FILES_A_WORKER)
        under_way: UnderWay = deque()
        try:
            records = load_records(dataset, workers=workers, batch_size=batch_size, on_started=encoders.load)
            for batch in records:
                self._submit(batch, encoders, under_way)
                while len(under_way) > encoders.ahead:
                    self._collect(dataset, encoders, under_way)
                    on_progress(self.progress)
                pending_for = time.monotonic() - self._flushed_at
                if len(self._pending) * batch_size >= _FLUSH_ROWS or pending_for > _FLUSH_SECONDS:
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
        vectors = [rows for _, rows in pending if rows is not None]
        with self._catalog.writing():
            encoded: list[int] = []
            for file, found in chain.from_iterable(files for files, _ in pending):
                image_id = self._catalog.enter_file(file.root_id, file.path, file.size, file.mtime_ns)
                if isinstance(found, FailureRecord):
                    self._catalog.put_failure(image_id, found.reason, found.detail)
                else:
                    self._catalog.put_image(image_id, found)
                    encoded.append(image_id)
            if encoded:
                shards = self._catalog.list_shards(self._encoder_id)
                number = shards[-1].number + 1 if shards else 0
                shard = self._store.write(number, np.array(encoded, np.int64), np.concatenate(vectors))
                self._catalog.put_shard(self._encoder_id, shard, encoded)
        self.progress.add("write", time.perf_counter() - started)

    def _submit(self, batch: list[Record], encoders: DeviceEncoders, under_way: UnderWay) -> None:
        started = time.perf_counter()
        images = [record for record in batch if isinstance(record, ImageRecord)]
        encoding = encoders.submit(np.stack([record.pixels for record in images])) if images else None
        under_way.append((batch, encoding))
        self.progress.add("read and decode", sum(record.seconds[0] for record in images))
        self.progress.add("thumbnail and colours", sum(record.seconds[1] for record in images))
        self.progress.add("encode", time.perf_counter() - started)

    def _collect(self, dataset: ImageDataset, encoders: DeviceEncoders, under_way: UnderWay) -> None:
        started = time.perf_counter()
        batch, encoding = under_way[0]
        vectors = encoders.result(encoding) if encoding is not None else None
        found = [record.facts if isinstance(record, ImageRecord) else record for record in batch]
        files = [dataset.files[record.index] for record in batch]
        # One append: an interrupt leaves either both of files and vectors, or neither.
        self._pending.append((list(zip(files, found, strict=True)), vectors))
        under_way.popleft()
        encoded = 0 if vectors is None else len(vectors)
        self.progress.encoded += encoded
        self.progress.failed += len(batch) - encoded
        self.progress.add("encode", time.perf_counter() - started)
