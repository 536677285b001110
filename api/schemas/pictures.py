"""What is said of pictures: of one, and in a list."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from api.schemas.answers import Part
from api.schemas.base import Region
from api.schemas.problems import DuplicatePicture


class Colour(BaseModel):
    """A dominant colour: its name, its mean as #rrggbb, and its share of the picture, 0..1."""

    name: str
    hex: str
    share: float


class ShownValue(BaseModel):
    """A fact to be shown, with the name that people have for it in the language of the request."""

    name: str
    label: str
    value: Any


class ImageDetail(BaseModel):
    """What the catalog knows of one picture. Width and height are those of the upright picture."""

    id: int
    path: str
    root: str
    width: int
    height: int
    format: str
    bytes: int
    modified_at: str = Field(description="File time, ISO 8601 in UTC")
    taken_at: str | None = Field(description="When it was taken, ISO 8601: by the camera's clock, or what else says so")
    dated: Literal["camera", "beside", "name", "file"] = Field(
        "file",
        description="What `taken` is read from: the camera's clock, a file beside the picture, its name, or its time",
    )
    camera: str | None
    has_gps: bool
    place: str | None = Field(None, description="Where it was taken, in words, if its file says so")
    colours: list[Colour]
    caption: str = Field("", description="What a list or a shard says of it")
    tags: list[str] = []
    url: str | None = Field(
        None, description="Where the original is, if it was fetched from an address; of a signed one nothing"
    )
    annotations: dict[str, Any] = Field({}, description="What annotators found, by the names of their fields")
    details: list[ShownValue] = Field([], description="What of it is not said above, and is to be shown")
    kind: Literal["picture", "video"] = "picture"
    duration: float | None = Field(None, description="Of a video: how many seconds it takes")
    clip: bool = Field(False, description="Whether a short film around it lies beside a picture, as of a live photo")
    parts: list[Part] = Field(
        [],
        description="What is looked at besides all of it: parts of a picture that is longer than 1:3, regions of "
        "another, if any, moments of a video",
    )
    part: int | None = Field(
        None, description="Number of the part that its thumbnail shows where none is asked for; null: all of it"
    )


class ListedImage(BaseModel):
    """A picture in a list. `value` is what the list is sorted by, null where the picture has none."""

    id: int
    path: str
    root: str
    width: int
    height: int
    value: str | int | float | None = None
    fields: dict[str, Any] = Field({}, description="What else was asked for, by name; null: not known of it")


class ImageList(BaseModel):
    """One page of the pictures that satisfy some conditions. `total` counts all of them.

    With `next` and `previous`, paging neither repeats nor passes over pictures that stay, whatever else comes and goes.
    """

    images: list[ListedImage]
    total: int
    next_offset: int | None = Field(None, description="Where the next page begins; null after the last")
    next: str | None = Field(None, description="Where the next page begins, as `after`; null after the last")
    previous: str | None = Field(None, description="Where the previous page ends, as `before`; null before the first")
    build: str


class ReadLine(BaseModel):
    """A line of text as it was read in a picture, and how sure that is, 0..1. Places are in pixels.

    `corners` are four, from the beginning of the line clockwise, and `box` is around them.
    """

    text: str
    confidence: float
    box: Region
    corners: list[tuple[int, int]]
    at: float | None = Field(None, description="Of a video: when it is seen first, in seconds from the beginning")


class PictureText(BaseModel):
    """All text that was read in a picture, in reading order; none where there is none, or nobody has read it."""

    lines: list[ReadLine]


class CopyList(BaseModel):
    """The copies of a picture: exact ones first, then near-duplicates, the nearest first.

    `bits` and `cosine` are those between each and the picture that was asked for. Near-duplicates are looked for among
    the 200 most similar pictures; `total` counts what was found.
    """

    copies: list[DuplicatePicture]
    total: int
    build: str
