import asyncio
import threading

import pytest

from api.http.batching import MicroBatcher


def test_items_that_come_while_it_is_busy_go_together():
    free = threading.Event()
    batches: list[list[int]] = []

    def run(items: list[int]) -> list[int]:
        batches.append(items)
        free.wait(120)
        return [item * 2 for item in items]

    async def scenario() -> list[int]:
        batcher = MicroBatcher(run, max_batch=4)
        first = asyncio.create_task(batcher.submit(0))
        while not batches:
            await asyncio.sleep(0)
        rest = [asyncio.create_task(batcher.submit(n)) for n in range(1, 8)]
        await asyncio.sleep(0)
        free.set()
        return await asyncio.gather(first, *rest)

    assert asyncio.run(scenario()) == [0, 2, 4, 6, 8, 10, 12, 14]
    assert batches == [[0], [1, 2, 3, 4], [5, 6, 7]]


def test_an_error_reaches_everyone_in_the_batch_and_no_one_after():
    def run(items: list[str]) -> list[str]:
        if "bad" in items:
            raise ValueError("bad")
        return items

    async def scenario() -> str:
        batcher = MicroBatcher(run, max_batch=4)
        failed = await asyncio.gather(batcher.submit("bad"), batcher.submit("good"), return_exceptions=True)
        assert all(isinstance(answer, ValueError) for answer in failed)
        return await batcher.submit("good")

    assert asyncio.run(scenario()) == "good"


def test_who_gives_up_waiting_disturbs_nobody():
    free = threading.Event()
    seen: list[list[int]] = []

    def run(items: list[int]) -> list[int]:
        seen.append(items)
        free.wait(120)
        return items

    async def scenario() -> int:
        batcher = MicroBatcher(run, max_batch=4)
        first = asyncio.create_task(batcher.submit(1))
        while not seen:
            await asyncio.sleep(0)
        second, third = (asyncio.create_task(batcher.submit(n)) for n in (2, 3))
        await asyncio.sleep(0)
        second.cancel()
        free.set()
        with pytest.raises(asyncio.CancelledError):
            await second
        return await first + await third

    assert asyncio.run(scenario()) == 4
    assert seen == [[1], [3]]
