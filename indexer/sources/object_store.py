"""Object storage with pictures in it -> the pictures, and those in WebDataset shards (.tar), read by ranges.

An object is known by its etag, which another content never has: what was indexed is given out, or nothing. A picture in
a shard has the key `FOLDER/SHARD.tar/NAME`. A source lies at an address (`s3://bucket/prefix`), which the catalog has
as a path; credentials come from the environment of whoever reads.
"""

import io
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import ClassVar

from indexer.errors import DescriptionsUnreadable, ShardDamaged
from indexer.library.sources.items import Item, Locator, Stamp
from indexer.library.sources.port import Original, ReadOptions, ScanContext, Source, StoredBytes, StoredItem
from indexer.library.storage.addresses import address_in
from indexer.library.storage.errors import ObjectChanged, ObjectMissing
from indexer.library.storage.object_store import ObstoreStore, open_store
from indexer.library.storage.port import StoredObject
from indexer.sources.rules import FileKind, PathRules
from indexer.sources.shards import UNREADABLE, ShardContents, explain_shard
from models.pictures.errors import DecodeError
from models.pictures.limits import DecodeLimits, check_bytes

_READING = 1  # a source that was read by a version with another number is read again
_AHEAD_BYTES = 64 * 2**10  # of a shard that are read at a time, to find what is in it


class ObjectSource(Source):
    """The pictures below an address of object storage."""

    kind: ClassVar[str] = "objects"
    needs_own_process: ClassVar[bool] = True

    @classmethod
    def accepts(cls, place: str) -> bool:
        """Take every address of object storage."""
        return address_in(Path(place)) is not None

    def stamp(self) -> Stamp:
        """Return what tells whether any object has changed. Raises StorageUnavailable."""
        digest = sha256(repr((_READING, self.root.include, self.root.exclude, self.root.hidden)).encode())
        for one in self._objects:
            digest.update(f"{one.name}\0{one.etag}\0{one.size}\n".encode("utf-8", "surrogateescape"))
        return Stamp(fingerprint=digest.hexdigest())

    def scan(self, context: ScanContext) -> Iterator[Item]:
        """Yield the pictures, those in shards with them. Raises StorageUnavailable."""
        wanted = PathRules(self.root)
        for one in self._objects:
            if one.name.lower().endswith(".tar"):
                if _shard_of(one.name) == one.name:
                    yield from self._scan_shard(one, context)
            elif wanted.file(one.name, alone=True) is FileKind.PICTURE:
                yield Item(Locator(self.root.id, one.name), _stamp_of(one))

    def read(self, item: Item, options: ReadOptions) -> tuple[Stamp, bytes]:
        """Read an object, or a part of one, if it is still the one that was listed. Raises DecodeError."""
        stored = self.stored(item.locator, item.stamp)
        check_bytes(stored.size, options.limits)
        return item.stamp, stored.read(0, stored.size)

    def needs_whole(self, path: str) -> bool:  # noqa: ARG002
        """Say that nothing is known without a listing."""
        return True

    def reaches(self, folder: Path) -> bool:
        """Say whether an address lies below this one."""
        return folder.is_relative_to(self.root.path)

    def original(self, picture: StoredItem, _limits: DecodeLimits) -> Original:
        """Return what reads the picture by ranges."""
        return self.stored(picture.locator, picture.stamp)

    def place(self, locator: Locator) -> str:
        """Return the address of a picture."""
        return f"{self._address}/{locator.label}"

    def key_of(self, place: str) -> str:
        """Return the name of the object at an address."""
        return place.removeprefix(f"{self._address}/")

    def stored(self, locator: Locator, stamp: Stamp) -> StoredBytes:
        """Return what reads an item by ranges. Raises DecodeError."""
        if stamp.size is None or stamp.fingerprint is None:
            raise DecodeError("not_found")
        part = locator.part
        name = locator.key if part is None else _shard_of(locator.key)
        start, size = (part.start, part.length) if part else (0, stamp.size)
        return StoredBytes(self._address, name, stamp.fingerprint, start, size, stamp.mtime_ns or 0)

    @property
    def _address(self) -> str:
        return address_in(self.root.path) or ""

    @cached_property
    def _objects(self) -> list[StoredObject]:
        """The objects as they were listed, by name; the listing is complete, or raises StorageUnavailable."""
        found = (one for one in open_store(self._address).list() if one.size)
        return sorted(found, key=lambda one: one.name)

    def _scan_shard(self, shard: StoredObject, context: ScanContext) -> Iterator[Item]:
        """Yield the pictures of a shard; what cannot be read to its end is said, and not taken for gone."""
        root = replace(self.root, path=self.root.path / shard.name)
        contents = ShardContents(root, mtime_ns=shard.modified_ns)
        store = open_store(self._address)
        try:
            with io.BufferedReader(ObjectFile(store, shard), _AHEAD_BYTES) as file:
                contents.read(file, shard.size)
        except (ObjectMissing, ObjectChanged):
            context.unreadable.append(f"{shard.name}/")  # the next scan finds what is there then
            return
        except UNREADABLE as error:
            context.unreadable.append(f"{shard.name}/")
            context.warnings.append(ShardDamaged(root.path, explain_shard(error, b"")))
        if contents.broken:
            context.warnings.append(DescriptionsUnreadable(root.path, contents.broken[0], len(contents.broken)))
        for item in contents.items():
            locator = replace(item.locator, key=f"{shard.name}/{item.locator.key}")
            stamp = replace(item.stamp, fingerprint=item.stamp.fingerprint or shard.etag)
            part = locator.part
            cut = part is not None and part.start + part.length > shard.size
            yield replace(item, locator=locator, stamp=stamp, problem=("truncated", "") if cut else item.problem)


class ObjectFile(io.RawIOBase):
    """An object as a file that is read by ranges, as long as it is the one that was listed.

    Raises StorageUnavailable, ObjectMissing or ObjectChanged.
    """

    def __init__(self, store: ObstoreStore, listed: StoredObject) -> None:
        super().__init__()
        self._store, self._listed, self._at = store, listed, 0

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Say that any byte can be gone to."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a byte."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._listed.size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        """Return the byte that is read next."""
        return self._at

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]
        """Read as many bytes as there is room for."""
        count = max(0, min(len(buffer), self._listed.size - self._at))
        buffer[:count] = self._store.get_range(self._listed.name, self._at, count, etag=self._listed.etag)
        self._at += count
        return count


def _stamp_of(one: StoredObject) -> Stamp:
    return Stamp(one.size, one.modified_ns, one.etag)


def _shard_of(key: str) -> str:
    """Return the name of the shard that a key lies in: all up to the first .tar."""
    end = f"{key.lower()}/".find(".tar/")
    return key[: end + 4] if end >= 0 else key
