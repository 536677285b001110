"""A few worker processes, each lent to one picture at a time, ended when it takes too long or nobody waits for it."""

import asyncio
import logging
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from api.http.decoding.jobs import DecodeJob, restore_error
from api.http.decoding.process import Facts, WorkerDied, WorkerProcess
from api.http.metrics import Metrics
from models.pictures.errors import DecodeError

T = TypeVar("T")

logger = logging.getLogger(__name__)

_START_SECONDS = 60.0  # a process that has not begun by then will not


class WorkerPool:
    """Worker processes, started when they are first needed. For one event loop."""

    def __init__(self, count: int, deadline_s: float, metrics: Metrics) -> None:
        self.workers = [WorkerProcess() for _ in range(count or min(2, os.cpu_count() or 1))]
        self._deadline_s = deadline_s
        self._metrics = metrics
        self._idle = [*reversed(self.workers)]
        self._turns = asyncio.Semaphore(len(self.workers))
        # A worker ends with the thread that started it, so these threads stay.
        self._threads = ThreadPoolExecutor(len(self.workers), thread_name_prefix="decode")

    async def run(self, job: DecodeJob, *, most_bytes: int = 0) -> tuple[Facts, bytearray]:
        """Have a worker do a job, and return what it answers, with at most `most_bytes`.

        Raises what the worker says is wrong, and DecodeError (crashed, too_slow). Where the task that waits is
        cancelled, the worker is ended.
        """
        await self._turns.acquire()
        worker = self._idle.pop()
        try:
            await self._on_thread(worker, _START_SECONDS, worker.start)
            started = time.perf_counter()
            facts, body = await self._on_thread(
                worker, self._deadline_s, lambda: worker.ask(job, most_bytes=most_bytes)
            )
            self._metrics.decode_seconds.labels(job.task).observe(time.perf_counter() - started)
        finally:
            self._idle.append(worker)
            self._turns.release()
        if "error" in facts:
            raise restore_error(facts)
        return facts, body

    def close(self) -> None:
        """End the processes, and let go of the threads."""
        for worker in self.workers:
            worker.kill()
        for worker in self._idle:
            worker.discard()
        self._threads.shutdown(wait=False)

    async def _on_thread(self, worker: WorkerProcess, seconds: float, work: Callable[[], T]) -> T:
        """Wait for what a worker does, at most so long; it is at rest, or ended, when this is over."""
        doing = asyncio.get_running_loop().run_in_executor(self._threads, work)
        try:
            done, _ = await asyncio.wait({doing}, timeout=seconds)
        except asyncio.CancelledError:
            await self._end(worker, doing, "gone")
            raise
        if not done:
            await self._end(worker, doing, "slow")
            raise DecodeError("too_slow", f"{seconds:g}")
        try:
            return doing.result()
        except WorkerDied as died:
            await self._end(worker, doing, "died")
            raise DecodeError("crashed") from died

    async def _end(self, worker: WorkerProcess, doing: "asyncio.Future[T]", why: str) -> None:
        """End a worker in the middle of its work; the next job starts another."""
        logger.warning("a decoding process was ended: %s", why)
        self._metrics.decode_workers_ended.labels(why).inc()
        worker.kill()
        while not doing.done():  # soon, now that it is dead; further cancelling does not hurry it
            try:
                await asyncio.wait({doing})
            except asyncio.CancelledError:
                continue
        doing.exception()
        worker.discard()
