"""Scripts and styles of Streamlit, which it sends as they are: packed once, and kept packed.

Their names change with their contents, and there are as many as Streamlit brings, so that what is kept is bounded.
"""

import gzip
import posixpath
from typing import Final

from anyio import to_thread
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_SUFFIXES: Final = (".js", ".css")
_LEAST: Final = 1000  # bytes


class Packing:
    """An application of which files below `folder`, as "/static/", are sent compressed to a browser that takes it."""

    def __init__(self, app: ASGIApp, folder: str) -> None:
        self._app = app
        self._folder = folder
        self._packed: dict[str, tuple[list[tuple[bytes, bytes]], bytes]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if not self._packs(scope):
            await self._app(scope, receive, send)
            return
        path = scope["path"]
        if path not in self._packed:
            found = _PackedFile(send)
            await self._app({**scope, "extensions": {}}, receive, found.take)
            if found.packed is None:
                return
            self._packed[path] = found.packed
        headers, body = self._packed[path]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _packs(self, scope: Scope) -> bool:
        if scope["type"] != "http" or scope["method"] != "GET" or not scope["path"].startswith(self._folder):
            return False
        if posixpath.normpath(scope["path"]) != scope["path"]:  # one of the many ways to write an address
            return False
        asked = Headers(scope=scope)
        is_whole = not {"range", "if-none-match", "if-modified-since"} & set(asked.keys())
        return is_whole and scope["path"].endswith(_SUFFIXES) and "gzip" in asked.get("accept-encoding", "")


class _PackedFile:
    """Takes an answer, and packs it in `packed`; one that is not to be packed it sends on."""

    def __init__(self, send: Send) -> None:
        self.packed: tuple[list[tuple[bytes, bytes]], bytes] | None = None
        self._send = send
        self._start: Message | None = None
        self._body = b""

    async def take(self, message: Message) -> None:
        """Take what the application would send."""
        if message["type"] == "http.response.start":
            headers = Headers(raw=message.get("headers", []))
            if (
                message["status"] != 200
                or "content-encoding" in headers
                or headers.get("content-type", "").startswith("text/html")  # which answers for a file that is not there
                or int(headers.get("content-length", "0")) < _LEAST
            ):
                await self._send(message)
            else:
                self._start = message
        elif self._start is None:
            await self._send(message)
        else:
            self._body += message.get("body", b"")
            if not message.get("more_body"):
                body = await to_thread.run_sync(lambda: gzip.compress(self._body, 6, mtime=0))
                headers = MutableHeaders(raw=list(self._start["headers"]))
                del headers["etag"]
                headers.update(
                    {"Content-Encoding": "gzip", "Content-Length": str(len(body)), "Vary": "Accept-Encoding"}
                )
                self.packed = (headers.raw, body)
