"""The service as a process: started, asked what it counts, and looked at from outside."""

import os
import re
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from processes import XUNTU, Bench, clean_environment

_READY_SECONDS = 120
LOOKED_EVERY = 0.05  # seconds
_TICKS = os.sysconf("SC_CLK_TCK")
_SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)


@dataclass(slots=True)
class Watch:
    """The most that was seen in memory at once, each page counted once however many processes share it."""

    peak_mb: float = 0.0


@dataclass(frozen=True, slots=True)
class Served:
    """A service that runs. Its processes are itself and those that it started."""

    port: int
    process: psutil.Process

    def cpu_s(self) -> float:
        """Return the processor time of all its processes so far, of those that have ended as well."""
        return sum(map(_cpu_s, self._pids()))

    def memory_mb(self) -> float:
        """Return what all its processes have in memory now, pages that they share counted for each."""
        return sum(_status_mb(pid, "VmRSS") for pid in self._pids())

    def peak_memory_mb(self) -> float:
        """Return the sum of the most that each of its processes has had in memory."""
        return sum(_status_mb(pid, "VmHWM") for pid in self._pids())

    @contextmanager
    def watched(self) -> Iterator["Watch"]:
        """Look at what its processes have in memory together until the context ends."""
        watch, ended = Watch(), threading.Event()

        def look() -> None:
            watch.peak_mb = max(watch.peak_mb, sum(map(_together_mb, self._pids())))

        def keep_looking() -> None:
            while not ended.wait(LOOKED_EVERY):
                look()
            look()

        thread = threading.Thread(target=keep_looking)
        thread.start()
        try:
            yield watch
        finally:
            ended.set()
            thread.join()

    def counted(self) -> dict[str, float]:
        """Return its metrics by name, a sum over labels but for those of `stage`, `queue`, `task` and `why`."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=60) as answer:
            text = answer.read().decode()
        found: dict[str, float] = {}
        for name, labels, value in _SAMPLE.findall(text):
            kept = re.search(r'(?:stage|queue|task|why)="(\w+)"', labels)
            key = f"{name} {kept[1]}" if kept else name
            found[key] = found.get(key, 0.0) + float(value)
        return found

    def _pids(self) -> list[int]:
        return [self.process.pid, *(one.pid for one in self.process.children(recursive=True))]


@contextmanager
def served(bench: Bench, library: Path) -> Iterator[Served]:
    """Run `xuntu serve` in its default settings until it is no longer needed."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [XUNTU, "serve", "--port", str(port), "--data", str(library)]
    process = subprocess.Popen(command, cwd=bench.folder, env=clean_environment())
    try:
        wait_until_ready(process, f"http://127.0.0.1:{port}/readyz")
        yield Served(port, psutil.Process(process.pid))
    finally:
        process.terminate()
        process.wait(30)


def wait_until_ready(process: subprocess.Popen[bytes], address: str) -> None:
    """Return when a service answers at an address. Raises RuntimeError if it does not."""
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.05)
    raise RuntimeError(f"the server was not ready after {_READY_SECONDS} s, or has ended: {process.poll()}")


def _cpu_s(pid: int) -> float:
    """Return the user and system time of a process and of its children that have ended and been waited for."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0.0
    return sum(map(int, stat.rpartition(")")[2].split()[11:15])) / _TICKS


def _together_mb(pid: int) -> float:
    """Return the memory of a process, of each page that it shares with others its part."""
    try:
        status = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0.0
    return int(status.partition("\nPss:")[2].split()[0]) / 1024 if "\nPss:" in status else 0.0


def _status_mb(pid: int, name: str) -> float:
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0.0
    return int(status.partition(f"{name}:")[2].split()[0]) / 1024
