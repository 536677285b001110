"""What strangers may send to a service, each in one row: it answers as it should, and goes on as before.

One process with the settings that it has by itself serves all rows. Of what is told of the door and of decoding more is
in test_door.py and test_decoding.py.
"""

import base64
import contextlib
import io
import json
import os
import selectors
import socket
import struct
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from PIL import Image

MOST = 2**30  # bytes of all processes of the service together
DESCRIPTORS = 1024
INT64 = 2**63
SPARE = 8  # descriptors that come and go

OK, REFUSED = {200}, {400, 413, 415, 422}


# What is sent


def head(method: str, path: str | bytes, *lines: str | bytes, length: int | None = None) -> bytes:
    """Return the head of a request."""
    told = [*lines, *([] if length is None else [f"Content-Length: {length}"])]
    parts = [b" ".join((method.encode(), _bytes(path), b"HTTP/1.1")), b"Host: 127.0.0.1", *map(_bytes, told)]
    return b"\r\n".join(parts) + b"\r\n\r\n"


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode()


def get(path: str | bytes, *lines: str | bytes) -> bytes:
    return head("GET", path, *lines)


def post_json(body: object, *lines: str, path: str = "/v1/search") -> bytes:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return head("POST", path, "Content-Type: application/json", *lines, length=len(data)) + data


def post_form(body: bytes, kind: str = "multipart/form-data; boundary=b") -> bytes:
    return head("POST", "/v1/search/image", f"Content-Type: {kind}", length=len(body)) + body


def part(data: bytes, *lines: str | bytes, name: str | bytes = "file") -> bytes:
    described = b'Content-Disposition: form-data; name="%s"; filename="a.png"' % _bytes(name)
    return b"--b\r\n" + b"\r\n".join([described, *map(_bytes, lines)]) + b"\r\n\r\n" + data + b"\r\n"


def field(name: str | bytes, value: str | bytes) -> bytes:
    return b'--b\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (_bytes(name), _bytes(value))


def upload(picture: bytes) -> bytes:
    return post_form(part(picture) + b"--b--\r\n")


def clauses(*ones: dict[str, object]) -> bytes:
    return post_json({"clauses": list(ones)})


# Pictures


def _png(*chunks: tuple[bytes, bytes]) -> bytes:
    made = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(made)


def png(width: int, height: int, bits: int = 8, colour: int = 0, *more: tuple[bytes, bytes], fill: int = 0) -> bytes:
    """Return a PNG whose pixels are `fill` bytes of zero, packed."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return _png((b"IHDR", header), *more, (b"IDAT", zeros(fill)), (b"IEND", b""))


def zeros(count: int) -> bytes:
    packer = zlib.compressobj(1)
    return b"".join(packer.compress(bytes(min(2**20, count - at))) for at in range(0, count, 2**20)) + packer.flush()


def webp(width: int, height: int) -> bytes:
    bits = (width - 1) | (height - 1) << 14
    pixels = b"\x2f" + bits.to_bytes(4, "little") + bytes.fromhex("888808") + bytes(6)
    return (
        b"RIFF"
        + struct.pack("<I", len(pixels) + len(pixels) % 2 + 12)
        + b"WEBPVP8L"
        + struct.pack("<I", len(pixels))
        + pixels
        + bytes(len(pixels) % 2)
    )


def gif(width: int, height: int, frames: int = 1) -> bytes:
    frame = b"\x21\xf9\x04\0\1\0\0\0\x2c" + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\2\2\x44\1\0"
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff" + frame * frames + b";"


def bmp(width: int, height: int, bits: int = 24, packing: int = 0) -> bytes:
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, packing, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 64, 0, 0, 54) + info + bytes(64)


def tiff(width: int, height: int, *, loops: bool = False, strips: int = 1) -> bytes:
    tags = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, 8), (262, 3, 1, 1)]
    tags += [(273, 4, strips, 200), (277, 3, 1, 1), (278, 4, 1, height), (279, 4, strips, 40)]
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    following = struct.pack("<I", 8 if loops else 0)
    return (b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + entries + following).ljust(200, b"\0") + zlib.compress(
        bytes(4096)
    )


def saved(form: str, size: int = 64, **options: object) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (size, size), "red").save(file, form, **options)
    return file.getvalue()


def enlarged(data: bytes, before: bytes, width: int, height: int, code: str = ">II") -> bytes:
    """Return a picture of 64 x 64 that says it is larger, wherever `before` and its size stand."""
    small = before + struct.pack(code, 64, 64)
    assert small in data
    return data.replace(small, before + struct.pack(code, width, height))


def jpeg(width: int, height: int, scans: int = 1) -> bytes:
    data = saved("JPEG", progressive=True)
    at = data.index(b"\xff\xc2") + 5
    data = data[:at] + struct.pack(">HH", height, width) + data[at + 4 :]
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * scans + b"\xff\xd9"


def with_text(kind: bytes, size: int, count: int = 1) -> bytes:
    packed = {b"zTXt": b"a\0\0", b"iTXt": b"a\0\1\0\0\0", b"iCCP": b"a\0\0"}[kind] + zeros(size)
    return png(8, 8, 8, 0, *[(kind, packed)] * count, fill=72)


BOMBS: dict[str, Callable[[], bytes]] = {
    "png says 60000": lambda: png(60_000, 60_000, fill=100),
    "png of 16 bits, 49 MP": lambda: png(7000, 7000, 16, 6, fill=7000 * (7000 * 8 + 1)),
    "png of 1 bit, 400 MP": lambda: png(20_000, 20_000, 1, 0, fill=20_000 * 2501),
    "png with no pixels": lambda: png(5000, 5000, fill=0),
    "webp": lambda: webp(16_383, 12_000),
    "gif says 65535": lambda: gif(65_535, 65_535),
    "gif of 20,000 frames": lambda: gif(60, 60, 20_000),
    "tiff says 60000": lambda: tiff(60_000, 60_000),
    "tiff that leads to itself": lambda: tiff(64, 64, loops=True),
    "tiff of a billion strips": lambda: tiff(64, 64, strips=10**9),
    "bmp says 30000": lambda: bmp(30_000, 30_000),
    "bmp packed, upside down": lambda: bmp(30_000, -30_000, 8, 1),
    "bmp of the least height": lambda: bmp(100, -(2**31)),
    "jpeg says 65535": lambda: jpeg(65_535, 65_535),
    "jpeg of 500 scans": lambda: jpeg(3000, 3000, 500),
    "avif": lambda: enlarged(saved("AVIF"), b"ispe\0\0\0\0", 65_535, 65_535),
    "jpeg 2000": lambda: enlarged(saved("JPEG2000"), b"\xff\x51\0\x2f\0\0", 60_000, 60_000),
    "ico of 255 pictures": lambda: (
        b"\0\0\1\0"
        + struct.pack("<H", 255)
        + struct.pack("<BBBBHHII", 0, 0, 0, 0, 1, 32, 60, 4086) * 255
        + png(20_000, 20_000)
    ),
    "text of a png, 100 MiB": lambda: with_text(b"zTXt", 100 * 2**20),
    "text of a png, in 300 chunks": lambda: with_text(b"iTXt", 2**20 - 8, 300),
    "profile of a png, 100 MiB": lambda: with_text(b"iCCP", 100 * 2**20),
    "nothing": lambda: b"",
    "a page": lambda: b"<svg xmlns='http://www.w3.org/2000/svg'>",
}


# Rows: what is sent, and which statuses are right. None: the connection may be closed without a word.

NUMBERS = [
    "NaN",
    "inf",
    "-inf",
    "1e999",
    "-1",
    "0x10",
    "1_0",
    "9" * 400,
    "９",
    "",
    " ",
    "\x00",
    "٣",
    str(INT64),
    str(-INT64 - 1),
]
IDS = [str(one) for one in (INT64 - 1, INT64, -INT64, -INT64 - 1, 2**64, 10**30, -1, 0)] + [
    "9" * 5000,
    "1.0",
    "%00",
    "%ff",
]
PATHS = ["", "/file", "/thumbnail", "/similar", "/file?clip=1"]
JSON = [
    b'{"clauses": [{"text": "cat", "weight": NaN}]}',
    b'{"clauses": [{"text": "cat", "weight": -Infinity}]}',
    b'{"clauses": [{"text": "cat", "weight": 1e999}]}',
    b'{"clauses": [{"text": "cat", "weight": ' + b"9" * 5000 + b"}]}",
    b'{"clauses": [{"image_id": ' + b"9" * 4000 + b"}]}",
    *(b'{"clauses": [{"image_id": %d}]}' % one for one in (INT64 - 1, INT64, -INT64 - 1, 2**64)),
    b'{"clauses": [{"text": "\xff\xfe"}]}',
    b'{"clauses": [{"text": "\\ud800"}]}',
    b'{"clauses": [{"text": "\\udfff\\ud800"}]}',
    b'{"clauses": [{"text": "\\u0000"}]}',
    b'{"clauses": [{"text": "cat"}], "where": "tag=\\ud800"}',
    b'{"clauses": [{"text": "cat"}], "where": "\\u0000"}',
    b'{"clauses": [{"text": "cat"}], "where": {"fields": {"\\ud800": ["\\ud800"]}}}',
    b'{"clauses": [{"text": "cat"}], "where": {"min_width": ' + str(2**70).encode() + b"}}",
    b'{"clauses": [{"text": "cat"}], "encoders": ["\\ud800"]}',
    b'{"clauses": [{"text": "cat"}], "\\ud800": 1}',
    b'{"clauses": [{"text": "cat"}], "k": ' + b"9" * 4000 + b"}",
    b'{"clauses": [{"text": "cat"}], "offset": 1e30}',
    b'{"clauses": [{"image": "\\ud800"}]}',
    b'{"clauses": [{"image": "====", "crop": [NaN, 0, 1, 1]}]}',
    b'{"clauses": [{"image": "data:,' + b"A" * 200_000 + b'"}]}',
    b"\xef\xbb\xbf{}",
    '{"clauses": [{"text": "cat"}]}'.encode("utf-16"),
    '{"clauses": [{"text": "cat"}]}'.encode("utf-32"),
    b"null",
    b'"' + b"a" * 100_000 + b'"',
    b"[" * 33 + b"]" * 33,
    b'{"clauses": ' * 40,
]
WHERE = [
    "(" * 1000 + "a" + ")" * 1000,
    "not " * 490 + "tag=a",
    " and ".join(["width>1"] * 140),
    "tag=" + "|".join("abcdefgh" * 20),
    "path=%25_%25_%25_%25_" * 40,
    "path=" + "../" * 300,
    "taken=99999999999-99-99",
    "taken=-1",
    "width>=1e308",
    "width>NaN",
    "width>" + "9" * 1000,
    "tag='" + "'" * 900,
    "tag=%FF%FE",
    "%00",
    "camera=%ED%A0%80",
]
FORMS = {
    "no file": field("text", "cat") + b"--b--\r\n",
    "a file that is text": field("file", "cat") + b"--b--\r\n",
    "nothing": b"",
    "no end": part(b"abc"),
    "no begin": b"abc\r\n--b--\r\n",
    "2,000 fields": field("text", "cat") * 2000 + b"--b--\r\n",
    "2,000 files": part(b"abc") * 2000 + b"--b--\r\n",
    "100,000 empty parts": b"--b\r\n\r\n\r\n" * 100_000 + b"--b--\r\n",
    "a name of 1 MiB": field(b"n" * 2**20, "1") + part(b"abc") + b"--b--\r\n",
    "a header of 1 MiB": part(b"abc", b"X: " + b"x" * 2**20) + b"--b--\r\n",
    "20,000 headers": part(b"abc", *[b"X: 1"] * 20_000) + b"--b--\r\n",
    "a text of 5 MiB": part(b"abc") + field("text", b"t" * (5 * 2**20)) + b"--b--\r\n",
    "a text that is not UTF-8": part(saved("PNG")) + field("text", b"\xff\xfe\xc3") + b"--b--\r\n",
    "a name that is not UTF-8": part(b"abc", name=b"\xff\xfe") + b"--b--\r\n",
    "an unknown charset": field("_charset_", "no-such") + part(saved("PNG")) + field("text", "cat") + b"--b--\r\n",
    "a part of an unknown charset": part(b"a", "Content-Type: text/plain; charset=no-such") + b"--b--\r\n",
    "packed": part(zlib.compress(b"a"), "Content-Transfer-Encoding: base64", "Content-Encoding: gzip") + b"--b--\r\n",
    "a weight that is no number": part(saved("PNG")) + field("text", "cat") + field("weight", "NaN") + b"--b--\r\n",
    "a weight without end": part(saved("PNG")) + field("text", "cat") + field("weight", "inf") + b"--b--\r\n",
    "a huge weight": part(saved("PNG")) + field("text", "cat") + field("weight", "1e308") + b"--b--\r\n",
    "k of many digits": part(saved("PNG")) + field("k", "9" * 5000) + b"--b--\r\n",
    "a form in a form": b"--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\n\r\n--c--\r\n--b--\r\n",
}
KINDS = [
    "multipart/form-data",
    "multipart/form-data; boundary=",
    "multipart/form-data; boundary=" + "b" * 5000,
    'multipart/form-data; boundary="b\\"',
    "multipart/form-data; boundary=\xff; charset=no-such",
    "multipart/mixed; boundary=b",
    "application/x-www-form-urlencoded",
    "application/json",
    "; ; ;",
]
HEADS = {
    "a body packed": (post_json(zlib.compress(b"{}"), "Content-Encoding: gzip"), REFUSED),
    "a length and pieces": (
        head("POST", "/v1/search", "Transfer-Encoding: chunked", length=5) + b"0\r\n\r\n",
        {400, 411, 413, 415, 422},
    ),
    "two lengths": (head("POST", "/v1/search", "Content-Length: 5", "Content-Length: 6"), {400}),
    "a piece of 2^64": (
        head("POST", "/v1/search", "Transfer-Encoding: chunked", "Content-Type: application/json")
        + b"fffffffffffffffff\r\n",
        {400, None},
    ),
    "100 KiB after a piece's length": (
        head("POST", "/v1/search", "Transfer-Encoding: chunked") + b"1;" + b"x" * 100_000 + b"\r\na\r\n0\r\n\r\n",
        {400, 415, 422},
    ),
    "10,000 trailers": (
        head("POST", "/v1/search", "Transfer-Encoding: chunked") + b"0\r\n" + b"X: 1\r\n" * 10_000 + b"\r\n",
        {400, 415, 422, 431},
    ),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400, 505}),
    "HTTP/0.9": (b"GET /healthz\r\n\r\n", {400, 200}),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100), {400}),
    "a method that there is not": (head("BREW", "/v1/search"), {400, 405}),
    "TRACE": (head("TRACE", "/v1/search"), {405}),
    "CONNECT": (b"CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", {400, 404, 405, None}),
    "a whole address": (get("http://127.0.0.1/v1/search?q=cat"), {200, 404}),
    "an address elsewhere": (get("http://example.com@127.0.0.1/healthz"), {200, 400, 404}),
    "a path that is not UTF-8": (get("/v1/%ff%fe/%c3"), {404}),
    "a path of bytes": (get(b"/v1/\xff\xfe"), {400, 404}),
    "a path with a NUL": (get("/v1/images/%00"), {422}),
    "a path upwards": (get("/docs/files/..%2f..%2f..%2f..%2fetc/passwd"), {404}),
    "a path of many steps": (get("/docs/files/" + "a/" * 5000), {404}),
    "a NUL in the files of the pages": (get("/docs/files/%00"), {404}),
    "words that are not UTF-8": (get("/v1/search?q=%ff%fe%c3%28"), {200, 422}),
    "words with halves of characters": (get("/v1/search?q=%ed%a0%80"), {200, 422}),
    "20,000 characters": (get("/v1/search?q=" + "%E9%9B%AA" * 5000), {200, 422, 431}),
    "5,000 parameters": (get("/v1/search?q=cat&" + "&".join(f"tags={one}" for one in range(5000))), {422, 431}),
    "a header of 1 MiB": (get("/healthz", "X-Long: " + "x" * 2**20), {431}),
    "10,000 headers": (get("/healthz", *[f"X-{one}: 1" for one in range(10_000)]), {431}),
    "300 headers": (get("/healthz", *[f"X-{one}: 1" for one in range(300)]), {431}),
    "60 KiB of languages": (get("/v1/images/0", "Accept-Language: " + "zh;q=0.1," * 6000), {404}),
    "60 KiB of tags": (get("/v1/images/FIRST/file", "If-None-Match: " + '"a",' * 15_000), {200}),
    "5,000 ranges": (
        get("/v1/images/FIRST/file", "Range: bytes=" + ",".join(f"{one}-{one}" for one in range(5000))),
        {200},
    ),
    "a range of huge numbers": (get("/v1/images/FIRST/file", f"Range: bytes={10**18}-{10**18 + 1}"), {416}),
    "a date that there is not": (
        get("/v1/images/FIRST/file", "If-Modified-Since: Mon, 99 Jan 99999 99:99:99 GMT"),
        {200},
    ),
    "headers that are not UTF-8": (
        get(
            "/v1/images/FIRST",
            b"Accept-Language: \xff\xfe",
            b"X-Request-ID: \xff",
            b"traceparent: \xe5",
            b"Cookie: \xff",
        ),
        {200},
    ),
    "a continuation": (
        head("POST", "/v1/search", "Expect: 100-continue", "Content-Type: application/json", length=10**9),
        {413},
    ),
    "a websocket": (
        get("/v1/search?q=cat", "Connection: upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: a"),
        {200, 400},
    ),
    "another host": (head("GET", "/healthz", "X: 1").replace(b"127.0.0.1", b"evil.example"), {400}),
}


def rows() -> Iterator[tuple[str, bytes | Callable[[], bytes], set[int | None]]]:
    for name, bomb in BOMBS.items():
        yield f"picture: {name}", lambda bomb=bomb: upload(bomb()), OK | REFUSED
    for number, body in enumerate(JSON):
        yield f"JSON {number}: {body[:70]!r}", post_json(body), OK | REFUSED | {404}
    for name, form in FORMS.items():
        yield f"form: {name}", post_form(form), OK | REFUSED
    for kind in KINDS:
        yield f"form as {kind[:50]!r}", post_form(FORMS["no end"], kind), REFUSED
    for name, (request, statuses) in HEADS.items():
        yield f"request: {name}", request, statuses
    yield from addresses()


def addresses() -> Iterator[tuple[str, bytes, set[int | None]]]:
    for name in ("k", "offset", "min_score", "hide_duplicates"):
        for number in NUMBERS:
            said = "".join(f"%{one:02x}" for one in number.encode())
            yield f"{name}={number[:20]!r}", get(f"/v1/search?q=cat&{name}={said}"), OK | {422}
    for size in ("-1", "NaN", "9" * 400, "2049", "1e3"):
        yield f"size={size[:20]}", get(f"/v1/images/FIRST/thumbnail?size={size}"), {422}
        yield f"part={size[:20]}", get(f"/v1/images/FIRST/thumbnail?part={size}"), {200, 422}
    for one in IDS:
        for path in PATHS:
            yield f"/images/{one[:24]}{path}", get(f"/v1/images/{one}{path}"), {404, 422}
    for condition in WHERE:
        said = condition.replace(" ", "%20")
        for path in ("/v1/search?q=cat&where=", "/v1/images?where=", "/v1/facets?where="):
            yield f"{path}{said[:40]}", get(path + said), OK | {422}


# The service


class Target:
    """A service as a process, and what is seen of it from outside."""

    def __init__(self, port: int, process: psutil.Process) -> None:
        self.address = ("127.0.0.1", port)
        self.process = process
        self.first = b""  # the id of a picture

    def connect(self) -> socket.socket:
        return socket.create_connection(self.address, timeout=120)

    def ask(self, request: bytes | Iterable[bytes]) -> tuple[int | None, bytes]:
        """Send a request until an answer comes, and return its status (None: closed without a word) and its head."""
        if isinstance(request, bytes) and b"/FIRST" in request[:200]:
            request = request.replace(b"/FIRST", b"/" + self.first, 1)
        with contextlib.closing(self.connect()) as connection:
            return read_head(connection, send_until_answered(connection, request))

    def asks_words(self) -> bool:
        return self.ask(get("/v1/search?q=a%20cat%20on%20a%20table", "Connection: close"))[0] == 200

    def find_first(self) -> bytes:
        with contextlib.closing(self.connect()) as connection:
            connection.sendall(get("/v1/images?k=1", "Connection: close"))
            answer = b"".join(iter(lambda: connection.recv(2**16), b""))
        return str(json.loads(answer.partition(b"\r\n\r\n")[2])["images"][0]["id"]).encode()

    @property
    def family(self) -> list[psutil.Process]:
        return [self.process, *self.process.children(recursive=True)]

    def most_memory(self) -> int:
        """Return the most that each process has had in memory, together, in bytes."""
        total = 0
        for one in self.family:
            lines = Path(f"/proc/{one.pid}/status").read_text().splitlines()
            total += next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
        return total

    def count_descriptors(self) -> int:
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))


def send_until_answered(connection: socket.socket, request: bytes | Iterable[bytes]) -> bytes:
    """Send what is taken, as long as nothing comes back; return what has come."""
    connection.setblocking(False)
    with selectors.DefaultSelector() as waiting:
        waiting.register(connection, selectors.EVENT_READ | selectors.EVENT_WRITE)
        for piece in [request] if isinstance(request, bytes) else request:
            left = memoryview(piece)
            while left:
                ready = waiting.select(120)
                assert ready, "the service takes nothing"
                if ready[0][1] & selectors.EVENT_READ:
                    return b""
                try:
                    left = left[connection.send(left[: 2**18]) :]
                except BlockingIOError:
                    continue
                except ConnectionError:
                    return b""
    return b""


def read_head(connection: socket.socket, received: bytes = b"") -> tuple[int | None, bytes]:
    connection.settimeout(120)
    with contextlib.suppress(ConnectionError):
        while b"\r\n\r\n" not in received and (chunk := connection.recv(2**16)):
            received += chunk
    known = received.partition(b"\r\n\r\n")[0]
    return (int(known.split()[1]) if known.startswith(b"HTTP/1.") else None), known.lower()


@pytest.fixture(scope="module")
def target(servers, processes, library, tmp_path_factory) -> Iterator[Target]:
    log = tmp_path_factory.mktemp("hostile") / "log"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    limited = f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({DESCRIPTORS}, {DESCRIPTORS}))"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("XUNTU_")}
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-c", f"{limited}; from api.cli import main; main()", "serve", "--port", str(port)],
            env={**kept, "XUNTU_DATA": str(library), "XUNTU_API__HEADER_SECONDS": "3", "XUNTU_API__BODY_SECONDS": "3"},
            stderr=stderr,
        )
    served = Target(port, psutil.Process(process.pid))
    try:
        while True:
            assert process.poll() is None, log.read_text("utf-8")
            with contextlib.suppress(ConnectionError):
                if served.ask(get("/readyz"))[0] == 200:
                    break
        served.first = served.find_first()
        with ThreadPoolExecutor(16) as pool:  # every thread and worker of it is there
            list(
                pool.map(
                    served.ask, [get("/v1/images/FIRST/file"), upload(saved("PNG", 900)), get("/v1/search?q=cat")] * 16
                )
            )
        yield served
        assert served.most_memory() < MOST
        assert "Traceback" not in log.read_text("utf-8")
    finally:
        process.terminate()
        process.wait(120)


@pytest.fixture
def leaves_nothing(target, depth, wait_until) -> Iterator[None]:
    """Answers are given as before afterwards, and nothing is left open."""
    before = target.count_descriptors()
    yield
    assert target.process.is_running()
    wait_until(target.asks_words, "a connection to be free")
    wait_until(lambda: target.count_descriptors() <= before + SPARE, "descriptors to be closed")
    assert target.most_memory() < MOST


def test_every_row_is_answered_as_it_should(target, leaves_nothing):
    wrong = []
    for name, request, statuses in rows():
        made = request() if callable(request) else request
        status, _ = target.ask(made)
        if status not in statuses:
            wrong.append((name, status))
    assert not wrong


# Many at once


def at_once(target: Target, requests: list[bytes]) -> list[tuple[int | None, bytes]]:
    with ThreadPoolExecutor(len(requests)) as pool:
        return list(pool.map(target.ask, requests))


def test_pictures_that_cost_much_may_come_together(target, leaves_nothing):
    heavy = [BOMBS[name]() for name in ("png of 16 bits, 49 MP", "jpeg of 500 scans", "gif of 20,000 frames")]
    encoded = [base64.b64encode(one).decode() for one in (*heavy, png(6000, 6000, fill=36_006_000), webp(3500, 3000))]
    many = [clauses(*[{"image": one}] * 16) for one in encoded]
    answers = at_once(target, [*many, *(upload(one) for one in heavy), *many])
    assert {status for status, _ in answers} <= OK | REFUSED | {503}


def test_more_uploads_than_there_is_room_for_are_refused_at_once(target, leaves_nothing):
    one = upload(b"\x89PNG\r\n\x1a\n" + bytes(30 * 2**20))
    answers = at_once(target, [one] * 64)
    statuses = [status for status, _ in answers]
    assert set(statuses) == {422, 503}
    assert all(b"\r\nretry-after: " in known for status, known in answers if status == 503)


def test_a_client_that_hangs_up_while_its_picture_is_decoded_takes_nothing_with_it(target, leaves_nothing):
    heavy = upload(BOMBS["png of 16 bits, 49 MP"]())
    for count in (1, 8, 8):
        with contextlib.ExitStack() as closing:
            for _ in range(count):
                connection = closing.enter_context(contextlib.closing(target.connect()))
                connection.sendall(heavy)
    status = 503
    while status == 503:
        status, _ = target.ask(upload(saved("PNG", 900)))
    assert status == 200


def test_a_thousand_requests_that_are_half_sent_keep_nobody_out(target, leaves_nothing):
    with contextlib.ExitStack() as closing:
        for at in range(1000):
            connection = closing.enter_context(contextlib.closing(target.connect()))
            with contextlib.suppress(ConnectionError):
                connection.sendall(get("/v1/search?q=cat")[: -1 - at % 40])
        assert target.asks_words()


def test_slow_bodies_are_let_go_and_words_are_searched_meanwhile(target, leaves_nothing):
    with contextlib.ExitStack() as closing:
        slow = [closing.enter_context(contextlib.closing(target.connect())) for _ in range(100)]
        for connection in slow:
            connection.sendall(upload(bytes(2 * 2**20))[: 2**16])
        assert target.asks_words()
        answers = [read_head(connection) for connection in slow]
    assert {status for status, _ in answers} == {408, 503}


def test_requests_one_after_another_without_waiting_are_all_answered(target, leaves_nothing):
    with contextlib.closing(target.connect()) as connection:
        sending = threading.Thread(
            target=lambda: connection.sendall(get("/healthz") * 3000 + get("/healthz", "Connection: close"))
        )
        sending.start()
        received = b"".join(iter(lambda: connection.recv(2**16), b""))
        sending.join(120)
    assert received.count(b"HTTP/1.1 200 OK\r\n") == 3001


@pytest.mark.parametrize(
    ("begin", "piece", "statuses"),
    [
        (b"GET /healthz HTTP/1.1\r\nX: ", b"x" * 2**16, {431, None}),
        (b"GET /healthz HTTP/1.1\r\n", b"X: x\r\n" * 2**13, {431, None}),
        (b"GET /healthz?", b"x" * 2**16, {431, None}),
        (
            head("POST", "/v1/search", "Content-Type: application/json", "Transfer-Encoding: chunked"),
            b"10000\r\n" + b" " * 2**16 + b"\r\n",
            {413, None},
        ),
        (
            head("POST", "/v1/search", "Content-Type: application/json", "Transfer-Encoding: chunked") + b"1;",
            b"x" * 2**16,
            {413, 408, 400, None},
        ),
        (
            head("POST", "/v1/search", "Content-Type: application/json", "Transfer-Encoding: chunked") + b"0\r\n",
            b"X: x\r\n" * 2**13,
            {431, 400, 422, None},
        ),
    ],
    ids=["header", "headers", "address", "body", "extension", "trailers"],
)
def test_what_does_not_end_is_ended(target, leaves_nothing, begin, piece, statuses):
    def endless() -> Iterator[bytes]:
        yield begin
        while True:
            yield piece

    status, _ = target.ask(endless())
    assert status in statuses
