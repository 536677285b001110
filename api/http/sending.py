"""An open file -> an answer: whole, a range of it, or that the client's copy still holds (RFC 9110, 13 and 14).

Bytes are read while they are sent. A file that is written meanwhile ends the answer short of its length, which clients
see as a broken connection.
"""

import logging
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Final
from urllib.parse import quote

from anyio import create_task_group, to_thread
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.http.errors import http_problem
from api.http.headers import accepts, is_head
from api.search.errors import why_not_read
from indexer.library.opening import OpenOriginal
from models.pictures.errors import DecodeError

logger = logging.getLogger(__name__)

# A picture may change under its id: a client keeps its copy, and asks whether it still holds.
CACHE: Final = {"Cache-Control": "private, no-cache"}
_CHUNK_BYTES: Final = 256 * 2**10
_RANGE: Final = re.compile(r"bytes\s*=\s*(?:([0-9]{1,19})\s*-\s*([0-9]{0,19})|-\s*([0-9]{1,19}))", re.IGNORECASE)
_UNSAFE: Final = re.compile(r"[^ !#$&+\-.0-9A-Z^_`a-z{}|~()@,;=\[\]]")


class OriginalResponse(Response):
    """Sends what is open of a picture, and closes it. `tag` tells its bytes from all others; `kind`: a media type.

    Raises FileChanged before anything is sent.
    """

    def __init__(
        self, image_id: int, opened: OpenOriginal, *, kind: str, name: str, tag: str, inline: bool = False
    ) -> None:
        self.image_id, self.opened, self.tag, self.kind = image_id, opened, f'"{tag}"', kind
        self.status_code = 200
        self.background = None
        self.body = b""
        self.written = opened.state and _moment(opened.state.written_ns)
        self.init_headers({**CACHE, "ETag": self.tag, "Accept-Ranges": "bytes"})
        self.headers["Content-Disposition"] = disposition(name, inline=inline)
        if self.written:
            self.headers["Last-Modified"] = format_datetime(self.written, usegmt=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            await self._answer(scope, receive, send)
        finally:
            self.opened.close()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked, size = Headers(scope=scope), self.opened.size
        if self._is_known(asked):
            await self._begin(send, 304, {})
            await send({"type": "http.response.body", "body": b""})
            return
        found: tuple[int, int] | tuple[()] | None = None
        if "range" in asked and self._still_holds(asked.get("if-range")):
            found = read_range(asked["range"], size)
        if found == ():
            await http_problem(Request(scope), 416, {"Content-Range": f"bytes */{size}"})(scope, receive, send)
            return
        start, end = found or (0, size)
        said = {"Content-Type": self.kind, "Content-Length": str(end - start)}
        if found:
            said["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
        if is_head(scope):
            await self._begin(send, 206 if found else 200, said)
            await send({"type": "http.response.body", "body": b""})
            return
        try:
            first = await self._read(start, end)
        except DecodeError as error:
            raise why_not_read(self.image_id, error) from error
        await self._begin(send, 206 if found else 200, said)
        await self._send(receive, send, first, (start, end))

    def _is_known(self, asked: Headers) -> bool:
        """Say whether the client has these bytes."""
        if "if-none-match" in asked:
            return accepts(asked, "if-none-match", self.tag)
        since = _read_date(asked.get("if-modified-since", ""))
        return since is not None and self.written is not None and self.written <= since

    def _still_holds(self, condition: str | None) -> bool:
        """Say whether a range of these bytes is what the client means."""
        return condition is None or condition in (self.tag, self.headers.get("last-modified"))

    async def _begin(self, send: Send, status: int, said: Mapping[str, str]) -> None:
        more = [(name.lower().encode(), value.encode("latin-1")) for name, value in said.items()]
        kept = [one for one in self.raw_headers if one[0] not in (b"content-length", b"content-type")]
        await send({"type": "http.response.start", "status": status, "headers": [*kept, *more]})

    async def _send(self, receive: Receive, send: Send, first: bytes, whole: tuple[int, int]) -> None:
        """Send bytes until all are sent, the client hangs up, or the file is written."""
        async with create_task_group() as tasks:

            async def wait_for_the_end() -> None:
                while (await receive())["type"] != "http.disconnect":
                    pass
                tasks.cancel_scope.cancel()

            tasks.start_soon(wait_for_the_end)
            data, (start, end) = first, whole
            while True:
                start += len(data)
                await send({"type": "http.response.body", "body": data, "more_body": start < end})
                if start >= end:
                    break
                try:
                    data = await self._read(start, end)
                except DecodeError as error:
                    logger.info("a file that was being sent: %s", error)
                    break  # the server sees that bytes are missing, and hangs up
            tasks.cancel_scope.cancel()

    async def _read(self, start: int, end: int) -> bytes:
        return await to_thread.run_sync(self._read_chunk, start, min(_CHUNK_BYTES, end - start))

    def _read_chunk(self, start: int, count: int) -> bytes:
        data = self.opened.read(start, count)
        self.opened.check_unchanged()
        return data


def read_range(text: str, size: int) -> tuple[int, int] | tuple[()] | None:
    """Return the first byte of a range and the one behind its last; () where there are no such bytes.

    None for what is no range of bytes, and for several: then all of it is sent, as RFC 9110 lets a server do.
    """
    match = _RANGE.fullmatch(text.strip())
    if match is None:
        return None
    first, last, from_end = match.groups()
    if from_end is not None:
        count = min(int(from_end), size)
        return (size - count, size) if count else ()
    start, end = int(first), int(last) + 1 if last else size
    if start >= end and last:
        return None  # it ends before it begins: no range
    return (start, min(end, size)) if start < size else ()


def disposition(name: str, *, inline: bool = False) -> str:
    """Return the header that names a file, in UTF-8, and in ASCII for clients that know nothing else.

    It is to be saved, or, with `inline`, shown.
    """
    way = "inline" if inline else "attachment"
    return f"{way}; filename=\"{_UNSAFE.sub('_', name) or '_'}\"; filename*=UTF-8''{quote(name, safe='')}"


def _moment(time_ns: int) -> datetime | None:
    """Return when a file was written, to the second, None for a time that no header can say."""
    try:
        return datetime.fromtimestamp(time_ns // 10**9, UTC)
    except (ValueError, OverflowError):
        return None


def _read_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
