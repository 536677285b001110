"""Pictures that strangers send cost little memory, and no text waits for them: the service as a process."""

import asyncio
import base64
import contextlib
import http.client
import io
import json
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
    thread = threading.Thread(target=work, daemon=True)
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
    return [one for one in process_of(url).children() if any("decoding" in word for word in one.cmdline())]


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
    return serve(library, XUNTU_API__DECODE_SECONDS="600")


def test_no_request_takes_a_gigabyte(library, serve):
    url = serve(library)
    answers: list[tuple[int, str]] = []

    def send(body: bytes) -> None:
        status, document = ask(f"{url}/v1/search", body)
        answers.append((status, document.get("detail", "")))

    assert len(lossless(16_383, 12_000)) <= 36
    for size in ((16_383, 12_000), (7_000, 7_000), (3_500, 3_000)):
        many = clauses(*[lossless(*size)] * 16)
        threads = [ask_beside(lambda body=body: send(body)) for body in (many, many, clauses(lossless(*size)))]
        for thread in threads:
            thread.join(120)
    refused = " ".join(said for status, said in answers if status == 413)
    assert [status for status, _ in answers].count(200) == 1, answers
    assert all(word in refused for word in ("limit 50", "together", "more memory than there is for pictures"))
    assert most_memory(url) < MOST


def test_texts_and_kept_thumbnails_wait_for_no_picture(patient, wait_until):
    warm(patient)
    long = "a cat that sits on a table " * 6  # which is read on a thread
    with stopped(patient) as workers:
        bodies = [clauses(png(40 + at, 30)) for at in range(12)]
        for body in bodies:
            ask_beside(lambda body=body: ask(f"{patient}/v1/search", body))
        for _ in range(20):
            assert ask_words(patient, "a cat") == 200
            assert ask_words(patient, long) == 200
        hit = ask(f"{patient}/v1/search?q=cat")[1]["hits"][0]["id"]
        with urllib.request.urlopen(f"{patient}/v1/images/{hit}/thumbnail", timeout=120) as answer:
            assert answer.status == 200
        assert len(workers) == 2
    wait_until(lambda: metric(patient, "xuntu_decode_seconds_count") >= 24, "the pictures to be decoded")


def test_a_client_that_goes_away_ends_its_worker(patient, wait_until):
    warm(patient)
    queued = metric(patient, "xuntu_decode_queue_seconds_count")
    ended = metric(patient, 'xuntu_decode_workers_ended_total{why="gone"}')
    with stopped(patient):
        place = urllib.parse.urlsplit(patient)
        client = http.client.HTTPConnection(place.hostname, place.port, timeout=120)
        client.request("POST", "/v1/search", clauses(png(50, 40)), {"Content-Type": "application/json"})
        wait_until(lambda: metric(patient, "xuntu_decode_queue_seconds_count") > queued, "it to be asked")
        client.close()
        wait_until(lambda: metric(patient, 'xuntu_decode_workers_ended_total{why="gone"}') > ended, "its worker to end")
    assert ask(f"{patient}/v1/search", clauses(png(50, 40)))[0] == 200


def test_a_worker_that_dies_is_replaced(patient, wait_until):
    warm(patient)
    with stopped(patient) as workers:
        answers: list[tuple[int, dict]] = []
        asking = ask_beside(lambda: answers.append(ask(f"{patient}/v1/search", clauses(png(50, 40)), "zh")))
        while asking.is_alive():
            for one in workers:
                with contextlib.suppress(psutil.Error):
                    one.kill()
            asking.join(0.02)
    assert answers[0][0] in {200, 422}, answers  # as they died with it, or before it came
    assert ask(f"{patient}/v1/search", clauses(png(50, 40)))[0] == 200
    assert ask_words(patient, "a cat") == 200


def test_a_picture_that_takes_too_long_is_given_up(library, serve):
    url = serve(library, XUNTU_API__DECODE_SECONDS="3", XUNTU_API__DECODE_WORKERS="1")
    warm(url, 1)
    with stopped(url):
        status, document = ask(f"{url}/v1/search", clauses(png(50, 40)), "zh")
    assert (status, document["code"]) == (422, "unreadable_image")
    assert "3 秒" in document["detail"]
    assert metric(url, 'xuntu_decode_workers_ended_total{why="slow"}') == 1


def test_workers_end_with_the_service_even_where_it_is_killed(library, serve, wait_until):
    url = serve(library)
    warm(url)
    workers, service = workers_of(url), process_of(url)
    service.kill()
    wait_until(lambda: not any(one.is_running() and one.status() != "zombie" for one in workers), "the workers to end")


async def _take_in_turn(budget: MemoryBudget, sizes: Sequence[int]) -> list[int]:
    order: list[int] = []

    async def take(size: int) -> None:
        async with budget.take(size):
            order.append(size)
            await asyncio.sleep(0)

    await asyncio.gather(*(take(size) for size in sizes))
    return order


def test_memory_is_given_in_the_order_in_which_it_is_asked_for():
    budget = MemoryBudget(10)
    assert asyncio.run(_take_in_turn(budget, [6, 10, 1, 2, 3])) == [6, 10, 1, 2, 3]
    assert asyncio.run(_take_in_turn(budget, [99])) == [99]


def test_who_gives_up_waiting_for_memory_holds_nobody_up():
    async def run() -> list[int]:
        budget = MemoryBudget(10)
        async with budget.take(8):
            waiting = asyncio.ensure_future(_take_in_turn(budget, [9]))
            behind = asyncio.ensure_future(_take_in_turn(budget, [2]))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            waiting.cancel()
            return await behind

    assert asyncio.run(run()) == [2]
