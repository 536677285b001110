"""Jobs as processes of this machine, one after the other.

A job is `xuntu index ...` in a session of its own. Where the service stops, it interrupts the job, which goes on when
the service is there again; where the service is killed, the job goes on by itself and is found again. Of several
services of one library, the one that has the lock of the folder `jobs` runs them, and the others show them.
"""

import asyncio
import contextlib
import fcntl
import logging
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from api.http.jobs.errors import TooManyJobs
from api.http.jobs.orders import WRITING, JobOrder
from api.http.jobs.processes import born, interrupt, is_alive, kill, start_process
from api.http.jobs.records import ENDED, JobFolder, JobRecord, JobState, new_id, now
from api.http.jobs.reports import read_result, read_told
from indexer.library.layout import Layout
from indexer.library.lock import find_writer
from models.foundation.messages import message

logger = logging.getLogger(__name__)

MAX_WAITING = 100
_STEP_S = 0.2  # between two looks at a job that runs or waits
_REST_S = 2.0  # between two looks for what other services were asked
_BUSY_S = 2.0  # before a job is tried again that another writer came before
_GRACE_S = 60.0  # that a job has to end once it was asked to
_STOP_S = 8.0  # that the service waits for that when it stops itself

_INTERRUPTED = message(
    "The process of this job has ended before its time. What it had done is kept: ask for the same job again to go on."
)


class LocalJobs:
    """The jobs of a library. `on_end` is told of each that has ended, on a thread."""

    def __init__(self, layout: Layout, *, on_end: Callable[[JobRecord], None]) -> None:
        self._layout = layout
        self._folder = JobFolder(layout.jobs)
        self._on_end = on_end
        self._lock: BinaryIO | None = None  # held by the one service that runs jobs
        self._process: subprocess.Popen[bytes] | None = None  # of the job that runs, where this service started it
        self._asked_at = 0.0  # when it was asked to end
        self._not_before = 0.0  # when the next may be started
        self._task: asyncio.Task[None] | None = None
        self._awake = asyncio.Event()
        self._changing = threading.Lock()  # held by the thread that changes what is kept of jobs
        self.is_stopping = False

    def start(self) -> None:
        """Begin to run jobs, those first that were left by an earlier service."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Interrupt the job that runs: it is queued again. One that takes too long goes on, and is found again."""
        self.is_stopping = True
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await asyncio.to_thread(self._stop)

    async def submit(self, order: JobOrder, *, caller: str, request_id: str, key: str = "") -> JobRecord:
        """Return a new job, or the one that the same client has asked for by this key, or that waits and does the same.

        Raises TooManyJobs or LibraryUnwritable.
        """
        record = await asyncio.to_thread(self._add, order, caller, request_id, key)
        self._awake.set()
        return record

    async def get(self, job_id: str) -> JobRecord:
        """Return a job with what its process has said by now. Raises JobNotFound."""
        return await asyncio.to_thread(lambda: self._with_told(self._folder.get(job_id)))

    async def list_jobs(self) -> list[JobRecord]:
        """Return the jobs that are kept, the latest first."""
        return await asyncio.to_thread(lambda: [self._with_told(one) for one in self._folder.list_jobs()])

    async def cancel(self, job_id: str) -> JobRecord:
        """Have a job end, and return it; one that has ended stays as it is. Raises JobNotFound."""
        record = await asyncio.to_thread(self._folder.get, job_id)
        if record.state not in ENDED:
            await asyncio.to_thread(self._folder.ask_to_cancel, record)
            await asyncio.to_thread(self._look_after)
            self._awake.set()
        return await self.get(job_id)

    def is_to_cancel(self, record: JobRecord) -> bool:
        """Say whether the end of a job has been asked for."""
        return record.state not in ENDED and self._folder.is_to_cancel(record)

    def list_waiting(self) -> list[str]:
        """Return the ids of the jobs that have not ended, in the order in which they are done."""
        return [one.id for one in self._folder.list_open()]

    def find_writer(self, record: JobRecord) -> int | None:
        """Return the process that a job waits for since it writes to the library; None for nobody, 0 elsewhere."""
        return find_writer(self._layout) if record.kind in WRITING else None

    @property
    def duplicates(self) -> Path:
        """The file of the latest report of duplicates."""
        return self._folder.duplicates

    async def _run(self) -> None:
        """Look after jobs until this is stopped: what goes wrong is logged, and tried again."""
        while True:
            is_busy = False
            try:
                is_busy = await asyncio.to_thread(self._look_after)
            except Exception:  # whatever it is, other jobs are run
                logger.exception("jobs cannot be looked after")
            self._awake.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._awake.wait(), _STEP_S if is_busy else _REST_S)

    def _look_after(self) -> bool:
        """See to the job that runs, or start the next; say whether there is one."""
        with self._changing:
            if not self._leads():
                return False
            waiting = self._folder.list_open()
            running = next((one for one in waiting if one.state is JobState.RUNNING), None)
            for record in waiting:
                if record is not running and self._folder.is_to_cancel(record):
                    self._end(record, JobState.CANCELLED)
            if running:
                self._watch(running)
            elif not self.is_stopping:
                self._start_next()
            return bool(waiting)

    def _leads(self) -> bool:
        """Say whether this is the service that runs jobs; none does before there is one."""
        if self._lock is None and self._layout.jobs.is_dir():
            try:
                lock = (self._layout.jobs / "lock").open("ab")
            except OSError:  # a library that this service may only read
                return False
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                lock.close()
                return False
            self._lock = lock
        return self._lock is not None

    def _start_next(self) -> None:
        record = next(iter(self._folder.list_open()), None)
        if record is None or time.monotonic() < self._not_before:
            return
        if record.kind in WRITING and find_writer(self._layout) is not None:
            return
        says, prints = self._folder.progress(record), self._folder.result(record)
        try:
            self._process = start_process(record.arguments, says=says, prints=prints)
        except OSError as error:
            self._end(record, JobState.FAILED, {"error": _plain("job_not_started", str(error))})
            return
        pid = self._process.pid
        self._folder.change(record, state=JobState.RUNNING, started_at=now(), pid=pid, born=born(pid))
        logger.info("job %s (%s) is process %d", record.id, record.kind, pid)

    def _watch(self, record: JobRecord) -> None:
        """See whether a job that runs has ended, and have it end where somebody has asked for that."""
        if not self._has_ended(record):
            if self._folder.is_to_cancel(record):
                self._have_end(record)
            return
        told = read_told(self._folder.progress(record))
        code = told.get("error", {}).get("code")
        if told.get("end") == "done":
            self._end(record, JobState.DONE, told)
        elif self._folder.is_to_cancel(record):
            self._end(record, JobState.CANCELLED, told)
        elif (record.put_back or self.is_stopping) and told.get("end") != "failed":
            self._put_back(record)
        elif code == "library_busy":  # somebody was faster; it waits for them
            self._not_before = time.monotonic() + _BUSY_S
            self._put_back(record)
        elif told.get("end") == "failed":
            self._end(record, JobState.FAILED, told)
        else:
            said = _INTERRUPTED
            error = {"code": "job_interrupted", "en": said.text("en"), "zh": said.text("zh"), "mistake": False}
            self._end(record, JobState.FAILED, {**told, "error": error})

    def _has_ended(self, record: JobRecord) -> bool:
        if self._process and self._process.pid == record.pid:
            return self._process.poll() is not None
        return record.pid is None or not is_alive(record.pid, record.born)

    def _have_end(self, record: JobRecord) -> None:
        if record.pid is None:
            return
        if not self._asked_at:
            self._asked_at = time.monotonic()
            interrupt(record.pid)
        elif time.monotonic() - self._asked_at > _GRACE_S:
            kill(record.pid)

    def _put_back(self, record: JobRecord) -> None:
        self._process, self._asked_at = None, 0.0
        self._folder.change(record, state=JobState.QUEUED, started_at=None, pid=None, born="", put_back=False)

    def _end(self, record: JobRecord, state: JobState, told: dict[str, Any] | None = None) -> None:
        self._process, self._asked_at = None, 0.0
        result = read_result(self._folder.result(record), record.kind) if state is JobState.DONE else None
        if result is not None and record.kind == "duplicates":
            self._folder.result(record).replace(self._folder.duplicates)
        ended = self._folder.change(record, state=state, ended_at=now(), told=told or {}, result=result)
        logger.info("job %s (%s): %s", record.id, record.kind, state)
        self._on_end(ended)
        self._folder.forget_old()

    def _stop(self) -> None:
        """Interrupt the job that runs, wait for its end for a while, and leave jobs to another service."""
        with self._changing:
            if self._lock is None:
                return
            until = time.monotonic() + _STOP_S
            if running := self._find_running():
                self._folder.change(running, put_back=True)
            while (running := self._find_running()) and time.monotonic() < until:
                self._have_end(running)
                self._watch(running)
                time.sleep(0.02)
            self._lock.close()
            self._lock = None

    def _find_running(self) -> JobRecord | None:
        return next((one for one in self._folder.list_open() if one.state is JobState.RUNNING), None)

    def _add(self, order: JobOrder, caller: str, request_id: str, key: str) -> JobRecord:
        with self._changing, self._folder.adding():
            jobs = self._folder.list_jobs()
            for known in jobs:
                waits = known.state is JobState.QUEUED and not self._folder.is_to_cancel(known)
                if (key and (known.caller, known.key) == (caller, key)) or (
                    waits and known.arguments == order.arguments
                ):
                    return known
            if sum(one.state not in ENDED for one in jobs) >= MAX_WAITING:
                raise TooManyJobs(MAX_WAITING)
            record = JobRecord(
                id=new_id(),
                kind=order.kind,
                options=order.options,
                arguments=order.arguments,
                caller=caller,
                request_id=request_id,
                key=key,
                created_at=now(),
            )
            self._folder.add(record)
            return record

    def _with_told(self, record: JobRecord) -> JobRecord:
        if record.state is not JobState.RUNNING:
            return record
        return replace(record, told=read_told(self._folder.progress(record)))


def _plain(code: str, said: str) -> dict[str, Any]:
    return {"code": code, "en": said, "zh": said, "mistake": False}
