"""How long work on weights looks to the person who waits for it; on standard error."""

import time
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

_LINE_SECONDS = 10.0  # between lines where there is no terminal


class StepDisplay:
    """A bar in a terminal; elsewhere a line when a step begins, and now and then. Used as a context manager."""

    def __init__(self, *, in_bytes: bool = False) -> None:
        self._console = Console(stderr=True)
        counted = (DownloadColumn(), TransferSpeedColumn()) if in_bytes else (TaskProgressColumn(),)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            *counted,
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(compact=True, elapsed_when_finished=True),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._in_bytes = in_bytes
        self._task: TaskID | None = None
        self._what = ""
        self._first = 0
        self._started = self._spoke = time.monotonic()

    def __enter__(self) -> "StepDisplay":
        self._bar.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._bar.stop()

    def advance(self, what: str, done: int, total: int, note: str = "") -> None:
        """Show how far a step has come; 0 in `total` means that nobody knows. A `note` stands in place of the rate."""
        now = time.monotonic()
        if what != self._what or self._task is None:
            if self._task is not None:
                self._bar.remove_task(self._task)
            self._task = self._bar.add_task(what, total=total or None, rate="")
            self._what, self._first, self._started, self._spoke = what, done, now, now
            if not self._console.is_terminal:
                self._console.print(what, soft_wrap=True)
        rate = note or ("" if self._in_bytes else _rate(done - self._first, now - self._started))
        self._bar.update(self._task, completed=done, total=total or None, rate=rate)
        if not self._console.is_terminal and done and now - self._spoke > _LINE_SECONDS:
            self._spoke = now
            left = ""
            if total and done > self._first:  # what went on did not begin at nothing
                left = f"{(total - done) * (now - self._started) / (done - self._first):.0f} s left"
            said = ", ".join(filter(None, (f"{done / max(total, done):.0%}", rate, left)))
            self._console.print(f"{what}: {said}", soft_wrap=True)


def _rate(done: int, seconds: float) -> str:
    """Return how many are done in a second, nothing where that is less than one or too early to tell."""
    return f"{done / seconds:.0f} a second" if seconds > 0.5 and done > seconds else ""
