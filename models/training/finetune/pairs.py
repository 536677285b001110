"""Pairs of a picture and a caption, from a table that somebody has: read, looked at, and split.

A table is CSV, TSV or JSON lines. Paths are relative to it; a picture may have several rows, and in JSON lines several
captions. A row that cannot be used is left out, and named in the report.
"""

import csv
import hashlib
import io
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from models.foundation.messages import Message, message, os_message
from models.foundation.text_encoding import detect_text_encoding, open_text
from models.language.text import normalize_text
from models.pictures.decode import decode_image
from models.pictures.errors import decode_reason
from models.pictures.files import read_image_file
from models.training.errors import PairsUnreadable

_PICTURE_NAMES = (
    "picture path filepath file_path file filename file_name image_path image 图片 路径 文件路径 文件 文件名 图片路径"
)
_CAPTION_NAMES = "caption captions text title description alt 标题 说明 描述 文字"
_JSON_SUFFIXES = (".jsonl", ".ndjson")
LEAST_HELD_OUT = 5  # pictures
_MOST_HELD_OUT = 5000


@dataclass(frozen=True, slots=True)
class Pair:
    """A picture file and what is said of it, in the form in which queries are encoded."""

    picture: Path
    caption: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """A row that cannot be used, by its number, or a picture; and why.

    Rows count from 1, below a header.
    """

    where: str
    why: Message


def read_pairs(path: Path) -> tuple[list[Pair], list[Skipped]]:
    """Return the pairs of a table in its order, each once, and the rows without a picture or a caption.

    Raises PairsUnreadable.
    """
    try:
        rows = _read_json(path) if path.suffix.lower() in _JSON_SUFFIXES else _read_csv(path)
    except OSError as error:
        raise PairsUnreadable(path, os_message(error)) from error
    if not rows:
        raise PairsUnreadable(path, message("it has no rows"))
    picture, caption = (_column(path, rows, names) for names in (_PICTURE_NAMES, _CAPTION_NAMES))
    pairs: dict[Pair, None] = {}
    skipped = []
    for number, row in enumerate(rows, start=1):
        place, captions = _place(row.get(picture)), _captions(row.get(caption))
        if place and captions:
            pairs |= dict.fromkeys(Pair(_locate(path.parent, place), text) for text in captions)
        else:
            problem = "row_unreadable" if not row else "row_without_caption" if place else "row_without_picture"
            skipped.append(Skipped(f"#{number}", decode_reason(problem)))
    return list(pairs), skipped


def look(picture: Path, short_side: int) -> str:
    """Return the SHA-256 of a picture file that can be decoded. Raises DecodeError."""
    data = read_image_file(picture)
    decode_image(data, short_side=short_side)
    return hashlib.sha256(data).hexdigest()


def split(pairs: Sequence[Pair], checksums: Mapping[Path, str], share: float) -> tuple[list[Pair], list[Pair]]:
    """Return the pairs to train with, and those to measure with: a share of the pictures, by what is in them.

    Copies of a picture stay together, and the same are held out whatever the order of the table.
    """
    contents = sorted({checksums[pair.picture] for pair in pairs})
    count = min(max(LEAST_HELD_OUT, round(share * len(contents))), _MOST_HELD_OUT)
    held_out = set(contents[:count])  # checksums are as good as drawn
    return (
        [pair for pair in pairs if checksums[pair.picture] not in held_out],
        [pair for pair in pairs if checksums[pair.picture] in held_out],
    )


def _read_csv(path: Path) -> list[Mapping[str, object]]:
    text = _decoded(path)
    header = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = "\t" if path.suffix.lower() == ".tsv" else max(",;\t", key=header.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        return [{str(name).strip(): value for name, value in row.items()} for row in reader]
    except csv.Error as error:
        at = reader.line_num + 1  # where the row begins, however far a quotation mark that is left open leads
        raise PairsUnreadable(path, message("line {row}: {why}", row=at, why=str(error))) from error


def _read_json(path: Path) -> list[Mapping[str, object]]:
    """Return the object on each line that is not empty, an empty one where there is none."""
    rows: list[Mapping[str, object]] = []
    for line in filter(str.strip, _decoded(path).split("\n")):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        rows.append(row if isinstance(row, dict) else {})
    return rows


def _decoded(path: Path) -> str:
    charset = detect_text_encoding(path)
    if charset is None:
        raise PairsUnreadable(path, message("it is neither UTF-8 nor GBK"))
    with open_text(path, charset, newline="") as file:
        return file.read()


def _column(path: Path, rows: Sequence[Mapping[str, object]], names: str) -> str:
    """Return the name of the column that is there of `names`, the first that counts; letters' case does not."""
    found = {name.lower(): name for row in rows for name in row}
    wanted = names.split()
    for name in wanted:
        if name in found:
            return found[name]
    here = sorted(found.values()) or "–"
    raise PairsUnreadable(path, message("no column is named {name} (there are: {here})", name=wanted[0], here=here))


def _place(value: object) -> str:
    """Return where a picture is said to be, "" if no file system can have that."""
    text = _text(value)
    try:
        os.fsencode(text)
    except UnicodeEncodeError:  # half of a pair in JSON
        return ""
    return "" if "\0" in text else text


def _locate(folder: Path, place: str) -> Path:
    path = folder / os.path.expanduser(place)  # noqa: PTH111 - Path's own raises for a home that nobody has
    if "\\" in place and not os.path.exists(path):  # noqa: PTH110 - and that for a name that is too long
        # A table made on Windows.
        return folder / place.replace("\\", "/")
    return path


def _captions(value: object) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [text for text in (normalize_text(_text(one)) for one in values) if text]


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""
