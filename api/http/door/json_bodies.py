"""Bodies of JSON: bounded before they are parsed, and parsed beside the loop.

Long strings, which are pictures in base64, are cut out of the text first: what is left is small, and parsing it holds
up nobody, while a parser that is given all of it lets no other thread run until it is done.
"""

import asyncio
import json
import secrets
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from api.http.door.gates import SMALL_BODY
from api.http.refusals import RequestError, RequestTooComplex, RequestTooLarge

MAX_DEPTH = 32
MAX_NAMES = 10_000
_MAX_QUOTES = 2**18
_MAX_BRACKETS = 2 * MAX_NAMES
_LONG = 2**16  # bytes: longer strings are cut out
_QUICK = 2**13  # bytes that are read in less time than handing them to a thread takes
_BRACKETS = bytes(set(range(256)) - set(b"{}[]"))


class BoundedRoute(APIRoute):
    """A route whose JSON is read by `read_json`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request."""
        answer = super().get_route_handler()

        async def answer_bounded(request: Request) -> Response:
            try:
                return await answer(_BoundedRequest(request.scope, request.receive))
            except HTTPException as error:  # so the framework calls whatever goes wrong with a body
                if isinstance(error.__cause__, RequestError):
                    raise error.__cause__ from None
                raise

        return answer_bounded


class _BoundedRequest(Request):
    _parsed: tuple[Any] | None = None

    async def json(self) -> Any:
        if self._parsed is None:
            body = await self.body()
            self._parsed = (read_json(body) if len(body) < _QUICK else await asyncio.to_thread(read_json, body),)
        return self._parsed[0]


def read_json(body: bytes) -> Any:
    """Return what a body says. Raises JSONDecodeError, RequestTooComplex and RequestTooLarge."""
    key = secrets.token_hex(8)
    short, long = _cut_out(body, key)
    if len(short) > SMALL_BODY:
        raise RequestTooLarge(SMALL_BODY)
    try:
        parsed = json.loads(short)
    except UnicodeDecodeError as error:
        raise json.JSONDecodeError("not UTF-8", "", error.start) from error
    return _put_back(parsed, long) if long else parsed


def _cut_out(body: bytes, key: str) -> tuple[bytes, dict[str, str]]:
    """Return the text with a short string in place of each long one, and those by what is in their place."""
    kept: list[bytes] = []
    long: dict[str, str] = {}
    bounds = _Bounds()
    after = 0  # where what is not kept yet begins
    for start, end in _strings(body):
        bounds.add(body[after:start])
        if end - start > _LONG:
            name = f"{key}-{len(long)}"
            kept += (body[after:start], f'"{name}"'.encode())
            long[name] = _text(body[start:end])
        else:
            kept.append(body[after:end])
        after = end
    bounds.add(body[after:])
    kept.append(body[after:])
    return b"".join(kept), long


def _strings(body: bytes) -> Iterator[tuple[int, int]]:
    """Yield where strings stand, with their quotes. Raises RequestTooComplex if there are too many quotes."""
    start = -1  # of the string that is open
    before = 0  # where the text begins that may escape the next quote
    at = body.find(b'"')
    for _ in range(_MAX_QUOTES):
        if at < 0:
            return
        if start < 0:
            start = at
        elif _is_even(body[before:at]):
            yield start, at + 1
            start = -1
        before, at = at + 1, body.find(b'"', at + 1)
    raise RequestTooComplex(MAX_DEPTH, MAX_NAMES)


def _is_even(before: bytes) -> bool:
    """Say whether the quote after this text closes a string, as none or an even number of backslashes ends it."""
    return (len(before) - len(before.rstrip(b"\\"))) % 2 == 0


class _Bounds:
    """Counts what stands outside of strings."""

    def __init__(self) -> None:
        self._depth = self._brackets = self._names = 0

    def add(self, between: bytes) -> None:
        """Count what stands between two strings. Raises RequestTooComplex."""
        self._names += between.count(b":")
        found = between.translate(None, _BRACKETS)
        self._brackets += len(found)
        if self._names > MAX_NAMES or self._brackets > _MAX_BRACKETS:
            raise RequestTooComplex(MAX_DEPTH, MAX_NAMES)
        for bracket in found:
            self._depth += 1 if bracket in b"{[" else -1
            if self._depth > MAX_DEPTH:
                raise RequestTooComplex(MAX_DEPTH, MAX_NAMES)


def _text(quoted: bytes) -> str:
    """Return a string of JSON as text. Raises JSONDecodeError."""
    if b"\\" in quoted or not quoted.isascii():
        try:
            return str(json.loads(quoted))
        except UnicodeDecodeError as error:
            raise json.JSONDecodeError("not UTF-8", "", error.start) from error
    return quoted[1:-1].decode("ascii")


def _put_back(value: Any, long: dict[str, str]) -> Any:
    if isinstance(value, str):
        return long.get(value, value)
    if isinstance(value, list):
        return [_put_back(one, long) for one in value]
    if isinstance(value, dict):
        return {name: _put_back(one, long) for name, one in value.items()}
    return value
