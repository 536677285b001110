"""A worker of a cluster: it reads, decodes, annotates and encodes the items of a shard with an engine of its own."""

import os
import socket
from collections.abc import Set
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from indexer.annotators.registry import list_annotators
from indexer.errors import SourceNotOnNode
from indexer.library.layout import Layout
from indexer.library.sources.kinds import open_source
from indexer.library.sources.port import Source
from indexer.pipeline.engines.local import LocalEngine
from indexer.pipeline.engines.port import EncodedItem, EncodingWork
from indexer.pipeline.engines.shards import ItemShard, ShardResult, WorkerSetup, WorkerState, list_versions
from indexer.pipeline.read import EncoderView, ImageDataset, ImageRecord
from models.encoders.registry import get_installed_spec, get_preprocess
from models.pictures.formats import DECODING


class ShardWorker:
    """Works on one shard after the other. Its encoders are loaded with the first, and kept."""

    def __init__(self, setup: WorkerSetup) -> None:
        self._setup = setup
        self._engine: LocalEngine | None = None

    def describe(self) -> WorkerState:
        """Return what this worker is. Raises what `get_installed_spec` raises."""
        specs = {name: get_installed_spec(name, self._setup.runtime) for name in self._setup.specs}
        return WorkerState(
            node=socket.gethostname(),
            pid=os.getpid(),
            version=version("xuntu"),
            decoding=DECODING,
            fingerprints={name: spec.fingerprint for name, spec in specs.items()},
            annotators=list_versions(list_annotators()),
        )

    def encode(self, shard: ItemShard) -> ShardResult | None:
        """Return what was made of a shard; None where it lies in the store. Raises SourceNotOnNode."""
        store = self._setup.store
        if store is None:
            return self._make(shard)
        if not store.has(shard.name):
            store.write(shard.name, self._make(shard))
        return None

    def _make(self, shard: ItemShard) -> ShardResult:
        options = shard.options
        with TemporaryDirectory(prefix="xuntu-") as folder:
            layout = Layout(Path(folder))
            names = {name for name, _ in options.annotators}
            dataset = ImageDataset(
                shard.items,
                self._open_sources(shard),
                {name: self._view(name, shard) for name in self._setup.specs},
                layout,
                options.read,
                [one for one in list_annotators() if one.name in names],
                options.of_parts,
                options.of_regions,
                options.moments,
            )
            items: list[EncodedItem] = []
            seconds: dict[str, float] = {}
            for batch in self._open_engine(shard).encode(
                EncodingWork(dataset=dataset, pace=options.pace, choose=_Firsts().choose)
            ):
                items += batch.items
                for stage, spent in batch.seconds.items():
                    seconds[stage] = seconds.get(stage, 0.0) + spent
            return ShardResult(items=items, seconds=seconds, thumbnails=_read_thumbnails(layout, items))

    def _open_engine(self, shard: ItemShard) -> LocalEngine:
        setup = self._setup
        if self._engine is None:
            self._engine = LocalEngine(setup.specs, setup.runtime, batch_size=setup.batch_size, keeps_encoders=True)
        self._engine.workers = max(1, setup.workers) if shard.careful else setup.workers
        return self._engine

    def _open_sources(self, shard: ItemShard) -> dict[int, Source]:
        needed = {item.locator.source_id for item in shard.items}
        roots = [root for root in shard.options.roots if root.id in needed]
        for root in roots:
            if root.path.is_absolute() and not root.path.exists():
                raise SourceNotOnNode(root.path, socket.gethostname())
        return {root.id: open_source(root) for root in roots}

    def _view(self, name: str, shard: ItemShard) -> EncoderView:
        spec = self._setup.specs[name]
        return EncoderView(get_preprocess(name, self._setup.runtime), spec.image_size, shard.encoded[name])


class _Firsts:
    """Encodes each content of a shard once."""

    def __init__(self) -> None:
        self._met: set[str] = set()

    def choose(self, record: ImageRecord, names: Set[str]) -> Set[str]:
        if record.sha256 in self._met:
            return frozenset()
        self._met.add(record.sha256)
        return names


def _read_thumbnails(layout: Layout, items: list[EncodedItem]) -> dict[tuple[str, int], bytes]:
    found: dict[tuple[str, int], bytes] = {}
    for item in items:
        if isinstance(item.record, ImageRecord):
            for part in range(len(item.record.parts) + 1):
                path = layout.thumbnail(item.record.sha256, part)
                if path.exists():
                    found[item.record.sha256, part] = path.read_bytes()
    return found
