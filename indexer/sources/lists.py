"""A list of pictures -> the files and addresses it names, with their captions and tags.

Columns are found by their names, in English or Chinese, whatever their case. Paths are relative to the list's folder.
A picture that is named twice is one picture, with the captions and tags of both rows.
"""

import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import chain, islice
from pathlib import Path
from typing import ClassVar
from urllib.parse import unquote, urlsplit

from indexer.errors import InvalidList
from indexer.library.addresses.shown import is_address, shown_address
from indexer.library.sources.items import Item, KnownItem, Locator, Name, Root, Stamp
from indexer.library.sources.port import FilePath, Original, ReadOptions, Redirect, ScanContext, Source, StoredItem
from indexer.sources.folders import clamp_mtime, file_item, read_file
from indexer.sources.tables import LIST_SUFFIXES, read_rows
from models.foundation.messages import message
from models.pictures.limits import DecodeLimits

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


class ListSource(Source):
    """The files and addresses that a table names."""

    kind: ClassVar[str] = "list"

    @classmethod
    def accepts(cls, place: str) -> bool:
        """Take every table file."""
        return place.lower().endswith(LIST_SUFFIXES) and os.path.isfile(place)

    def scan(self, _context: ScanContext) -> Iterator[Item]:
        """Yield what the list names. It is read whole before the first is yielded."""
        return scan_list(self.root)

    def read(self, item: Item, options: ReadOptions) -> tuple[Stamp, bytes]:
        """Read the file, or fetch what is at the address."""
        address = self.address(item.locator.key)
        if address is None:
            return read_file(self.file(item.locator.key), item.stamp, options.limits)
        from indexer.library.addresses.fetching import fetch_address

        data, mtime_ns = fetch_address(address, options.limits, options.fetching)
        return Stamp(len(data), clamp_mtime(mtime_ns)), data

    def is_out_of_sight(self, items: Collection[Item], known: Mapping[Name, KnownItem]) -> bool:
        """Say so where, of the files of this machine that are named, some were there and now none is."""
        if not items:
            return True
        local = [item for item in items if not item.remote and item.problem is None]
        before = [known.get(item.locator.name) for item in local]
        held = any(one is not None and one.status == "indexed" for one in before)
        return held and not any(item.stamp.is_known for item in local)

    def file(self, key: str) -> Path:
        """Return a file; its key may be its whole path."""
        return self.root.path.parent / key

    def own_file(self, item: Item) -> Path | None:
        """Return a file that the list names."""
        return None if is_address(item.locator.key) else self.file(item.locator.key)

    def address(self, key: str) -> str | None:
        """Return the key of what was fetched."""
        return key if is_address(key) else None

    def original(self, picture: StoredItem, _limits: DecodeLimits) -> Original:
        """Return the file, or the address."""
        key = picture.locator.key
        address = self.address(key)
        if address is not None:
            return Redirect(address)
        is_beside = not key.startswith(("/", "../"))
        return FilePath(self.file(key), within=self.root.path.parent if is_beside else None)

    def place(self, locator: Locator) -> str:
        """Return a file's whole path, an address without what is secret in it, or a row of the list."""
        if locator.row is not None:
            return super().place(locator)
        return shown_address(locator.key) if "://" in locator.key else str(self.file(locator.key))

    def key_of(self, place: str) -> str:
        """Return an address as it is, a file's path as the list may have it."""
        if is_address(place):
            return place
        return os.path.normpath(place).removeprefix(f"{self.root.path.parent}/")

    def words(self, key: str) -> str:
        """Return what a path says; of an address neither server nor parameters count."""
        if "://" not in key:
            return key
        return unquote(key.partition("://")[2].partition("/")[2].partition("?")[0].partition("#")[0])


def scan_list(root: Root) -> Iterator[Item]:
    """Yield what a list names, each picture once, in the order of the list. Raises InvalidList, BackendNotInstalled."""
    found: dict[Name, Item] = {}
    usable = False
    rows = read_rows(root.path, lambda names: _columns_of(root, names).values())
    first = list(islice(rows, _ROWS_FOR_COLUMNS))
    names = dict.fromkeys(name for _, values in first for name in values or ())
    columns = _columns_of(root, list(names)) if names else {}
    for number, values in chain(first, rows):
        if values and not values.keys() <= names.keys():
            names |= dict.fromkeys(values)
            columns = _columns_of(root, [*columns.values(), *values]) | columns
        item = _read_row(root, number, values, columns)
        usable |= item.locator.row is None
        before = found.get(item.locator.name)
        found[item.locator.name] = item if before is None else _merged(before, item)
    if found and not usable:
        raise InvalidList(
            root.path,
            message("none of its rows names a picture. Give each a path or an address, as text"),
            row=next(iter(found.values())).locator.row,
        )
    yield from found.values()


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
    listed = list(map(str, present))
    columns = {}
    for what, names in COLUMNS.items():
        chosen = root.columns.get(what)
        if chosen is None and what in _PLACES and _PLACES & root.columns.keys():
            continue  # the other one is meant
        if chosen is not None and chosen.strip().lower() not in there:
            raise InvalidList(
                root.path, message("it has no column {chosen!r}; there are: {listed}", chosen=chosen, listed=listed)
            )
        names_of = [chosen.strip().lower()] if chosen else names.split()
        name = next((name for name in names_of if name in there), None)
        if name is not None:
            columns[what] = there[name]
    if not columns.keys() & _PLACES:
        raise InvalidList(
            root.path,
            message(
                "no column holds paths or addresses; there are: {listed}. Name one `path` or `url` in the first line, "
                "or say which it is: --path-column NAME, --url-column NAME",
                listed=listed,
            ),
        )
    return columns


def _read_row(root: Root, number: int, row: Mapping[str, object] | None, columns: Mapping[str, str]) -> Item:
    if row is None:
        return _problem(Locator(root.id, "", row=number), "row_unreadable")
    values = {what: row.get(name) for what, name in columns.items()}
    place = _place_of(values.get("path")) or _place_of(values.get("url"))
    if not place:
        return _problem(Locator(root.id, "", row=number), "row_without_picture")
    caption, tags = text_of(values.get("caption")), join_tags(values.get("tags"))
    server = _SERVER.match(place)
    if not server:
        return replace(file_item(root, *_local(root.path.parent, place)), caption=caption, tags=tags)
    place = server[1].lower() + place.removeprefix(server[1])
    if not _is_fetchable(server[0].lower()):
        return _problem(Locator(root.id, place), "url_invalid", shown_address(place))
    return Item(Locator(root.id, place), Stamp(), caption, tags, remote=True)


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
    return absolute.removeprefix(os.path.join(folder, "")), Path(absolute)


def _problem(locator: Locator, reason: str, detail: str = "") -> Item:
    return Item(locator, Stamp(fingerprint=reason), problem=(reason, detail))


def _merged(first: Item, second: Item) -> Item:
    """Return a picture that two rows name, with what both say of it."""

    def lines(one: str, other: str) -> str:
        return "\n".join(dict.fromkeys(filter(None, [*one.split("\n"), *other.split("\n")])))

    caption = lines(first.caption, second.caption)[:_MAX_CHARS]
    return replace(first, caption=caption, tags=_limited(lines(first.tags, second.tags)))
