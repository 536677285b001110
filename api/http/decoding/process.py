"""A worker process from outside: started, asked, ended."""

import json
import os
import pickle
import subprocess
import sys
from contextlib import suppress
from typing import IO, Any

from api.http.decoding.jobs import DecodeJob
from api.http.decoding.worker import HEAD, LENGTH

_MOST_FACTS = 2**16  # bytes
_ENVIRONMENT = {  # one thread, one heap, and large pieces of it apart, so that they go back to the system
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": "262144",
}


Facts = dict[str, Any]


class WorkerDied(Exception):
    """A worker ended, or made no sense, before it had answered."""


class WorkerProcess:
    """One process that decodes. Asked from one thread at a time; `kill` may be called from any."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The number of the process, None where there is none."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def start(self) -> None:
        """Start the process, if there is none, and wait until it can be asked. Raises WorkerDied."""
        if self.pid is not None:
            return
        self.discard()
        path = os.pathsep.join(filter(None, sys.path))
        process = self._process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path, **_ENVIRONMENT},
        )
        self._read(process, most_bytes=0)

    def ask(self, job: DecodeJob, *, most_bytes: int) -> tuple[Facts, bytearray]:
        """Have a job done; the answer is no longer than `most_bytes`. Raises WorkerDied."""
        process = self._process
        if process is None or process.stdin is None:
            raise WorkerDied
        said = pickle.dumps(job)
        try:
            process.stdin.write(LENGTH.pack(len(said)))
            process.stdin.write(said)
            process.stdin.flush()
        except (OSError, ValueError) as error:
            raise WorkerDied from error
        return self._read(process, most_bytes=most_bytes)

    def kill(self) -> None:
        """End the process at once, whatever it does; who has asked it is told that it died."""
        process = self._process
        if process is not None:
            process.kill()

    def discard(self) -> None:
        """End the process, and let go of it; another is started when one is needed."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(OSError):  # what could not be written any more
                    pipe.close()

    def _read(self, process: subprocess.Popen[bytes], *, most_bytes: int) -> tuple[Facts, bytearray]:
        stream = process.stdout
        try:
            if stream is None:
                raise WorkerDied
            facts_bytes, body_bytes = HEAD.unpack(_read_all(stream, HEAD.size))
            if facts_bytes > _MOST_FACTS or body_bytes > most_bytes:
                raise WorkerDied
            facts = json.loads(_read_all(stream, facts_bytes))
            if not isinstance(facts, dict):
                raise WorkerDied
            return facts, _read_all(stream, body_bytes)
        except (OSError, ValueError) as error:
            raise WorkerDied from error


_PROGRAM = "from api.http.decoding.worker import main; main()"


def _read_all(stream: IO[bytes], size: int) -> bytearray:
    """Return so many bytes. Raises WorkerDied where there are fewer."""
    found = bytearray(size)
    view, at = memoryview(found), 0
    while at < size:
        count = stream.readinto(view[at:])  # type: ignore[attr-defined]
        if not count:
            raise WorkerDied
        at += count
    return found
