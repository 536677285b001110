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

from models.foundation.messages import NOTHING, Message, Readable, message, translate
from models.foundation.terminal import language

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

    def advance(self, what: Readable | str, done: int, total: int, note: Readable = NOTHING) -> None:
        """Show how far a step has come; 0 in `total` means that nobody knows. A `note` stands in place of the rate."""
        now, spoken = time.monotonic(), language()
        what = what.text(spoken) if isinstance(what, Readable) else translate(what, spoken)
        if what != self._what or self._task is None:
            if self._task is not None:
                self._bar.remove_task(self._task)
            self._task = self._bar.add_task(what, total=total or None, rate="")
            self._what, self._first, self._started, self._spoke = what, done, now, now
            if not self._console.is_terminal:
                self._console.print(what, soft_wrap=True)
        rate = note.text(spoken)
        if not rate and not self._in_bytes:
            rate = _rate(done - self._first, now - self._started).text(spoken)
        self._bar.update(self._task, completed=done, total=total or None, rate=rate)
        if not self._console.is_terminal and done and now - self._spoke > _LINE_SECONDS:
            self._spoke = now
            left = ""
            if total and done > self._first:  # what went on did not begin at nothing
                seconds = (total - done) * (now - self._started) / (done - self._first)
                left = message("{seconds:.0f} s left", seconds=seconds).text(spoken)
            said = list(filter(None, (f"{done / max(total, done):.0%}", rate, left)))
            self._console.print(message("{what}: {said}", what=what, said=said).text(spoken), soft_wrap=True)


def _rate(done: int, seconds: float) -> Message:
    """Return how many are done in a second, nothing where that is less than one or too early to tell."""
    return message("{rate:.0f} a second", rate=done / seconds) if seconds > 0.5 and done > seconds else NOTHING
