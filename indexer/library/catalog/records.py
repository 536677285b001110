"""What the catalog keeps, as data: roots, files, contents, shards and places in them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from models.foundation.vectors import Ids

MAX_INT64 = 2**63 - 1  # SQLite holds no larger number; file times are kept within it
NOWHERE = -1  # a size no file has: what is at that path has to be looked at again
UNKNOWN_SIZE = -2  # of what lies at an address: it is known once it has been fetched
_SCHEMES = ("http://", "https://")


@dataclass(frozen=True, slots=True)
class StoredEncoder:
    """The encoder that a library was built with. Whether it is the one on this machine is not asked here."""

    id: int
    name: str
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """Where pictures of the library come from, and how it is scanned; the patterns are those of .gitignore files.

    `kind` is folder, list (a table of paths and addresses) or tar (a WebDataset shard); the last two are files.
    `mounts` are the folders below it ("" is the root itself) at which another drive was mounted when last seen.
    `columns` maps path, url, caption and tags to the columns of a list, where they are not found by their names.
    """

    id: int
    path: Path
    kind: str = "folder"
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    hidden: bool = False
    mounts: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class ImageFile:
    """A file that looks like a picture. `path` is below its root; size in bytes.

    One that lies in a tar file begins at the byte `offset` of it. In a list, `path` may be an address, or absolute;
    tags are one a line. `problem` is why there is nothing to read: a key of DECODE_REASONS and its detail.
    """

    root_id: int
    path: str
    absolute: Path
    size: int
    mtime_ns: int
    offset: int | None = None
    caption: str = ""
    tags: str = ""
    problem: tuple[str, str] | None = None

    @property
    def address(self) -> str | None:
        """Where to fetch it from, None for a file of this machine."""
        return self.path if self.offset is None and is_address(self.path) else None


@dataclass(frozen=True, slots=True)
class KnownFile:
    """What the catalog last saw of a file. `encoded`: its vector is there."""

    id: int
    size: int
    mtime_ns: int
    status: str
    reason: str | None
    encoded: bool
    caption: str = ""
    tags: str = ""
    offset: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What is in a picture file. `sha256` is of the file, hex; width and height are those of the upright picture."""

    sha256: str
    format: str
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRow(Content):
    """A picture as the catalog knows it. `path` is below `root`; size in bytes; copies share a `content_id`."""

    id: int
    content_id: int
    root: Path
    kind: str
    path: str
    size: int
    mtime_ns: int
    status: str
    offset: int | None
    caption: str
    tags: str

    @property
    def file(self) -> Path:
        """The file that holds the picture: it alone, or a tar with others."""
        if self.kind == "list":
            return self.root.parent / self.path
        return self.root if self.kind == "tar" else self.root / self.path

    @property
    def address(self) -> str | None:
        """Where the picture was fetched from, None for one of this machine."""
        return self.path if self.kind == "list" and is_address(self.path) else None

    @property
    def place(self) -> str:
        """Where a person finds the picture."""
        return place_of(self.kind, self.root, self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """A vector shard that the catalog vouches for. `checked` is what its files looked like when last read in full."""

    number: int
    rows: int
    sha256: str
    ids_sha256: str
    checked: str = ""


@dataclass(frozen=True, slots=True)
class Locations:
    """Where vectors lie: three int64 arrays of one length, in ascending order of id."""

    ids: Ids
    shards: Ids
    rows: Ids

    @classmethod
    def of(cls, table: Sequence[tuple[int, int, int]]) -> "Locations":
        """Return rows of (id, shard, row) as columns."""
        columns = np.array(table, np.int64).reshape(-1, 3).T
        return cls(*(np.ascontiguousarray(column) for column in columns))

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, part: slice) -> "Locations":
        return Locations(self.ids[part], self.shards[part], self.rows[part])

    def among(self, numbers: Sequence[int]) -> "Locations":
        """Return the locations that lie in the shards `numbers`."""
        chosen = np.isin(self.shards, numbers)
        return Locations(self.ids[chosen], self.shards[chosen], self.rows[chosen])


@dataclass(frozen=True, slots=True)
class IndexChanges:
    """What an index of an earlier generation has to follow.

    `touched` are the ids of all pictures that changed since, `added` where those of them lie that it should hold now.
    """

    touched: Ids
    added: Locations = field(default_factory=lambda: Locations.of(()))


def is_address(path: str) -> bool:
    """Say whether the path of a listed picture is an address: no path below a root has two slashes in a row."""
    return path.startswith(_SCHEMES)


def place_of(kind: str, root: Path, path: str) -> str:
    """Return where a person finds a picture: a file, an address, or a name in the tar or a row of the list it is in."""
    if kind != "list" or (path.startswith("#") and path[1:].isdecimal()):
        return f"{root}/{path}"
    return path if "://" in path else str(root.parent / path)
