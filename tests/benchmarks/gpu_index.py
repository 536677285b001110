"""The vector index on a GPU beside the same files on the processor: how fast and how right searches are, and codes.

XUNTU_BENCH_GPU_VECTORS    vectors in the index [1000000, of 512 numbers; on a processor 20000, of 256]
XUNTU_BENCH_GPU_DEVICE     cuda:N [cuda:0]; cpu runs the same on the processor, to try this file where there is no GPU
XUNTU_BENCH_PICTURES       what the vectors are made of (see dense.py)

Run as a program it does one step in a process of its own and prints JSON: gpu_index.py make FOLDER DEVICE,
search FOLDER DEVICE, or code FOLDER DEVICE.
"""

import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from dense import write_dense
from processes import Bench, say
from tables import Table

from indexer.library.catalog.records import Locations
from indexer.library.index.faiss.construction.incremental import build_main
from indexer.library.index.faiss.construction.recipes import choose_recipe
from indexer.library.index.faiss.construction.training import add_rows, train_codes
from indexer.library.index.faiss.gpu import Gpu, ProcessorInPlace, open_gpu
from indexer.library.index.faiss.gpu_vectors import GpuVectors
from indexer.library.index.faiss.segments import SegmentedIndex
from indexer.library.index.records import IndexFile, IndexOptions
from indexer.library.vectors.query_bank import QueryBank
from indexer.library.vectors.shard_files import ShardFiles, pack_places
from models.foundation.devices import CPU
from models.foundation.vectors import Ids, Vectors

_ASKED, _WARM_UP, _THREADS, _TOGETHER = 200, 20, 8, 800
_DEPTHS, _KINDS = (10, 100), ("picture", "text")
_OPTIONS = IndexOptions(recipe="ivf", device=CPU, hub_correction=False)
_SEARCH_HEAD = ("searched by", "asked with", "hits", "recall", "p50, ms", "p99, ms", "queries/s, 8 threads")
_CODE_HEAD = ("lists chosen by", "training, s", "coding, s")
_PROCESSOR_NOTE = (
    "**A processor stands in for the GPU**, with FAISS's own indexes of it: the figures show that the measure runs, "
    "and no more."
)


def measure(bench: Bench) -> list[Table]:
    """Search the same index with and without a GPU; a table without rows where there is none that FAISS can use."""
    device = os.environ.get("XUNTU_BENCH_GPU_DEVICE", "cuda:0")
    if device != CPU and open_gpu(device) is None:
        say(f"gpu-index: skipped; FAISS cannot use {device}")
        note = f"Nothing was measured: FAISS cannot use {device}."
        return [Table(title="Vector index on a GPU", head=_SEARCH_HEAD, rows=(), notes=(note,))]
    count, dim = _size(device)
    folder = bench.folder / f"gpu-index-{count}x{dim}"
    step = partial(_step, bench, folder, device)
    if not (folder / "made.txt").exists():
        step("make")
    found, codes = step("search"), step("code")
    notes = [(folder / "made.txt").read_text(encoding="utf-8")]
    if device == CPU:
        notes.insert(0, _PROCESSOR_NOTE)
    title = f"Vector index of {count} x {dim} on {device}"
    return [
        Table(
            title=title,
            head=_SEARCH_HEAD,
            rows=[_search_row(by, name, one) for by in ("processor", "GPU") for name, one in found[by].items()],
            notes=(*notes, _search_note(found)),
            facts=found,
        ),
        Table(
            title=f"{title}: making its codes",
            head=_CODE_HEAD,
            rows=[(by, f"{one['train_s']:.1f}", f"{one['add_s']:.1f}") for by, one in codes.items()],
            notes=notes,
            facts=codes,
        ),
    ]


def _step(bench: Bench, folder: Path, device: str, name: str) -> dict[str, Any]:
    say(f"gpu-index: {name}")
    kept = {key: value for key, value in os.environ.items() if key.startswith("XUNTU_BENCH_")}
    command = [sys.executable, __file__, name, str(folder), device]
    answer: dict[str, Any] = json.loads(bench.run(command, kept).stdout)
    return answer


def _size(device: str) -> tuple[int, int]:
    count, dim = (20_000, 256) if device == CPU else (1_000_000, 512)
    return int(os.environ.get("XUNTU_BENCH_GPU_VECTORS", count)), dim


def _search_row(by: str, name: str, one: Mapping[str, float]) -> list[str]:
    kind, _, hits = name.partition("@")
    figures = (f"{one['recall']:.4f}", f"{one['p50_ms']:.2f}", f"{one['p99_ms']:.2f}", f"{one['queries_s']:.0f}")
    return [by, kind, hits, *figures]


def _search_note(found: Mapping[str, Any]) -> str:
    told = found["told"]
    return (
        f"{_ASKED} queries of each kind, one at a time. Copied to the GPU in {found['copy_s']:.1f} s. Of those for 10 "
        f"and 100 hits it answered {told['10']:.1%} and {told['100']:.1%} itself, and the processor the others."
    )


# Steps, each in a process of its own


def _make(folder: Path, device: str) -> dict[str, Any]:
    """Write vectors, queries, their exact answers and a tuned index."""
    import faiss

    count, dim = _size(device)
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "store").mkdir(parents=True)
    (folder / "build").mkdir()
    made = write_dense(folder / "store", count, dim)
    texts = np.load(folder / "store" / "texts.npy")
    bank = QueryBank(id="texts", vectors=texts[:-_ASKED], sharpness=20.0)
    index = build_main(_locations(folder), ShardFiles(folder / "store", dim), _OPTIONS, bank)
    files = [file.to_dict() for file in index.save(folder / "build")]
    (folder / "files.json").write_text(json.dumps(files), encoding="utf-8")
    own = np.sort(np.random.default_rng(1).choice(count, _ASKED, replace=False))
    queries = np.concatenate([index.fetch(own), texts[-_ASKED:]])
    vectors = np.concatenate([np.load(path, mmap_mode="r") for path in _shards(folder)])
    _, truth = faiss.knn(queries, vectors, max(_DEPTHS) + 1, faiss.METRIC_INNER_PRODUCT)
    np.savez(folder / "asked.npz", own=own, queries=queries, truth=truth)
    (folder / "made.txt").write_text(made, encoding="utf-8")
    return {}


def _search(folder: Path, device: str) -> dict[str, Any]:
    """Return what searches find and how long they take, without and with a GPU."""
    files = json.loads((folder / "files.json").read_text(encoding="utf-8"))
    index = SegmentedIndex.open(folder / "build", [IndexFile.from_dict(values) for values in files])
    found: dict[str, Any] = {"processor": _ask_everything(index, folder)}
    started = time.perf_counter()
    index.use(GpuVectors(_open(device), least_values=0))
    found["copy_s"] = time.perf_counter() - started
    assert index.on_gpu == len(index), "the GPU has no room"
    found["GPU"] = _ask_everything(index, folder)
    with np.load(folder / "asked.npz") as asked:
        queries = asked["queries"]
    (on_gpu,) = index._on_gpu.values()
    told = {k: [on_gpu._find(query[None], k, None)[0] is not None for query in queries] for k in _DEPTHS}
    return found | {"told": {k: float(np.mean(said)) for k, said in told.items()}}


def _ask_everything(index: SegmentedIndex, folder: Path) -> dict[str, dict[str, float]]:
    with np.load(folder / "asked.npz") as asked:
        own, queries, truth = asked["own"], asked["queries"], asked["truth"]
    found = {}
    for number, kind in enumerate(_KINDS):
        part = slice(number * _ASKED, (number + 1) * _ASKED)
        itself = own if kind == "picture" else np.full(_ASKED, -1)
        for k in _DEPTHS:
            search = partial(_ids, index, kind, k + (kind == "picture"))  # a picture finds itself
            found[f"{kind}@{k}"] = _ask(search, queries[part], truth[part], itself, k)
    return found


def _ids(index: SegmentedIndex, kind: str, k: int, query: Vectors) -> Ids:
    return index.search(query[None], k, kind=kind).ids[0]


def _ask(search: Callable[[Vectors], Ids], queries: Vectors, truth: Ids, itself: Ids, k: int) -> dict[str, float]:
    for query in queries[:_WARM_UP]:
        search(query)
    took, recalls = [], []
    for query, right, own in zip(queries, truth, itself, strict=True):
        started = time.perf_counter()
        ids = search(query)
        took.append(time.perf_counter() - started)
        recalls.append(np.isin(right[right != own][:k], ids).mean())
    with ThreadPoolExecutor(_THREADS) as pool:
        started = time.perf_counter()
        list(pool.map(lambda number: search(queries[number % len(queries)]), range(_TOGETHER)))
        together_s = time.perf_counter() - started
    p50, p99 = (float(1000 * np.percentile(took, share)) for share in (50, 99))
    return {"recall": float(np.mean(recalls)), "p50_ms": p50, "p99_ms": p99, "queries_s": _TOGETHER / together_s}


def _code(folder: Path, device: str) -> dict[str, Any]:
    """Return how long centroids and codes take, without and with a GPU; each twice, and the faster."""
    locations = _locations(folder)
    places = pack_places(locations)
    store = ShardFiles(folder / "store", _size(device)[1])
    recipe = choose_recipe(len(places), store.dim, _OPTIONS)
    chosen = np.sort(np.random.default_rng(2).choice(len(places), recipe.training_rows, replace=False))
    sample = store.gather(places[chosen])
    found: dict[str, dict[str, float]] = {}
    gpus: dict[str, Gpu | None] = {"processor": None, "GPU": _open(device)}
    for by, gpu in (*gpus.items(), *gpus.items()):
        started = time.perf_counter()
        codes = train_codes(sample, recipe, _OPTIONS, gpu)
        trained = time.perf_counter()
        add_rows(codes, places, store, _OPTIONS, gpu=gpu)
        took = {"train_s": trained - started, "add_s": time.perf_counter() - trained}
        found[by] = {name: min(value, found.get(by, took)[name]) for name, value in took.items()}
    return found


def _open(device: str) -> Gpu:
    gpu = ProcessorInPlace() if device == CPU else open_gpu(device)
    assert gpu is not None, f"FAISS cannot use {device}"
    return gpu


def _shards(folder: Path) -> list[Path]:
    return sorted((folder / "store").glob("[0-9]*.npy"))


def _locations(folder: Path) -> Locations:
    """Return ids that count rows, shard after shard."""
    counts = [len(np.load(path, mmap_mode="r")) for path in _shards(folder)]
    shards = np.repeat(np.arange(len(counts)), counts)
    rows = np.concatenate([np.arange(count) for count in counts])
    return Locations(np.arange(len(rows)), shards, rows)


_STEPS: dict[str, Callable[[Path, str], dict[str, Any]]] = {"make": _make, "search": _search, "code": _code}

if __name__ == "__main__":
    print(json.dumps(_STEPS[sys.argv[1]](Path(sys.argv[2]), sys.argv[3])))
