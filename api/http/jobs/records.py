"""What is kept of jobs: a folder for each in the library's `jobs`, so that they outlive the service.

A job's folder has `job.json` (the record), `progress` (what its process said on standard error), `result.json` (what it
printed), and `cancel` where somebody has asked for its end. Only the service that runs jobs writes records after they
are made.
"""

import fcntl
import json
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from api.http.jobs.errors import JobNotFound
from indexer.library.errors import LibraryUnwritable
from models.foundation.files import JSON_ERRORS, replace_file
from models.foundation.messages import os_message

KEPT = 100  # jobs that have ended
_ID = re.compile(r"[0-9]{8}t[0-9]{12}-[0-9a-f]{8}")


class JobState(StrEnum):
    """How a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDED = frozenset({JobState.DONE, JobState.FAILED, JobState.CANCELLED})


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRecord:
    """A job. `arguments` are those of `xuntu index`; `options` is what the client asked, to be shown.

    `born` tells its process from a later one of the same number. `told` is the last that its process said: its
    progress, its warnings, and the error it ended with. `put_back`: a service that stopped has asked it to end, so it
    waits for its turn again when it has.
    """

    id: str
    kind: str
    options: Mapping[str, Any]
    arguments: tuple[str, ...]
    caller: str
    request_id: str
    key: str = ""  # by which a client knows the job that it has asked for already
    state: JobState = JobState.QUEUED
    created_at: str
    started_at: str | None = None
    ended_at: str | None = None
    pid: int | None = None
    born: str = ""
    put_back: bool = False
    told: Mapping[str, Any] = field(default_factory=dict)
    result: Mapping[str, Any] | None = None


def new_id() -> str:
    """Return an id; later ones sort behind earlier ones."""
    return f"{datetime.now(UTC):%Y%m%dt%H%M%S%f}-{secrets.token_hex(4)}"


def now() -> str:
    """Return the time, ISO 8601 in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class JobFolder:
    """The jobs of a library on disk. Reading never makes the folder. Not for the loop: it waits for the disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def adding(self) -> Iterator[None]:
        """Let nobody else look what there is and add to it meanwhile. Raises LibraryUnwritable."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = (self.folder / "adding").open("ab")
        except OSError as error:
            raise LibraryUnwritable(self.folder.parent, os_message(error)) from error
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def add(self, record: JobRecord) -> None:
        """Keep a new job. Raises LibraryUnwritable."""
        try:
            (self.folder / record.id).mkdir(parents=True)
            self._write(record)
        except OSError as error:
            raise LibraryUnwritable(self.folder.parent, os_message(error)) from error

    def change(self, record: JobRecord, **changes: Any) -> JobRecord:
        """Keep a changed record, and return it."""
        changed = replace(record, **changes)
        self._write(changed)
        return changed

    def get(self, job_id: str) -> JobRecord:
        """Return a job. Raises JobNotFound."""
        record = self._read(job_id) if _ID.fullmatch(job_id) else None
        if record is None:
            raise JobNotFound(job_id)
        return record

    def list_jobs(self) -> list[JobRecord]:
        """Return all jobs that are kept, the latest first."""
        return [record for name in reversed(self._names()) if (record := self._read(name)) is not None]

    def list_open(self) -> list[JobRecord]:
        """Return those that have not ended, the earliest first."""
        return [record for record in reversed(self.list_jobs()) if record.state not in ENDED]

    def forget_old(self) -> None:
        """Delete all but the latest that have ended."""
        for record in [one for one in self.list_jobs() if one.state in ENDED][KEPT:]:
            shutil.rmtree(self.folder / record.id, ignore_errors=True)

    def ask_to_cancel(self, record: JobRecord) -> None:
        """Note that a job is to end, for the service that runs it."""
        (self.folder / record.id / "cancel").touch()

    def is_to_cancel(self, record: JobRecord) -> bool:
        """Say whether a job is to end."""
        return (self.folder / record.id / "cancel").exists()

    def progress(self, record: JobRecord) -> Path:
        """Return the file of what its process says."""
        return self.folder / record.id / "progress"

    def result(self, record: JobRecord) -> Path:
        """Return the file of what its process prints."""
        return self.folder / record.id / "result.json"

    @property
    def duplicates(self) -> Path:
        """The latest report of duplicates."""
        return self.folder / "duplicates.json"

    def _names(self) -> list[str]:
        return sorted(self._find_names())

    def _find_names(self) -> Iterator[str]:
        if self.folder.is_dir():
            yield from (path.name for path in self.folder.iterdir() if _ID.fullmatch(path.name))

    def _read(self, job_id: str) -> JobRecord | None:
        """Return a record; None where there is none, or one that another version wrote."""
        try:
            kept = json.loads((self.folder / job_id / "job.json").read_bytes())
            return JobRecord(**{**kept, "state": JobState(kept["state"]), "arguments": tuple(kept["arguments"])})
        except JSON_ERRORS:
            return None

    def _write(self, record: JobRecord) -> None:
        replace_file(self.folder / record.id / "job.json", json.dumps(asdict(record)).encode())
