"""Clients of the service, run as a program: service_clients.py PORT REQUESTS --connections N --seconds S | --count N.

REQUESTS is a folder whose files are whole HTTP requests, as they are sent. Each connection stays open, and sends the
next request as soon as it has the answer. Prints what they saw as JSON; an end by SIGTERM is one in time.
"""

import argparse
import asyncio
import json
import signal
import time
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from statistics import median

import httptools

_PATIENCE_S = 120


class Clients:
    """What all connections share: the requests, when to stop, and what was seen."""

    def __init__(self, requests: Sequence[bytes], *, count: int) -> None:
        """`count`: how many requests are sent; 0 for any number."""
        self.requests = cycle(requests)
        self.left = count or -1
        self.ms: list[float] = []  # of answers with 200
        self.statuses: dict[int, int] = {}
        self.stopped = False

    def next(self) -> bytes | None:
        """Return what to send, None where it is enough."""
        if self.stopped or not self.left:
            return None
        self.left -= 1
        return next(self.requests)

    def see(self, status: int, took_s: float) -> None:
        """Count an answer; 0 is a connection that broke."""
        self.statuses[status] = self.statuses.get(status, 0) + 1
        if status == 200:
            self.ms.append(1000 * took_s)


class Connection(asyncio.Protocol):
    """One connection. `done` is set when it has nothing more to send, or is closed."""

    def __init__(self, clients: Clients) -> None:
        self.done = asyncio.get_running_loop().create_future()
        self._clients = clients
        self._sent_at: float | None = None
        self._parser = httptools.HttpResponseParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        sent_at, self._sent_at = self._sent_at, None
        assert sent_at is not None
        self._clients.see(self._parser.get_status_code(), time.perf_counter() - sent_at)
        if self._parser.should_keep_alive():
            self._parser = httptools.HttpResponseParser(self)
            self._send()
        else:
            self._transport.close()

    def connection_lost(self, _: Exception | None) -> None:
        if self._sent_at is not None and not self._clients.stopped:
            self._clients.see(0, 0.0)
        if not self.done.done():
            self.done.set_result(None)

    def _send(self) -> None:
        request = self._clients.next()
        if request is None:
            self._transport.close()
            return
        self._sent_at = time.perf_counter()
        self._transport.write(request)


async def ask(port: int, requests: Sequence[bytes], *, connections: int, seconds: float, count: int) -> dict:
    """Ask from so many connections for so long, or until so many requests are sent."""
    clients = Clients(requests, count=count)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, lambda: setattr(clients, "stopped", True))
    if seconds:
        loop.call_later(seconds, lambda: setattr(clients, "stopped", True))
    started = time.perf_counter()

    async def stay() -> None:
        while not clients.stopped and clients.left:
            _, connection = await loop.create_connection(lambda: Connection(clients), "127.0.0.1", port)
            await asyncio.wait_for(connection.done, _PATIENCE_S + seconds if seconds else None)

    await asyncio.gather(*(stay() for _ in range(connections)))
    times = sorted(clients.ms)
    return {
        "seconds": time.perf_counter() - started,
        "answered": len(times),
        "refused": clients.statuses.get(503, 0),
        "others": {str(status): n for status, n in clients.statuses.items() if status not in (200, 503)},
        "p50_ms": median(times) if times else None,
        "p99_ms": times[min(len(times) - 1, len(times) * 99 // 100)] if times else None,
    }


def main() -> None:
    """Ask, and print what was seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("requests", type=Path)
    parser.add_argument("--connections", type=int, required=True)
    parser.add_argument("--seconds", type=float, default=0.0)
    parser.add_argument("--count", type=int, default=0)
    given = parser.parse_args()
    requests = [path.read_bytes() for path in sorted(given.requests.iterdir())]
    asked = ask(given.port, requests, connections=given.connections, seconds=given.seconds, count=given.count)
    print(json.dumps(asyncio.run(asked)))


if __name__ == "__main__":
    main()
