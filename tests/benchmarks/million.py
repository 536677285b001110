"""The vector index of a million pictures, beside the plain recipe: ids pickled with a flat index, all in memory.

XUNTU_BENCH_COUNT and XUNTU_BENCH_DIM set the size [1000000 x 512]; XUNTU_BENCH_PICTURES what the vectors are made of
(see dense.py). The plain recipe is left out where memory does not hold it, and the table says so. Run as a program it
does one step in a process of its own and prints JSON: million.py STEP FOLDER.
"""

import json
import os
import pickle
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import growth_plot
import numpy as np
from dense import SHARD_ROWS, write_dense
from exact import find_best, read_blocks
from million_size import ADDED, COUNT, DEPTHS, DIM, KINDS, SHARES, plain_fits
from million_tables import addition_table, filter_table, growth_table, main_table
from processes import Bench, clean_environment, say
from tables import Table

from indexer.library.catalog.records import IndexChanges, Locations
from indexer.library.index.faiss.construction import incremental
from indexer.library.index.faiss.segments import SegmentedIndex
from indexer.library.index.port import Selection
from indexer.library.index.records import IndexFile, IndexOptions
from indexer.library.index.selection import IdSelection
from indexer.library.vectors.query_bank import QueryBank
from indexer.library.vectors.shard_files import ShardFiles
from models.foundation.vectors import Ids, Vectors

QUERIES, FILTERED, PLAIN = 500, 100, 40
PLOT = Path(__file__).resolve().parents[2] / "out" / "growth.svg"
SIZES = (10_000, 30_000, 100_000, 300_000, 1_000_000)
THREADS, TOGETHER, WARM_UP = 32, 4_000, 50


def measure(bench: Bench) -> list[Table]:
    """Measure the index at full size, its filters, an addition, and how it grows."""
    folder = bench.folder / f"million-{COUNT}x{DIM}"
    if not (folder / "made.txt").exists():
        say(f"making {COUNT} vectors")
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "store").mkdir(parents=True)
        made = write_dense(folder / "store", COUNT, DIM)
        _find_truth(folder)
        (folder / "made.txt").write_text(made)
    made = (folder / "made.txt").read_text()
    steps = ("build", "serve", "plain", "add") if plain_fits() else ("build", "serve", "add")
    facts = {name: _run(name, folder) for name in steps}
    rows = [_run("grow", folder, size) for size in SIZES if size < COUNT]
    rows.append(facts["build"] | facts["serve"]["text@10"] | {"count": COUNT})
    PLOT.parent.mkdir(exist_ok=True)
    PLOT.write_text(growth_plot.draw(rows), encoding="utf-8")
    say(f"drawn in {PLOT}")
    return [
        main_table(facts, made),
        filter_table(facts["serve"]),
        addition_table(facts["add"]),
        growth_table(rows),
    ]


def _run(step: str, folder: Path, *arguments: int) -> dict:
    say(f"{step} {' '.join(map(str, arguments))}")
    command = [sys.executable, __file__, step, str(folder), *map(str, arguments)]
    done = subprocess.run(command, env=clean_environment() | _settings(), stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def _settings() -> dict[str, str]:
    return {"XUNTU_BENCH_COUNT": str(COUNT), "XUNTU_BENCH_DIM": str(DIM)}


# What is asked, and the exact answers


def _queries(folder: Path) -> tuple[Vectors, Ids]:
    """Return pictures of the library and then texts that the index was not tuned with; and the pictures' ids."""
    rng = np.random.default_rng(5)
    own = np.sort(rng.choice(COUNT, QUERIES, replace=False))
    locations = _locations(COUNT)
    shards = [np.load(path, mmap_mode="r") for path in sorted((folder / "store").glob("[0-9]*.npy"))]
    pictures = [shards[locations.shards[row]][locations.rows[row]] for row in own]
    texts = np.load(folder / "store" / "texts.npy")[-QUERIES:]
    return np.ascontiguousarray(np.concatenate([np.stack(pictures), texts]), np.float32), own + 1


def _filter(share: float) -> Ids:
    return np.flatnonzero(np.random.default_rng(int(share * 10_000)).random(COUNT) < share) + 1


def _locations(count: int) -> Locations:
    rows = np.arange(count)
    return Locations(rows + 1, rows // SHARD_ROWS, rows % SHARD_ROWS)


def _find_truth(folder: Path) -> None:
    """Write the ids of the 101 best for all queries; and among each filter's, for the first of each kind."""
    queries, _ = _queries(folder)
    few = np.r_[:FILTERED, QUERIES : QUERIES + FILTERED]
    asked = {"all": (queries, None)} | {str(share): (queries[few], _filter(share)) for share in SHARES}
    found = {
        name: find_best(read_blocks(folder / "store", COUNT), wanted, DEPTHS[1] + 1, where=where)
        for name, (wanted, where) in asked.items()
    }
    np.savez(folder / "truth.npz", **found)


def _clocks() -> np.ndarray:
    """Return the time, and the CPU time of this process so far, in seconds."""
    return np.array([time.perf_counter(), time.process_time()])


def _time(search, queries: Vectors, own: Ids, truth: Ids, k: int) -> dict[str, float]:
    """Ask one at a time. A picture of the library asks for one hit more, since it finds itself; `own` has their ids."""
    took, recalls = [], []
    for number, query in enumerate(queries):
        extra = 1 if number < len(own) else 0
        started = _clocks()
        ids = search(query[None], k + extra)
        took.append(_clocks() - started)
        itself = own[number] if extra else -1
        wanted = truth[number][truth[number] != itself][:k]
        recalls.append(np.isin(wanted, ids).mean() if len(wanted) else 1.0)
    (p50, cpu), (p99, _) = 1000 * np.percentile(took, (50, 99), axis=0)
    return {"recall": float(np.mean(recalls)), "p50_ms": p50, "p99_ms": p99, "cpu_ms": cpu}


# Steps, each in a process of its own


def _build(folder: Path, count: int = COUNT, name: str = "build") -> dict:
    spent = {}
    for step in ("train_codes", "add_rows", "tune"):
        setattr(incremental, step, _timed(getattr(incremental, step), step, spent))
    store = ShardFiles(folder / "store", DIM)
    texts = np.load(folder / "store" / "texts.npy")[:-QUERIES]
    target = folder / name
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    started = _clocks()
    bank = QueryBank(id="texts", vectors=texts, sharpness=20.0)
    index = incremental.build_main(_locations(count), store, IndexOptions(hub_correction=False), bank)
    files = index.save(target)
    tuning = spent.get("tune", np.zeros(2))
    wall_s, cpu_s = _clocks() - started - tuning
    (target / "files.json").write_text(json.dumps([file.to_dict() for file in files]))
    parameters = next((file.parameters for file in files if file.role == "codes"), {})
    return {
        "build_s": wall_s,
        "build_cpu_s": cpu_s,
        "tune_s": tuning[0],
        "peak_mb": _memory_mb("VmHWM:"),
        "index_mb": sum(file.bytes for file in files if file.role != "shard") / 1e6,
        "disk_mb": sum(file.bytes for file in files) / 1e6,
        "recipe": parameters.get("recipe", "flat"),
        "parameters": parameters,
    }


def _timed(function, name, spent):
    def run(*arguments, **named):
        started = _clocks()
        result = function(*arguments, **named)
        spent[name] = _clocks() - started
        return result

    return run


def _open(folder: Path, name: str = "build") -> SegmentedIndex:
    files = json.loads((folder / name / "files.json").read_text())
    return SegmentedIndex.open(folder / name, [IndexFile.from_dict(values) for values in files])


def _memory_mb(line: str = "VmRSS:") -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition(line)[2].split()[0]) / 1024


def _serve(folder: Path) -> dict:
    queries, own = _queries(folder)
    truth = np.load(folder / "truth.npz")
    started = _clocks()
    index = _open(folder)
    found = dict(zip(("open_s", "open_cpu_s"), _clocks() - started, strict=True))
    for kind, part in zip(KINDS, (slice(None, QUERIES), slice(QUERIES, None)), strict=True):
        mine = own if kind == "picture" else own[:0]
        search = partial(_ids, index, kind, None)
        for query in queries[part][:WARM_UP]:
            search(query[None], DEPTHS[1])
        for k in DEPTHS:
            found[f"{kind}@{k}"] = _time(search, queries[part], mine, truth["all"][part], k)
        with ThreadPoolExecutor(THREADS) as pool:
            started = time.perf_counter()
            list(pool.map(lambda n, ask=search, of=queries[part]: ask(of[n % QUERIES][None], 10), range(TOGETHER)))
            found[f"{kind}_qps"] = TOGETHER / (time.perf_counter() - started)
    found["memory_mb"] = _memory_mb()
    for share in SHARES:
        where = IdSelection(_filter(share))
        for kind, start in zip(KINDS, (0, FILTERED), strict=True):
            part = slice(start, start + FILTERED)
            asked = queries[:FILTERED] if kind == "picture" else queries[QUERIES : QUERIES + FILTERED]
            mine = own[:FILTERED] if kind == "picture" else own[:0]
            search = partial(_ids, index, kind, where)
            search(asked[:1], 10)
            for k in DEPTHS:
                found[f"{share} {kind}@{k}"] = _time(search, asked, mine, truth[str(share)][part], k)
    found["memory_after_filters_mb"] = _memory_mb()
    return found


def _ids(index: SegmentedIndex, kind: str, where: Selection | None, query: Vectors, k: int) -> Ids:
    return index.search(query, k, where=where, kind=kind).ids[0]


def _plain(folder: Path) -> dict:
    """Pickle ids and vectors, load them again, search; so is it done where nobody thought of a million."""
    import faiss

    path = folder / "plain.pickle"
    if not path.exists():
        flat = faiss.IndexFlatIP(DIM)
        for shard in sorted((folder / "store").glob("[0-9]*.npy")):
            flat.add(np.load(shard))
        with path.open("wb") as file:
            pickle.dump({"ids": list(range(1, COUNT + 1)), "index": faiss.serialize_index(flat)}, file, protocol=5)
        return _run("plain", folder)  # a process that has not written it
    started = time.perf_counter()
    with path.open("rb") as file:
        loaded = pickle.load(file)  # noqa: S301
    flat = faiss.deserialize_index(loaded.pop("index"))
    found = {"open_s": time.perf_counter() - started, "disk_mb": path.stat().st_size / 1e6}
    queries, own = _queries(folder)
    truth = np.load(folder / "truth.npz")["all"]
    ids = np.array(loaded["ids"])
    for threads in (1, 0):
        if threads:
            faiss.omp_set_num_threads(threads)
        else:
            faiss.omp_set_num_threads(os.cpu_count() or 1)
        part = slice(QUERIES, QUERIES + PLAIN)
        name = "one_thread" if threads else "all_threads"
        found[name] = _time(lambda query, k: ids[flat.search(query, k)[1][0]], queries[part], own[:0], truth[part], 10)
    with ThreadPoolExecutor(THREADS) as pool:
        faiss.omp_set_num_threads(1)
        started = time.perf_counter()
        list(pool.map(lambda n: flat.search(queries[n : n + 1], 10), range(4 * PLAIN)))
        found["qps"] = 4 * PLAIN / (time.perf_counter() - started)
    found["memory_mb"] = _memory_mb()
    path.unlink()
    return found


def _add(folder: Path) -> dict:
    """Add pictures to the library: gather, apply, save, open, find them."""
    rng = np.random.default_rng(9)
    texts = np.load(folder / "store" / "texts.npy")
    vectors = texts[rng.integers(0, len(texts), ADDED)] + rng.standard_normal((ADDED, DIM), dtype=np.float32) / 20
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    number = len(list((folder / "store").glob("[0-9]*.npy")))
    shard, target = folder / "store" / f"{number:05d}.npy", folder / "added"
    np.save(shard, vectors)
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    added = Locations(COUNT + 1 + np.arange(ADDED), np.full(ADDED, number), np.arange(ADDED))
    marks = [_clocks()]
    before = _open(folder)
    marks.append(_clocks())
    store = ShardFiles(folder / "store", DIM)
    changes = IndexChanges(added.ids, added)
    after = incremental.next_index(before, changes, lambda: _locations(COUNT), store, IndexOptions())
    marks.append(_clocks())
    files = after.save(target)
    marks.append(_clocks())
    opened = SegmentedIndex.open(target, files)
    marks.append(_clocks())
    found = opened.search(vectors[:200], 1, kind="picture").ids[:, 0]
    shard.unlink()
    shutil.rmtree(target)
    names = ("open_before_s", "apply_s", "save_s", "open_s")
    steps = dict(zip(names, np.diff(marks, axis=0)[:, 0].tolist(), strict=True))
    all_s, all_cpu_s = marks[-1] - marks[0]
    return steps | {"all_s": all_s, "all_cpu_s": all_cpu_s, "found": float((found == added.ids[:200]).mean())}


def _grow(folder: Path, count: int) -> dict:
    built = _build(folder, count, "grown")
    index = _open(folder, "grown")
    queries = _queries(folder)[0][QUERIES:]
    truth = find_best(read_blocks(folder / "store", count), queries, 11)
    for query in queries[:WARM_UP]:
        index.search(query[None], 10)
    timed = _time(partial(_ids, index, "text", None), queries, np.empty(0, np.int64), truth, 10)
    shutil.rmtree(folder / "grown")
    return built | timed | {"count": count}


STEPS = {"build": _build, "serve": _serve, "plain": _plain, "add": _add, "grow": _grow}

if __name__ == "__main__":
    print(json.dumps(STEPS[sys.argv[1]](Path(sys.argv[2]), *map(int, sys.argv[3:]))))
