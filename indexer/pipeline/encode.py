"""Records -> unit vectors -> vector store and catalog, timed stage by stage."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence, Set
from contextlib import closing
from dataclasses import dataclass, field
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
from indexer.pipeline.engines.port import (
    EncodedBatch,
    EncodedItem,
    EncodingEngine,
    EncodingPace,
    EncodingWork,
    OwnVectors,
)
from indexer.pipeline.read import FailureRecord, ImageDataset, ImageRecord
from models.foundation.messages import mark
from models.foundation.vectors import Vectors
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
    nodes: Counter[str] = field(default_factory=Counter)  # by the machine of a cluster: files that it has dealt with
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def done(self) -> int:
        """Files dealt with."""
        return self.encoded + self.copied + self.failed

    def node_rates(self, elapsed_s: float) -> dict[str, float]:
        """Return how many files a second each machine of a cluster deals with."""
        return {node: round(count / elapsed_s, 2) for node, count in sorted(self.nodes.items()) if elapsed_s > 0.5}

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


class Publishing(Protocol):
    """What publishes a part of what a run encodes while it goes on."""

    def is_due(self, progress: Progress) -> bool:
        """Say whether it is time, as far as the run has come. Asked often."""
        ...

    def publish(self) -> None:
        """Publish what the catalog has."""
        ...


class EncodeRun:
    """Encodes files and records them: each flush is one transaction and one shard of each encoder, or nothing.

    What belongs to an encoder goes by its name, from the pixels that are made for it to the shard with its vectors.
    """

    _first = 0  # number of the first vector of a picture: that of the whole
    _pace = EncodingPace()

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
        self._settling: list[Callable[[], None]] = []
        self._flushed_at = time.monotonic()
        self._repeated_sizes: set[int] = set()
        self._met: set[str] = set()  # checksums of contents that may come again

    def run(
        self,
        engine: EncodingEngine,
        dataset: ImageDataset,
        *,
        known: int = 0,
        on_progress: OnProgress,
        growth: Publishing | None = None,
    ) -> None:
        """Encode every file of `dataset`. When interrupted, what was encoded so far is kept.

        The first `known` are at paths that the catalog knows, and are taken in before all others. `growth` publishes
        what there is on the way, when it says that it is time.
        Raises EncodersDiffer unless the views of `dataset`, the engine and the library have the same encoders.
        """
        self._check_names(engine, dataset)
        sizes = Counter(item.stamp.size for item in dataset.items)
        self._repeated_sizes = {size for size, count in sizes.items() if count > 1 and size is not None}
        work = EncodingWork(dataset=dataset, pace=self._pace, choose=self._choose, known=known)
        with closing(engine.encode(work)) as batches:
            try:
                for batch in batches:
                    self._take(batch)
                    on_progress(self.progress)
                    if growth and growth.is_due(self.progress):
                        self.flush()
                        growth.publish()
                    if len(self._pending) >= _FLUSH_ROWS or time.monotonic() - self._flushed_at > _FLUSH_SECONDS:
                        self.flush()
            finally:
                self.flush()

    def _check_names(self, engine: EncodingEngine, dataset: ImageDataset) -> None:
        library = {name: encoder.spec.name for name, encoder in self._encoders.items()}
        loaded = {name: spec.name for name, spec in engine.specs.items()}
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
        while self._settling:
            self._settling.pop()()
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

    def _choose(self, record: ImageRecord, names: Set[str]) -> Set[str]:
        """Return the encoders whose vectors of a picture are wanted: of those that see it, all that have none yet."""
        if self._is_repeat(record):
            return frozenset()
        if not record.item.remote:
            return names
        # Of what is remote nothing was known before it was fetched.
        return {name for name in names if not self._catalog.is_encoded(record.sha256, self._encoders[name].id)}

    def _is_repeat(self, record: ImageRecord) -> bool:
        """Say whether the same content has been met before in this run; its vectors will be there."""
        if record.item.stamp.size not in self._repeated_sizes and not record.item.remote:
            return False
        repeat = record.sha256 in self._met
        self._met.add(record.sha256)
        return repeat

    def _take(self, batch: EncodedBatch) -> None:
        """Keep what an engine is done with."""
        self._pending += batch.items  # one append: an interrupt leaves a batch whole or not at all
        self._settling.append(batch.settle)
        if batch.node:
            self.progress.nodes[batch.node] += len(batch.items)
        encoded = failed = 0
        for found in batch.items:
            if isinstance(found.record, FailureRecord):
                failed += 1
                self.progress.note(found.record, stays=self._stays(found.item, found.record) is not None)
            encoded += bool(found.vectors)
        self.progress.encoded += encoded
        self.progress.copied += len(batch.items) - encoded - failed
        for stage, seconds in batch.seconds.items():
            self.progress.add(stage, seconds)


class PartsRun(EncodeRun):
    """Encodes the parts of long pictures that are indexed, in the same way. What cannot be read now is left alone."""

    _first = 1
    _pace = EncodingPace(rows_of_one=16)

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

    # Each worker holds what encoders see of a whole video.
    _pace = EncodingPace(rows_of_one=2_000, files_a_worker=2, most_workers=4, prefetch=1)
