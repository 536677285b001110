"""Streamlit's scripts are packed once, and only those that there are: what is asked for fills no memory."""

import asyncio
import gzip

import pytest

from ui.gateway.packing import Packing

SCRIPT = b"one();" * 500


class Files:
    """As Streamlit: a script, and a document for every other path. `asked` counts requests."""

    def __init__(self):
        self.asked = 0

    async def __call__(self, scope, _receive, send):
        self.asked += 1
        is_script = scope["path"].replace("/./", "/").replace("//", "/") == "/static/one.js"
        kind, body = (b"text/javascript", SCRIPT) if is_script else (b"text/html; charset=utf-8", b"<html>" * 500)
        headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def ask(app, path):
    """Return the headers and the body of an answer."""
    sent = []

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "headers": [(b"accept-encoding", b"gzip")]}
    asyncio.run(app(scope, None, send))
    return dict(sent[0]["headers"]), b"".join(one.get("body", b"") for one in sent)


def test_a_script_is_packed_once():
    files = Files()
    app = Packing(files, "/static/")
    for _ in range(2):
        headers, body = ask(app, "/static/one.js")
        assert (headers[b"content-encoding"], gzip.decompress(body)) == (b"gzip", SCRIPT)
    assert files.asked == 1


@pytest.mark.parametrize("path", ["/static/./one.js", "/static//one.js", "/static/no-such.js"])
def test_other_addresses_are_not_kept(path):
    files = Files()
    app = Packing(files, "/static/")
    for _ in range(2):
        assert b"content-encoding" not in ask(app, path)[0]
    assert files.asked == 2
