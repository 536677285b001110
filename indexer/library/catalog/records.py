"""What the catalog keeps, as data: encoders, pictures, contents, shards and places in them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from indexer.library.addresses.shown import shown_address
from indexer.library.sources.items import Locator, Root, Stamp
from indexer.library.sources.kinds import place_of
from models.foundation.vectors import Ids


@dataclass(frozen=True, slots=True)
class StoredEncoder:
    """The encoder that a library was built with. Whether it is the one on this machine is not asked here."""

    id: int
    name: str
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What is in a picture file. `sha256` is of the file, hex; width and height are those of the upright picture.

    `partial` says that the file breaks off, `dropped` which parts beside the pixels could not be read, by their names.
    `duration_ms` is that of a video, None of a picture.
    """

    sha256: str
    format: str
    width: int
    height: int
    partial: bool = False
    dropped: tuple[str, ...] = ()
    duration_ms: int | None = None

    @property
    def is_video(self) -> bool:
        """Whether it is a video."""
        return self.duration_ms is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRow(Content):
    """A picture as the catalog knows it; copies share a `content_id`.

    `beside_at` is the moment that a file beside it says, `named_at` the one that its name does.
    """

    id: int
    content_id: int
    source: Root
    locator: Locator
    stamp: Stamp
    status: str
    caption: str
    tags: str
    beside_at: str | None = None
    named_at: str | None = None

    @property
    def root(self) -> Path:
        """The folder or file that the picture belongs to."""
        return self.source.path

    @property
    def path(self) -> str:
        """The key of the picture in its source: below a folder, its path."""
        return self.locator.key

    @property
    def shown_path(self) -> str:
        """The path as people see it: of an address without what is secret in it."""
        return shown_address(self.path)

    @property
    def place(self) -> str:
        """Where a person finds the picture."""
        return place_of(self.source, self.locator)


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
