"""Several searches in one request."""

from typing import Annotated, Any

from pydantic import BaseModel, Field, WithJsonSchema

from api.schemas.answers import SearchResponse
from api.schemas.base import Strict
from api.schemas.service import Problem

MAX_SEARCHES = 64
MAX_BATCH_CLAUSES = 256
MAX_BATCH_CHARS = 32_000
MAX_BATCH_HITS = 5_000
MAX_BATCH_OFFSET = 1_000_000

# Each is read by itself, so that one that cannot be read is a problem of its own.
_Search = Annotated[dict[str, Any], WithJsonSchema({"type": "object", "description": "The body of POST /v1/search"})]


class BatchRequest(Strict):
    """Searches that are answered together, each as the body of POST /v1/search.

    Together they have at most 256 clauses (what `q` says counted with them), 32,000 characters of text, 5,000 hits (k),
    and 1,000,000 hits to pass over (offset).
    """

    searches: list[_Search] = Field(min_length=1, max_length=MAX_SEARCHES)


class BatchResponse(BaseModel):
    """The answers, in the order of the searches; in place of one that cannot be given the problem."""

    answers: list[SearchResponse | Problem]
