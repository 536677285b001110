"""What the service is asked: files with whole HTTP requests, a folder for each kind, and bodies that do harm."""

import base64
import io
import json
import random
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import words
from clients import QUERIES
from photographs import make_photograph, with_comment
from PIL import Image

UPLOAD_SIZE = (1156, 867)  # 1.0 megapixels
_TEXTS, _UPLOADS, _ASKED, _MIXED = 200, 20, 100, 400
_BOUNDARY = "xuntu-benchmark"
_LARGE_SIDE = 3_238  # 30 MiB of pixels, which are not compressed
LARGE_UPLOADS = 64


def write_requests(folder: Path, pictures: int) -> None:
    """Write requests for texts, uploads, thumbnails, and a mixture, once; ids up to `pictures` have files.

    Those of `text` ask vectors alone; those of `box`, as everybody does who says nothing else, words and facts as well.
    """
    if (folder / "mixed").exists():
        return
    rng = random.Random(0)  # noqa: S311 - what is asked is no secret
    ids = [rng.randrange(1, pictures + 1) for _ in range(_ASKED)]
    captions = words.read_captions()
    texts = [*QUERIES, *(rng.choice(captions[rng.choice(["zh", "en"])]) for _ in range(_TEXTS - len(QUERIES)))]
    photograph = make_photograph(0, UPLOAD_SIZE)
    kinds = {
        "text": [_get("/v1/search", q=text, k=20, match="vector") for text in texts],
        "box": [_get("/v1/search", q=text, k=20) for text in texts],
        "upload": [_upload(with_comment(photograph, f"upload {number}")) for number in range(_UPLOADS)],
        "thumbnail": [_get(f"/v1/images/{one}/thumbnail") for one in ids],
        "made": [_get(f"/v1/images/{one}/thumbnail", size=800) for one in ids],
        "other": [*(_get(f"/v1/images/{one}") for one in ids), *(_get(f"/v1/images/{one}/similar") for one in ids)],
    }
    shares = {"text": 60, "box": 10, "thumbnail": 12, "other": 10, "upload": 5, "made": 3}
    drawn = rng.choices(list(shares), list(shares.values()), k=_MIXED)
    for name, requests in {**kinds, "mixed": [rng.choice(kinds[kind]) for kind in drawn]}.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number, request in enumerate(requests):
            (folder / name / f"{number:03d}").write_bytes(request)


def _get(path: str, **asked: object) -> bytes:
    address = f"{path}?{urlencode(asked)}" if asked else path
    return f"GET {address} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


def _upload(picture: bytes) -> bytes:
    kind, body = form_of(picture)
    head = f"Host: 127.0.0.1\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return f"POST /v1/search/image HTTP/1.1\r\n{head}".encode() + body


def form_of(picture: bytes) -> tuple[str, bytes]:
    """Return the content type and the body of a form with a picture."""
    head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n'
    return f"multipart/form-data; boundary={_BOUNDARY}", head.encode() + picture + f"\r\n--{_BOUNDARY}--\r\n".encode()


# What does harm


def hostile_bodies() -> Iterator[tuple[str, Sequence[tuple[str, str, bytes]]]]:
    """Yield a name, and requests to send at once: path, content type, body."""
    for width, height in ((16_383, 12_000), (7_000, 7_000), (3_500, 3_000)):
        bomb = _lossless(width, height)
        many, one = (_clauses(bomb, count) for count in (16, 1))
        yield f"WebP of {width} x {height} in {len(bomb)} bytes", [many, many, one]
    bomb = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(bomb, "PNG")
    yield "PNG of 20,000 x 20,000", [("/v1/search/image", *form_of(bomb.getvalue()))] * 4
    side = (_LARGE_SIDE, _LARGE_SIDE, 3)
    large = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, side, np.uint8)
    Image.fromarray(noise).save(large, "PNG", compress_level=0)
    yield f"{LARGE_UPLOADS} uploads of 30 MiB", [("/v1/search/image", *form_of(large.getvalue()))] * LARGE_UPLOADS


def _clauses(picture: bytes, count: int) -> tuple[str, str, bytes]:
    clauses = [{"image": base64.b64encode(picture).decode()}] * count
    return "/v1/search", "application/json", json.dumps({"clauses": clauses}).encode()


def _lossless(width: int, height: int) -> bytes:
    """Return a WebP of one colour, lossless, in some dozens of bytes, whatever its size."""
    bits = (width - 1) | (height - 1) << 14
    pixels = b"\x2f" + bits.to_bytes(4, "little") + bytes.fromhex("888808") + bytes(6)  # codes of no length
    chunk = b"VP8L" + struct.pack("<I", len(pixels)) + pixels + bytes(len(pixels) & 1)
    return b"RIFF" + struct.pack("<I", len(chunk) + 4) + b"WEBP" + chunk
