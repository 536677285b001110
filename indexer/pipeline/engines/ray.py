"""Encoding on a Ray cluster: workers are actors, each with one shard of items after the other.

What a killed worker or machine was at is given out again. A picture that kills its worker is found as it is on one
machine: what was lost is read again by a process of the worker that may die.
"""

import hashlib
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.metadata import version
from types import TracebackType
from typing import Any

from indexer.errors import ClusterFailed, SourceNotOnNode
from indexer.library.layout import Layout
from indexer.pipeline.engines.cluster import WorkerKind, joined, list_workers
from indexer.pipeline.engines.port import EncodedBatch, EncodedItem, EncodingWork
from indexer.pipeline.engines.shards import (
    ItemShard,
    ResultStore,
    ShardOptions,
    ShardResult,
    WorkerSetup,
    check_worker,
    name_shard,
)
from indexer.pipeline.engines.worker import ShardWorker
from indexer.pipeline.read import FailureRecord, ImageRecord
from models.encoders.runtime import Runtime
from models.encoders.spec import EncoderSpec
from models.foundation.errors import ImageSearchError
from models.foundation.messages import Message, message, verbatim
from models.pictures.formats import DECODING

_AHEAD = 2  # shards at each worker: one that it works on, and one that waits, so that it never does
_SMALLEST = 16  # items of a shard, where few are left
_GPU_TIMES = 8  # so many times more items a shard has for a GPU
_CAREFUL_TRIES = 2  # of a shard that loses its worker, before it is halved
_WAIT_S = 1.0
_MOST_WAITS = 300  # without any worker, after which a run gives up


@dataclass(frozen=True, slots=True, kw_only=True)
class RayOptions:
    """Which cluster (see `read_address`), and what it is asked for.

    `shard` items go to a worker at once; a worker without a GPU has `cpus` processors; `most` workers are asked for,
    None for what there is room for. Results come by way of `store`, None for Ray's own.
    """

    address: str
    shard: int = 256
    cpus: int = 1
    most: int | None = None
    batch_size: int | None = None
    store: ResultStore | None = None


@dataclass(slots=True)
class _Piece:
    """Items by their positions, and how often a worker was lost with them."""

    indices: Sequence[int]
    losses: int = 0


@dataclass(slots=True, eq=False)
class _RayWorker:
    """A worker: its actor, what it is at in the order it was sent, and whether it has said what it is."""

    kind: WorkerKind
    actor: Any
    asked: Any = None  # what it was asked before anything else
    node: str = ""
    sent: list[tuple[Any, _Piece, str]] = field(default_factory=list)


class RayEngine:
    """Encodes on a cluster, which is joined with the first work and left at the end. Used as a context manager."""

    def __init__(self, specs: Mapping[str, EncoderSpec], runtime: Runtime, options: RayOptions, layout: Layout) -> None:
        """Begin, by the names of the encoders. Thumbnails are written to `layout`."""
        self.specs = specs
        self.options = options
        self.layout = layout
        self._runtime = replace(runtime, weights=runtime.weights.absolute())
        self._stack = ExitStack()
        self._ray: Any = None
        self.members: list[_RayWorker] = []

    def __enter__(self) -> "RayEngine":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: BaseException | TracebackType | None) -> None:
        if self._ray is not None:
            for member in self.members:
                with suppress(Exception):  # the cluster may be gone; the actors end with the connection as well
                    self._ray.kill(member.actor)
        self._stack.close()
        if kind is None and self.options.store is not None:
            self.options.store.clear()

    def encode(self, work: EncodingWork) -> Generator[EncodedBatch, None, None]:
        """Yield shards as they are done, the known items first. Raises ClusterUnreachable, ClusterFailed and others."""
        if len(work.dataset):
            if self._ray is None:
                self._join()
            yield from _ClusterWork(self, self._ray, work).run()

    def _join(self) -> None:
        cpus = self.options.most
        self._ray = self._stack.enter_context(joined(self.options.address, cpus=cpus and cpus * self.options.cpus))
        device = self._runtime.device
        has_published = any(spec.publication is not None for spec in self.specs.values())
        kinds = list_workers(
            self._ray.nodes(),
            uses_gpu=device != "cpu" and (has_published or device != "auto"),
            cpus_each=self.options.cpus,
            most=self.options.most,
        )
        self.members = [_RayWorker(kind, self._start(kind)) for kind in kinds]
        for member in self.members:
            ask(member)

    def _start(self, kind: WorkerKind) -> Any:
        setup = WorkerSetup(
            specs=self.specs,
            runtime=replace(self._runtime, device=kind.device, threads=kind.cpus),
            workers=kind.cpus if kind.gpus or kind.cpus > 1 else 0,
            batch_size=self.options.batch_size,
            store=self.options.store,
        )
        make = self._ray.remote(
            num_cpus=kind.cpus, num_gpus=kind.gpus, max_restarts=-1, max_task_retries=0, scheduling_strategy="SPREAD"
        )
        return make(ShardWorker).remote(setup)


def ask(member: _RayWorker) -> None:
    """Ask a worker what it is; it answers once it runs, after however many tries."""
    member.asked = member.actor.describe.options(max_task_retries=-1).remote()


class _ClusterWork:
    """What gives out the items of one piece of work, and takes results back."""

    def __init__(self, engine: RayEngine, ray: Any, work: EncodingWork) -> None:
        self._engine, self._ray, self._work = engine, ray, work
        self._members = engine.members
        self._options = ShardOptions.of(work.dataset, work.pace)
        self._prefix = self._name_kind()
        self._again: deque[_Piece] = deque()
        self._items: deque[int] = deque()

    def run(self) -> Generator[EncodedBatch, None, None]:
        """Yield what is done until everything is; others depend on what becomes of the known items."""
        known, size = self._work.known, len(self._work.dataset)
        yield from self._work_off(range(known))
        left = set(range(known, size))
        yield from self._take_stored(left)
        yield from self._work_off(sorted(left))

    def _work_off(self, indices: Iterable[int]) -> Generator[EncodedBatch, None, None]:
        self._items = deque(indices)
        waits = 0  # for a worker, with none there
        while self._items or self._again or self._is_sent():
            self._give_out()
            waited_for = [ref for member in self._members for ref in self._refs(member)]
            done, _ = self._ray.wait(waited_for, num_returns=1, timeout=_WAIT_S) if waited_for else ((), ())
            waits = 0 if done or self._is_sent() else waits + 1
            if not waited_for or waits > _MOST_WAITS:
                raise ClusterFailed(message("no machine of it has had a free processor or GPU for minutes"))
            for ref in done:
                yield from self._handle(ref)

    def _name_kind(self) -> str:
        """Return what the names of all shards begin with that are made of items in the same way."""
        fingerprints = sorted((name, spec.fingerprint) for name, spec in self._engine.specs.items())
        told = repr((version("xuntu"), DECODING, fingerprints, self._options.describe()))
        return hashlib.sha256(told.encode()).hexdigest()[:16]

    def _take_stored(self, left: set[int]) -> Iterator[EncodedBatch]:
        """Yield what a run that was killed has made of items that are as they were, and take them from `left`."""
        store, items = self._engine.options.store, self._work.dataset.items
        names = [name for name in store.list_names() if name.startswith(self._prefix)] if store else []
        places = {(items[index].locator, items[index].stamp): index for index in left} if names else {}
        for name in names:
            result = store.read(name) if store else None
            of_result = result.items if result else ()
            keys = [(found.item.locator, found.item.stamp) for found in of_result]
            mine = {
                places[key]: found for key, found in zip(keys, of_result, strict=True) if places.get(key, -1) in left
            }
            if result is not None and mine:
                left.difference_update(mine)
                yield self._take(replace(result, items=list(mine.values())), list(mine), name, "")

    # Giving out

    def _is_sent(self) -> bool:
        return any(member.sent for member in self._members)

    def _refs(self, member: _RayWorker) -> list[Any]:
        return [member.asked] if member.asked is not None else [ref for ref, _, _ in member.sent]

    def _give_out(self) -> None:
        """Send shards to every worker that has less than it may have."""
        for ahead in range(1, _AHEAD + 1):
            for member in self._members:
                if member.asked is None and len(member.sent) < ahead:
                    piece = self._next_piece(member)
                    if piece is None:
                        return
                    self._send(member, piece)

    def _next_piece(self, member: _RayWorker) -> _Piece | None:
        if self._again:
            return self._again.popleft()
        items = self._items
        if not items:
            return None
        times = _GPU_TIMES if member.kind.gpus else 1
        most = self._work.pace.files_at_once(times * self._engine.options.shard)
        fair = max(self._work.pace.files_at_once(_SMALLEST), len(items) // (_AHEAD * len(self._members)))
        return _Piece([items.popleft() for _ in range(min(most, fair, len(items)))])

    def _send(self, member: _RayWorker, piece: _Piece) -> None:
        dataset = self._work.dataset
        items = [dataset.items[index] for index in piece.indices]
        sizes = {item.stamp.size for item in items if item.stamp.size is not None}
        shard = ItemShard(
            name=name_shard(self._prefix, items),
            options=self._options,
            items=items,
            encoded={
                name: {size: view.encoded[size] for size in sizes if size in view.encoded}
                for name, view in dataset.views.items()
            },
            careful=piece.losses > 0,
        )
        member.sent.append((member.actor.encode.remote(shard), piece, shard.name))

    # Taking back

    def _handle(self, ref: Any) -> Iterator[EncodedBatch]:
        """Take what came of one thing that a worker was asked for."""
        member = next((one for one in self._members if ref in self._refs(one)), None)
        if member is None:
            return  # lost together with what was handled before it
        errors = self._ray.exceptions
        try:
            found = self._ray.get(ref)
        except errors.RayTaskError as error:
            raise self._explain(error) from error
        except errors.RayError as error:
            yield from self._lose(member, error)
            return
        if member.asked is not None:
            member.asked, member.node = None, found.node
            check_worker(found, self._engine.specs, self._work.dataset.annotators)
            return
        place = next(place for place, sent in enumerate(member.sent) if sent[0] == ref)
        _, piece, name = member.sent.pop(place)
        store = self._engine.options.store
        result: ShardResult | None = found if store is None else store.read(name)
        if result is None:
            folder = store.folder if store else ""
            raise ClusterFailed(message("a result is not in {folder}, which all machines have to see", folder=folder))
        yield self._take(result, piece.indices, name, member.node)

    def _take(self, result: ShardResult, indices: Sequence[int], name: str, node: str) -> EncodedBatch:
        """Return what a worker made as a run wants it: every content once."""
        items: list[EncodedItem] = []
        for index, found in zip(indices, result.items, strict=True):
            record, vectors = replace(found.record, index=index), found.vectors
            if isinstance(record, ImageRecord):
                wanted = self._work.choose(record, vectors.keys())
                vectors = {one: own for one, own in vectors.items() if one in wanted}
            elif isinstance(record, FailureRecord) and record.reason == "not_found":
                self._check_gone(found, node)
            items.append(EncodedItem(found.item, record, vectors))
        for (sha256, part), data in result.thumbnails.items():
            path = self._engine.layout.thumbnail(sha256, part)
            with suppress(OSError):  # the service makes a missing thumbnail from the picture itself
                path.parent.mkdir(parents=True, exist_ok=True)
                scratch = path.with_name(f"{path.stem}.tmp")
                scratch.write_bytes(data)
                scratch.replace(path)
        store = self._engine.options.store
        if store is None:
            return EncodedBatch(items, result.seconds, node)
        return EncodedBatch(items, result.seconds, node, partial(store.delete, name))

    def _check_gone(self, found: EncodedItem, node: str) -> None:
        """Raise SourceNotOnNode for a file that is here, and not where a worker looked for it."""
        source = self._work.dataset.sources[found.item.locator.source_id]
        path = source.file(found.item.locator.key)
        if path is not None and path.exists():
            raise SourceNotOnNode(path, node)

    def _lose(self, member: _RayWorker, error: Exception) -> Iterator[EncodedBatch]:
        """Give out again what a worker was lost with; the first of it may have been the cause."""
        if member.asked is not None and isinstance(error, self._ray.exceptions.ActorDiedError):
            self._members.remove(member)  # it does not start again, so it will never run
            if not self._members:
                why = message(
                    "workers do not start there ({why}); every machine needs this version of xuntu", why=_say(error)
                )
                raise ClusterFailed(why) from error
            return
        lost, member.sent = [piece for _, piece, _ in member.sent], []
        ask(member)
        if not lost:
            return
        suspect = lost.pop(0)
        suspect.losses += 1
        if suspect.losses <= _CAREFUL_TRIES:
            self._again.append(suspect)
        elif len(suspect.indices) == 1:
            index = suspect.indices[0]
            item = self._work.dataset.items[index]
            yield EncodedBatch([EncodedItem(item, FailureRecord(index, "crashed"), {})], {}, member.node)
        else:
            middle = len(suspect.indices) // 2
            halves = suspect.indices[:middle], suspect.indices[middle:]
            self._again.extend(_Piece(half, _CAREFUL_TRIES) for half in halves)
        self._again.extend(lost)

    def _explain(self, error: Any) -> ImageSearchError:
        """Return what a worker raised: an error of ours as it is."""
        cause = error.cause
        return cause if isinstance(cause, ImageSearchError) else ClusterFailed(_say(cause or error))


def _say(error: BaseException) -> Message:
    """Return what went wrong in a worker: of a traceback its last line."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    said = lines[-1].strip() if lines else ""
    return verbatim(said if "Error" in said else f"{type(error).__name__}: {said}".rstrip(": "))
