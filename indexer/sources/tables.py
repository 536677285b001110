"""Table files -> rows: CSV and TSV, JSON lines, Parquet.

A row is its number and its values by column name, or None where it cannot be read. The number is that of its first line
in a text file, and counts from 1 in Parquet.
"""

import csv
import json
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from indexer.errors import InvalidList
from models.foundation.errors import BackendNotInstalled
from models.foundation.messages import message, os_message
from models.foundation.text_encoding import detect_text_encoding, open_text

if TYPE_CHECKING:
    from pyarrow import DataType, RecordBatch

LIST_SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
Row = tuple[int, Mapping[str, Any] | None]
Choose = Callable[[Sequence[str]], Collection[str]]  # names of columns -> those of them that are wanted

_MAX_LINE_CHARS = 1 << 24
_MAX_ROW_LINES = 1000  # a quotation mark that is not closed by then was not meant to be one
_BATCH_ROWS = 1000
_NO_TEXT = ("struct", "binary", "map", "union", "extension")


def read_rows(path: Path, choose: Choose) -> Iterator[Row]:
    """Yield the rows of a table file; nothing comes of a file that is gone.

    Where the columns are known beforehand, `choose` is asked which are wanted; Parquet reads only those.
    Raises InvalidList, BackendNotInstalled, and what `choose` raises.
    """
    suffix = path.suffix.lower()
    try:
        if suffix == ".parquet":
            yield from _read_parquet(path, choose)
        elif suffix in (".jsonl", ".ndjson"):
            yield from _read_json_lines(path)
        else:
            yield from _read_csv(path, choose)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise InvalidList(path, message("it cannot be read: {why}", why=os_message(error))) from error


class _Lines(Iterator[str]):
    """The lines of a text, of which some can be put back; `number` is that of the line to come."""

    def __init__(self, path: Path, file: TextIO) -> None:
        self._path = path
        self._file = file
        self._ahead: deque[str] = deque()
        self.number = 1

    def __next__(self) -> str:
        line = self._ahead.popleft() if self._ahead else self._file.readline(_MAX_LINE_CHARS)
        if not line:
            raise StopIteration
        if len(line) == _MAX_LINE_CHARS:
            raise InvalidList(
                self._path,
                message(
                    "this line has more than {count:,} characters. Give each picture a line of its own",
                    count=_MAX_LINE_CHARS,
                ),
                row=self.number,
            )
        self.number += 1
        return line

    def put_back(self, lines: Sequence[str]) -> None:
        self._ahead.extendleft(reversed(lines))
        self.number -= len(lines)


def _read_csv(path: Path, choose: Choose) -> Iterator[Row]:
    charset = detect_text_encoding(path)
    if charset is None:
        raise InvalidList(path, message("it is neither UTF-8 nor GBK. Save it as UTF-8"))
    with open_text(path, charset, newline="") as file:
        lines = _Lines(path, file)
        header = next((line for line in lines if line.strip()), "")
        delimiter = "\t" if path.suffix.lower() == ".tsv" else _delimiter_of(header)
        if header.startswith("sep="):  # a note of Excel to itself
            header = next(lines, "")
        lines.put_back([header])
        records = _records(lines, delimiter)
        _, names = next(records, (0, []))
        if names:
            choose(names)
        names = [name if names.index(name) == place else "" for place, name in enumerate(names)]  # the first counts
        for number, values in records:
            if any(map(str.strip, values)):
                yield number, dict(zip(names, values, strict=False))


def _records(lines: _Lines, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of its first line, and the values, of each record that is not an empty line.

    A record may go over several lines. Where its quotation marks do not match, it ends with its first line: what
    follows is not swallowed by a mark that somebody forgot to close or to double.
    """
    taken: list[str] = []

    def take() -> Iterator[str]:
        for line in lines:
            taken.append(line)
            yield line
            if len(taken) == _MAX_ROW_LINES:
                return

    limit = csv.field_size_limit(2**31 - 1)  # lines have limits of their own
    try:
        reader = csv.reader(take(), delimiter=delimiter, skipinitialspace=True, strict=True)
        while True:
            taken.clear()
            number = lines.number
            try:
                values = next(reader)
            except StopIteration:
                return
            except csv.Error:
                lines.put_back(taken[1:])
                values = next(csv.reader(taken[:1], delimiter=delimiter, skipinitialspace=True))
                reader = csv.reader(take(), delimiter=delimiter, skipinitialspace=True, strict=True)
            if values:
                yield number, values
    finally:
        csv.field_size_limit(limit)


def _delimiter_of(header: str) -> str:
    """Return what separates the names in the first line: a comma, unless something else is all there is."""
    unquoted = "".join(header.split('"')[::2])
    return "," if "," in unquoted else max(",;\t|", key=unquoted.count)


def _read_json_lines(path: Path) -> Iterator[Row]:
    with open_text(path, detect_text_encoding(path) or "utf-8-sig", newline="\n") as file:
        for number, line in enumerate(_Lines(path, file), start=1):
            text = line.strip()
            if not text:
                continue
            try:
                value = json.loads(text)
            except (ValueError, RecursionError):
                value = None
            yield number, value if isinstance(value, dict) else None


def _read_parquet(path: Path, choose: Choose) -> Iterator[Row]:
    if not path.exists():
        return
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        raise BackendNotInstalled("pyarrow", "parquet") from error
    number = 0
    try:
        with ParquetFile(path) as file:
            schema = file.schema_arrow
            columns = choose([_shown(name, kind) for name, kind in zip(schema.names, schema.types, strict=True)])
            for batch in file.iter_batches(_BATCH_ROWS, columns=list(columns)):
                for row in _rows_of(batch):
                    number += 1
                    yield number, row
    except ArrowException as error:
        why = message("it is not readable Parquet ({said})", said=str(error))
        raise InvalidList(path, why, row=number + 1) from error


def _shown(name: str, kind: "DataType") -> str:
    """Return the name of a column; of one that holds no text with its kind, so that it is listed but never chosen."""
    return f"{name} ({str(kind)[:30]})" if any(one in str(kind) for one in _NO_TEXT) else name


def _rows_of(batch: "RecordBatch") -> Iterator[Mapping[str, Any] | None]:
    """Yield the rows of a batch, None for one with a value that Python has no form for."""
    try:
        yield from batch.to_pylist()
        return
    except (ValueError, OverflowError):
        if len(batch) == 1:
            yield None
            return
    yield from chain.from_iterable(_rows_of(batch.slice(place, 1)) for place in range(len(batch)))
