"""Texts and pictures of a request -> vectors: read one after the other, encoded together with those of others."""

import asyncio
import base64
import binascii
from collections.abc import Sequence

from api.http.service import Serving
from api.search.embedding import as_shown, read_embedding, vector_query
from api.search.errors import InvalidQuery
from api.search.plan import Plan
from api.search.query import Clause
from models.foundation.messages import message
from models.foundation.vectors import Vectors


async def embed(serving: Serving, clauses: Sequence[Clause], encoder: str) -> list[Vectors]:
    """Return the unit vector, float32 (dim,), of each clause by one encoder; raises what planning and encoding raise.

    Pictures are decoded one at a time, so that a request with many leaves room for others.
    """
    plans = [await _plan(serving, clause, encoder) for clause in clauses]
    encoded = await asyncio.gather(*(serving.encode(plan) for plan in plans))
    return [read_embedding(plan, vectors) for plan, vectors in zip(plans, encoded, strict=True)]


async def _plan(serving: Serving, clause: Clause, encoder: str) -> Plan:
    query = vector_query(clause, encoder)
    async with serving.decode(query) as decoded:
        return as_shown(await serving.plan(query, decoded))


def decode_picture(written: str) -> bytes:
    """Return the file that is written in base64, or in a data: URI. Raises InvalidQuery, for an address too."""
    if written[:8].lower().startswith(("http://", "https://", "file:")):
        raise InvalidQuery(
            message("The service fetches no addresses. Send the picture itself, in base64 or as a data: URI.")
        )
    encoded = written.partition(",")[2] if written.startswith("data:") else written
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidQuery(message("The image is not base64.")) from error
