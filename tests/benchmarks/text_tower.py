"""How fast a text becomes a vector of the ViT-B/16, against cn_clip; and the memory a service of text searches takes.

Run as a program it prints the milliseconds of every encoding, and those of CPU time, as JSON: text_tower.py WEIGHTS
THREADS ROUNDS, where 0 threads are each recipe's own number.
"""

import json
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median

from encoders import BUSY_NOTE, RANDOM_NOTE, VIT, describe_int8, ensure_exports, skip
from photographs import list_photographs
from processes import XUNTU, Bench, clean_environment, say
from service_process import wait_until_ready
from tables import NO_REACH, Table, met

QUERY = "一只小狗在草地上奔跑"
TOKENS = 12
ROUNDS = 200
ROUNDS_ON_ONE_THREAD = 40
REACH = 10.0  # times cn_clip
PICTURES = 32
REACH_MB = 700
_FORMS = ("int8", "fp32")
_FIGURES = re.compile(r"^(VmHWM|VmRSS|RssAnon|RssFile|Pss):\s+(\d+)", re.MULTILINE)
_WARM_UP = 5
_CLIENTS = Path(__file__).with_name("clients.py")
_SPEED_TITLE = "Text tower"
_SPEED_HEAD = (
    "ViT-B/16",
    "p50 ms",
    "p99 ms",
    "times plain",
    "one thread, CPU ms",
    "times plain on one thread",
    "reach",
    "met",
)
_MEMORY_TITLE = "Memory of a service of text searches"
_MEMORY_HEAD = (
    "ViT-B/16 export",
    "peak MB",
    "MB at the end",
    "of that its own",
    "of that mapped files",
    "reach",
    "met",
)
_MEMORY_NOTE = (
    "`xuntu serve` with XUNTU_API__PRELOAD_IMAGE=false, after 150 text queries: VmHWM, VmRSS, RssAnon, RssFile of "
    "/proc/PID/status. Mapped files, here libraries, can be given back under pressure."
)


def measure(bench: Bench) -> list[Table]:
    """Encode one query over and over, by each recipe in turn, in one process."""
    if missing := skip(_SPEED_TITLE, _SPEED_HEAD):
        return missing
    program = [sys.executable, __file__, str(ensure_exports(bench))]
    times = json.loads(bench.run([*program, "0", str(ROUNDS)]).stdout)["wall"]
    alone = json.loads(bench.run([*program, "1", str(ROUNDS_ON_ONE_THREAD)]).stdout)["cpu"]
    rows = []
    for name, found in times.items():
        ratio, aim = median(times["plain"]) / median(found), name == "int8"
        alone_ratio = median(alone["plain"]) / median(alone[name])
        rows.append(
            [
                "plain, torch fp32, 52 tokens" if name == "plain" else f"xuntu, {name} export, {TOKENS} tokens",
                f"{median(found):.1f}",
                f"{sorted(found)[len(found) * 99 // 100]:.1f}",
                f"{ratio:.1f}",
                f"{median(alone[name]):.1f}",
                f"{alone_ratio:.1f}",
                f">= {REACH:g}" if aim else NO_REACH,
                met(min(ratio, alone_ratio), REACH, at_least=True) if aim else NO_REACH,
            ]
        )
        say(f"text tower, {name}: {rows[-1]}")
    notes = (
        f"“{QUERY}”, one text at a time, warm, in turn in one process, {ROUNDS} times each, tokens included.",
        "Plain: cn_clip's tokenize, which fills up to 52 tokens, and encode_text, with torch's own number of threads.",
        "Met: both ratios are. CPU time on one thread hardly changes with what else the machine does.",
        BUSY_NOTE,
        describe_int8(),
        RANDOM_NOTE,
    )
    facts = {"ms": times, "one_thread_cpu_ms": alone}
    return [Table(title=_SPEED_TITLE, head=_SPEED_HEAD, rows=rows, notes=notes, facts=facts)]


def measure_memory(bench: Bench) -> list[Table]:
    """Start a server on each export, ask it for texts, and see what memory it has taken."""
    if missing := skip(_MEMORY_TITLE, _MEMORY_HEAD):
        return missing
    weights = ensure_exports(bench)
    library = _make_library(bench, weights)
    rows, facts = [], {}
    for form in _FORMS:
        found = facts[form] = _serve(bench, library, {"XUNTU_WEIGHTS": str(weights), "XUNTU_PRECISION": form})
        columns = [f"{found[name]:.0f}" for name in ("VmHWM", "VmRSS", "RssAnon", "RssFile")]
        aim = [f"< {REACH_MB} MB", met(found["VmHWM"], REACH_MB)] if form == "int8" else [NO_REACH, NO_REACH]
        rows.append([form, *columns, *aim])
        say(f"text-only memory, {form}: {found}")
    notes = (_MEMORY_NOTE, f"The library has {PICTURES} photographs: vectors of more come on top.", RANDOM_NOTE)
    return [Table(title=_MEMORY_TITLE, head=_MEMORY_HEAD, rows=rows, notes=notes, facts=facts)]


def _make_library(bench: Bench, weights: Path) -> Path:
    photographs, library = bench.folder / "few-photographs", bench.folder / "text-library"
    for folder in (photographs, library):
        shutil.rmtree(folder, ignore_errors=True)
    photographs.mkdir()
    for path in islice(list_photographs(bench.photographs, bench.pictures), PICTURES):
        shutil.copy(path, photographs)
    bench.build(library, photographs, "--encoder", VIT, settings={"XUNTU_WEIGHTS": str(weights)})
    return library


def _serve(bench: Bench, library: Path, settings: dict[str, str]) -> dict[str, float]:
    """Return the memory in MB of a server that has answered queries, by the names of /proc/PID/status; and Pss."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    environment = clean_environment() | settings | {"XUNTU_API__PRELOAD_IMAGE": "false"}
    command = [XUNTU, "serve", "--port", str(port), "--data", str(library)]
    process = subprocess.Popen(command, cwd=bench.folder, env=environment)
    try:
        wait_until_ready(process, f"http://127.0.0.1:{port}/readyz")
        bench.run([sys.executable, str(_CLIENTS), str(port), "1", "50"])
        folder = Path("/proc") / str(process.pid)
        read = "".join((folder / name).read_text(encoding="utf-8") for name in ("status", "smaps_rollup"))
    finally:
        process.terminate()
        process.wait(30)
    return {name: int(kb) * 1024 / 1e6 for name, kb in _FIGURES.findall(read)}


def _measure_speed(weights: Path, threads: int, rounds: int) -> dict[str, dict[str, list[float]]]:
    """Return the milliseconds of each encoding by each recipe, "wall" and "cpu"."""
    import torch
    from plain_clip import encode_text, load

    from models.encoders.registry import get_published, load_text_encoder
    from models.encoders.runtime import Runtime

    if threads:
        torch.set_num_threads(threads)
    model, _ = load(weights / VIT / "clip_cn_vit-b-16.pt")
    published = get_published(VIT)
    assert published is not None
    tokens = published.load_tokenizer(published.folder(Runtime(weights=weights))).tokenize(QUERY)
    assert len(tokens.ids) == TOKENS, tokens
    recipes: dict[str, Callable[[list[str]], object]] = {"plain": partial(encode_text, model)}
    for form in _FORMS:
        runtime = Runtime(weights=weights, precision=form, threads=threads)
        recipes[form] = load_text_encoder(VIT, runtime).encode_text
    found: dict[str, dict[str, list[float]]] = {clock: {name: [] for name in recipes} for clock in ("wall", "cpu")}
    for number in range(_WARM_UP + rounds):
        for name, encode in recipes.items():
            time.sleep(0.02)  # until the other recipe's threads no longer spin
            started, cpu_started = time.perf_counter(), time.process_time()
            encode([QUERY])
            if number >= _WARM_UP:
                found["cpu"][name].append(1000 * (time.process_time() - cpu_started))
                found["wall"][name].append(1000 * (time.perf_counter() - started))
    return found


if __name__ == "__main__":
    print(json.dumps(_measure_speed(Path(sys.argv[1]), *map(int, sys.argv[2:]))))
