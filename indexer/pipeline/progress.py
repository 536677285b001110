"""How a run looks to the person who waits for it: count, rate, time left, failures; on standard error."""

import time
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from indexer.pipeline.encode import Progress

_LINE_SECONDS = 10.0  # between lines where there is no terminal


class ProgressDisplay:
    """A bar in a terminal; elsewhere a line now and then. Used as a context manager."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(compact=True, elapsed_when_finished=True),
            TextColumn("[yellow]{task.fields[failed]}"),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task: TaskID | None = None
        self._started = self._spoke = time.monotonic()

    def __enter__(self) -> "ProgressDisplay":
        self._bar.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.stop()

    def stop(self) -> None:
        """Take the bar away."""
        self._bar.stop()

    def scanned(self, files: int) -> None:
        """Show that folders are still being read."""
        self._update("Scanning", files, None, rate="", failed="")

    def advance(self, progress: Progress) -> None:
        """Show how far encoding has come."""
        if progress.done == 0:
            self._started = time.monotonic()
        elapsed = time.monotonic() - self._started
        rate = progress.done / elapsed if elapsed > 0.5 else 0.0
        failed = f"{progress.failed} failed" if progress.failed else ""
        self._update("Encoding", progress.done, progress.total, rate=f"{rate:.0f}/s" if rate else "", failed=failed)
        self._print_line(progress.done, progress.total, rate, f", {progress.failed} failed")

    def annotated(self, name: str, done: int, total: int) -> None:
        """Show how far an annotator has come with pictures that were indexed before."""
        if done == 0:
            self._started = time.monotonic()
        elapsed = time.monotonic() - self._started
        rate = done / elapsed if elapsed > 0.5 else 0.0
        self._update(f"Annotating ({name})", done, total, rate=f"{rate:.0f}/s" if rate else "", failed="")
        self._print_line(done, total, rate, f" to annotate ({name})")

    def indexed(self, done: int, total: int) -> None:
        """Show how far an index is made."""
        self._update("Indexing", done, total, rate="", failed="")

    def checked(self, done: int, total: int) -> None:
        """Show how far a build is checked before it is published."""
        self._update("Checking", done, total, rate="", failed="")

    def _print_line(self, done: int, total: int, rate: float, rest: str) -> None:
        """Print a line now and then where there is no terminal."""
        if not self._console.is_terminal and time.monotonic() - self._spoke > _LINE_SECONDS and rate and done < total:
            self._spoke = time.monotonic()
            left = (total - done) / rate
            self._console.print(f"{done} of {total}, {rate:.0f} a second, {left:.0f} s left{rest}", soft_wrap=True)

    def _update(self, what: str, done: int, total: int | None, **fields: Any) -> None:
        if self._task is None:
            self._task = self._bar.add_task(what, total=total, **fields)
        self._bar.update(self._task, description=what, completed=done, total=total, **fields)
