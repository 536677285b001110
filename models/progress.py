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
            TimeRemainingColumn(compact=True, elapsed_when_finished=True),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task: TaskID | None = None
        self._what = ""
        self._started = self._spoke = time.monotonic()

    def __enter__(self) -> "StepDisplay":
        self._bar.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._bar.stop()

    def advance(self, what: str, done: int, total: int) -> None:
        """Show how far a step has come; 0 in `total` means that nobody knows."""
        now = time.monotonic()
        if what != self._what or self._task is None:
            if self._task is not None:
                self._bar.remove_task(self._task)
            self._task = self._bar.add_task(what, total=total or None)
            self._what, self._started, self._spoke = what, now, now
            if not self._console.is_terminal:
                self._console.print(what, soft_wrap=True)
        self._bar.update(self._task, completed=done, total=total or None)
        if not self._console.is_terminal and done and now - self._spoke > _LINE_SECONDS:
            self._spoke = now
            left = f", {(total - done) * (now - self._started) / done:.0f} s left" if total else ""
            self._console.print(f"{what}: {done / max(total, done):.0%}{left}", soft_wrap=True)
