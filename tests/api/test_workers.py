"""Several processes that answer on one port, as real processes: what they share, and how they come and go."""

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from api.config import Settings
from api.http.workers.share import share_of

SEARCHES = 'xuntu_requests_total{method="POST",route="/v1/search",status="200"}'
DEFAULT = '{library="default"}'
BODY = json.dumps({"clauses": [{"text": "一只猫"}], "k": 1}).encode()


@dataclass(frozen=True)
class Running:
    """A service of several processes: its supervisor, and where that says what it does."""

    process: "subprocess.Popen[bytes]"
    port: int
    log: Path
    temporary: Path

    def workers(self) -> list[psutil.Process]:
        """Return the processes that answer."""
        found = []
        for one in psutil.Process(self.process.pid).children():
            with contextlib.suppress(psutil.Error):
                if one.status() != psutil.STATUS_ZOMBIE and any("workers" in word for word in one.cmdline()):
                    found.append(one)
        return found

    def search(self) -> int:
        """Ask something; return the status."""
        address = f"http://127.0.0.1:{self.port}/v1/search"
        asked = urllib.request.Request(address, BODY, {"Content-Type": "application/json"})
        with urllib.request.urlopen(asked, timeout=120) as answer:
            return int(answer.status)

    def metrics(self) -> dict[str, float]:
        """Return the metrics, as whoever answers tells them; nothing where nobody does."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=120) as answer:
                lines = answer.read().decode().splitlines()
        except OSError:
            return {}
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines) if name[0] != "#"}

    @contextlib.contextmanager
    def only(self, worker: psutil.Process) -> Iterator[None]:
        """Have one of the processes alone answer."""
        others = [one for one in self.workers() if one.pid != worker.pid]
        for one in others:
            one.suspend()
        try:
            yield
        finally:
            for one in others:
                one.resume()


@pytest.fixture
def start(tmp_path, servers, processes, wait_until) -> Iterator[Callable[..., Running]]:
    started: list[subprocess.Popen[bytes]] = []

    def begin(data: Path, *flags: str) -> Running:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        (temporary := tmp_path / "temporary").mkdir(exist_ok=True)
        log = tmp_path / "log"
        command = [sys.executable, "-c", "from api.cli import main; main()", "serve", "--data", str(data)]
        with log.open("wb") as stderr:
            process = subprocess.Popen(
                [*command, "--port", str(port), "--workers", "2", *flags],
                env={**os.environ, "TMPDIR": str(temporary), "XUNTU_API__DECODE_WORKERS": "2"},
                stderr=stderr,
            )
        started.append(process)
        running = Running(process, port, log, temporary)
        wait_until(
            lambda: process.poll() is not None or running.metrics().get("xuntu_workers") == 2,
            "both processes to answer",
        )
        assert process.poll() is None, log.read_text()
        return running

    yield begin
    for process in started:
        process.kill()
        process.wait(120)


def test_two_processes_answer_and_are_replaced_and_end_with_their_answers_finished(library, start, wait_until):
    running = start(library)
    workers = running.workers()
    assert len(workers) == 2

    # Each answers, and each tells the figures of both.
    for count, worker in enumerate(workers, 1):
        with running.only(worker):
            assert [running.search() for _ in range(3)] == [200] * 3
            wait_until(lambda most=3 * count: running.metrics()[SEARCHES] == most, "what is answered to be counted")
    told = []
    for worker in workers:
        with running.only(worker):
            told.append(running.metrics())
    for found in told:
        assert found[SEARCHES] == 6
        assert found['xuntu_stage_seconds_count{stage="search"}'] == 6
        assert (found["xuntu_workers"], found[f"xuntu_pictures{DEFAULT}"], found[f"xuntu_gpu_pictures{DEFAULT}"]) == (
            2,
            9,
            0,
        )
        # The one that is stopped may not have counted yet that its last answer has gone.
        assert (found['xuntu_in_flight{work="text"}'], found['xuntu_in_flight{work="light"}'] in (1, 2)) == (0, True)
        assert len([name for name in found if name.startswith("xuntu_build{")]) == 1
        assert all(found[f'xuntu_worker_requests_total{{worker="{number}"}}'] >= 3 for number in (0, 1))

    # One that dies while requests are answered is replaced, under its number: nothing counts back.
    done = threading.Event()
    thread = threading.Thread(target=ask_until, args=(running, done))
    thread.start()
    workers[0].kill()
    wait_until(lambda: running.metrics().get("xuntu_workers") == 2 and len(running.workers()) == 2, "another process")
    done.set()
    thread.join(120)
    assert workers[0].pid not in {one.pid for one in running.workers()}
    assert f"process {workers[0].pid} " in running.log.read_text()
    for worker in running.workers():
        with running.only(worker):
            before = running.metrics()[SEARCHES]
            assert before >= 6
            assert [running.search() for _ in range(3)] == [200] * 3
            wait_until(lambda most=before + 3: running.metrics()[SEARCHES] >= most, "what is answered to be counted")
    assert not any(re.search(r'worker="[^01]', name) for name in running.metrics())

    # What is begun is finished, and nobody stays behind.
    family = psutil.Process(running.process.pid).children(recursive=True)
    with socket.create_connection(("127.0.0.1", running.port), 120) as connection:
        head = (
            "POST /v1/search HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n"
        )
        connection.sendall(f"{head}Content-Length: {len(BODY)}\r\n\r\n".encode())
        assert connection.recv(2**16).startswith(b"HTTP/1.1 100")
        running.process.send_signal(signal.SIGTERM)
        wait_until(lambda: refuses(running.port), "the port to be closed")
        connection.sendall(BODY)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        assert (answer.status, len(json.load(answer)["hits"])) == (200, 1)
    assert running.process.wait(120) == 0
    assert psutil.wait_procs(family, 120)[1] == []
    assert list(running.temporary.glob("xuntu-*")) == []


def test_processes_end_with_one_interrupt(library, start):
    running = start(library)
    family = psutil.Process(running.process.pid).children(recursive=True)
    running.process.send_signal(signal.SIGINT)
    assert running.process.wait(120) == 0
    assert psutil.wait_procs(family, 120)[1] == []
    assert "Traceback" not in running.log.read_text()


def test_processes_end_with_their_supervisor(library, start, depth):
    running = start(library)
    family = psutil.Process(running.process.pid).children(recursive=True)
    running.process.kill()
    running.process.wait(120)
    assert psutil.wait_procs(family, 120)[1] == []


def test_each_process_takes_its_share():
    api = {"workers": 4, "max_texts": 64, "max_files": 3, "max_connections": 1000, "decode_workers": 8}
    share = share_of(Settings(api={**api, "decode_memory_bytes": 2**29}, threads=3))
    assert (share.api.max_texts, share.api.max_files, share.api.max_connections) == (16, 1, 250)
    assert (share.api.decode_workers, share.api.decode_memory_bytes, share.threads) == (2, 2**27, 3)
    assert share_of(Settings(api={"workers": 64})).api.decode_memory_bytes == 2**26
    assert share_of(Settings()) == Settings()
    assert share_of(Settings(api={"workers": 64})).threads == 1


def ask_until(running: Running, done: threading.Event) -> None:
    """Ask again and again; connections to a process that is killed may break."""
    while not done.is_set():
        with contextlib.suppress(OSError, http.client.HTTPException):
            running.search()


def refuses(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 120).close()
    except OSError:
        return True
    return False
