"""How a job goes, as server-sent events: one whenever something has changed, until it ends."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable

from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event

from api import schemas

_LOOK_S = 0.2
_ALIVE_EVERY = 75  # looks without anything new: 15 s
_ENDED = ("done", "failed", "cancelled")


def has_ended(job: schemas.JobInfo) -> bool:
    """Say whether nothing will change any more."""
    return job.state in _ENDED


def event_id(job: schemas.JobInfo) -> str:
    """Return the id of the event that says this."""
    return hashlib.sha256(job.model_dump_json().encode()).hexdigest()[:16]


async def follow_job(
    look: Callable[[], Awaitable[schemas.JobInfo]], last_id: str, is_stopping: Callable[[], bool]
) -> AsyncIterator[bytes]:
    """Yield `progress` events, and `end` as the last; what a client has had as `last_id` is not said again.

    Where the service stops, the stream ends without `end`: a client asks again.
    """
    quiet = 0
    while True:
        job = await look()
        found = event_id(job)
        if found != last_id:
            quiet, last_id = 0, found
            name = "end" if has_ended(job) else "progress"
            yield format_sse_event(data_str=job.model_dump_json(), event=name, id=found)
        if has_ended(job) or is_stopping():
            return
        quiet += 1
        if quiet % _ALIVE_EVERY == 0:
            yield KEEPALIVE_COMMENT
        await asyncio.sleep(_LOOK_S)
