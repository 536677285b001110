"""Encoding on this machine: processes read, and each device encodes."""

import time
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass, replace
from types import TracebackType

import numpy as np

from indexer.pipeline.engines.devices import DeviceEncoders
from indexer.pipeline.engines.port import EncodedBatch, EncodedItem, EncodingWork, OwnVectors
from indexer.pipeline.read import ImageDataset, ImageRecord, Record, load_records
from models.encoders.runtime import Runtime
from models.encoders.spec import EncoderSpec
from models.foundation.devices import count_cpus
from models.foundation.messages import mark
from models.foundation.vectors import Vectors

READ, ANNOTATE, ENCODE = mark("read and decode"), mark("thumbnail and annotations"), mark("encode")


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A batch; by the name of an encoder, positions in the data set, one for each row, and the vectors to come."""

    batch: Sequence[Record]
    encodings: Mapping[str, tuple[list[int], list[Future[Vectors]]]]
    seconds: Mapping[str, float]


class LocalEngine:
    """Encodes on the devices of this machine. Used as a context manager.

    Encoders are loaded for each call of `encode`, after the processes that read have started: they are forks, and an
    encoder's threads must not be there. With `keeps_encoders` they stay loaded until the end.
    """

    def __init__(
        self,
        specs: Mapping[str, EncoderSpec],
        runtime: Runtime,
        *,
        workers: int | None = None,
        batch_size: int | None = None,
        keeps_encoders: bool = False,
        open_devices: Callable[[EncoderSpec, Runtime], DeviceEncoders] = DeviceEncoders,
    ) -> None:
        """Begin, by the names of the encoders. `workers` read, one a processor if it is None; 0: this process does."""
        self.specs = specs
        self.workers = workers
        self._runtime = runtime
        self._batch_size = batch_size
        self._open_devices = open_devices
        self._stack = ExitStack()
        self._kept: dict[str, DeviceEncoders] | None = self._open(self._stack) if keeps_encoders else None

    def __enter__(self) -> "LocalEngine":
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._stack.close()

    def encode(self, work: EncodingWork) -> Generator[EncodedBatch, None, None]:
        """Yield the items in order."""
        with ExitStack() as stack:
            devices = self._kept if self._kept is not None else self._open(stack)
            yield from _LocalWork(work, devices).run(
                workers=count_cpus() if self.workers is None else self.workers,
                rows_at_once=self._batch_size or min(encoders.batch_size for encoders in devices.values()),
            )

    def _open(self, stack: ExitStack) -> dict[str, DeviceEncoders]:
        return {name: stack.enter_context(self._open_devices(spec, self._runtime)) for name, spec in self.specs.items()}


class _LocalWork:
    """What encodes the items of one piece of work."""

    def __init__(self, work: EncodingWork, devices: Mapping[str, DeviceEncoders]) -> None:
        self._work, self._devices = work, devices

    def run(self, *, workers: int, rows_at_once: int) -> Generator[EncodedBatch, None, None]:
        """Yield the items in order; encoders get at most `rows_at_once` rows at once."""
        work, pace, size = self._work, self._work.pace, len(self._work.dataset)
        ahead = max(encoders.ahead for encoders in self._devices.values())
        under_way: deque[UnderWay] = deque()
        for batch in load_records(
            work.dataset,
            workers=min(workers, pace.most_workers, 1 + size // pace.files_a_worker),
            batch_size=pace.files_at_once(rows_at_once),
            prefetch=pace.prefetch,
            on_started=self._load,
        ):
            under_way.append(self._submit(batch, rows_at_once))
            while len(under_way) > ahead:
                yield self._collect(under_way.popleft())
        while under_way:
            yield self._collect(under_way.popleft())

    def _load(self) -> None:
        for encoders in self._devices.values():
            encoders.load()

    def _submit(self, batch: Sequence[Record], rows_at_once: int) -> UnderWay:
        """Begin to encode what is wanted of a batch."""
        started = time.perf_counter()
        images = [record for record in batch if isinstance(record, ImageRecord)]
        chosen = [(record, self._work.choose(record, record.pixels.keys())) for record in images]
        encodings: dict[str, tuple[list[int], list[Future[Vectors]]]] = {}
        for name, encoders in self._devices.items():
            own = [(record.index, record.pixels[name]) for record, wanted in chosen if name in wanted]
            if own:
                indices = [index for index, pixels in own for _ in pixels]
                rows = np.concatenate([pixels for _, pixels in own])
                starts = range(0, len(rows), rows_at_once)
                encodings[name] = indices, [encoders.submit(rows[at : at + rows_at_once]) for at in starts]
        seconds = {
            READ: sum(record.seconds[0] for record in images),
            ANNOTATE: sum(record.seconds[1] for record in images),
            ENCODE: time.perf_counter() - started,
        }
        return UnderWay([_without_pixels(record) for record in batch], encodings, seconds)

    def _collect(self, under_way: UnderWay) -> EncodedBatch:
        """Wait for a batch that is under way."""
        started = time.perf_counter()
        vectors: dict[int, OwnVectors] = {}
        for name, (indices, encodings) in under_way.encodings.items():
            rows = np.concatenate([self._devices[name].result(encoding) for encoding in encodings])
            starts = [at for at, index in enumerate(indices) if not at or index != indices[at - 1]]
            for start, own in zip(starts, np.split(rows, starts[1:]), strict=True):
                vectors.setdefault(indices[start], {})[name] = own
        dataset: ImageDataset = self._work.dataset
        items = [
            EncodedItem(dataset.items[record.index], record, vectors.get(record.index, {}))
            for record in under_way.batch
        ]
        waited = time.perf_counter() - started
        return EncodedBatch(items, {**under_way.seconds, ENCODE: under_way.seconds[ENCODE] + waited})


def _without_pixels(record: Record) -> Record:
    """Return a record that may wait to be written: of a video, its pixels are hundreds of megabytes."""
    return replace(record, pixels={}) if isinstance(record, ImageRecord) else record
