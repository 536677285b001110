"""What keeps several processes answering on one socket: starts them, replaces those that end, and stops them all."""

import asyncio
import contextlib
import logging
import os
import pickle
import signal
import socket
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from prometheus_client.multiprocess import mark_process_dead
from uvicorn.config import STARTUP_FAILURE

from api.config import Settings
from api.http.logs import set_up_logging
from api.http.workers.process import GRACE_SECONDS, PROGRAM
from api.http.workers.share import share_of
from models.foundation.errors import ImageSearchError
from models.foundation.messages import message

logger = logging.getLogger(__name__)

_LONGEST_END = GRACE_SECONDS + 20.0  # seconds, in which a job is interrupted as well
_LONG = 30.0  # seconds: a process that has run so long is replaced at once
_LONGEST_WAIT = 30.0  # seconds before one is replaced that ends again and again


class WorkersFailed(ImageSearchError):
    """The processes of the service cannot start."""

    code = "workers_failed"
    users_mistake = True

    def __init__(self) -> None:
        super().__init__(message("The service could not start: what is wrong stands above."))


class Supervisor:
    """Processes that accept connections on the same socket, whichever is free first."""

    def __init__(self, settings: Settings, listener: socket.socket, page_token: str | None = None) -> None:
        """`page_token`: the secret of the page beside the service."""
        self._count = settings.api.workers
        self._share = share_of(settings)
        self._listener = listener
        self._page_token = page_token
        self._processes: dict[int, asyncio.subprocess.Process] = {}
        self._stopping = asyncio.Event()
        self._failed = False

    def run(self) -> None:
        """Keep them answering until this process gets SIGTERM or SIGINT. Raises WorkersFailed."""
        set_up_logging(self._share.api.log_format)
        with TemporaryDirectory(prefix="xuntu-metrics-") as folder:
            asyncio.run(self._run(Path(folder)))
        if self._failed:
            raise WorkersFailed

    async def _run(self, metrics: Path) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        keepers = [asyncio.create_task(self._keep(number, metrics)) for number in range(self._count)]
        await self._stopping.wait()
        self._listener.close()
        for process in self._processes.values():
            _tell(process, signal.SIGTERM)
        _, late = await asyncio.wait(keepers, timeout=_LONGEST_END)
        if late:
            logger.warning("%d processes take too long to end, and are killed", len(late))
            for process in self._processes.values():
                _tell(process, signal.SIGKILL)
        await asyncio.gather(*keepers)

    async def _keep(self, number: int, metrics: Path) -> None:
        """Keep one process running; one that ends again and again is replaced ever more slowly."""
        loop = asyncio.get_running_loop()
        wait_s = 0.0
        is_first = True
        while not self._stopping.is_set():
            started = loop.time()
            process = self._processes[number] = await self._start(number, metrics)
            if self._stopping.is_set():  # while it was started
                _tell(process, signal.SIGTERM)
            status = await process.wait()
            mark_process_dead(number, str(metrics))  # type: ignore[no-untyped-call]
            if self._stopping.is_set():
                return
            if is_first and status == STARTUP_FAILURE:
                self._failed = True
                self._stopping.set()
                return
            is_first = False
            wait_s = 0.0 if loop.time() - started > _LONG else min(2 * wait_s + 0.5, _LONGEST_WAIT)
            logger.warning(
                "process %d (worker %d) has ended, status %d: another takes its place", process.pid, number, status
            )
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), wait_s)

    async def _start(self, number: int, metrics: Path) -> asyncio.subprocess.Process:
        path = os.pathsep.join(filter(None, sys.path))
        descriptor = self._listener.fileno()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", PROGRAM, str(number), str(descriptor)),
            stdin=asyncio.subprocess.PIPE,
            pass_fds=[descriptor],
            env={**os.environ, "PYTHONPATH": path, "PROMETHEUS_MULTIPROC_DIR": str(metrics)},
            process_group=0,  # a terminal's Ctrl-C comes here alone
        )
        if process.stdin is not None:
            process.stdin.write(pickle.dumps((self._share, self._page_token)))
            with contextlib.suppress(ConnectionError):  # it has ended already
                await process.stdin.drain()
        return process


def _tell(process: asyncio.subprocess.Process, number: int) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)
