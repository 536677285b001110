"""The vector index of a million pictures, beside the plain recipe: ids pickled with a flat index, all in memory.

XUNTU_BENCH_COUNT and XUNTU_BENCH_DIM set the size [1000000 x 512]; XUNTU_BENCH_PICTURES what the vectors are made of
(see dense.py). Run as a program it does one step in a process of its own and prints JSON: million.py STEP FOLDER.
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
from processes import Bench, clean_environment, say
from tables import NO_REACH, Table, met

from indexer.index import growth
from indexer.index.files import SegmentFile
from indexer.index.options import IndexOptions
from indexer.index.segments import SegmentedIndex
from indexer.store.records import IndexChanges, Locations
from indexer.store.shard_files import ShardFiles
from models.vectors import Ids, Vectors

COUNT = int(os.environ.get("XUNTU_BENCH_COUNT", "1000000"))
DIM = int(os.environ.get("XUNTU_BENCH_DIM", "512"))
QUERIES, FILTERED, PLAIN = 500, 100, 40
PLOT = Path(__file__).resolve().parents[2] / "out" / "growth.svg"
SHARES = (0.5, 0.05, 0.001)
SIZES = (10_000, 30_000, 100_000, 300_000)
KINDS = ("picture", "text")
DEPTHS = (10, 100)
ADDED, THREADS, TOGETHER, WARM_UP = 1_000, 32, 4_000, 50


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
    facts = {name: _run(name, folder) for name in ("build", "serve", "plain", "add")}
    rows = [_run("grow", folder, size) for size in SIZES if size < COUNT]
    last = {"count": COUNT, "build_s": facts["build"]["build_s"], "recipe": facts["build"]["recipe"]}
    rows.append(last | {"p50_ms": facts["serve"]["text@10"]["p50_ms"], "recall": facts["serve"]["text@10"]["recall"]})
    PLOT.parent.mkdir(exist_ok=True)
    PLOT.write_text(growth_plot.draw(rows), encoding="utf-8")
    say(f"drawn in {PLOT}")
    return [
        _main_table(facts, made),
        _filter_table(facts["serve"]),
        _addition_table(facts["add"]),
        _growth_table(rows),
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
    ids = np.flatnonzero(np.random.default_rng(int(share * 10_000)).random(COUNT) < share) + 1
    ids.flags.writeable = False
    return ids


def _locations(count: int) -> Locations:
    rows = np.arange(count)
    return Locations(rows + 1, rows // SHARD_ROWS, rows % SHARD_ROWS)


def _find_truth(folder: Path) -> None:
    """Write the ids of the 101 best for all queries; and among each filter's, for the first of each kind."""
    queries, _ = _queries(folder)
    few = np.r_[:FILTERED, QUERIES : QUERIES + FILTERED]
    asked = {"all": (queries, None)} | {str(share): (queries[few], _filter(share)) for share in SHARES}
    best = {name: ([], []) for name in asked}
    for number, path in enumerate(sorted((folder / "store").glob("[0-9]*.npy"))):
        vectors = np.load(path, mmap_mode="r")
        ids = number * SHARD_ROWS + np.arange(len(vectors)) + 1
        for start in range(0, len(vectors), SHARD_ROWS // 4):
            block, numbers = vectors[start : start + SHARD_ROWS // 4], ids[start : start + SHARD_ROWS // 4]
            scores = queries @ block.T
            for name, (_, where) in asked.items():
                chosen = np.arange(len(numbers)) if where is None else np.flatnonzero(np.isin(numbers, where))
                part = (scores if where is None else scores[few])[:, chosen]
                top = np.argpartition(-part, min(DEPTHS[1], part.shape[1] - 1), axis=1)[:, : DEPTHS[1] + 1]
                best[name][0].append(np.take_along_axis(part, top, 1))
                best[name][1].append(numbers[chosen][top])
    found = {}
    for name, (scores, ids) in best.items():
        joined, order = np.concatenate(ids, 1), np.argsort(-np.concatenate(scores, 1), axis=1)
        found[name] = np.take_along_axis(joined, order, 1)[:, : DEPTHS[1] + 1]
    np.savez(folder / "truth.npz", **found)


def _time(search, queries: Vectors, own: Ids, truth: Ids, k: int) -> dict[str, float]:
    """Ask one at a time. A picture of the library asks for one hit more, since it finds itself; `own` has their ids."""
    took, recalls = [], []
    for number, query in enumerate(queries):
        extra = 1 if number < len(own) else 0
        started = time.perf_counter()
        ids = search(query[None], k + extra)
        took.append(time.perf_counter() - started)
        itself = own[number] if extra else -1
        wanted = truth[number][truth[number] != itself][:k]
        recalls.append(np.isin(wanted, ids).mean() if len(wanted) else 1.0)
    p50, p99 = (float(1000 * np.percentile(took, share)) for share in (50, 99))
    return {"recall": float(np.mean(recalls)), "p50_ms": p50, "p99_ms": p99}


# Steps, each in a process of its own


def _build(folder: Path, count: int = COUNT, name: str = "build") -> dict:
    spent = {}
    for step in ("train_codes", "add_rows", "tune"):
        setattr(growth, step, _timed(getattr(growth, step), step, spent))
    store = ShardFiles(folder / "store", DIM)
    texts = np.load(folder / "store" / "texts.npy")[:-QUERIES]
    target = folder / name
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    started = time.perf_counter()
    index = growth.build_main(_locations(count), store, IndexOptions(), texts)
    files = index.save(target)
    took = time.perf_counter() - started
    (target / "files.json").write_text(json.dumps([file.to_dict() for file in files]))
    parameters = next((file.parameters for file in files if file.role == "codes"), {})
    return {
        "build_s": took - spent.get("tune", 0),
        "tune_s": spent.get("tune", 0.0),
        "peak_mb": _memory_mb("VmHWM:"),
        "index_mb": sum(file.bytes for file in files if file.role != "shard") / 1e6,
        "disk_mb": sum(file.bytes for file in files) / 1e6,
        "recipe": parameters.get("recipe", "flat"),
        "parameters": parameters,
    }


def _timed(function, name, spent):
    def run(*arguments, **named):
        started = time.perf_counter()
        result = function(*arguments, **named)
        spent[name] = time.perf_counter() - started
        return result

    return run


def _open(folder: Path, name: str = "build") -> SegmentedIndex:
    files = json.loads((folder / name / "files.json").read_text())
    return SegmentedIndex.open(folder / name, [SegmentFile.from_dict(values) for values in files])


def _memory_mb(line: str = "VmRSS:") -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition(line)[2].split()[0]) / 1024


def _serve(folder: Path) -> dict:
    queries, own = _queries(folder)
    truth = np.load(folder / "truth.npz")
    started = time.perf_counter()
    index = _open(folder)
    found = {"open_s": time.perf_counter() - started}
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
        where = _filter(share)
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


def _ids(index: SegmentedIndex, kind: str, where: Ids | None, query: Vectors, k: int) -> Ids:
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
    marks = [time.perf_counter()]
    before = _open(folder)
    marks.append(time.perf_counter())
    store = ShardFiles(folder / "store", DIM)
    changes = IndexChanges(added.ids, added)
    after = growth.next_index(before, changes, lambda: _locations(COUNT), store, IndexOptions())
    marks.append(time.perf_counter())
    files = after.save(target)
    marks.append(time.perf_counter())
    opened = SegmentedIndex.open(target, files)
    marks.append(time.perf_counter())
    found = opened.search(vectors[:200], 1, kind="picture").ids[:, 0]
    shard.unlink()
    shutil.rmtree(target)
    names = ("open_before_s", "apply_s", "save_s", "open_s")
    steps = dict(zip(names, np.diff(marks).tolist(), strict=True))
    return steps | {"all_s": marks[-1] - marks[0], "found": float((found == added.ids[:200]).mean())}


def _grow(folder: Path, count: int) -> dict:
    built = _build(folder, count, "grown")
    index = _open(folder, "grown")
    queries = _queries(folder)[0][QUERIES:]
    best = np.concatenate(
        [
            np.concatenate([block @ queries.T for _, block in ShardFiles(folder / "store", DIM).blocks(shard)])
            for shard in range(-(-count // SHARD_ROWS))
        ]
    )[:count].T
    truth = np.argpartition(-best, 10, axis=1)[:, :11]
    truth = np.take_along_axis(truth, np.argsort(-np.take_along_axis(best, truth, 1), axis=1), 1) + 1
    for query in queries[:WARM_UP]:
        index.search(query[None], 10)
    timed = _time(partial(_ids, index, "text", None), queries, np.empty(0, np.int64), truth, 10)
    shutil.rmtree(folder / "grown")
    return {"count": count, "p50_ms": timed["p50_ms"], "recall": timed["recall"]} | built


# Tables


def _main_table(facts: dict, made: str) -> Table:
    build, serve, plain = facts["build"], facts["serve"], facts["plain"]
    rows = []
    for kind, reach_ms in zip(KINDS, (1.5, 4.0), strict=True):
        few, many = serve[f"{kind}@10"], serve[f"{kind}@100"]
        rows += [
            _row(f"{kind} queries, recall@10", few["recall"], "1.0000", 0.98, "{:.4f}", at_least=True),
            _row(f"{kind} queries, recall@100", many["recall"], "1.0000", 0.98, "{:.4f}", at_least=True),
            _row(f"{kind} queries, 10 hits, p50 ms", few["p50_ms"], _ms(plain), reach_ms, "{:.2f}"),
            _row(f"{kind} queries, 10 hits, p99 ms", few["p99_ms"], f"{plain['one_thread']['p99_ms']:.1f}"),
            _row(f"{kind} queries, 100 hits, p50 ms", many["p50_ms"], NO_REACH),
            _row(f"{kind} queries a second, 32 at a time", serve[f"{kind}_qps"], f"{plain['qps']:.0f}", None, "{:.0f}"),
        ]
    faster = plain["one_thread"]["p50_ms"] / serve["text@10"]["p50_ms"]
    rows += [
        _row("times as fast as plain (text)", faster, "1", 20, "{:.0f}", at_least=True),
        _row("resident memory MB", serve["memory_mb"], f"{plain['memory_mb']:.0f}", 800, "{:.0f}"),
        _row("open s", serve["open_s"], f"{plain['open_s']:.1f}", 1.0),
        _row("disk MB, vectors aside", build["index_mb"], f"{plain['disk_mb']:.0f} (all)", None, "{:.0f}"),
        _row("disk MB, with the vectors it shares with the store", build["disk_mb"], NO_REACH, None, "{:.0f}"),
        _row("build s", build["build_s"], NO_REACH, None, "{:.0f}"),
        _row("tune s", build["tune_s"], NO_REACH, None, "{:.0f}"),
        _row("build, peak memory MB", build["peak_mb"], NO_REACH, None, "{:.0f}"),
    ]
    efforts = build["parameters"].get("efforts", {})
    chosen = ", ".join(f"{name} {effort['nprobe']}/{effort['rerank']}" for name, effort in efforts.items())
    recipe = f"Recipe: {build['parameters'].get('lists')} lists, {build['parameters'].get('parts')} parts of 4 bits"
    notes = (
        made,
        f"{recipe}; lists looked through / candidates scored exactly: {chosen}.",
        f"Plain: ids pickled with IndexFlatIP, in memory, one thread; with all {_ms(plain, 'all_threads')} ms.",
        "The texts that were asked are not among those that the index was tuned with.",
    )
    return Table(
        title=f"{COUNT:,} x {DIM}",
        head=("figure", "xuntu", "plain", "reach", "met"),
        rows=rows,
        notes=notes,
        facts=facts,
    )


def _ms(plain: dict, threads: str = "one_thread") -> str:
    return f"{plain[threads]['p50_ms']:.1f}"


def _row(name, value, plain, reach=None, form="{:.2f}", *, at_least=False) -> tuple[str, ...]:
    if reach is None:
        return name, form.format(value), plain, NO_REACH, NO_REACH
    sign = ">=" if at_least else "<"
    return name, form.format(value), plain, f"{sign} {reach}", met(value, reach, at_least=at_least)


def _filter_table(serve: dict) -> Table:
    rows = []
    for share in SHARES:
        for kind in KINDS:
            few, many = (serve[f"{share} {kind}@{k}"] for k in DEPTHS)
            reach = 3 * serve[f"{kind}@10"]["p50_ms"]
            rows.append(
                (
                    f"{share:.1%}",
                    kind,
                    f"{few['recall']:.4f}",
                    f"{many['recall']:.4f}",
                    f"{few['p50_ms']:.2f}",
                    f"{few['p99_ms']:.2f}",
                    f"< {reach:.2f}",
                    met(few["p50_ms"], reach),
                )
            )
    head = ("kept", "queries", "recall@10", "recall@100", "p50 ms", "p99 ms", "reach", "met")
    return Table(title="Filters", head=head, rows=rows, notes=("10 hits; reach is three times the unfiltered p50.",))


def _addition_table(add: dict) -> Table:
    row = (*(f"{add[name]:.2f}" for name in ("open_before_s", "apply_s", "save_s", "open_s", "all_s")),)
    head = ("open s", "apply s", "save s", "open again s", "all s", "find themselves", "reach", "met")
    cells = (*row, f"{add['found']:.1%}", "< 2", met(add["all_s"], 2))
    return Table(title=f"Adding {ADDED:,} to {COUNT:,}", head=head, rows=[cells], facts=add)


def _growth_table(grown: list[dict]) -> Table:
    rows = [
        (
            f"{row['count']:,}",
            row["recipe"],
            f"{row['build_s']:.1f}",
            f"{row['count'] / row['build_s']:,.0f}",
            f"{row['p50_ms']:.2f}",
            f"{row['recall']:.4f}",
        )
        for row in grown
    ]
    head = ("vectors", "recipe", "build s", "vectors a second", "text query p50 ms", "recall@10")
    return Table(title="Growth", head=head, rows=rows, notes=("Without encoding and tuning.",), facts={"rows": grown})


STEPS = {"build": _build, "serve": _serve, "plain": _plain, "add": _add, "grow": _grow}

if __name__ == "__main__":
    print(json.dumps(STEPS[sys.argv[1]](Path(sys.argv[2]), *map(int, sys.argv[3:]))))
