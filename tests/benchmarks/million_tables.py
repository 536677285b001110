"""What million.py prints."""

from million_size import ADDED, COUNT, DEPTHS, DIM, KINDS, PLAIN_COPIES, SHARES, VECTORS_GB, memory_gb
from tables import NO_REACH, Table, met

REACHES_COUNT = 1_000_000  # how many vectors the reaches were set for; recall is asked for at any size


def main_table(facts: dict, made: str) -> Table:
    """Return recall, latency and cost at full size, beside the plain recipe where that was measured."""
    build, serve, plain = facts["build"], facts["serve"], _plain_cells(facts.get("plain"))
    rows = []
    for kind, reach_ms in zip(KINDS, (1.5, 4.0), strict=True):
        few, many = serve[f"{kind}@10"], serve[f"{kind}@100"]
        rows += [
            _row(f"{kind} queries, recall@10", few["recall"], plain["recall"], 0.98, "{:.4f}", at_least=True),
            _row(f"{kind} queries, recall@100", many["recall"], plain["recall"], 0.98, "{:.4f}", at_least=True),
            _row(f"{kind} queries, 10 hits, p50 ms", few["p50_ms"], plain["p50_ms"], _reach(reach_ms)),
            _row(f"{kind} queries, 10 hits, p99 ms", few["p99_ms"], plain["p99_ms"]),
            _row(f"{kind} queries, 10 hits, median CPU ms", few["cpu_ms"], plain["cpu_ms"]),
            _row(f"{kind} queries, 100 hits, p50 ms", many["p50_ms"]),
            _row(f"{kind} queries, 100 hits, median CPU ms", many["cpu_ms"]),
            _row(f"{kind} queries a second, 32 at a time", serve[f"{kind}_qps"], plain["qps"], None, "{:.0f}"),
        ]
    if "plain" in facts:
        faster = facts["plain"]["one_thread"]["p50_ms"] / serve["text@10"]["p50_ms"]
        rows.append(_row("times as fast as plain (text)", faster, "1", _reach(20), "{:.0f}", at_least=True))
    rows += [
        _row("resident memory MB", serve["memory_mb"], plain["memory_mb"], _reach(800), "{:.0f}"),
        _row("open s", serve["open_s"], plain["open_s"], _reach(1.0)),
        _row("open, CPU s", serve["open_cpu_s"]),
        _row("disk MB, vectors aside", build["index_mb"], plain["disk_mb"], None, "{:.0f}"),
        _row("disk MB, with the vectors it shares with the store", build["disk_mb"], form="{:.0f}"),
        _row("build s", build["build_s"], form="{:.0f}"),
        _row("build, CPU s", build["build_cpu_s"], form="{:.0f}"),
        _row("tune s", build["tune_s"], form="{:.0f}"),
        _row("build, peak memory MB", build["peak_mb"], form="{:.0f}"),
    ]
    search_params = build["parameters"].get("efforts", {})
    chosen = ", ".join(f"{name} {params['nprobe']}/{params['rerank']}" for name, params in search_params.items())
    recipe = f"Recipe: {build['parameters'].get('lists')} lists, {build['parameters'].get('parts')} parts of 4 bits"
    notes = (
        made,
        f"{recipe}; lists looked through / candidates scored exactly: {chosen}.",
        plain["note"],
        "The texts that were asked are not among those that the index was tuned with.",
    )
    return Table(
        title=f"{COUNT:,} x {DIM}",
        head=("figure", "xuntu", "plain", "reach", "met"),
        rows=rows,
        notes=notes,
        facts=facts,
    )


def _plain_cells(plain: dict | None) -> dict[str, str]:
    """Return the cells of the plain recipe, and a note on it; `plain` is None where it was left out."""
    if plain is None:
        names = ("recall", "p50_ms", "p99_ms", "cpu_ms", "qps", "memory_mb", "open_s", "disk_mb")
        needed = f"pickling it takes {PLAIN_COPIES} times its {VECTORS_GB:.1f} GB, and there are {memory_gb():.1f} GB"
        return dict.fromkeys(names, NO_REACH) | {"note": f"Plain: left out, for it does not fit into memory: {needed}."}
    alone, together = plain["one_thread"], plain["all_threads"]
    return {
        "recall": "1.0000",
        "p50_ms": f"{alone['p50_ms']:.1f}",
        "p99_ms": f"{alone['p99_ms']:.1f}",
        "cpu_ms": f"{alone['cpu_ms']:.1f}",
        "qps": f"{plain['qps']:.0f}",
        "memory_mb": f"{plain['memory_mb']:.0f}",
        "open_s": f"{plain['open_s']:.1f}",
        "disk_mb": f"{plain['disk_mb']:.0f} (all)",
        "note": f"Plain: ids pickled with IndexFlatIP, in memory, one thread; with all {together['p50_ms']:.1f} ms.",
    }


def _reach(value: float) -> float | None:
    return value if COUNT <= REACHES_COUNT else None


def _row(name, value, plain=NO_REACH, reach=None, form="{:.2f}", *, at_least=False) -> tuple[str, ...]:
    if reach is None:
        return name, form.format(value), plain, NO_REACH, NO_REACH
    sign = ">=" if at_least else "<"
    return name, form.format(value), plain, f"{sign} {reach}", met(value, reach, at_least=at_least)


def filter_table(serve: dict) -> Table:
    """Return recall and latency under filters."""
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


def addition_table(add: dict) -> Table:
    """Return how long it takes until pictures that were added are found."""
    row = [f"{add[name]:.2f}" for name in ("open_before_s", "apply_s", "save_s", "open_s", "all_cpu_s", "all_s")]
    head = ("open s", "apply s", "save s", "open again s", "all, CPU s", "all s", "find themselves", "reach", "met")
    cells = (*row, f"{add['found']:.1%}", "< 2", met(add["all_s"], 2))
    return Table(title=f"Adding {ADDED:,} to {COUNT:,}", head=head, rows=[cells], facts=add)


def growth_table(grown: list[dict]) -> Table:
    """Return build rate and latency at each size."""
    rows = [
        (
            f"{row['count']:,}",
            row["recipe"],
            f"{row['build_s']:.1f}",
            f"{row['build_cpu_s']:.1f}",
            f"{row['count'] / row['build_cpu_s']:,.0f}",
            f"{row['p50_ms']:.2f}",
            f"{row['cpu_ms']:.2f}",
            f"{row['recall']:.4f}",
        )
        for row in grown
    ]
    head = (
        *("vectors", "recipe", "build s", "CPU s", "vectors a CPU second"),
        *("text query p50 ms", "its median CPU ms", "recall@10"),
    )
    notes = ("Without encoding and tuning. Where other programs take turns, CPU time is what tells sizes apart.",)
    return Table(title="Growth", head=head, rows=rows, notes=notes, facts={"rows": grown})
