"""Forms of requests, in parts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Request
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException


@asynccontextmanager
async def open_form(request: Request, *, most: int) -> AsyncIterator[FormData]:
    """Read a form of at most so many files and so many fields. Raises HTTPException for what is none."""
    try:
        form = await request.form(max_files=most, max_fields=most)
    except ValueError as error:  # a charset that nothing is written in
        raise HTTPException(400) from error
    try:
        yield form
    finally:
        await form.close()
