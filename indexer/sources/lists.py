"""A list of pictures -> the files and addresses it names, with their captions and tags.

Columns are found by their names, in English or Chinese, whatever their case. Paths are relative to the list's folder.
A picture that is named twice is one picture, with the captions and tags of both rows.
"""

import os
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import chain, islice
from pathlib import Path
from urllib.parse import urlsplit

from indexer.errors import InvalidList
from indexer.library.catalog.records import UNKNOWN_SIZE, ImageFile, KnownFile, Root
from indexer.sources.folders import image_file
from indexer.sources.tables import LIST_SUFFIXES, read_rows

__all__ = ["COLUMNS", "LIST_SUFFIXES", "is_out_of_sight", "join_tags", "scan_list", "text_of"]

# What a column is called -> its names, the first that is there counts.
COLUMNS: Mapping[str, str] = {
    "path": "path filepath file_path file filename file_name image_path image 路径 文件路径 文件 文件名 图片 图片路径",
    "url": "url image_url link 网址 链接 图片链接 图片网址",
    "caption": "caption text title description alt 标题 说明 描述 文字",
    "tags": "tags tag keywords labels 标签 关键词",
}
_PLACES = {"path", "url"}
_MAX_CHARS = 20_000  # of a caption, and of all tags of a picture
_MAX_PLACE_CHARS = 8_192
_ROWS_FOR_COLUMNS = 100  # rows of JSON lines need not all have every column
_SEPARATOR = re.compile(r"[;；,，、|\n]")
_SERVER = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://[^/?#]*")


def scan_list(root: Root) -> Iterator[ImageFile]:
    """Yield what a list names, each picture once, in the order of the list. Raises InvalidList, BackendNotInstalled."""
    found: dict[str, ImageFile] = {}
    usable = False
    rows = read_rows(root.path, lambda names: _columns_of(root, names).values())
    first = list(islice(rows, _ROWS_FOR_COLUMNS))
    names = dict.fromkeys(name for _, values in first for name in values or ())
    columns = _columns_of(root, list(names)) if names else {}
    for number, values in chain(first, rows):
        if values and not values.keys() <= names.keys():
            names |= dict.fromkeys(values)
            columns = _columns_of(root, [*columns.values(), *values]) | columns
        file = _read_row(root, number, values, columns)
        usable |= file.problem is None or file.problem[0] == "url_invalid"
        before = found.get(file.path)
        found[file.path] = file if before is None else _merged(before, file)
    if found and not usable:
        file = next(iter(found.values()))
        raise InvalidList(
            root.path,
            row=int(file.path[1:]),
            why_en="none of its rows names a picture. Give each a path or an address, as text",
            why_zh="没有一行写明图片。请为每一行给出文本形式的路径或网址",
        )
    yield from found.values()


def is_out_of_sight(files: Iterable[ImageFile], known: Mapping[str, KnownFile]) -> bool:
    """Say whether, of the files of this machine that a list names, some were there and now none is.

    So it is when the drive they are on is not plugged in.
    """
    local = [file for file in files if file.address is None and file.problem is None]
    held = any(file.path in known and known[file.path].status == "indexed" for file in local)
    return held and not any(file.size or file.mtime_ns for file in local)


def text_of(value: object) -> str:
    """Return a value of a table as text: of a list each item on a line, "" where there is none."""
    if isinstance(value, (list, tuple)):
        items = (text_of(item) for item in value if not isinstance(item, (list, tuple)))
        return "\n".join(filter(None, items))[:_MAX_CHARS]
    if value is None or isinstance(value, (dict, bytes)) or value != value:  # noqa: PLR0124 - not a number
        return ""
    return str(value).encode("utf-8", "replace").decode().replace("\0", " ").strip()[:_MAX_CHARS]


def join_tags(value: object) -> str:
    """Return tags one a line, each once: a list, or a text like "red; car", with any separator in common use."""
    tags = map(text_of, value) if isinstance(value, (list, tuple)) else _SEPARATOR.split(text_of(value))
    return _limited("\n".join(dict.fromkeys(" ".join(tag.split()) for tag in tags if tag.strip())))


def _limited(tags: str) -> str:
    """Return as many whole tags as there is room for."""
    return tags if len(tags) <= _MAX_CHARS else tags[: _MAX_CHARS + 1].rpartition("\n")[0]


def _columns_of(root: Root, present: Sequence[str]) -> dict[str, str]:
    """Return which columns of the list hold what. Raises InvalidList naming the columns there are."""
    there = {str(name).strip().lower(): name for name in reversed(present)}
    listed = ", ".join(map(str, present))
    columns = {}
    for what, names in COLUMNS.items():
        chosen = root.columns.get(what)
        if chosen is None and what in _PLACES and _PLACES & root.columns.keys():
            continue  # the other one is meant
        if chosen is not None and chosen.strip().lower() not in there:
            raise InvalidList(
                root.path,
                why_en=f"it has no column {chosen!r}; there are: {listed}",
                why_zh=f"没有名为 {chosen!r} 的列；现有的列：{listed}",
            )
        names_of = [chosen.strip().lower()] if chosen else names.split()
        name = next((name for name in names_of if name in there), None)
        if name is not None:
            columns[what] = there[name]
    if not columns.keys() & _PLACES:
        raise InvalidList(
            root.path,
            why_en=f"no column holds paths or addresses; there are: {listed}. Name one `path` or `url` in the first "
            "line, or say which it is: --path-column NAME, --url-column NAME",
            why_zh=f"没有路径或网址列；现有的列：{listed}。请在第一行把它命名为 path 或 url，"
            "或用 --path-column NAME、--url-column NAME 指定",
        )
    return columns


def _read_row(root: Root, number: int, row: Mapping[str, object] | None, columns: Mapping[str, str]) -> ImageFile:
    if row is None:
        return _problem(root, f"#{number}", "row_unreadable")
    values = {what: row.get(name) for what, name in columns.items()}
    place = _place_of(values.get("path")) or _place_of(values.get("url"))
    if not place:
        return _problem(root, f"#{number}", "row_without_picture")
    caption, tags = text_of(values.get("caption")), join_tags(values.get("tags"))
    server = _SERVER.match(place)
    if not server:
        return replace(image_file(root, *_local(root.path.parent, place)), caption=caption, tags=tags)
    place = server[1].lower() + place.removeprefix(server[1])
    if not _is_fetchable(server[0].lower()):
        return _problem(root, place, "url_invalid", place)
    return ImageFile(root.id, place, root.path, UNKNOWN_SIZE, 0, None, caption, tags)


def _place_of(value: object) -> str:
    """Return what a row says of where its picture is, "" if that is nothing a file system or a server can have."""
    text = value.strip() if isinstance(value, str) else ""
    if "\0" in text or len(text) > _MAX_PLACE_CHARS:
        return ""
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        return ""
    return text


@lru_cache(maxsize=1024)
def _is_fetchable(server: str) -> bool:
    """Say whether an address that begins so can be one of a picture."""
    try:
        parts = urlsplit(server)
        parts.port  # noqa: B018 - raises ValueError for one that is none
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc


def _local(folder: Path, place: str) -> tuple[str, Path]:
    """Return the path of a listed file below the list's folder, absolute if it lies elsewhere, and where it is."""
    if place.startswith("~/"):
        place = os.path.expanduser(place)
    absolute = os.path.normpath(os.path.join(folder, place))
    if "\\" in place and not os.path.exists(absolute):  # a list made on Windows
        absolute = os.path.normpath(os.path.join(folder, place.replace("\\", "/")))
    path = absolute.removeprefix(os.path.join(folder, ""))
    return absolute if path.startswith("#") else path, Path(absolute)  # "#7" stands for a row


def _problem(root: Root, path: str, reason: str, detail: str = "") -> ImageFile:
    return ImageFile(root.id, path, root.path, 0, zlib.crc32(reason.encode()), problem=(reason, detail))


def _merged(first: ImageFile, second: ImageFile) -> ImageFile:
    """Return a picture that two rows name, with what both say of it."""

    def lines(one: str, other: str) -> str:
        return "\n".join(dict.fromkeys(filter(None, [*one.split("\n"), *other.split("\n")])))

    caption = lines(first.caption, second.caption)[:_MAX_CHARS]
    return replace(first, caption=caption, tags=_limited(lines(first.tags, second.tags)))
