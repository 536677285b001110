"""What a library asks of a source, whatever kind of source it is."""

import hashlib
import os
from abc import abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol

from indexer.library.sources.items import ByteRange, Item, KnownItem, Locator, Name, Root, Stamp
from indexer.library.storage.errors import ObjectChanged, ObjectMissing, StorageUnavailable
from models.foundation.errors import ImageSearchError
from models.pictures.errors import DecodeError
from models.pictures.limits import DecodeLimits

if TYPE_CHECKING:  # it takes time to import, and searching does not need it
    from indexer.library.addresses.fetching import Fetching


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """How items are read. A server is waited for so long to connect, and for each of its bytes.

    `allow_private` names the hosts inside this network that addresses may lead to, with commas between them;
    `through_proxy`: what is fetched comes by the proxies of the environment.
    """

    limits: DecodeLimits = field(default_factory=DecodeLimits)
    offline: bool = False
    fetch_timeout_s: float = 20.0
    allow_private: str = ""
    through_proxy: bool = False

    @property
    def fetching(self) -> "Fetching":
        """How what lies at an address is fetched: see `fetch_address`."""
        from indexer.library.addresses.fetching import Fetching

        return Fetching(
            offline=self.offline,
            timeout_s=self.fetch_timeout_s,
            allow_private=self.allow_private,
            through_proxy=self.through_proxy,
        )


@dataclass(slots=True, kw_only=True)
class ScanContext:
    """What a scan goes by, and what it has to say beside its items.

    `other_roots` are left to themselves. `unreadable` and `mounts` are folders that cannot be seen, and those that are
    other drives; they end in "/", and "" is all of the source. `warnings` are for the person.
    """

    other_roots: Sequence[Path] = ()
    unreadable: list[str] = field(default_factory=list)
    mounts: list[str] = field(default_factory=list)
    warnings: list[ImageSearchError] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class FilePath:
    """An original that is a file of this machine, or a part of one; it may be gone, or be something else by now.

    `within` is the folder that it belongs to, which links may lead out of; None where no folder is meant.
    """

    path: Path
    within: Path | None = None
    part: ByteRange | None = None


@dataclass(frozen=True, slots=True)
class Bytes:
    """An original that is no file of its own."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Redirect:
    """An original that is at an address."""

    address: str


@dataclass(frozen=True, slots=True)
class StoredBytes:
    """An original that is an object in object storage, or a part of one: `size` bytes of it from `start` on.

    It is read by ranges, as long as it is the one of `etag`, which is what was indexed.
    """

    address: str
    name: str
    etag: str
    start: int
    size: int
    modified_ns: int

    def read(self, offset: int, count: int) -> bytes:
        """Return `count` bytes from an offset on, all of them within it. Raises DecodeError."""
        from indexer.library.storage.object_store import open_store

        try:
            return open_store(self.address).get_range(self.name, self.start + offset, count, etag=self.etag)
        except ObjectMissing:
            raise DecodeError("not_found") from None
        except ObjectChanged:
            raise DecodeError("changed") from None
        except StorageUnavailable as error:
            raise DecodeError("storage_unavailable", self.address) from error

    def sign(self, seconds: float) -> str:
        """Return an address at which all of the object can be read for a while, if it still is the one of `etag`.

        Raises DecodeError or StorageUnavailable.
        """
        from indexer.library.storage.object_store import open_store

        store = open_store(self.address)
        try:
            if store.head(self.name).etag != self.etag:
                raise DecodeError("changed")
        except ObjectMissing:
            raise DecodeError("not_found") from None
        return store.sign(self.name, seconds)


Original = FilePath | Bytes | Redirect | StoredBytes


class StoredItem(Protocol):
    """A picture of the library, as far as a source has to know it."""

    @property
    def locator(self) -> Locator:
        """Where it lies."""

    @property
    def stamp(self) -> Stamp:
        """What told whether it is what was indexed."""

    @property
    def sha256(self) -> str:
        """The checksum of its bytes when they were read, hex."""


class Source(Protocol):
    """Where pictures come from. The class for a kind of source derives from this one, and is found by its `kind`.

    What is not abstract has an answer that suits a source which is one file with pictures in it.
    """

    kind: ClassVar[str]
    needs_own_process: ClassVar[bool] = False  # it is read by threads, which do not live on in a fork of a process
    root: Root

    def __init__(self, root: Root) -> None:
        """Begin with what the catalog keeps of the source."""
        self.root = root

    @classmethod
    @abstractmethod
    def accepts(cls, place: str) -> bool:
        """Say whether what is at a place, as a person names it, is a source of this kind."""

    @abstractmethod
    def scan(self, context: ScanContext) -> Iterator[Item]:
        """Yield the items of the source, each name once; one that has a problem is yielded with it.

        May raise InvalidList, InvalidPattern or BackendNotInstalled before the first.
        """

    @abstractmethod
    def read(self, item: Item, options: ReadOptions) -> tuple[Stamp, bytes]:
        """Return the bytes of an item that has no problem, and its stamp as they were read. Raises DecodeError."""

    def stamp(self) -> Stamp:
        """Return what tells whether the source has been touched since it was scanned; unknown where only a scan can."""
        return Stamp()

    def needs_whole(self, path: str) -> bool:
        """Say whether what has become of a path below the source can only be told from a scan of all of it."""
        return True

    def scan_paths(self, paths: Sequence[str], context: ScanContext) -> Iterator[Item]:
        """Yield the items at some paths below the source, none of which needs a scan of all of it."""
        return iter(())

    def with_related(self, paths: Sequence[str]) -> Sequence[str]:
        """Return paths that have changed, and those of which that says something."""
        return paths

    def is_out_of_sight(self, items: Collection[Item], known: Mapping[Name, KnownItem]) -> bool:
        """Say whether a scan that found `items` looks as if a drive were not plugged in."""
        return not items

    def reaches(self, folder: Path) -> bool:
        """Say whether a scan of this source finds the pictures of a folder as well, so that it is not to be added."""
        return False

    def file(self, key: str) -> Path | None:
        """Return the file of this machine that holds an item, it alone or with others; None where there is none."""
        return None

    def own_file(self, item: Item) -> Path | None:
        """Return the file of this machine that is an item and nothing else; None where there is none.

        Only such an item can be a video: it is read where it lies, never as bytes.
        """
        return None

    def clip(self, key: str) -> Path | None:
        """Return the file with the moments around a picture, as phones keep one beside it; None where there is none."""
        return None

    def address(self, key: str) -> str | None:
        """Return where an item was fetched from, None for one of this machine."""
        return None

    def original(self, picture: StoredItem, limits: DecodeLimits) -> Original:
        """Return a picture as it lies where it came from; nothing is fetched. Raises DecodeError.

        Something else may lie there by now; that is not given out, unless it is a file of its own.
        """
        _, data = self.read(Item(picture.locator), ReadOptions(limits=limits, offline=True))
        if hashlib.sha256(data).hexdigest() != picture.sha256:
            raise DecodeError("changed")
        return Bytes(data)

    def place(self, locator: Locator) -> str:
        """Return where a person finds an item."""
        return place_within(self.root, locator)

    def key_of(self, place: str) -> str:
        """Return the key of what a person finds at a place, if this source has it."""
        return os.path.normpath(place).removeprefix(f"{self.root.path}/")

    def words(self, key: str) -> str:
        """Return what the name of an item says, its folders before "/"."""
        return key


def place_within(root: Root, locator: Locator) -> str:
    """Return where a person finds what lies in a source, or a row of it."""
    return f"{root.path}/{locator.label}"
