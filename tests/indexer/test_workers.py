"""Workers of a cluster: which there are, what they may be, and what they hand over."""

from dataclasses import replace

import numpy as np
import pytest

from indexer.annotators.registry import list_annotators
from indexer.config import IndexerSettings
from indexer.errors import SourceNotOnNode, WorkerDiffers
from indexer.library.sources.items import Root
from indexer.library.sources.kinds import open_source
from indexer.library.sources.port import ScanContext
from indexer.pipeline.engines.cluster import WorkerKind, list_workers, read_address
from indexer.pipeline.engines.port import EncodingPace
from indexer.pipeline.engines.shards import (
    ItemShard,
    ResultStore,
    ShardOptions,
    ShardResult,
    WorkerSetup,
    check_worker,
)
from indexer.pipeline.engines.worker import ShardWorker
from indexer.pipeline.read import ImageDataset
from models.config import load_settings
from models.encoders.registry import get_spec
from models.encoders.runtime import Runtime
from models.foundation.errors import InvalidSetting


@pytest.mark.parametrize("engine", ["rays", "ray:host", "ray://host", "ray://host:1/x", "dask"])
def test_what_is_no_engine_is_no_setting(engine):
    with pytest.raises(InvalidSetting, match="XUNTU_ENGINE"):
        load_settings(IndexerSettings, engine=engine)


def test_an_engine_says_which_cluster():
    assert read_address("ray") == "local"
    assert read_address("ray:10.0.0.1:6379") == "10.0.0.1:6379"
    assert read_address("ray://head:10001") == "ray://head:10001"


def test_a_cluster_has_a_worker_for_each_gpu_or_else_for_processors():
    with_gpus = {"Alive": True, "Resources": {"CPU": 16.0, "GPU": 2.0}}
    without, gone = {"Alive": True, "Resources": {"CPU": 9.0}}, {"Alive": False, "Resources": {"CPU": 64.0}}
    head = {"Alive": True, "Resources": {}}
    nodes = [head, with_gpus, without, gone]
    assert list_workers(nodes, uses_gpu=True, cpus_each=1) == 2 * [WorkerKind(8, 1)]
    assert list_workers(nodes, uses_gpu=False, cpus_each=4) == 6 * [WorkerKind(4, 0)]
    assert list_workers([without], uses_gpu=True, cpus_each=1, most=3) == 3 * [WorkerKind(1, 0)]
    assert list_workers([without], uses_gpu=True, cpus_each=16) == [WorkerKind(9, 0)]
    assert (WorkerKind(8, 1).device, WorkerKind(1, 0).device) == ("cuda:0", "cpu")


def a_worker(store: ResultStore | None = None) -> ShardWorker:
    specs = {"hash": get_spec("hash")}
    return ShardWorker(WorkerSetup(specs=specs, runtime=Runtime(), workers=0, batch_size=None, store=store))


def a_shard(album, *, name: str = "shard") -> ItemShard:
    root = Root(id=1, path=album.pictures)
    source = open_source(root)
    dataset = ImageDataset(list(source.scan(ScanContext())), {1: source}, {}, album.layout)
    options = ShardOptions.of(dataset, EncodingPace())
    return ItemShard(name=name, options=options, items=dataset.items, encoded={"hash": {}})


def test_a_worker_that_would_make_something_else_is_refused():
    state, specs = a_worker().describe(), {"hash": get_spec("hash")}
    annotators = list_annotators()
    check_worker(state, specs, annotators)
    for other, what in [
        (replace(state, version="0.0.1"), "xuntu as 0.0.1"),
        (replace(state, fingerprints={"hash": "0123"}), "hash as 0123"),
        (replace(state, decoding=0), "the decoder as 0"),
        (replace(state, annotators={}), f"{annotators[0].name} as missing"),
    ]:
        with pytest.raises(WorkerDiffers, match=what) as caught:
            check_worker(other, specs, annotators)
        assert state.node in caught.value.zh


def test_a_worker_that_does_not_see_the_pictures_says_so(album):
    album.draw("a.jpg")
    shard = a_shard(album)
    (album.pictures / "a.jpg").unlink()
    album.pictures.rmdir()
    with pytest.raises(SourceNotOnNode, match="Mount it there"):
        a_worker().encode(shard)


def test_a_result_is_written_once_and_nothing_else_is_read(album, tmp_path):
    album.draw("a.jpg", "b.jpg")
    store = ResultStore(tmp_path / "shared", b"k" * 32)
    assert store.list_names() == []
    worker, shard = a_worker(store), a_shard(album)
    assert worker.encode(shard) is None
    result = store.read("shard")
    assert isinstance(result, ShardResult)
    assert [found.vectors["hash"].shape for found in result.items] == 2 * [(1, get_spec("hash").dim)]
    assert len(result.thumbnails) == 2
    album.draw("a.jpg", seed=1)
    worker.encode(shard)  # it is there
    assert store.list_names() == ["shard"]
    np.testing.assert_array_equal(store.read("shard").items[0].vectors["hash"], result.items[0].vectors["hash"])
    (file,) = store.folder.iterdir()
    whole = file.read_bytes()
    for forged in (whole[:-1], whole[:40], b"", bytes([whole[0] ^ 1]) + whole[1:]):
        file.write_bytes(forged)
        assert store.read("shard") is None
    file.write_bytes(whole)
    file.rename(file.with_name("other.shard"))
    assert store.read("other") is None  # what is signed is signed by its name
    assert store.read("shard") is None
    store.delete("other")
    store.clear()
    assert not store.folder.exists()
