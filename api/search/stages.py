"""The stages of a search, and their order: decode the pictures of a query, plan it, encode what is asked, rank.

The order stands here alone. What a stage runs on is for others: the engine runs all where it is called, the service
hands them to threads and processes, and batches what several requests encode.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeVar

from api.search.pictures import QueryPictures
from api.search.plan import Encoded, Plan
from api.search.query import Query
from api.search.results import SearchResult
from models.foundation.errors import ImageSearchError

T = TypeVar("T")


class Stages(Protocol):
    """The four stages of a search, as they are run somewhere."""

    def decode(self, query: Query) -> AbstractAsyncContextManager[QueryPictures]:
        """Decode the pictures that a query asks with; they are held while it is planned."""
        ...

    async def plan(self, query: Query, decoded: QueryPictures) -> Plan:
        """Read a query."""
        ...

    async def encode(self, plan: Plan) -> Mapping[str, Encoded]:
        """Return the vectors of what a plan asks each of its encoders, by their names."""
        ...

    async def rank(self, plan: Plan, encoded: Mapping[str, Encoded]) -> SearchResult:
        """Search with these vectors."""
        ...


async def run_search(stages: Stages, query: Query) -> SearchResult:
    """Answer a query. Raises what its stages raise."""
    async with stages.decode(query) as decoded:
        plan = await stages.plan(query, decoded)
    del decoded  # pixels that were reduced to what encoders see
    encoded = await stages.encode(plan)
    return await stages.rank(plan, encoded)


async def run_searches(
    stages: Stages, queries: Sequence[Query], *, at_once: int
) -> list[SearchResult | ImageSearchError]:
    """Answer several queries, in their order, each with a result or with what is wrong with it.

    All are planned before any is encoded, so that they are encoded together; `at_once` are planned or ranked at a time.
    Raises what is no ImageSearchError.
    """
    few = asyncio.Semaphore(at_once)

    async def plan(query: Query) -> Plan:
        async with few, stages.decode(query) as decoded:
            return await stages.plan(query, decoded)

    async def rank(plan: Plan, encoded: Mapping[str, Encoded]) -> SearchResult:
        async with few:
            return await stages.rank(plan, encoded)

    plans = await asyncio.gather(*(_caught(plan(query)) for query in queries))
    encoded = await asyncio.gather(*(_caught(_then(stages.encode, one)) for one in plans))
    pairs = zip(plans, encoded, strict=True)
    return list(await asyncio.gather(*(_caught(_then(rank, one, vectors)) for one, vectors in pairs)))


async def _caught(work: Coroutine[Any, Any, T]) -> T | ImageSearchError:
    try:
        return await work
    except ImageSearchError as error:
        return error


async def _then(stage: Callable[..., Coroutine[Any, Any, T]], *given: Any) -> T:
    """Run a stage with what those before it returned. Raises what went wrong in the last of them."""
    for one in reversed(given):
        if isinstance(one, ImageSearchError):
            raise one
    return await stage(*given)


def run_now(search: Coroutine[Any, Any, T]) -> T:
    """Return the result of a coroutine that never waits, without an event loop."""
    try:
        search.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    search.close()
    raise RuntimeError("a stage waits, and there is nothing here to wait with")
