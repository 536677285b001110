"""A WebDataset shard (a plain tar file) -> the pictures in it, with their captions and tags.

Members whose names agree up to the first dot belong together: `000.jpg` is described by `000.txt` and `000.json`.
Nothing is ever unpacked: a picture is read from the tar at its offset, so a member's name is no more than a label. Of
members with the same name the last one counts, as for tar itself; a link is the member that it leads to.
"""

import codecs
import contextlib
import json
import posixpath
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO, ClassVar

from indexer.errors import DescriptionsUnreadable, ShardDamaged
from indexer.library.sources.items import MAX_INT64, ByteRange, Item, Locator, Root, Stamp
from indexer.library.sources.port import FilePath, Original, ReadOptions, ScanContext, Source, StoredItem
from indexer.sources.folders import clamp_mtime
from indexer.sources.lists import COLUMNS, join_tags, text_of
from indexer.sources.rules import FileKind, PathRules
from models.foundation.errors import ImageSearchError
from models.foundation.messages import Message, Quoted, Readable, message, os_message
from models.pictures.errors import DecodeError
from models.pictures.files import read_image_file
from models.pictures.limits import DecodeLimits

_READING = 1  # a shard that was read by a version with another number is read again
_MAX_TEXT_BYTES = 1 << 20
_BLOCK = 512
_MAX_PADDING_BYTES = 1 << 20
# What Python's reader raises on headers that are damaged, or made to harm.
UNREADABLE = (
    *(tarfile.TarError, OSError, EOFError, ValueError, ArithmeticError, LookupError, MemoryError, RecursionError),
)
_PACKERS = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"PK\x03\x04")


class TarSource(Source):
    """The pictures in a tar file."""

    kind: ClassVar[str] = "tar"

    @classmethod
    def accepts(cls, place: str) -> bool:
        """Take every plain tar."""
        return place.lower().endswith(".tar") and Path(place).is_file()

    def stamp(self) -> Stamp:
        """Return what tells whether the tar has been touched, or is read in another way; unknown if it is gone."""
        try:
            info = self.root.path.stat()
        except OSError:
            return Stamp()
        seen = (info.st_size, info.st_mtime_ns, info.st_ctime_ns)
        return Stamp(fingerprint=repr((_READING, *seen, self.root.include, self.root.exclude, self.root.hidden)))

    def scan(self, context: ScanContext) -> Iterator[Item]:
        """Yield the pictures by name."""
        return scan_shard(self.root, unreadable=context.unreadable, warnings=context.warnings)

    def read(self, item: Item, options: ReadOptions) -> tuple[Stamp, bytes]:
        """Read a part of the tar; the time of its stamp is that of the tar when it was scanned."""
        part = item.locator.part
        if part is None:  # a link, which has a problem
            raise DecodeError("not_found")
        return item.stamp, read_image_file(self.root.path, options.limits, part=(part.start, part.length))

    def file(self, _key: str) -> Path:
        """Return the tar."""
        return self.root.path

    def original(self, picture: StoredItem, _limits: DecodeLimits) -> Original:
        """Return a part of the tar."""
        part = picture.locator.part
        if part is None:
            raise DecodeError("not_found")
        return FilePath(self.root.path, part=part)


def scan_shard(root: Root, *, unreadable: list[str], warnings: list[ImageSearchError]) -> Iterator[Item]:
    """Yield the pictures of a shard by name. One that cannot be read to its end is added to both lists."""
    try:
        info = root.path.stat()
        shard = ShardContents(root, mtime_ns=clamp_mtime(info.st_mtime_ns))
    except FileNotFoundError:
        return
    except OSError as error:
        unreadable.append("")
        warnings.append(ShardDamaged(root.path, _explain(error, root.path)))
        return
    try:
        with root.path.open("rb") as file:
            shard.read(file, info.st_size)
    except FileNotFoundError:
        return
    except UNREADABLE as error:
        unreadable.append("")
        warnings.append(ShardDamaged(root.path, _explain(error, root.path)))
    if shard.broken:
        warnings.append(DescriptionsUnreadable(root.path, shard.broken[0], len(shard.broken)))
    yield from shard.items()


class ShardContents:
    """What is in a shard, as far as it has been read. `broken` are the names of descriptions that are no JSON."""

    def __init__(self, root: Root, *, mtime_ns: int) -> None:
        self.broken: list[str] = []
        self._root, self._mtime_ns = root, mtime_ns
        self._found: dict[str, Item] = {}
        self._links: dict[str, str] = {}
        self._described: dict[str, tuple[str, str]] = {}

    def read(self, file: IO[bytes], size: int) -> None:
        """Read the headers and descriptions of a tar of so many bytes. Raises one of UNREADABLE."""
        wanted = PathRules(self._root)
        for tar, member in _members(file, size):
            name = member.name.removeprefix("./")
            kind = wanted.file(name, alone=True)
            if kind is FileKind.PICTURE:
                self._found[name] = _picture(self._root, member, name, self._mtime_ns)
                self._links[name] = _target(member, name)
            elif _is_plain(member) and name.lower().endswith((".txt", ".json")) and member.size <= _MAX_TEXT_BYTES:
                _describe(tar, member, self._described, self.broken)

    def items(self) -> Iterator[Item]:
        """Yield the pictures by name."""
        for name, item in self._found.items():
            target = self._found.get(self._links[name], item)
            meant = item if target.locator.part is None else target
            caption, tags = self._described.get(_key(name), ("", ""))
            yield replace(meant, locator=replace(meant.locator, key=name), caption=caption, tags=tags)


def _members(file: IO[bytes], size: int) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
    """Yield what is in a tar, folders aside. Raises one of UNREADABLE where it cannot be read on."""
    with tarfile.open(fileobj=file, mode="r:", encoding="utf-8", errors="surrogateescape") as tar:
        reached = -1
        while (member := tar.next()) is not None:
            tar.members = []  # type: ignore[attr-defined]  # it would keep them all
            if member.offset <= reached or not 0 <= member.size <= MAX_INT64:
                raise _TarFlaw(message("a header leads back, at byte {offset}", offset=member.offset))
            reached = member.offset
            if not member.isdir():
                yield tar, member
            if _is_plain(member) and member.offset_data + member.size > size:
                raise _TarFlaw(message("{name!r} ends behind it", name=member.name))
        _check_end(file, tar.offset)


def _check_end(file: IO[bytes], offset: int) -> None:
    """Raise ReadError unless a tar that was read up to `offset` ends there: with zeros, and nothing behind them."""
    file.seek(offset)
    block = file.read(_BLOCK)
    if block.strip(b"\0"):
        raise _TarFlaw(message("no header at byte {offset}", offset=offset))
    if len(block) < _BLOCK:
        raise _TarFlaw(message("the mark of its end is missing"))
    if file.read(_MAX_PADDING_BYTES).strip(b"\0"):
        raise _TarFlaw(message("something follows its end at byte {offset}; were several joined?", offset=offset))


class _TarFlaw(tarfile.ReadError):
    """What is wrong with a tar."""

    def __init__(self, why: Message) -> None:
        super().__init__(str(why))
        self.why = why


def _explain(error: BaseException, path: Path) -> Readable:
    head = b""
    with contextlib.suppress(OSError), path.open("rb") as file:
        head = file.read(8)
    return explain_shard(error, head)


def explain_shard(error: BaseException, head: bytes) -> Readable:
    """Return why a shard cannot be read, by what was raised and its first bytes."""
    if head.startswith(_PACKERS):
        return message("it is compressed; make a plain .tar of it")
    if isinstance(error, _TarFlaw):
        return error.why
    if isinstance(error, OSError) and error.errno:
        return os_message(error)
    return Quoted(str(error) or type(error).__name__, message("a header of it cannot be read"))


def _is_plain(member: tarfile.TarInfo) -> bool:
    """Say whether the bytes of a member lie in the tar as they are."""
    return member.isreg() and member.sparse is None


def _picture(root: Root, member: tarfile.TarInfo, name: str, mtime_ns: int) -> Item:
    if _is_plain(member):
        part = ByteRange(member.offset_data, member.size)
        return Item(Locator(root.id, name, part), Stamp(member.size, mtime_ns))
    kind = f"link to {member.linkname}" if member.linkname else "sparse file" if member.isreg() else "device"
    reason = "not_a_regular_file"
    return Item(Locator(root.id, name), Stamp(fingerprint=reason), problem=(reason, kind))


def _target(member: tarfile.TarInfo, name: str) -> str:
    """Return the name of the member that a link leads to, "" for what is no link."""
    if member.islnk():
        return member.linkname.removeprefix("./")
    return posixpath.normpath(posixpath.join(posixpath.dirname(name), member.linkname)) if member.issym() else ""


def _describe(
    tar: tarfile.TarFile, member: tarfile.TarInfo, described: dict[str, tuple[str, str]], broken: list[str]
) -> None:
    """Add what a .txt or .json member says to `described`, or the name of one that is no JSON to `broken`."""
    file = tar.extractfile(member)
    text = _decoded(file.read() if file else b"")
    said = text_of(text), ""
    if member.name.lower().endswith(".json"):
        try:
            said = _said(json.loads(text))
        except (ValueError, RecursionError):
            broken.append(member.name)
            return
    key = _key(member.name.removeprefix("./"))
    caption, tags = described.get(key, ("", ""))
    described[key] = (said[0] or caption, said[1] or tags)


def _decoded(data: bytes) -> str:
    """Return a text in UTF-8, of which the last character may be cut, or in GBK."""
    for encoding in ("utf-8-sig", "gb18030"):
        with contextlib.suppress(UnicodeDecodeError):
            return codecs.getincrementaldecoder(encoding)().decode(data)
    return data.decode("utf-8", "replace")


def _said(value: object) -> tuple[str, str]:
    """Return the caption and the tags in the JSON of a sample."""
    if not isinstance(value, dict):
        return "", ""
    caption = next(filter(None, (text_of(value.get(name)) for name in COLUMNS["caption"].split())), "")
    return caption, next(filter(None, (join_tags(value.get(name)) for name in COLUMNS["tags"].split())), "")


def _key(name: str) -> str:
    """Return what the members of one sample have in common: the name up to the first dot behind the last slash."""
    folder, slash, last = name.rpartition("/")
    return folder + slash + last.partition(".")[0]
