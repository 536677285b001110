"""How a run tells another program how far it has come: lines of JSON on standard error."""

import json
import signal
import sys
import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any

import typer

from indexer.pipeline.encode import Progress
from indexer.pipeline.progress import ProgressDisplay
from models.foundation.errors import ImageSearchError

PROGRESS_LINES = "indexer.pipeline.progress_lines"  # the key in a context's meta
_STEP_SECONDS = 0.25  # between two lines of one stage
_STOPPED = 130


class ProgressLines:
    """Says each stage and how far it has come: {"stage", "done", "total", "failed", "rate", "seconds_left", "name"}.

    `total` is 0 where nobody knows it; `rate` is a second. While a cluster encodes, "nodes" has the rate of each of its
    machines. Whatever else stands on standard error is for people.
    `write` takes the place of standard error; `step_s` seconds at least are between two lines of one stage.
    """

    def __init__(self, write: Callable[..., None] | None = None, *, step_s: float = _STEP_SECONDS) -> None:
        self._write = write or write_line
        self._step_s = step_s
        self._stage = ("", "")
        self._first = 0
        self._started = self._spoke = 0.0

    def __enter__(self) -> "ProgressLines":
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        pass

    def stop(self) -> None:
        """Say nothing more; there is nothing to take away."""

    def scanned(self, files: int) -> None:
        """Say that folders are still being read."""
        self._say("scanning", files, 0)

    def advance(self, progress: Progress) -> None:
        """Say how far encoding has come."""
        self._say("encoding", progress.done, progress.total, failed=progress.failed, progress=progress)

    def annotated(self, name: str, done: int, total: int) -> None:
        """Say how far an annotator has come."""
        self._say("annotating", done, total, name=name)

    def renewed(self, done: int, total: int) -> None:
        """Say how many pictures of an earlier version have been looked at again."""
        self._say("looking_again", done, total)

    def indexed(self, done: int, total: int) -> None:
        """Say how far an index is made."""
        self._say("indexing", done, total)

    def checked(self, done: int, total: int) -> None:
        """Say how far a build is checked before it is published."""
        self._say("checking", done, total)

    def compared(self, _what: str, done: int, total: int) -> None:
        """Say how far pictures are compared with each other."""
        self._say("comparing", done, total)

    def warn(self, warnings: Iterable[ImageSearchError]) -> None:
        """Say what a run has to say besides its result."""
        for warning in warnings:
            self._write(warning=describe_error(warning))

    def _say(
        self, stage: str, done: int, total: int, *, failed: int = 0, name: str = "", progress: Progress | None = None
    ) -> None:
        now = time.monotonic()
        if self._stage != (stage, name):
            self._stage, self._first, self._started = (stage, name), done, now
        elif now - self._spoke < self._step_s and not 0 < total <= done:
            return
        self._spoke = now
        elapsed, made = now - self._started, done - self._first
        rate = made / elapsed if elapsed > 0.5 and made else None
        left = (total - done) / rate if rate and total else None
        nodes = (progress and progress.node_rates(elapsed)) or None
        told = {"failed": failed, "rate": rate, "seconds_left": left, "name": name, "nodes": nodes}
        self._write(stage=stage, done=done, total=total, **told)


class Ending:
    """The last line: {"end": "done" | "stopped" | "failed"}, the last with the error. A context manager."""

    def __enter__(self) -> "Ending":
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: what is done is kept
        return self

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        code = getattr(error, "exit_code", None)  # of what ends a command early
        if error is None or code == 0:
            write_line(end="done")
        elif isinstance(error, KeyboardInterrupt) or code == _STOPPED:
            write_line(end="stopped")
        elif isinstance(error, ImageSearchError):
            write_line(end="failed", error=describe_error(error))
        else:
            write_line(end="failed", error={"code": "error", "en": repr(error), "zh": repr(error), "mistake": False})


def describe_error(error: ImageSearchError) -> dict[str, Any]:
    """Return an error for another program: paths in it by their last names only."""
    en, zh = (error.text(language, lambda path: path.name) for language in ("en", "zh"))
    return {"code": error.code, "en": en, "zh": zh, "mistake": error.users_mistake}


def write_line(**told: Any) -> None:
    """Write one line, whole, so that whoever reads along never sees a part of it as a line."""
    line = json.dumps({name: value for name, value in told.items() if value not in (None, "")}, ensure_ascii=True)
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def begin(context: typer.Context) -> None:
    """Have the commands below a context tell their progress, and how they end, in lines of JSON."""
    context.with_resource(Ending())
    context.meta[PROGRESS_LINES] = ProgressLines()


def open_display(context: typer.Context) -> ProgressDisplay | ProgressLines:
    """Return what shows the progress of a command: for people, or for a program that asked for lines."""
    return context.meta.get(PROGRESS_LINES) or ProgressDisplay()


def warn(context: typer.Context, warnings: Iterable[ImageSearchError]) -> None:
    """Say warnings to the program that asked for lines, if one did; people read them with the result."""
    lines: ProgressLines | None = context.meta.get(PROGRESS_LINES)
    if lines:
        lines.warn(warnings)
