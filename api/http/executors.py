"""The threads of the service, by what they wait for: nobody who searches stands in line behind a disk."""

import asyncio
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_DISKS = 8  # files that are read at once: threads that wait, mostly


class Executors:
    """Threads that search and read the catalog, and threads that read files; decoding has processes of its own."""

    def __init__(self, on_wait: Callable[[str, float], object] = lambda *_: None) -> None:
        """`on_wait` is told, by threads, how many seconds work has waited for one of them, and of which kind."""
        self._on_wait = on_wait
        self._search = ThreadPoolExecutor(2 + (os.cpu_count() or 1), thread_name_prefix="search")
        self._files = ThreadPoolExecutor(_DISKS, thread_name_prefix="files")

    async def search(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run what plans and ranks, or asks the catalog."""
        return await self._run("search", self._search, lambda: work(*args, **kwargs))

    async def files(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run what waits for a disk, or the place where a library's pictures lie."""
        return await self._run("files", self._files, lambda: work(*args, **kwargs))

    async def _run(self, kind: str, threads: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        asked = time.perf_counter()

        def start() -> T:
            self._on_wait(kind, time.perf_counter() - asked)
            return work()

        return await asyncio.get_running_loop().run_in_executor(threads, start)

    def close(self) -> None:
        """Let go of the threads; what is running ends first."""
        self._search.shutdown(wait=False)
        self._files.shutdown(wait=False)
