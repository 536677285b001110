"""A WebDataset shard (a plain tar file) -> the pictures in it, with their captions and tags.

Members whose names agree up to the first dot belong together: `000.jpg` is described by `000.txt` and `000.json`.
Nothing is ever unpacked: a picture is read from the tar at its offset, so a member's name is no more than a label. Of
members with the same name the last one counts, as for tar itself.
"""

import contextlib
import json
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from indexer.errors import ShardDamaged
from indexer.scan import Wanted, clamp_mtime
from indexer.sources.lists import join_tags, text_of
from indexer.store.filters import MAX_INT64
from indexer.store.records import ImageFile, Root
from models.errors import ImageSearchError

_MAX_TEXT_BYTES = 1 << 20
_BLOCK = 512
_CAPTIONS = ("caption", "text", "title", "description")
_TAGS = ("tags", "keywords", "labels")
# What Python's reader raises on headers that are damaged, or made to harm.
_UNREADABLE = (
    *(tarfile.TarError, OSError, EOFError, ValueError, ArithmeticError, LookupError, MemoryError, RecursionError),
)
_PACKERS = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"PK\x03\x04")


def scan_shard(root: Root, *, unreadable: list[str], warnings: list[ImageSearchError]) -> Iterator[ImageFile]:
    """Yield the pictures of a shard by name. One that cannot be read to its end is added to both lists."""
    found: dict[str, ImageFile] = {}
    described: dict[str, tuple[str, str]] = {}
    wanted = Wanted(root)
    try:
        info = root.path.stat()
        mtime_ns = clamp_mtime(info.st_mtime_ns)
        for tar, member in _members(root.path, info.st_size):
            name = member.name.removeprefix("./")
            key = _key(name)
            if wanted.file(name):
                found[name] = ImageFile(root.id, name, root.path, member.size, mtime_ns, member.offset_data)
            elif name.lower().endswith((".txt", ".json")) and member.size <= _MAX_TEXT_BYTES:
                caption, tags = described.get(key, ("", ""))
                more = _read_description(tar, member)
                described[key] = (more[0] or caption, more[1] or tags)
    except FileNotFoundError:
        return
    except _UNREADABLE as error:
        unreadable.append("")
        warnings.append(ShardDamaged(root.path, _explain(error, root.path)))
    for name, file in found.items():
        caption, tags = described.get(_key(name), ("", ""))
        yield replace(file, caption=caption, tags=tags)


def _members(path: Path, size: int) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
    """Yield the ordinary files of a tar. Raises one of _UNREADABLE where it cannot be read on."""
    with tarfile.open(path, "r:", encoding="utf-8", errors="surrogateescape") as tar:
        reached = -1
        while (member := tar.next()) is not None:
            tar.members = []  # type: ignore[attr-defined]  # it would keep them all
            if member.offset <= reached or not 0 <= member.size <= MAX_INT64:
                raise tarfile.ReadError(f"a header leads back, at byte {member.offset}")
            reached = member.offset
            if member.isreg() and member.sparse is None:
                yield tar, member
            if member.offset_data + member.size > size:
                raise tarfile.ReadError(f"{member.name!r} ends behind it")
        _check_end(path, tar.offset)


def _check_end(path: Path, offset: int) -> None:
    """Raise ReadError unless a tar that was read up to `offset` ends there: with zeros, or with the file."""
    with path.open("rb") as file:
        file.seek(offset)
        if file.read(_BLOCK).strip(b"\0"):
            raise tarfile.ReadError(f"no header at byte {offset}")


def _explain(error: BaseException, path: Path) -> str:
    with contextlib.suppress(OSError), path.open("rb") as file:
        if file.read(8).startswith(_PACKERS):
            return "it is compressed; make a plain .tar of it"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _read_description(tar: tarfile.TarFile, member: tarfile.TarInfo) -> tuple[str, str]:
    """Return the caption and tags of a .txt or .json member; nothing of one that is neither text nor JSON."""
    file = tar.extractfile(member)
    text = (file.read() if file else b"").decode("utf-8-sig", "replace")
    if not member.name.lower().endswith(".json"):
        return text_of(text), ""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return "", ""
    if not isinstance(value, dict):
        return "", ""
    caption = next(filter(None, (text_of(value.get(name)) for name in _CAPTIONS)), "")
    return caption, next(filter(None, (join_tags(value.get(name)) for name in _TAGS)), "")


def _key(name: str) -> str:
    """Return what the members of one sample have in common: the name up to the first dot behind the last slash."""
    folder, slash, last = name.rpartition("/")
    return folder + slash + last.partition(".")[0]
