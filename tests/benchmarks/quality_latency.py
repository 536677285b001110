"""What the additions to the bare cosine cost: whole text queries through the engine, each way in turn."""

import time
from collections import Counter
from pathlib import Path

import numpy as np
from clients import QUERIES
from processes import Bench, say
from quality_sets import index
from quality_ways import DEFAULT, RAW, WAYS, Way
from tables import NO_REACH, Table

from api.search.engine import SearchEngine
from api.search.query import Clause, Query
from models.training.starter.pack import TrainingPack

K = 20
ROUNDS = 60
_WARM_UP = 2  # rounds
_EVERYTHING = "everything on"


def measure(bench: Bench, source: Path, library: Path) -> Table:
    """Index the fullest shard of a pack, and ask each way in turn, over and over."""
    shard, _ = Counter(picture.shard for picture in TrainingPack(source).pictures).most_common(1)[0]
    say(f"latency: indexing {shard}")
    index(bench, library, source / shard)
    ways = {RAW: WAYS[RAW], DEFAULT: WAYS[DEFAULT], _EVERYTHING: Way(hub_correction=True, templates="on")}
    engines = {name: way.open(library) for name, way in ways.items()}
    rounds = [[_ask(engines, text) for text in QUERIES] for _ in range(_WARM_UP + ROUNDS)]
    wall, cpu = np.median(rounds[_WARM_UP:], axis=0).transpose(2, 1, 0)  # each (ways, queries)
    rows = [
        (
            name,
            f"{np.median(wall[way]):.2f}",
            f"{np.median(cpu[way]):.2f}",
            f"{np.median(cpu[way] / cpu[0]):.2f}" if way else NO_REACH,
        )
        for way, name in enumerate(ways)
    ]
    pictures = len(engines[RAW].opened.index)
    return Table(
        title="What it costs",
        head=("searched by", "ms a query", "CPU ms a query", f"times {RAW}"),
        rows=rows,
        notes=(
            f"SearchEngine.search for {K} of {pictures:,} pictures, from the words to what is known of the hits.",
            f"{len(QUERIES)} queries, {ROUNDS} rounds, each way in turn; medians of their medians and CPU ratios.",
            f"By {RAW} negation is not read either; with everything on, names are encoded in several sentences.",
        ),
        facts={"pictures": pictures, "cpu_ms": dict(zip(ways, cpu.tolist(), strict=True))},
    )


def _ask(engines: dict[str, SearchEngine], text: str) -> list[tuple[float, float]]:
    """Return for each way how many milliseconds it takes, and of CPU time."""
    return [
        _time(engine, Query(clauses=[Clause(text=text)], k=K, literal=name == RAW)) for name, engine in engines.items()
    ]


def _time(engine: SearchEngine, query: Query) -> tuple[float, float]:
    started = time.perf_counter(), time.process_time()
    engine.search(query)
    return 1000 * (time.perf_counter() - started[0]), 1000 * (time.process_time() - started[1])
