"""Boards and what is on them, as data."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from api.boards.errors import BoardNameUnusable
from indexer.library.catalog.marks import PictureMark
from models.foundation.messages import mark, translate

FAVOURITES: Final = "favourites"  # the id of the board that is always there
KEPT: Final = "kept"  # that of the board of what somebody decided to keep of duplicates
MAX_BOARDS: Final = 1_000
MAX_PICTURES: Final = 100_000  # of a board
MAX_NAME: Final = 200  # characters
FIXED: Final = {FAVOURITES: mark("Favourites"), KEPT: mark("Kept of duplicates")}


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardRecord:
    """A board. `name` is "" for one of FIXED; times are seconds since 1970, None where nothing has been kept yet.

    `count` is that of its pictures, whether the library still has them or not; `version` grows with every change.
    """

    id: str
    name: str
    count: int = 0
    created_at: float | None = None
    changed_at: float | None = None
    version: int = 0

    def title(self, language: str) -> str:
        """Return what it is called in `language`."""
        return translate(FIXED[self.id], language) if self.is_fixed else self.name

    @property
    def is_fixed(self) -> bool:
        """Whether it is neither deleted nor renamed."""
        return self.id in FIXED


@dataclass(frozen=True, slots=True)
class BoardEntry:
    """A picture on a board, by the number of the entry: later ones are higher, and none is given twice.

    `image_id` is the id that it had when it was last seen; `mark` tells it where that is another picture's by now.
    """

    number: int
    image_id: int
    mark: PictureMark


def read_name(given: str) -> str:
    """Return a name on one line. Raises BoardNameUnusable."""
    name = " ".join(given.split())
    if not 0 < len(name) <= MAX_NAME or any("\ud800" <= char <= "\udfff" for char in name):
        raise BoardNameUnusable(MAX_NAME)
    return name


def moment(seconds: float | None) -> str | None:
    """Return a time as ISO 8601 in UTC."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
