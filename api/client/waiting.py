"""Waiting for a job: how often to ask, and for how long."""

import time
from collections.abc import Callable

from api.schemas import JobInfo

_FIRST_S, _LONGEST_S = 0.1, 2.0
_OPEN = ("queued", "running")


def no_one(_: JobInfo) -> None:
    """Tell nobody."""


class Waiting:
    """One wait. It asks more seldom the longer it takes: after a tenth of a second first, every two seconds at last."""

    def __init__(self, job_id: str, timeout_s: float | None, on_progress: Callable[[JobInfo], None]) -> None:
        self.job_id = job_id
        self._until = None if timeout_s is None else time.monotonic() + timeout_s
        self._on_progress = on_progress
        self._wait_s = _FIRST_S
        self._seen: JobInfo | None = None

    def look_at(self, job: JobInfo) -> float | None:
        """Return after how many seconds to ask again; None where the job has ended. Raises TimeoutError."""
        if job != self._seen:
            self._seen = job
            self._on_progress(job)
        if job.state not in _OPEN:
            return None
        if self._until is not None and time.monotonic() >= self._until:
            raise TimeoutError(f"job {job.id} has not ended in time: {job.message}")
        wait_s, self._wait_s = self._wait_s, min(2 * self._wait_s, _LONGEST_S)
        return wait_s
