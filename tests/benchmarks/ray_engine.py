"""How fast a Ray cluster of this machine encodes, against the engine without one; and what a kill costs."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from photographs import first_part
from processes import INDEXER, Bench, Finished, clean_environment, say
from tables import NO_REACH, Table, met

from models.foundation.devices import count_cpus

REPETITIONS = 3
OVERHEAD = 1.15  # times as long as the local engine may a picture take at equal processors
_MACHINES = Path(__file__).resolve().parents[1] / "indexer" / "ray_machines.py"
_RAY = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_AUTH_MODE": "disabled",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_agent_register_timeout_ms": "300000",
    "RAY_raylet_start_wait_time_s": "240",
}


def measure(bench: Bench) -> list[Table]:
    """Index with each engine in turn, over and over; then kill a worker, a machine and a run."""
    return [_compare(bench), _kill(bench)]


def _compare(bench: Bench) -> Table:
    engines = {"local": ("local", 0), **{f"ray, {n} workers": ("ray", n) for n in (1, 2, 4)}}
    fewer, more = first_part(bench.pictures), bench.pictures
    rates: dict[str, list[float]] = {name: [] for name in engines}
    starts: dict[str, list[float]] = {name: [] for name in engines}
    for number in range(REPETITIONS):
        for name, (engine, workers) in engines.items():
            short = _index(bench, bench.first_photographs, engine, workers).wall_s
            long = _index(bench, bench.photographs, engine, workers).wall_s
            rates[name].append((more - fewer) / (long - short))
            starts[name].append(short - fewer / rates[name][-1])
            say(f"{name}, {number + 1} of {REPETITIONS}: {rates[name][-1]:.0f} a second")
    ratios = {name: [a / b for a, b in zip(rates["local"], own, strict=True)] for name, own in rates.items()}
    equal = f"ray, {min(4, count_cpus())} workers"
    rows = [
        [
            name,
            f"{median(rates[name]):.1f}",
            f"{median(ratios[name]):.2f} ({min(ratios[name]):.2f} to {max(ratios[name]):.2f})",
            f"{median(starts[name]):.1f} s",
            f"<= {OVERHEAD:g}" if name == equal else NO_REACH,
            met(median(ratios[name]), OVERHEAD) if name == equal else NO_REACH,
        ]
        for name in engines
    ]
    return Table(
        title="Encoding on a Ray cluster of this machine",
        head=["engine", "photographs a second", "time a photograph, local = 1", "everything else", "aim", "met"],
        rows=rows,
        notes=[
            f"{count_cpus()} processors; a worker counts as one. Median of {REPETITIONS}.",
            f"The rate is that of {more - fewer} photographs, the difference of runs over {more} and {fewer}.",
            "Everything else is starting and publishing.",
        ],
        facts={"rates": rates, "ratios": ratios, "everything_else_s": starts},
    )


def _index(bench: Bench, photographs: Path, engine: str, workers: int) -> Finished:
    library = bench.folder / "ray-library"
    shutil.rmtree(library, ignore_errors=True)
    options = ["--engine", engine, *(["--workers", str(workers)] if workers else [])]
    report, finished = bench.build(library, photographs, *options, settings=_RAY)
    assert report["encoded"] == report["seen"], report
    return finished


def _kill(bench: Bench) -> Table:
    kinds: dict[str, Callable[[subprocess.Popen[bytes], subprocess.Popen[str], list[str]], None] | None] = {
        "nothing": None,
        "a worker": lambda _run, _machines, _nodes: os.kill(_find_worker(), signal.SIGKILL),
        "a machine of two": lambda _run, machines, nodes: _tell(machines, nodes[0]),
        "the run, started again": lambda run, _machines, _nodes: run.kill(),
    }
    seconds = {name: _index_killed(bench, kill) for name, kill in kinds.items()}
    rows = [[name, f"{took:.1f} s", f"{took - seconds['nothing']:+.1f} s"] for name, took in seconds.items()]
    return Table(
        title="What a kill costs a run on a cluster",
        head=["killed half-way", f"indexing {bench.pictures} photographs", "against nothing"],
        rows=rows,
        notes=["Two machines of one processor each, as processes of this one; a machine that is killed stays away."],
        facts={"seconds": seconds},
    )


def _index_killed(
    bench: Bench, kill: Callable[["subprocess.Popen[bytes]", "subprocess.Popen[str]", list[str]], None] | None
) -> float:
    """Return the seconds until all is indexed where something is killed once a part of it is."""
    library, environment = bench.folder / "ray-library", clean_environment() | _RAY
    shutil.rmtree(library, ignore_errors=True)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, str(_MACHINES)], env=environment, **pipes) as machines:
        address, _, *nodes = machines.stdout.readline().split()
        shared = {"XUNTU_CLUSTER__SHARED": str(bench.folder / "ray-shared"), "XUNTU_CLUSTER__SHARD": "64"}
        command = [*INDEXER, "build", str(bench.photographs), "--data", str(library), "--engine", f"ray:{address}"]
        started = time.perf_counter()
        with _start(command, environment | shared) as run:
            if kill is not None:
                _wait_for_part(library, bench.pictures // 2, run)
                kill(run, machines, nodes)
            run.wait()
        while run.returncode:
            with _start(command, environment | shared) as run:
                run.wait()
        took = time.perf_counter() - started
        machines.stdin.close()
    return took


def _start(command: list[str], environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _wait_for_part(library: Path, pictures: int, run: "subprocess.Popen[bytes]") -> None:
    """Wait until there are so many thumbnails: the run has taken these in."""
    while run.poll() is None and sum(1 for _ in library.glob("thumbnails/*/*.webp")) < pictures:
        time.sleep(0.05)


def _find_worker() -> int:
    """Return the process of a worker."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes().startswith(b"ray::ShardWorker"):
                return int(path.parent.name)
        except OSError:
            continue
    raise AssertionError("there is no worker")


def _tell(machines: "subprocess.Popen[str]", node: str) -> None:
    machines.stdin.write(f"{node}\n")
    machines.stdin.flush()
    machines.stdout.readline()
