"""Table files -> rows: CSV and TSV, JSON lines, Parquet.

A row is its number and its values by column name, or None where it cannot be read. The number is that of the line in
a text file, and counts from 1 in Parquet.
"""

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from indexer.errors import InvalidList
from models.errors import BackendNotInstalled

LIST_SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
Row = tuple[int, Mapping[str, Any] | None]

_CHUNK = 1 << 20
_MAX_FIELD_CHARS = 1 << 20  # a caption is shorter; a quote that is never closed is not
_BATCH_ROWS = 10_000


def read_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a table file. Raises InvalidList, BackendNotInstalled; nothing comes of a file that is gone."""
    suffix = path.suffix.lower()
    try:
        if suffix == ".parquet":
            yield from _read_parquet(path)
        elif suffix in (".jsonl", ".ndjson"):
            yield from _read_json_lines(path)
        else:
            yield from _read_csv(path)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        why = error.strerror or str(error)
        raise InvalidList(path, why_en=f"it cannot be read: {why}", why_zh=f"无法读取：{why}") from error


def _read_csv(path: Path) -> Iterator[Row]:
    encoding = _encoding_of(path)
    with path.open(encoding=encoding, newline="") as file:
        delimiter = "\t" if path.suffix.lower() == ".tsv" else _delimiter_of(file.readline(_CHUNK))
        file.seek(0)
        limit = csv.field_size_limit(_MAX_FIELD_CHARS)
        reader = csv.DictReader(file, delimiter=delimiter, restval="")
        try:
            for row in reader:
                row.pop(None, None)  # more values than columns
                yield reader.line_num, row
        except csv.Error as error:
            raise InvalidList(
                path,
                row=reader.line_num,
                why_en=f"it cannot be read from here on ({error}). Is a quotation mark never closed?",
                why_zh=f"从这里起无法读取（{error}）。是否有引号没有成对？",
            ) from error
        finally:
            csv.field_size_limit(limit)


def _encoding_of(path: Path) -> str:
    """Return the encoding of a text: UTF-8, UTF-16 with a mark as Excel writes, or GBK. Raises InvalidList."""
    with path.open("rb") as raw:
        mark = raw.read(2)
    for encoding in ("utf-16",) if mark in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "gb18030"):
        try:
            with path.open(encoding=encoding, newline="") as file:
                while file.read(_CHUNK):
                    pass
        except UnicodeError:
            continue
        return encoding
    raise InvalidList(
        path,
        why_en="it is neither UTF-8 nor GBK. Save it as UTF-8",
        why_zh="编码既不是 UTF-8 也不是 GBK。请另存为 UTF-8",
    )


def _delimiter_of(header: str) -> str:
    """Return what separates the names in the first line: a comma, unless something else is all there is."""
    return max(",;\t|", key=header.count) if "," not in header else ","


def _read_json_lines(path: Path) -> Iterator[Row]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
                value = json.loads(text) if text else {}
            except (ValueError, RecursionError):
                yield number, None
                continue
            if text:
                yield number, value if isinstance(value, dict) else None


def _read_parquet(path: Path) -> Iterator[Row]:
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
            types = zip(file.schema_arrow.names, file.schema_arrow.types, strict=True)
            # What holds neither text nor lists of it is no column of ours, and pictures themselves would be large.
            columns = [name for name, kind in types if not str(kind).startswith(("struct", "binary", "large_binary"))]
            for batch in file.iter_batches(_BATCH_ROWS, columns=columns):
                for row in batch.to_pylist():
                    number += 1
                    yield number, row
    except ArrowException as error:
        why_en, why_zh = f"it is not readable Parquet ({error})", f"不是可读取的 Parquet（{error}）"
        raise InvalidList(path, row=number + 1, why_en=why_en, why_zh=why_zh) from error
