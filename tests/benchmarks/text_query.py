"""How fast a text query is answered over HTTP, by the real server on the loopback address."""

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from processes import XUNTU, Bench, clean_environment, say
from tables import NO_REACH, Table

REQUESTS = 2_000
CLIENTS = (1, 32)
_CLIENTS = Path(__file__).with_name("clients.py")
_CLIENTS_NOTE = (
    "Queries: 10 Chinese and 10 English ones in turn. The clients are threads of one process beside the server's, on "
    "the same processors (http.client; bodies are read at once, and parsed after the last request). Encode and search "
    "are what the server says of itself, waiting for a thread or a batch included."
)
_READY_SECONDS = 60


def measure(bench: Bench) -> list[Table]:
    """Ask the server with one client, then with many."""
    bench.ensure_library()
    rows, facts = [], {}
    with _server(bench) as port:
        for clients in CLIENTS:
            finished = bench.run([sys.executable, str(_CLIENTS), str(port), str(clients), str(REQUESTS)])
            found = json.loads(finished.stdout)
            facts[f"{clients}_clients"] = found
            rows.append(
                [
                    str(clients),
                    f"{found['p50_ms']:.1f}",
                    f"{found['p99_ms']:.1f}",
                    f"{found['requests_per_second']:.0f}",
                    f"{found['encode_ms']:.2f} + {found['search_ms']:.2f}",
                    str(found["refused"]),
                    NO_REACH,
                ]
            )
            say(f"text query, {clients} clients: {rows[-1]}")
    return [
        Table(
            title="Text query over HTTP",
            head=(
                "keep-alive clients",
                "p50 ms",
                "p99 ms",
                "requests/s",
                "encode + search ms, p50",
                "refused",
                "reach",
            ),
            rows=rows,
            notes=(
                f"`GET /v1/search?q=…&k=20` over {bench.pictures} photographs, {REQUESTS} requests a row.",
                _CLIENTS_NOTE,
            ),
            facts=facts,
        )
    ]


@contextmanager
def _server(bench: Bench) -> Iterator[int]:
    """Run `xuntu serve` until it is no longer needed; yield its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [XUNTU, "serve", "--port", str(port), "--data", str(bench.library)]
    process = subprocess.Popen(command, cwd=bench.folder, env=clean_environment())
    try:
        _wait_until_ready(process, f"http://127.0.0.1:{port}/readyz")
        yield port
    finally:
        process.terminate()
        process.wait(30)


def _wait_until_ready(process: subprocess.Popen[bytes], address: str) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.05)
    raise RuntimeError(f"the server was not ready after {_READY_SECONDS} s, or has ended: {process.poll()}")
