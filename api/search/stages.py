"""The stages of a search, and their order: decode the pictures of a query, plan it, encode what is asked, rank.

The order stands here alone. What a stage runs on is for others: the engine runs all where it is called, the service
hands them to threads and processes, and batches what several requests encode.
"""

from collections.abc import Coroutine, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeVar

from api.search.pictures import QueryPictures
from api.search.plan import Encoded, Plan
from api.search.query import Query
from api.search.results import SearchResult

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


def run_now(search: Coroutine[Any, Any, T]) -> T:
    """Return the result of a coroutine that never waits, without an event loop."""
    try:
        search.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    search.close()
    raise RuntimeError("a stage waits, and there is nothing here to wait with")
