"""The document of the page: Streamlit's own, changed so that pictures are there before Streamlit is.

It names every file that the application begins with, so that they are fetched at once and not one after the other; and
what it would load of Streamlit lies in a `template`, out of which the application takes it once pictures are shown.
Where a document looks otherwise than is known, it is left as it is: then the application is mounted by Streamlit.
"""

import gzip
import hashlib
import html
import json
import posixpath
import re
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ui.gateway.assets import Assets
from ui.gateway.browser_data import browser_data
from ui.strings import LANGS, NAMES, choose_lang

_PAGES: Final = {"": "search", "search": "search", "library": "library"}
_BEGINNING: Final = "begin.js"
_STYLES: Final = ("vendor/photoswipe/photoswipe.css", "app.css")

_IMPORT: Final = re.compile(rb"""(?:\bfrom|\bimport)\s*["'](\.{1,2}/[^"']+)["']""")
_TITLE: Final = re.compile(r"<title>[^<]*</title>")
_FONT: Final = re.compile(r"<link\s[^>]*as=\"font\"[^>]*>\s*")
_BEHIND: Final = re.compile(
    r"<(?:script type=\"module\"[^>]*></script>|link rel=\"(?:modulepreload|stylesheet)\"[^>]*>)\s*"
)
_SCRIPT: Final = re.compile(r"<script type=\"module\"[^>]*src=")


class Documents:
    """Changes the documents of an application on their way to the browser. `base`: "/", or "/x/" for a page below x."""

    def __init__(self, app: ASGIApp, assets: Assets, base: str) -> None:
        self._app = app
        self._assets = assets
        self._base = base
        self._heads: dict[str, str] = {}

    def page_of(self, method: str, path: str) -> str | None:
        """Return which page a request asks for, by its path below the base; None for what is no document."""
        return _PAGES.get(path) if method == "GET" else None

    async def answer(self, page: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request with the document of a page."""
        request = Request(scope)
        found = _Caught()
        await self._app({**scope, "headers": _plain(scope), "extensions": {}}, receive, found.take)
        kind = Headers(raw=found.start.get("headers", [])).get("content-type", "")
        if found.start["status"] != 200 or not kind.startswith("text/html"):
            await found.pass_on(send)
            return
        lang = choose_lang(request.query_params.get("lang", ""), request.headers.get("accept-language"))
        told = self.dress(found.body.decode(), page, lang)
        await _respond(told.encode(), found.start["headers"], request)(scope, receive, send)

    def dress(self, document: str, page: str, lang: str) -> str:
        """Return a document of Streamlit as this page begins; the same where it is not one that can be changed."""
        if not _TITLE.search(document) or not _SCRIPT.search(document):
            return document
        if page not in self._heads:
            self._heads[page] = _head(self._assets, page, self._base)
        behind = f'<template id="xuntu-behind">{"".join(_BEHIND.findall(document))}</template>'
        head = f"<title>{html.escape(NAMES[lang])}</title>{self._heads[page]}{behind}"
        shown = _FONT.sub("", _BEHIND.sub("", document))
        return _TITLE.sub(lambda _: head, shown, count=1).replace('<html lang="en">', f'<html lang="{lang}">', 1)


def list_imports(assets: Assets, name: str) -> list[str]:
    """Return the modules that a module needs before it runs, itself first and then those that are nearest to it."""
    found = [name]
    for module in found:
        for said in _IMPORT.findall(assets.read(module)):
            wanted = posixpath.normpath(posixpath.join(posixpath.dirname(module), said.decode()))
            if wanted not in found:
                found.append(wanted)
    return found


def _head(assets: Assets, page: str, base: str) -> str:
    """Return what a document says of the application: what it is told, and the files that it begins with."""
    data = browser_data(page, base)
    own, told = data["assets"], json.dumps(data, ensure_ascii=False).replace("<", "\\u003c")
    modules = [_BEGINNING, *list_imports(assets, "main.js")]
    return "".join(
        (
            f'<script type="application/json" id="xuntu-data">{told}</script>',
            f'<script type="module" src="{own}{_BEGINNING}"></script>',
            *(f'<link rel="modulepreload" href="{own}{name}">' for name in modules),
            *(f'<link rel="preload" as="style" href="{own}{name}">' for name in _STYLES),
            *(f'<link rel="preload" as="fetch" crossorigin href="{own}strings/{lang}.json">' for lang in LANGS),
        )
    )


def _plain(scope: Scope) -> list[tuple[bytes, bytes]]:
    """Return the headers of a request but those that would have it answered packed, in part or not at all."""
    left = (b"accept-encoding", b"if-none-match", b"if-modified-since", b"range")
    return [(name, value) for name, value in scope["headers"] if name not in left]


def _respond(content: bytes, before: list[tuple[bytes, bytes]], request: Request) -> Response:
    packs = "gzip" in request.headers.get("accept-encoding", "")
    tag = f'"{hashlib.sha256(content).hexdigest()[:16]}{"-gzip" if packs else ""}"'
    headers = MutableHeaders(raw=[one for one in before if one[0].lower() not in (b"content-length", b"last-modified")])
    headers.update({"ETag": tag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding, Accept-Language"})
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=dict(headers))
    if packs:
        headers["Content-Encoding"] = "gzip"
        content = gzip.compress(content, 6, mtime=0)
    return Response(content, headers=dict(headers))


class _Caught:
    """An answer of the application, held until all of it has come."""

    def __init__(self) -> None:
        self.start: Message = {"type": "http.response.start", "status": 500, "headers": []}
        self.body = b""

    async def take(self, message: Message) -> None:
        """Take what would be sent."""
        if message["type"] == "http.response.start":
            self.start = message
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")

    async def pass_on(self, send: Send) -> None:
        """Send it as it was."""
        await send(self.start)
        await send({"type": "http.response.body", "body": self.body})
