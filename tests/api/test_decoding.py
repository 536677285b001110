"""Pictures that strangers send cost little memory, and no text waits for them: the service as a process, and its parts."""

import asyncio
import base64
import contextlib
import http.client
import io
import json
import os
import signal
import struct
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psutil
import pytest
from PIL import Image

from api.http.decoding.budget import MemoryBudget

MOST = 2**30  # bytes of all processes of a service together
DEADLINE_S = "600"  # of pictures that are left hanging, for longer than any test waits


def lossless(width: int, height: int) -> bytes:
    """Return a WebP of one colour, lossless, in some dozens of bytes, whatever its size."""
    bits = (width - 1) | (height - 1) << 14
    pixels = b"\x2f" + bits.to_bytes(4, "little") + bytes.fromhex("888808") + bytes(6)  # codes of no length
    chunk = b"VP8L" + struct.pack("<I", len(pixels)) + pixels + bytes(len(pixels) & 1)
    return b"RIFF" + struct.pack("<I", len(chunk) + 4) + b"WEBP" + chunk


def png(width: int, height: int, colour: str = "red") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(file, "PNG")
    return file.getvalue()


def clauses(*pictures: bytes) -> bytes:
    return json.dumps({"clauses": [{"image": base64.b64encode(one).decode()} for one in pictures]}).encode()


def ask(url: str, body: bytes | None = None, language: str = "en") -> tuple[int, dict]:
    """Return the status and the document that a request is answered with."""
    headers = {"Content-Type": "application/json", "Accept-Language": language}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=120) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def ask_words(url: str, words: str) -> int:
    return ask(f"{url}/v1/search?" + urllib.parse.urlencode({"q": words}))[0]


def ask_beside(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=lambda: contextlib.suppress(OSError).__enter__() and None or work(), daemon=True)
    thread.start()
    return thread


def process_of(url: str) -> psutil.Process:
    """Return the process that listens at an address."""
    port = urllib.parse.urlsplit(url).port
    for one in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if any(at.status == psutil.CONN_LISTEN and at.laddr.port == port for at in one.net_connections("tcp")):
                return one
    raise AssertionError("nothing listens there")


def workers_of(url: str) -> list[psutil.Process]:
    return [one for one in process_of(url).children() if any("decoding.worker" in word for word in one.cmdline())]


def most_memory(url: str) -> int:
    """Return the most that each process of a service has had in memory, together, in bytes."""
    service = process_of(url)
    total = 0
    for one in (service, *service.children(recursive=True)):
        status = Path(f"/proc/{one.pid}/status").read_text()
        total += next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))
    return total


def metric(url: str, name: str) -> float:
    with urllib.request.urlopen(f"{url}/metrics", timeout=120) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


@contextlib.contextmanager
def stopped(url: str) -> Iterator[Sequence[psutil.Process]]:
    """Have every worker of a service hang in the middle of whatever it does."""
    workers = workers_of(url)
    for one in workers:
        one.suspend()
    try:
        yield workers
    finally:
        for one in workers:
            with contextlib.suppress(psutil.Error):
                one.resume()


def warm(url: str, count: int = 2) -> None:
    """Have all workers of a service started."""
    while len(workers_of(url)) < count:
        threads = [ask_beside(lambda: ask(f"{url}/v1/search", clauses(png(2000, 2000)))) for _ in range(2 * count)]
        for thread in threads:
            thread.join(120)


@pytest.fixture(scope="module")
def patient(library, serve) -> str:
    """A service that gives no picture up."""
    return serve(library, XUNTU_API__DECODE_SECONDS=DEADLINE_S)


@pytest.mark.parametrize("size", [(16_383, 12_000), (7_000, 7_000), (4_000, 3_000)])
def test_no_request_takes_a_gigabyte(library, serve, size):
    url = serve(library)
    many = clauses(*[lossless(*size)] * 16)
    assert len(many) < 2_048
    answers: list[int] = []
    threads = [ask_beside(lambda body=body: answers.append(ask(f"{url}/v1/search", body)[0])) for body in (many, many)]
    for thread in threads:
        thread.join(120)
    answers.append(ask(f"{url}/v1/search", clauses(lossless(*size)))[0])
    assert set(answers) <= {200, 413}, answers
    assert most_memory(url) < MOST
