"""What is said of a library: its fields, their values, its encoders and its build."""

from typing import Literal

from pydantic import BaseModel, Field


class FieldInfo(BaseModel):
    """A field of the pictures of this library, and what it can be used for; labels are in the request's language."""

    name: str
    type: str
    label: str
    searchable: bool
    filterable: bool
    faceted: bool
    sortable: bool
    choices: dict[str, str] = Field({}, description="Of a field with fixed values: name and label of each")


class FieldsInfo(BaseModel):
    """The fields of the pictures of this library; by what they are sorted (`sort`), and what is told (`fields`)."""

    fields: list[FieldInfo]
    sorts: list[str] = []
    told: list[str] = []


class FacetValue(BaseModel):
    """One value: as a condition takes it, as it is shown, and the number of pictures."""

    value: str
    label: str
    count: int


class Facet(BaseModel):
    """The values of one field, and how many pictures have each; most first, dates and folders in their own order.

    Pictures may have several values, and count with each. A folder counts all that lies in it and in its own folders.
    """

    field: str
    label: str
    values: list[FacetValue]
    missing: int = Field(0, description="Pictures without a value; of paths, those in no folder here")
    more: int = Field(0, description="Further values, beyond the limit")


class Facets(BaseModel):
    """What pictures are like: `counted` of them were looked at, which of hits are the first, of `total` there are."""

    total: int
    counted: int = 0
    facets: list[Facet]


class EncoderInfo(BaseModel):
    """An encoder in use. `answers` are the kinds of query that are routed to it: zh, en, picture."""

    name: str
    space: str
    dim: int
    languages: list[str]
    pictures: int = 0
    answers: list[Literal["zh", "en", "picture"]] = []


class Reliability(BaseModel):
    """Hits that were said to be right alike often: `said` on average, and the share that was, with a 95 % interval."""

    said: float
    right: float
    low: float
    high: float
    hits: int


class Told(BaseModel):
    """How well scores tell what is there from what is not, for things that calibration was not fitted on.

    AUROC with its 95 % interval over such things, and `reliability`: the share of hits that was said to be right, and
    that was, from the lowest relevance to the highest.
    """

    auroc: float
    low: float
    high: float
    reliability: list[Reliability] = []


class Quality(BaseModel):
    """How many of the right pictures encoders found among the first ten: recall@10 and its 95 % interval."""

    encoders: list[str]
    queries: int
    recall: float
    low: float
    high: float


class IndexInfo(BaseModel):
    """The build in use. `encoder` is the main one of `encoders`; `relevance` has the kinds of query whose hits get one.

    `quality` is what `xuntu evaluate --route` measured: recall@10 by kind of query, for encoders alone and fused.
    """

    build: str
    created_at: str
    encoder: EncoderInfo
    encoders: list[EncoderInfo] = []
    pictures: int
    failed: int
    roots: list[str]
    formats: dict[str, int]
    videos: int = Field(0, description="How many of the pictures are videos")
    relevance: dict[Literal["zh", "en", "picture"], Told] = {}
    quality: dict[Literal["zh", "en", "picture"], list[Quality]] = {}
