"""One process that answers: the service itself, or one of several beside each other.

One of several is started by the supervisor, which gives it the listening socket, and its settings on standard input.
It ends when that is closed, as it is when the supervisor ends, however that happens.
"""

import contextlib
import os
import pickle
import signal
import socket
import sys
import threading
from types import FrameType

import uvicorn
from prometheus_client import values

from api.config import Settings, is_loopback
from api.http.app import create_app
from api.http.connections import bounded_protocol
from api.http.libraries import Libraries
from api.http.logs import set_up_logging
from api.keys.records import split_names

GRACE_SECONDS = 10  # that answers are given to be finished
PROGRAM = "from api.http.workers.process import main; main()"


def answer(settings: Settings, listener: socket.socket, *, page_token: str | None = None, worker: str = "0") -> None:
    """Answer requests on a listening socket until the process is told to stop; what is begun is finished.

    `page_token` is the secret of the page beside it; `worker` is what the process is called among several.
    """
    # uvicorn sends itself the signal that stopped it once more when it is done; what is around this ends in order.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    set_up_logging(settings.api.log_format)
    app = create_app(settings, local_only=is_loopback(settings.api.host), page_token=page_token, worker=worker)
    config = uvicorn.Config(
        app,
        http=bounded_protocol(settings.api),
        ws="none",
        log_config=None,
        log_level="warning",
        access_log=False,
        forwarded_allow_ips=split_names(settings.api.trusted_proxies),
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    _Server(config, app.state.libraries).run(sockets=[listener])


class _Server(uvicorn.Server):
    """Says at once that it is stopping, so that jobs that are stopped with it go on later, and their streams end."""

    def __init__(self, config: uvicorn.Config, libraries: Libraries) -> None:
        super().__init__(config)
        self._libraries = libraries

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Handle a signal."""
        self._libraries.begin_to_stop()
        super().handle_exit(sig, frame)


def main() -> None:
    """Be one of several: the arguments are its number, and the descriptor of the listening socket."""
    number, descriptor = sys.argv[1:3]
    # Its figures go on under its number: one that takes its place counts on, and there is no series for each that was.
    values.ValueClass = values.MultiProcessValue(lambda: number)  # type: ignore[no-untyped-call]
    given: tuple[Settings, str | None] = pickle.load(sys.stdin.buffer)  # noqa: S301 - the supervisor alone writes here
    threading.Thread(target=_end_with_supervisor, daemon=True).start()
    with socket.socket(fileno=int(descriptor)) as listener, contextlib.suppress(KeyboardInterrupt):
        answer(given[0], listener, page_token=given[1], worker=number)


def _end_with_supervisor() -> None:
    """Wait until standard input is closed, then have this process end as if it had been told to."""
    os.read(0, 1)
    os.kill(os.getpid(), signal.SIGTERM)
