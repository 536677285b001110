"""An index whose rows are on a GPU. A processor stands in its place, with FAISS's twins of the indexes of a GPU."""

import logging
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import faiss
import numpy as np
import pytest

from indexer.config import IndexerSettings
from indexer.library.catalog.records import IndexChanges, Locations
from indexer.library.errors import IndexDamaged
from indexer.library.index.faiss.construction.incremental import build_main, next_index
from indexer.library.index.faiss.construction.recipes import IndexRecipe
from indexer.library.index.faiss.construction.training import add_rows, empty_codes, train_codes
from indexer.library.index.faiss.gpu import ProcessorInPlace, check_gpu, open_gpu
from indexer.library.index.faiss.gpu_vectors import GpuVectors, error_of_half
from indexer.library.index.faiss.segments import SegmentedIndex
from indexer.library.index.numpy_index import NumpyIndex
from indexer.library.index.records import IndexOptions
from indexer.library.index.selection import IdSelection
from indexer.library.vectors.query_bank import QueryBank
from indexer.library.vectors.shard_files import ShardFiles, pack_places
from models.foundation.vectors import l2_normalize

DIM, COUNT = 16, 6_000
OPTIONS = IndexOptions(recipe="ivf", threads=1, tuning_queries=64, recall=0.7, device="cpu")
NO_MEMORY = "Error in allocMemory: Error: 'err == cudaSuccess' failed: alloc fail (cudaMalloc error out of memory [2])"
gpu_only = pytest.mark.skipif(open_gpu("auto") is None, reason="there is no GPU that FAISS can use")


def clustered(count: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(1).standard_normal((60, DIM))
    return l2_normalize(centres[rng.integers(0, 60, count)] + 0.5 * rng.standard_normal((count, DIM)))


QUERIES = clustered(20, seed=4)
WEIGHTS = (np.arange(20) % 2).astype(np.float32)  # every second one weighs offsets
BANK = QueryBank(id="test", vectors=clustered(100, seed=5), sharpness=10.0)


class StandIn(ProcessorInPlace):
    """A GPU of so much memory, on which `indexes` can be made before it has none left. It keeps what it `made`."""

    def __init__(self, memory: int = 2**40, indexes: int = 1_000) -> None:
        self.memory, self.indexes = memory, indexes
        self.made = []

    def free_bytes(self):
        return self.memory

    def make_index(self, dim, **options):
        if len(self.made) >= self.indexes:
            raise RuntimeError(NO_MEMORY)
        index = super().make_index(dim, **options)
        # An IndexFlatIP answers whatever happens to it; this one, that transforms nothing, can be made to fail.
        self.made.append(index if options.get("half") else faiss.IndexPreTransform(index))
        return self.made[-1]

    def run_out_of_memory(self):
        """Have FAISS refuse whatever is asked of the indexes from now on."""
        for index in self.made:
            index.is_trained = False


def on(gpu: ProcessorInPlace) -> GpuVectors:
    return GpuVectors(gpu, least_values=0)


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """A saved index of an inverted file that misses much, a flat segment and dead rows; and the exact index."""
    folder = tmp_path_factory.mktemp("library")
    (folder / "store").mkdir()
    (folder / "build").mkdir()
    ids, vectors = 10 + 2 * np.arange(COUNT), clustered(COUNT)
    np.save(folder / "store" / "00000.npy", vectors)
    locations = Locations(ids, np.zeros(COUNT, np.int64), np.arange(COUNT))
    index = build_main(locations, ShardFiles(folder / "store", DIM), OPTIONS, BANK)
    reference = NumpyIndex(DIM)
    reference.upsert(ids, vectors, BANK.measure(vectors))
    added = clustered(150, seed=6)
    for one in (index, reference):
        one.upsert(np.arange(1, 301, 2), added, BANK.measure(added))
        one.remove(np.arange(100, 2_000))
    files = index.save(folder / "build", prefix="test.")
    return folder, files, reference


@pytest.fixture
def opened(library) -> SegmentedIndex:
    return SegmentedIndex.open(library[0] / "build", library[1])


@pytest.fixture
def reference(library) -> NumpyIndex:
    return library[2]


def find(index, k, where=None):
    return index.search(QUERIES, k, where=None if where is None else IdSelection(where), offset_weight=WEIGHTS)


def assert_exact(index, reference, k=10, where=None):
    expected, found = find(reference, k, where), find(index, k, where)
    np.testing.assert_allclose(found.scores, expected.scores, rtol=0, atol=2e-6)
    assert (found.ids == expected.ids).mean() > 0.999, "but for scores that differ in the last place"


def misses(index, reference, k=10) -> bool:
    return bool((find(reference, k).ids != find(index, k).ids).any())


# Searching


@pytest.mark.parametrize("k", [1, 10, 100, 900])
def test_what_a_gpu_finds_is_exact_whatever_the_index_was_tuned_to(opened, reference, k):
    assert misses(opened, reference)
    opened.use(on(StandIn()))
    assert opened.on_gpu == len(opened) == len(reference)
    assert_exact(opened, reference, k)
    assert opened.search(np.empty((0, DIM), np.float32), k).ids.shape == (0, k)
    assert find(opened, 0).ids.shape == (len(QUERIES), 0)


@pytest.mark.parametrize("share", [0.9, 0.5, 0.1])
def test_filters_that_leave_enough_are_answered_exactly(opened, reference, share):
    held = reference.list_ids()
    where = np.sort(np.random.default_rng(2).choice(held, int(share * len(held)), replace=False))
    opened.use(on(StandIn()))
    assert_exact(opened, reference, 10, where)
    assert opened.count(IdSelection(where)) == len(where)


@pytest.mark.parametrize(
    ("k", "where"), [(10, np.arange(2_000, 2_020)), (10, np.arange(2_000, 2_300)), (5_500, None), (10_000, None)]
)
def test_what_a_gpu_cannot_tell_the_processor_answers(opened, library, k, where):
    without = SegmentedIndex.open(library[0] / "build", library[1])
    opened.use(on(StandIn()))
    expected, found = find(without, k, where), find(opened, k, where)
    np.testing.assert_array_equal(found.ids, expected.ids)
    np.testing.assert_array_equal(found.scores, expected.scores)


def test_more_copies_than_candidates_are_ranked_by_id():
    vectors = np.concatenate([np.repeat(clustered(1), 5_000, axis=0), clustered(50, seed=3)])
    index = SegmentedIndex(DIM)
    index.upsert(np.arange(len(vectors)), vectors)
    index.use(on(StandIn()))
    assert index.search(vectors[:1], 20).ids[0].tolist() == list(range(20))


def test_rows_that_half_precision_cannot_tell_apart_are_ranked_exactly():
    rng = np.random.default_rng(8)
    vectors = l2_normalize(clustered(1) + 3e-4 * rng.standard_normal((5_000, DIM)))
    index = SegmentedIndex(DIM)
    index.upsert(np.arange(len(vectors)), vectors)
    exact = index.search(vectors[:1], 10).ids
    halves = (vectors[0].astype(np.float16) @ vectors.astype(np.float16).T).argsort()[::-1]
    assert not np.isin(exact, halves[:84]).all(), "a GPU alone would miss some"
    index.use(on(StandIn()))
    assert index.search(vectors[:1], 10).ids.tolist() == exact.tolist()


def test_rows_that_die_later_are_not_found_and_rows_added_later_are(opened, reference):
    changed = NumpyIndex(DIM)
    vectors = reference.fetch(reference.list_ids())
    changed.upsert(reference.list_ids(), vectors, BANK.measure(vectors))
    opened.use(on(StandIn()))
    dead = np.unique(find(reference, 30).ids)
    for index in (changed, opened):
        assert index.remove(dead) == len(dead)
        index.upsert(np.array([900_001, 900_002]), QUERIES[:2])
    assert opened.on_gpu == len(opened) - 2
    assert not np.isin(find(opened, 100).ids, dead).any()
    assert opened.search(QUERIES[:2], 1).ids[:, 0].tolist() == [900_001, 900_002]
    assert_exact(opened, changed, 50)


def test_parts_side_by_side_are_counted_on():
    vectors = l2_normalize(np.random.default_rng(5).standard_normal((3 * 2**17 + 5, 4)))
    index, reference, gpu = SegmentedIndex(4), NumpyIndex(4), StandIn()
    ids = np.arange(7, 7 + len(vectors))
    for one in (index, reference):
        one.upsert(ids, vectors)
    index.use(on(gpu))
    assert [one.ntotal for one in gpu.made] == [131_073, 131_074, 131_074]
    own = np.array([0, 131_072, 131_073, 262_147, len(vectors) - 1])
    assert index.on_gpu == len(index)
    np.testing.assert_array_equal(
        index.search(vectors[own], 5).scores, reference.search(vectors[own], 5).scores.astype(np.float32)
    )


@pytest.mark.parametrize("weight", [0.5, 30.0, 1e4, 1e6])
def test_whatever_offsets_weigh_the_answer_is_exact(opened, library, weight):
    without = SegmentedIndex.open(library[0] / "build", library[1])
    opened.use(on(StandIn()))
    held = without.list_ids()
    everything = np.sort([without.score(one[None], held, offset_weight=weight) for one in QUERIES], axis=1)
    found = opened.search(QUERIES, 10, offset_weight=weight).scores
    np.testing.assert_allclose(found, everything[:, ::-1][:, :10], rtol=1e-6, atol=2e-6)


@pytest.mark.parametrize("dim", [1, 7, 512, 1_024])
def test_half_precision_moves_no_score_further_than_is_said(dim):
    rng = np.random.default_rng(dim)
    for scale in (1.0, 30.0):  # with a larger one a few components are all there is, the others are tiny
        rows, queries = (l2_normalize(np.sinh(scale * rng.uniform(-1, 1, (300, dim)))) for _ in range(2))
        exact = queries.astype(np.float64) @ rows.T.astype(np.float64)
        halves = (queries.astype(np.float16).astype(np.float32)) @ rows.astype(np.float16).astype(np.float32).T
        moved = np.abs(halves - exact).max(axis=1)
        assert (moved < [error_of_half(query) for query in queries]).all()


@pytest.mark.parametrize("dim", [7, 512])
def test_half_precision_moves_no_score_with_an_offset_further_than_is_said(dim):
    rng = np.random.default_rng(dim)
    rows, queries = (l2_normalize(rng.standard_normal((300, dim))) for _ in range(2))
    rows = np.column_stack([rows, rng.uniform(-1, 0.1, 300)]).astype(np.float32)
    for weight in (0.3, 1.0, 20.0):
        asked = np.column_stack([queries, np.full(300, weight)]).astype(np.float32)
        exact = asked.astype(np.float64) @ rows.T.astype(np.float64)
        halves = asked.astype(np.float16).astype(np.float32) @ rows.astype(np.float16).astype(np.float32).T
        moved = np.abs(halves - exact).max(axis=1)
        assert (moved < [error_of_half(query, np.sqrt(2)) for query in asked]).all()


# What a GPU has no room for, or fails at


def test_small_segments_are_left_to_the_processor(opened):
    opened.use(GpuVectors(StandIn(), least_values=1_000 * DIM))
    assert opened.on_gpu == len(opened.parts[0])


def test_a_gpu_that_is_too_small_is_said_once_and_changes_nothing(opened, library, caplog):
    before = find(opened, 10)
    vectors = GpuVectors(StandIn(memory=2 * 36 * COUNT), least_values=0, share=0.9)
    for _ in range(3):
        opened.use(vectors)
        assert opened.on_gpu == len(opened.parts[1]), "there is room for the small one"
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "6000 vectors take 0.00 GiB" in caplog.text
    assert "XUNTU_INDEX__GPU_SHARE" in caplog.text
    np.testing.assert_array_equal(find(opened, 10).ids, before.ids)


@pytest.mark.parametrize("indexes", [0, 1])
def test_memory_that_runs_out_while_rows_are_copied(opened, library, reference, indexes, caplog):
    gpu = StandIn(indexes=indexes)
    opened.use(on(gpu))
    assert opened.on_gpu == (len(opened.parts[0]) if indexes else 0)
    assert "out of memory" in caplog.text
    assert opened.search(reference.fetch(reference.list_ids()[:5]), 1).scores.min() > 0.999
    caplog.clear()
    gpu.indexes = 1_000
    opened.use(opened_again := on(gpu))
    assert opened.on_gpu == len(opened)
    opened_again.close()
    assert opened.on_gpu == 0


def test_memory_that_runs_out_in_a_search(opened, library, caplog):
    without = SegmentedIndex.open(library[0] / "build", library[1])
    gpu = StandIn()
    vectors = on(gpu)
    opened.use(vectors)
    gpu.run_out_of_memory()
    for _ in range(3):
        np.testing.assert_array_equal(find(opened, 10).ids, find(without, 10).ids)
    assert (opened.on_gpu, len(caplog.records)) == (0, 1)
    assert "XUNTU_INDEX__DEVICE=cpu" in caplog.text
    opened.use(vectors)
    assert opened.on_gpu == len(opened), "the next build tries again"


def test_a_damaged_shard_does_not_stop_the_others(library, tmp_path, caplog):
    folder, files, _ = library
    for file in (folder / "build").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    index = SegmentedIndex.open(tmp_path, files)
    shard = next(file for file in files if file.role == "shard")
    os.truncate(tmp_path / shard.file, shard.bytes // 2)
    index.use(on(StandIn()))
    assert index.on_gpu == len(index.parts[1])
    assert shard.file in caplog.text
    with pytest.raises(IndexDamaged):
        index.fetch(index.list_ids())


# Builds that follow one another


def test_what_the_next_build_has_in_common_stays_on_the_gpu(library, tmp_path):
    folder, files, reference = library
    gpu = StandIn()
    vectors, first = on(gpu), SegmentedIndex.open(folder / "build", files)
    first.use(vectors)
    assert [index.ntotal for index in gpu.made] == [COUNT, 150]
    np.save(folder / "store" / "00001.npy", clustered(10, seed=7))
    added = Locations(900_000 + np.arange(10), np.ones(10, np.int64), np.arange(10))
    changes = IndexChanges(added.ids, added)
    second = next_index(first, changes, lambda: None, ShardFiles(folder / "store", DIM), OPTIONS)
    second = SegmentedIndex.open(tmp_path, second.save(tmp_path, prefix="test."))
    second.use(vectors)
    assert [index.ntotal for index in gpu.made] == [COUNT, 150, 10]
    assert (first.on_gpu, second.on_gpu) == (len(first), len(second))
    assert_exact(first, reference)
    first.close()
    assert second.search(clustered(10, seed=7), 1).ids[:, 0].tolist() == added.ids.tolist()
    third = SegmentedIndex(DIM)
    third.upsert(np.arange(5), QUERIES[:5])
    third.use(vectors)
    assert (second.on_gpu, third.on_gpu) == (0, 5)
    assert find(second, 10).ids.shape == (len(QUERIES), 10)


def test_eight_threads_search_while_builds_come_and_memory_runs_out(library, reference, heavy):
    folder, files, _ = library
    gpu = StandIn()
    vectors, index = on(gpu), SegmentedIndex.open(folder / "build", files)
    index.use(vectors)
    expected = {k: find(reference, k) for k in (1, 10, 50)}
    own = reference.fetch(reference.list_ids()[:200])
    start = threading.Barrier(9)

    def ask(seed: int) -> None:
        rng = np.random.default_rng(seed)
        start.wait()
        for _ in range(60):
            k, row = int(rng.choice([1, 10, 50])), int(rng.integers(len(QUERIES)))
            found = index.search(QUERIES[row : row + 1], k, offset_weight=float(WEIGHTS[row]))
            assert (found.scores <= expected[k].scores[row] + 2e-6).all(), "nothing dead, nothing made up"
            exact = reference.score(QUERIES[row : row + 1], found.ids[0], offset_weight=float(WEIGHTS[row]))
            np.testing.assert_allclose(exact, found.scores[0], rtol=0, atol=2e-6)
            assert index.search(own[seed : seed + 1], 1).scores[0, 0] > 0.9

    def change() -> None:
        start.wait()
        for number in range(12):
            other = SegmentedIndex.open(folder / "build", files)
            other.use(vectors)
            if number % 3 == 1:
                gpu.run_out_of_memory()
            if number % 3 == 2:
                third = SegmentedIndex(DIM)
                third.upsert(np.arange(5), QUERIES[:5])
                third.use(vectors)

    with ThreadPoolExecutor(9) as pool:
        asking = [pool.submit(ask, seed) for seed in range(8)]
        changing = pool.submit(change)
        for one in (*asking, changing):
            one.result(timeout=120)


# Making codes


def made_codes(gpu=None) -> bytes:
    recipe = IndexRecipe(name="ivf", lists=32, parts=DIM // 2, training_rows=1_000)
    return faiss.serialize_index(train_codes(clustered(1_000), recipe, OPTIONS, gpu).index).tobytes()


def test_centroids_come_out_the_same_and_a_gpu_that_fails_is_said(caplog):
    assert made_codes(StandIn()) == made_codes()
    assert not caplog.records
    assert made_codes(StandIn(indexes=0)) == made_codes()
    assert "out of memory" in caplog.text


class Fading(StandIn):
    """A GPU whose memory runs out after it has chosen the lists of some rows."""

    def fade(self, done: int, _all: int) -> None:
        if done >= COUNT // 2:
            self.run_out_of_memory()


@pytest.mark.parametrize("gpu", [StandIn(), StandIn(indexes=0), Fading()], ids=["whole", "none", "fading"])
def test_rows_are_coded_once_each_whoever_chooses_their_lists(library, gpu, caplog):
    store = ShardFiles(library[0] / "store", DIM)
    places = pack_places(Locations(np.arange(COUNT), np.zeros(COUNT, np.int64), np.arange(COUNT)))
    recipe = IndexRecipe(name="ivf", lists=32, parts=DIM // 2, training_rows=1_000)
    trained = train_codes(clustered(1_000), recipe, OPTIONS)
    options = replace(OPTIONS, memory_bytes=4 * 4 * DIM * 1_000)  # chunks of a thousand rows
    expected, found = empty_codes(trained), empty_codes(trained)
    add_rows(expected, places, store, options)
    add_rows(found, places, store, options, getattr(gpu, "fade", None), gpu)
    assert found.index.ntotal == COUNT
    assert (faiss.serialize_index(found.index) == faiss.serialize_index(expected.index)).all()
    assert len(caplog.records) == (0 if type(gpu) is StandIn and gpu.indexes else 1)
    assert all(index.thisown for index in gpu.made), "what was lent to the codes is ours to free"


# Which GPU


def test_without_a_gpu_nothing_is_said(caplog, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    for asked in ("auto", "cpu", "cpu,cpu"):
        assert open_gpu(asked) is None
        assert GpuVectors.open(IndexOptions(device=asked)) is None
    assert not caplog.records


@pytest.mark.skipif(hasattr(faiss, "StandardGpuResources"), reason="FAISS is installed with GPUs")
@pytest.mark.parametrize(("asked", "level"), [("auto", logging.INFO), ("cuda", logging.WARNING)])
def test_a_faiss_without_gpus_is_said(asked, level, caplog, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    caplog.set_level(logging.INFO)
    assert open_gpu(asked) is None
    assert [record.levelno for record in caplog.records] == [level]
    assert "Install the extra gpu in place of cpu" in caplog.text


def test_a_device_that_is_none_is_said(caplog):
    assert open_gpu("gpu") is None
    assert "'gpu' cannot be used" in caplog.text


@pytest.mark.parametrize(
    ("makes", "said"),
    [
        ("os.abort()", "exit status -6"),
        ("raise RuntimeError('CUDA error 35 CUDA driver version is insufficient')", "CUDA error 35"),
    ],
)
def test_a_gpu_that_ends_the_process_ends_another(tmp_path, makes, said, processes):
    """FAISS looks as if it had GPUs, in this process as in the one that tries them."""
    resources = f"class Resources:\n    def __init__(self):\n        {makes}\n"
    (tmp_path / "sitecustomize.py").write_text(
        f"import os\nimport faiss\n{resources}faiss.StandardGpuResources = Resources\n"
        "from indexer.library.index.faiss.gpu import FaissGpu\nFaissGpu.free_bytes = lambda _: 2**30\n"
    )
    program = "from indexer.library.index.faiss.gpu import open_gpu; print(open_gpu('cuda:3'))"
    path = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=300, check=True
    )
    assert done.stdout == "None\n"
    assert "takes the place of cuda:3" in done.stderr
    assert said in done.stderr


def test_the_index_follows_the_encoders_unless_it_has_a_device_of_its_own(monkeypatch):
    assert IndexerSettings().index_options.device == "auto"
    assert IndexerSettings(device="cuda:2").index_options.device == "cuda:2"
    monkeypatch.setenv("XUNTU_INDEX__DEVICE", "cpu")
    monkeypatch.setenv("XUNTU_INDEX__GPU_SHARE", "0.25")
    options = IndexerSettings(device="cuda:2").index_options
    assert (options.device, options.gpu_share) == ("cpu", 0.25)


@pytest.mark.parametrize("device", ["gpu", "cuda:x", "tensorrt", ""])
def test_a_device_of_the_index_that_means_nothing_is_refused(device):
    with pytest.raises(ValueError, match="device"):
        IndexerSettings(index={"device": device})


def test_the_stand_in_passes_the_trial():
    check_gpu(StandIn())


@gpu_only
def test_a_real_gpu_searches_and_chooses_lists_exactly(opened, reference):
    vectors = GpuVectors.open(IndexOptions())
    vectors._least_values = 0
    opened.use(vectors)
    assert opened.on_gpu == len(opened)
    for k in (1, 10, 100, 900):
        assert_exact(opened, reference, k)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: assert_exact(opened, reference), range(40)))
    options = replace(OPTIONS, device="auto")
    recipe = IndexRecipe(name="ivf", lists=32, parts=DIM // 2, training_rows=1_000)
    assert train_codes(clustered(1_000), recipe, options, open_gpu("auto")).lists == 32
    opened.close()
    vectors.close()
