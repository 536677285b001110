"""What the commands of every room share: how they print, and how they end."""

import io
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Annotated

import typer

from models.foundation.command_help import speaking
from models.foundation.errors import ImageSearchError
from models.foundation.messages import Readable, is_chinese, message

Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output, for programs.")]
Data = Annotated[
    Path | None,
    typer.Option("--data", help="Folder of the library [env: XUNTU_DATA; default: data]", show_default=False),
]


def language() -> str:
    """Return "zh" if the person's locale is Chinese, else "en"."""
    names = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")  # in the order of gettext, which typer's own words follow
    return "zh" if is_chinese(next(filter(None, map(os.environ.get, names)), "")) else "en"


def clock(seconds: float) -> str:
    """Return a time in a film as people write it: 83.4 -> "1:23"."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def print_json(value: object) -> None:
    """Print `value` as JSON. A byte of a file name that is not UTF-8 becomes an escape that reads back the same."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    print(text.encode("utf-8", "backslashreplace").decode())


def print_csv(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print CSV with a header line; what cannot be shown is replaced, as everywhere."""
    import csv

    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows([head, *rows])
    print(buffer.getvalue(), end="")


def print_table(head: Sequence[Readable | str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under their heads, messages in the person's language; Chinese characters count as two columns."""
    from rich.cells import cell_len

    cells = [[printable(str(in_words(cell))) for cell in row] for row in (head, *rows)]
    widths = [max(cell_len(row[n]) for row in cells) for n in range(len(head))]
    for row in cells:
        line = (cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True))
        print("  ".join(line).rstrip())


def printable(text: str) -> str:
    """Return `text` on one line, without control characters or bytes that no terminal can show."""
    text = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def in_words(value: object) -> object:
    """Return the text of a message in the person's language; what is no message as it is."""
    return value.text(language()) if isinstance(value, Readable) else value


def describe_bytes(count: int) -> str:
    """Return a number of bytes as people read it: "28 kB", "188 MB", "1.5 GB"."""
    if count >= 1e9:
        return f"{count / 1e9:.1f} GB"
    return f"{count / 1e6:.0f} MB" if count >= 1e6 else f"{count / 1e3:.0f} kB"


def say(said: Readable) -> None:
    """Print a line of a result, in the person's language, on standard output."""
    print(said.text(language()))


def tell(said: Readable | str) -> None:
    """Print a line for the person, in their language, on standard error."""
    print(str(in_words(said)).encode("utf-8", "replace").decode(), file=sys.stderr, flush=True)


def run(command: typer.Typer) -> None:
    """Run a command line. Ends with 0; 2 for a mistake of the user's; 1 for one of ours; 130 when stopped."""
    sys.excepthook = _say_unexpected
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal that cannot show a name still gets the rest
    try:
        speaking(
            typer.main.get_command(command), language()
        )()  # calling the Typer object would put its own excepthook in place
    except ImageSearchError as error:
        tell(error)
        sys.exit(2 if error.users_mistake else 1)
    except KeyboardInterrupt:
        sys.exit(130)


def _say_unexpected(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Say one sentence; the traceback is for those who ask for it."""
    if "XUNTU_DEBUG" in os.environ:
        sys.__excepthook__(kind, error, trace)
    else:
        tell(
            message(
                "Unexpected error: {kind}: {error}. Set XUNTU_DEBUG=1 to see where it happened.",
                kind=kind.__name__,
                error=str(error),
            )
        )
