"""How fast a text query is answered over HTTP, by the real server on the loopback address."""

import json
import sys
from pathlib import Path

from processes import Bench, say
from service_process import served
from tables import NO_REACH, Table

REQUESTS = 2_000
CLIENTS = (1, 32)
_CLIENTS = Path(__file__).with_name("clients.py")
_CLIENTS_NOTE = (
    "Queries: 10 Chinese and 10 English ones in turn. The clients are threads of one process beside the server's, on "
    "the same processors (http.client; bodies are read at once, and parsed after the last request). Encode and search "
    "are what the server says of itself, waiting for a thread or a batch included."
)


def measure(bench: Bench) -> list[Table]:
    """Ask the server with one client, then with many."""
    bench.ensure_library()
    rows, facts = [], {}
    with served(bench, bench.library) as service:
        for clients in CLIENTS:
            finished = bench.run([sys.executable, str(_CLIENTS), str(service.port), str(clients), str(REQUESTS)])
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
