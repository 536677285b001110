"""What is asked: clauses, conditions on pictures, and a search."""

from typing import Annotated, Literal

from pydantic import Field

from api.schemas.base import MAX_CHOICES, MAX_WHERE_CHARS, Region, Strict, with_options
from api.schemas.vectors import Numbers, Packed
from api.search.options import MAX_CLAUSES

MAX_VALUES = 1_000  # of a facet
MAX_DEPTH = 8
MAX_COUNTED = 10_000  # hits

TYPED = (
    "What is in the picture, in Chinese or English. `2:word` counts twice, `-word` is away from it, `-0.5:word` by "
    'half; a phrase stands in quotation marks: `-"red car"`'
)

Date = Annotated[str, Field(max_length=40)]


class ClauseIn(Strict):
    """One part of a query: exactly one of `text`, `image`, `image_id`, `upload` and `vector`.

    A negative weight means away from it.
    """

    text: str | None = Field(None, description="What is in the picture, in Chinese or English")
    image: str | None = Field(None, description="A picture file, base64 (a data: URI is accepted)")
    image_id: int | None = Field(None, description="A picture of the library")
    weight: float = Field(1.0, ge=-10, le=10, allow_inf_nan=False)
    crop: Region | None = Field(None, description="The part of the picture that is asked with; null: all of it")
    upload: str | None = Field(None, max_length=100, description="A picture that was sent before: see PUT /v1/uploads")
    vector: Numbers | Packed | None = Field(
        None, description="A vector of an encoder of the library, of any length but 0; only that encoder is asked"
    )
    encoder: str | None = Field(
        None, max_length=100, description="Whose vector it is; needed where the library has several encoders"
    )


class FilterParams(Strict):
    """Conditions on the pictures; all must hold. Dates are ISO 8601, without a time zone: as the camera's clock."""

    path: str | None = Field(
        None, max_length=MAX_WHERE_CHARS, description="Prefix of the path below the root, such as 2024/"
    )
    board: str | None = Field(
        None, max_length=MAX_WHERE_CHARS, description="A board by its id or name; a|b is either of two"
    )
    formats: list[str] | None = Field(
        None, max_length=MAX_CHOICES, description="jpeg, png, webp, gif, bmp, tiff, heif, avif"
    )
    colours: list[str] | None = Field(
        None, max_length=MAX_CHOICES, description="Any of these dominant colours, such as blue or 蓝"
    )
    tags: list[str] | None = Field(
        None, max_length=MAX_CHOICES, description="All of these tags; beach|sea is either of two"
    )
    min_width: int | None = None
    max_width: int | None = None
    min_height: int | None = None
    max_height: int | None = None
    min_aspect: float | None = Field(None, description="Width divided by height")
    max_aspect: float | None = None
    taken_from: Date | None = Field(None, description="First day or moment, inclusive")
    taken_to: Date | None = Field(None, description="Last day or moment, inclusive")
    modified_from: Date | None = None
    modified_to: Date | None = None
    bounds: str | None = Field(
        None,
        max_length=MAX_WHERE_CHARS,
        description="Taken in this part of the map, in degrees: west,south,east,north; west may lie beyond east",
    )


class FilterIn(FilterParams):
    """Conditions on the pictures, and on whatever other fields the library has (`GET /v1/fields`); all must hold."""

    fields: dict[
        Annotated[str, Field(max_length=100)],
        Annotated[list[Annotated[str, Field(max_length=MAX_WHERE_CHARS)]], Field(max_length=MAX_CHOICES)],
    ] = Field(
        default_factory=dict,
        max_length=MAX_CHOICES,
        description='By name; all must hold. An operator may stand first: {"taken": [">=2024-05"], "tag": ["beach"]}',
    )


@with_options()
class SearchRequest(Strict):
    """A sum of what `q` says and of weighted clauses, at most 16 together.

    Without any, all pictures that satisfy the conditions are listed, in an order.
    """

    q: str = Field("", description=TYPED)
    clauses: list[ClauseIn] = Field([], max_length=MAX_CLAUSES)
    where: FilterIn | Annotated[str, Field(max_length=MAX_WHERE_CHARS)] | None = Field(
        None, description="Conditions, or the same as an expression"
    )


class CountOptions(Strict):
    """How the values of fields are counted."""

    by: Literal["year", "month", "day"] = Field("year", description="What dates are counted by")
    folder: str = Field(
        "", max_length=MAX_WHERE_CHARS, description="With the field path: the folder whose folders are counted"
    )
    depth: int = Field(1, ge=1, le=MAX_DEPTH, description="With the field path: how many folders deep")
    limit: int = Field(MAX_VALUES, ge=1, le=MAX_VALUES, description="Most values of a field")


class FacetRequest(SearchRequest, CountOptions):
    """A search, and what is counted of its hits; without `q` and clauses, of all pictures that satisfy the conditions.

    What says which page it is (k, offset, after) and its order mean nothing here.
    """

    fields: list[str] | None = Field(
        None, max_length=MAX_CHOICES, description="Names of the fields; null: all that are counted"
    )
    first: int = Field(1_000, ge=1, le=MAX_COUNTED, description="So many hits are counted, the best first")
