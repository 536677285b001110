"""Concurrent requests -> one encoder call."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

logger = logging.getLogger(__name__)

T = TypeVar("T")
R = TypeVar("R")


class MicroBatcher(Generic[T, R]):
    """Collects items while the encoder is busy and hands them over together as soon as it is free.

    Nobody waits for a batch to fill: a lone item goes at once. How many wait is counted at the door, by requests. `run`
    gets a list and returns as many results, in the same order; it runs on one thread of its own.
    """

    def __init__(
        self,
        run: Callable[[list[T]], Sequence[R]],
        *,
        max_batch: int,
        on_wait: Callable[[float], object] = lambda _: None,
    ) -> None:
        """`on_wait` is told how many seconds each item has waited for its batch."""
        self._run = run
        self._on_wait = on_wait
        self._max_batch = max_batch
        self._waiting: deque[tuple[T, asyncio.Future[R], float]] = deque()
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="encode")
        self._worker: asyncio.Task[None] | None = None

    async def submit(self, item: T) -> R:
        """Return the result for `item`. Raises whatever `run` raises."""
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future, time.perf_counter()))
        if self._worker is None:
            self._worker = asyncio.create_task(self._work())
        return await future

    def close(self) -> None:
        """Let go of the thread; what is waiting still gets its answer."""
        self._executor.shutdown(wait=False)

    async def _work(self) -> None:
        """Run batches until nothing waits."""
        try:
            while self._waiting:
                size = min(self._max_batch, len(self._waiting))
                batch = [self._waiting.popleft() for _ in range(size)]
                now = time.perf_counter()
                for _, _, since in batch:
                    self._on_wait(now - since)
                await self._answer([(item, future) for item, future, _ in batch if not future.done()])
        finally:
            self._worker = None

    async def _answer(self, batch: list[tuple[T, asyncio.Future[R]]]) -> None:
        if not batch:
            return
        try:
            loop = asyncio.get_running_loop()
            results = await loop.run_in_executor(self._executor, self._run, [item for item, _ in batch])
        except Exception as error:
            logger.warning("encoding a batch of %d failed", len(batch), exc_info=True)
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), result in zip(batch, results, strict=True):
            if not future.done():
                future.set_result(result)
