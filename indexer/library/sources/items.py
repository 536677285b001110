"""What sources hold, as data: where an item lies, what tells whether it has changed, and what the catalog saw of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

MAX_INT64 = 2**63 - 1  # SQLite holds no larger number; file times are kept within it


@dataclass(frozen=True, slots=True)
class Stamp:
    """What tells whether something is what it was: its size in bytes, when it was written last, and a fingerprint.

    What is not known is None: all of it for a file that cannot be looked at, and for what lies at an address until it
    has been fetched. A row that names no picture has a fingerprint alone.
    """

    size: int | None = None
    mtime_ns: int | None = None
    fingerprint: str | None = None

    @property
    def is_known(self) -> bool:
        """Say whether anything is known."""
        return self != _UNKNOWN


_UNKNOWN = Stamp()


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Bytes of a file that holds more than one item, as a tar does."""

    start: int
    length: int


# A part of what lies at a place. An item that is a part of another kind (a moment of a video) adds a class here.
Part: TypeAlias = ByteRange
Name: TypeAlias = str | int  # what tells the items of a source apart: a key, or the number of a row without a picture


@dataclass(frozen=True, slots=True)
class Locator:
    """Where an item lies: its source, the key in it, and the part of what lies there, None for all of it.

    The key is a path below a folder or beside a list ("/" between names, absolute where it lies elsewhere), an address,
    or a name in a tar. A row of a list that names no picture has its number as `row`, and no key.
    """

    source_id: int
    key: str
    part: Part | None = None
    row: int | None = None

    @property
    def name(self) -> Name:
        """What tells it from the other items of its source."""
        return self.key if self.row is None else self.row

    @property
    def label(self) -> str:
        """The key, or the number of the row, for people."""
        return self.key if self.row is None else f"#{self.row}"


@dataclass(frozen=True, slots=True)
class Beside:
    """What a file beside a picture says of it besides a caption and tags: when it was taken (ISO 8601); a rating."""

    moment: str = ""
    rating: int | None = None


NOTHING_BESIDE = Beside()


@dataclass(frozen=True, slots=True)
class Item:
    """Something that looks like a picture, as a scan found it. Tags are one a line.

    `problem` is why there is nothing to read: a key of DECODE_REASONS and its detail. Of what is `remote` nothing is
    known before it has been fetched. `dangling` is a link whose file is out of sight.
    """

    locator: Locator
    stamp: Stamp = _UNKNOWN
    caption: str = ""
    tags: str = ""
    problem: tuple[str, str] | None = None
    remote: bool = False
    dangling: bool = False
    beside: Beside = NOTHING_BESIDE


@dataclass(frozen=True, slots=True)
class KnownItem:
    """What the catalog last saw of an item. `encoded`: its vector is there; `stale`: it has to be looked at again."""

    id: int
    stamp: Stamp
    stale: bool
    status: str
    reason: str | None
    encoded: bool
    caption: str = ""
    tags: str = ""
    part: Part | None = None
    beside: Beside = NOTHING_BESIDE

    @property
    def description(self) -> tuple[str, str, Beside]:
        """What is said of it."""
        return self.caption, self.tags, self.beside


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """A source as the catalog keeps it: where pictures come from, and how it is scanned.

    `kind` names the class that reads it (see kinds.py), `package` the package that has it, "" for xuntu's own;
    the patterns are those of .gitignore files. `mounts` are the folders below it ("" is the root itself) at which
    another drive was mounted when last seen. `columns` maps path, url, caption and tags to the columns of a list, where
    they are not found by their names. `stamp` is what the source looked like when it was last scanned to its end.
    """

    id: int
    path: Path
    kind: str = "folder"
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    hidden: bool = False
    defaults: bool = True  # what systems and programs put beside pictures is left out
    mounts: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict, hash=False)
    package: str = ""
    stamp: Stamp = _UNKNOWN
