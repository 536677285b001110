"""The service under load: how fast it answers, what a request costs it, and how much memory it takes.

XUNTU_BENCH_FULL                 1: as it is recorded; else a small form of it, for developing
XUNTU_BENCH_COUNT                vectors that no picture has, beside those of the photographs [1000000; small: 5000]
"""

import http.client
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from processes import Bench, say
from service_library import ensure_large_library
from service_process import Served, served
from service_requests import hostile_bodies, write_requests
from service_tables import beside_table, load_table, memory_table, stage_table
from tables import Table

_FULL = os.environ.get("XUNTU_BENCH_FULL") == "1"
COUNT = int(os.environ.get("XUNTU_BENCH_COUNT", "1000000" if _FULL else "5000"))
ROUNDS, SECONDS, MIXED = (5, 10.0, 50_000) if _FULL else (2, 0.6, 800)
FIRST, MIXED_CONNECTIONS, UPLOADING = 500, 16, 16
LOADS = {  # kind of request -> connections at once
    "text": (1, 16, 64, 500),
    "box": (1, 16, 64),
    "upload": (1, 16),
    "thumbnail": (1, 16),
    "made": (1, 16),
}
_CLIENTS = Path(__file__).with_name("service_clients.py")


@dataclass(frozen=True, slots=True)
class _Asker:
    """Clients of a service, and the requests they send."""

    bench: Bench
    service: Served
    requests: Path

    def ask(self, kind: str, connections: int, *, seconds: float = 0.0, count: int = 0) -> dict:
        """Ask, and return what clients and service say of it."""
        before, cpu_s = self.service.counted(), self.service.cpu_s()
        finished = self.bench.run(self._command(kind, connections, seconds, count))
        spent_s, after = self.service.cpu_s() - cpu_s, self.service.counted()
        found = json.loads(finished.stdout)
        counted = {name: value - before.get(name, 0.0) for name, value in after.items()}
        return {**found, "cpu_s": spent_s, "client_cpu_s": finished.cpu_s, "counted": counted}

    @contextmanager
    def asking(self, kind: str, connections: int) -> Iterator[None]:
        """Ask as long as the context lasts."""
        process = subprocess.Popen(self._command(kind, connections, 0.0, 0), stdout=subprocess.DEVNULL)
        try:
            while process.poll() is None and self.service.counted()["xuntu_in_flight"] < connections / 2:
                time.sleep(0.05)
            yield
        finally:
            process.terminate()
            process.wait(60)

    def _command(self, kind: str, connections: int, seconds: float, count: int) -> list[str]:
        where = [sys.executable, str(_CLIENTS), str(self.service.port), str(self.requests / kind)]
        return [*where, "--connections", str(connections), "--seconds", str(seconds), "--count", str(count)]


def measure(bench: Bench) -> list[Table]:
    """Put the service under load, one kind of request after the other, in rounds; then look at its memory."""
    library, requests = ensure_large_library(bench, COUNT), bench.folder / f"service-requests-{bench.pictures}"
    write_requests(requests, bench.pictures)
    with served(bench, library) as service:
        asker = _Asker(bench, service, requests)
        loads, alone, beside = _measure_loads(asker)
    with served(bench, library) as service:
        mixed = _measure_mixed(_Asker(bench, service, requests))
    with served(bench, library) as service:
        hostile = _measure_hostile(service)
    size = f"{bench.pictures + COUNT:,}"
    return [
        load_table(loads, size, rounds=ROUNDS, seconds=SECONDS),
        stage_table(loads),
        beside_table(alone, beside, uploading=UPLOADING),
        memory_table(mixed, hostile),
    ]


def _measure_loads(asker: _Asker) -> tuple[dict, list[dict], list[dict]]:
    """Return what was seen in each round of each load; and of one who asks texts alone, and beside uploads."""
    loads: dict[tuple[str, int], list[dict]] = {
        (kind, connections): [] for kind, many in LOADS.items() for connections in many
    }
    alone: list[dict] = []
    beside: list[dict] = []
    for kind in LOADS:
        asker.ask(kind, 16, seconds=SECONDS / 2)  # what is loaded at the first request
    for number in range(ROUNDS):
        for (kind, connections), rounds in loads.items():
            rounds.append(asker.ask(kind, connections, seconds=SECONDS))
            say(f"service, round {number + 1}: {kind}, {connections}: {_say(rounds[-1])}")
        alone.append(asker.ask("text", 1, seconds=SECONDS))
        with asker.asking("upload", UPLOADING):
            beside.append(asker.ask("text", 1, seconds=SECONDS))
        say(f"service, round {number + 1}: texts beside uploads: {_say(beside[-1])}")
    return loads, alone, beside


def _say(found: dict) -> str:
    return f"{found['answered']} answered, {found['refused']} refused, p50 {found['p50_ms'] or 0:.1f} ms"


def _measure_mixed(asker: _Asker) -> dict:
    """Return the memory of a service after its first requests, and after many."""
    facts: dict[str, object] = {"at_start_mb": asker.service.memory_mb()}
    done = 0
    for count in (FIRST, MIXED):
        found = asker.ask("mixed", MIXED_CONNECTIONS, count=count - done)
        done = count
        say(f"service, mixed, after {count}: {_say(found)}, {asker.service.memory_mb():.0f} MB")
        facts |= {f"after_{count}_mb": asker.service.memory_mb(), f"statuses_until_{count}": found["others"]}
    return facts | {"first": FIRST, "all": MIXED, "peak_mb": asker.service.peak_memory_mb()}


def _measure_hostile(service: Served) -> dict:
    """Return the most memory of a service after bodies that do harm, and how they were answered."""
    facts: dict[str, object] = {"at_start_mb": service.peak_memory_mb()}
    steps = {}
    for name, requests in hostile_bodies():
        with service.watched() as watch:
            statuses = _send_together(service.port, requests)
        steps[name] = {"statuses": statuses, "peak_mb": service.peak_memory_mb(), "together_mb": watch.peak_mb}
        say(f"service, {name}: {statuses}, {service.peak_memory_mb():.0f} MB, together {watch.peak_mb:.0f} MB")
    ended = {name: n for name, n in service.counted().items() if name.startswith("xuntu_decode_workers_ended_total")}
    return facts | {"steps": steps, "workers_ended": ended}


def _send_together(port: int, requests: Sequence[tuple[str, str, bytes]]) -> dict[str, int]:
    """Return how often each status was answered; "closed" is a connection that was closed before all was sent."""

    def send(request: tuple[str, str, bytes]) -> str:
        path, kind, body = request
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        try:
            connection.request("POST", path, body, {"Content-Type": kind})
            return str(connection.getresponse().status)
        except ConnectionError:
            return "closed"
        finally:
            connection.close()

    with ThreadPoolExecutor(len(requests)) as pool:
        return dict(Counter(pool.map(send, requests)))
