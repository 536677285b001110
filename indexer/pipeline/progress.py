"""How a run looks to the person who waits for it: count, rate, time left, failures; on standard error."""

import time
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from indexer.pipeline.encode import Progress
from models.foundation.messages import NOTHING, Message, message
from models.foundation.terminal import language

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
        self._update(message("Scanning"), files, None)

    def advance(self, progress: Progress) -> None:
        """Show how far encoding has come."""
        if progress.done == 0:
            self._started = time.monotonic()
        elapsed = time.monotonic() - self._started
        rate = progress.done / elapsed if elapsed > 0.5 else 0.0
        failed = message("{count} failed", count=progress.failed)
        shown = failed if progress.failed else NOTHING
        self._update(message("Encoding"), progress.done, progress.total, rate=rate, failed=shown)
        rest = message(", {failed}", failed=failed)
        nodes = [f"{node} {_rounded(own)}/s" for node, own in progress.node_rates(elapsed).items()]
        if len(nodes) > 1:
            rest = message(", {failed}; {nodes}", failed=failed, nodes=nodes)
        self._print_line(progress.done, progress.total, rate, rest)

    def annotated(self, name: str, done: int, total: int) -> None:
        """Show how far an annotator has come with pictures that were indexed before."""
        doing, rest = message("Annotating ({name})", name=name), message(" to annotate ({name})", name=name)
        self._go_over(doing, rest, done, total)

    def renewed(self, done: int, total: int) -> None:
        """Show how many pictures of an earlier version have been looked at again."""
        doing, rest = message("Looking again"), message(" to look at again, as colours and odd files are read better")
        self._go_over(doing, rest, done, total)

    def _go_over(self, doing: Message, rest: Message, done: int, total: int) -> None:
        if done == 0:
            self._started = time.monotonic()
        elapsed = time.monotonic() - self._started
        rate = done / elapsed if elapsed > 0.5 else 0.0
        self._update(doing, done, total, rate=rate)
        self._print_line(done, total, rate, rest)

    def indexed(self, done: int, total: int) -> None:
        """Show how far an index is made."""
        self._update(message("Indexing"), done, total)

    def checked(self, done: int, total: int) -> None:
        """Show how far a build is checked before it is published."""
        self._update(message("Checking"), done, total)

    def _print_line(self, done: int, total: int, rate: float, rest: Message) -> None:
        """Print a line now and then where there is no terminal."""
        if not self._console.is_terminal and time.monotonic() - self._spoke > _LINE_SECONDS and rate and done < total:
            self._spoke = time.monotonic()
            said = message(
                "{done} of {total}, {rate} a second, {seconds:.0f} s left{rest}",
                done=done,
                total=total,
                rate=_rounded(rate),
                seconds=(total - done) / rate,
                rest=rest,
            )
            self._console.print(said.text(language()), soft_wrap=True)

    def _update(
        self, what: Message, done: int, total: int | None, *, rate: float = 0.0, failed: Message = NOTHING
    ) -> None:
        description = what.text(language())
        fields: dict[str, Any] = {"rate": f"{_rounded(rate)}/s" if rate else "", "failed": failed.text(language())}
        if self._task is None:
            self._task = self._bar.add_task(description, total=total, **fields)
        self._bar.update(self._task, description=description, completed=done, total=total, **fields)


def _rounded(rate: float) -> str:
    return f"{rate:.0f}" if rate >= 1 else f"{rate:.2f}"
