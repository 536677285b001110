"""Boards, on which people collect pictures, and downloads of many pictures."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from api.schemas.base import Strict

MAX_ARCHIVED = 10_000  # ids in a request
MAX_TITLE = 200  # characters

PictureId = Annotated[int, Field(ge=1, le=2**63 - 1)]
BoardName = Annotated[str, Field(min_length=1, max_length=MAX_TITLE, pattern=r"\S")]
PictureIds = Annotated[list[PictureId], Field(max_length=MAX_ARCHIVED)]


class NewBoard(Strict):
    """A board to be made, with pictures where some are named."""

    name: BoardName
    ids: PictureIds = Field([])


class BoardNaming(Strict):
    """What a board is to be called."""

    name: BoardName


class BoardAddition(Strict):
    """Pictures to be put on a board, in this order after those that are there."""

    ids: Annotated[list[PictureId], Field(min_length=1, max_length=MAX_ARCHIVED)]


class BoardRemoval(Strict):
    """Pictures to be taken off a board."""

    ids: PictureIds = Field([])
    missing: bool = Field(False, description="Also those that the library does not have any more")


class BoardSearch(Strict):
    """Pictures whose boards are asked for."""

    ids: Annotated[list[PictureId], Field(min_length=1, max_length=MAX_ARCHIVED)]


class FoundBoard(BaseModel):
    """A board, and which of the pictures that were asked about are on it."""

    id: str
    ids: list[int]


class FoundBoards(BaseModel):
    """The boards that have any of the pictures that were asked about."""

    boards: list[FoundBoard]


class BoardInfo(BaseModel):
    """A board. Whoever has its id, which nobody guesses, may be shown it."""

    id: str
    name: str = Field(description="That of a fixed one is in the language of the request")
    count: int = Field(description="Pictures on it, whether the library still has them or not")
    covers: list[int] = Field([], description="The ids of its first pictures, four at most")
    fixed: bool = Field(False, description="It cannot be renamed or deleted: `favourites`, and `kept` of duplicates")
    created_at: str | None = Field(None, description="ISO 8601 in UTC; null: nothing was kept on it yet")
    changed_at: str | None = None


class BoardList(BaseModel):
    """The boards of the library: the favourites, then those first that were changed last."""

    boards: list[BoardInfo]


class BoardPicture(BaseModel):
    """A picture on a board; what lies where it says is null where the library does not have it any more."""

    id: int | None
    path: str
    root: str
    width: int | None = None
    height: int | None = None


class BoardPictures(BaseModel):
    """A board, and a page of its pictures in the order in which they were put there."""

    board: BoardInfo
    pictures: list[BoardPicture]
    missing: int = Field(description="How many of all the library does not have any more")
    next: str | None = Field(None, description="Where the next page begins, as `after`; null after the last")


class ArchiveRequest(Strict):
    """Pictures to be downloaded together: some, or those of a board.

    `zip` has their files, with `pictures.csv`; `csv` and `json` are what is known of them alone; `sheet` is one picture
    that shows them (JPEG), `pdf` pages with them.
    """

    ids: Annotated[list[PictureId], Field(min_length=1, max_length=MAX_ARCHIVED)] | None = None
    board: str | None = Field(None, max_length=64, description="The id of a board, in place of `ids`")
    format: Literal["zip", "csv", "json", "sheet", "pdf"] = "zip"
    name: str = Field("", max_length=MAX_TITLE, description="What the file is called, without its ending")


class ArchiveTicket(BaseModel):
    """What a download is fetched by: several times, by the same caller, until `expires_at` (ISO 8601 in UTC)."""

    ticket: str
    url: str = Field(description="Its address on this service, beginning with /v1")
    expires_at: str


class ExportedPicture(BaseModel):
    """What is known of a picture; of one that the library does not have, why."""

    id: int
    path: str | None = None
    root: str | None = None
    width: int | None = None
    height: int | None = None
    format: str | None = None
    bytes: int | None = None
    taken: str | None = None
    camera: str | None = None
    place: str | None = None
    caption: str | None = None
    tags: list[str] = []
    missing: str | None = Field(None, description="A code, such as image_not_found")
    why: str | None = Field(None, description="The same as a sentence")


class ExportedPictures(BaseModel):
    """What is known of pictures, in the order in which they were asked for."""

    pictures: list[ExportedPicture]
