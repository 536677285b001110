"""What travels over HTTP: the requests and responses of the REST API, version 1.

Pictures are named by id, root label and path relative to that root; no absolute path is in any of them.
"""

from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, create_model

from api.search import options

MAX_WHERE_CHARS = 2_000
MAX_CHOICES = 32  # formats, colours or tags in one filter
# What the page shares: its address is made of the options.
MAX_CLAUSES = options.MAX_CLAUSES
Match = options.Match
OPTIONS = options.OPTIONS
Option = options.Option
AddressParameter = options.AddressParameter
SearchOptions = options.SearchOptions

M = TypeVar("M", bound=BaseModel)

Language = Annotated[
    Literal["zh", "en", "mixed", "other"], Field(description="zh, en, mixed (Chinese and English), or other")
]
Likelihood = Literal["likely", "maybe", "unlikely"]
Date = Annotated[str, Field(max_length=40)]


class Strict(BaseModel):
    """Refuses fields it does not know, so that a misspelt one is an error and not a silent default."""

    model_config = ConfigDict(extra="forbid")


def with_options(*, words: bool = True) -> Callable[[type[M]], type[M]]:
    """Return what gives a model a field for each option of a search; without `words`, not for those about words.

    A former name of an option is a field of its own, which the OpenAPI document marks as deprecated.
    """
    found: dict[str, Any] = {}
    for option in OPTIONS:
        if words or not option.about_words:
            found[option.name] = _option_field(option)
            if option.former:
                found[option.former] = _former_field(option)

    def extend(model: type[M]) -> type[M]:
        extended: type[M] = create_model(
            model.__name__, __base__=model, __module__=model.__module__, __doc__=model.__doc__, **found
        )
        return extended

    return extend


def _option_field(option: Option) -> tuple[Any, Any]:
    if option.is_list:
        return list[str], Field(list(option.default), max_length=option.max_items, description=option.description)
    return option.type, Field(option.default, ge=option.low, le=option.high, description=option.description)


def _former_field(option: Option) -> tuple[Any, Any]:
    kind, _ = _option_field(option)
    description = f"The former name of {option.name}"
    return kind | None, Field(None, max_length=option.max_items, deprecated=True, description=description)


class Region(BaseModel):
    """A place in a picture, in pixels of the upright picture."""

    x: int
    y: int
    width: int
    height: int


class ClauseIn(Strict):
    """One part of a query: exactly one of `text`, `image` and `image_id`; a negative weight means away from it."""

    text: str | None = Field(None, description="What is in the picture, in Chinese or English")
    image: str | None = Field(None, description="A picture file, base64 (a data: URI is accepted)")
    image_id: int | None = Field(None, description="A picture of the library")
    weight: float = Field(1.0, ge=-10, le=10, allow_inf_nan=False)
    crop: Region | None = Field(None, description="The part of the picture that is asked with; null: all of it")


class FilterParams(Strict):
    """Conditions on the pictures; all must hold. Dates are ISO 8601, without a time zone: as the camera's clock."""

    path: str | None = Field(
        None, max_length=MAX_WHERE_CHARS, description="Prefix of the path below the root, such as 2024/"
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
    """A sum of weighted clauses."""

    clauses: list[ClauseIn] = Field(min_length=1, max_length=MAX_CLAUSES)
    where: FilterIn | Annotated[str, Field(max_length=MAX_WHERE_CHARS)] | None = Field(
        None, description="Conditions, or the same as an expression"
    )


class Part(Region):
    """A part of a long picture, a region of another, or a moment of a video; `number` asks for its thumbnail."""

    number: int
    region: bool = Field(False, description="Whether it is a region of a picture that is not longer than 1:3")
    at: float | None = Field(None, description="Of a moment of a video: seconds from the beginning")


class FoundMoment(BaseModel):
    """A moment of a video, `at` seconds from its beginning, and how it scores by itself; `number` is its part."""

    number: int
    at: float
    score: float


class FoundIn(BaseModel):
    """Something of a picture that says what was asked for: `field` is caption, tag, name, or a field of the library.

    `taken` is its date and `kind` that it is a video, where that is asked for; `picture`, without a text, says that it
    is among those that look most like it. `box` is where it stands in the picture, if it is written there (field
    `ocr`), and `at` when, in seconds of a video.
    """

    field: str
    text: str
    box: Region | None = None
    at: float | None = None


class Hit(BaseModel):
    """A ranked picture. `score` is a cosine, for texts less what the picture scores with any text; higher is better.

    Hits are in its order with match=vector only, and where one encoder answers. That of a region is less by a share of
    how far the scores of the query spread.

    `relevance` is how likely the hit is right, 0..1, for this query in this library: of hits with 0.7, seven in ten are
    right. `likelihood` says it in a word. Each is null where it was not seen to hold for things that the encoder's
    calibration was not fitted on; then hits are ordered, and no more is said.

    `path` is below the root: a folder, a tar file, or a list, where it may be an address.
    """

    id: int
    path: str
    root: str
    score: float
    relevance: float | None = None
    likelihood: Likelihood | None = None
    width: int
    height: int
    duplicates: int = Field(0, description="Left out because of this hit, with hide_duplicates, as far as was looked")
    part: Part | None = Field(None, description="What was found of a picture or a video; null: all of it")
    moments: list[FoundMoment] = Field([], description="Of a video: its best moments, at most 5, in the order of time")
    reasons: list[FoundIn] = Field([], description="Why it was found, where more than pictures was looked at")


class Timings(BaseModel):
    """Milliseconds spent on this request."""

    encode: float
    search: float
    total: float


class Note(BaseModel):
    """Something the person should know about how the query was understood, in the language of the request."""

    code: str
    message: str


class Negation(BaseModel):
    """Words of a text that were read as something to stay away from, and where they stand in it, in characters."""

    words: str
    start: int
    end: int


class SpanRead(BaseModel):
    """A piece of the text of a clause, from character `start` to before `end`, and what it is read as.

    `scene` is what a picture shows; `quoted`, `file` (a name) and `code` (a plate, a model, a number) are looked for in
    words; pictures that have a `date` or a `place` are looked for first, and no others are left out. `said` is the same
    without what joins it to the rest; given as `plain` it is read as what a picture shows. `where` is a condition that
    leaves nothing else, null where there is none.
    """

    kind: options.SpanKind
    start: int
    end: int
    said: str
    where: str | None = None
    taken_from: str | None = Field(None, description="The first day of a date, null where it is open")
    taken_to: str | None = Field(None, description="The last day of a date, null where it is open")


class ClauseRead(BaseModel):
    """A clause as it was searched, read from the clause at `source` (from 0); a negative weight means away from it.

    The text is null for a picture, the id too for one that was sent.
    """

    source: int
    text: str | None
    image_id: int | None
    weight: float
    language: Language | None
    negation: Negation | None = Field(None, description="Where the text was not asked for as it is")
    spans: list[SpanRead] = Field([], description="With match=auto: what the text says, piece by piece, all of it")


class SearchResponse(BaseModel):
    """One page of hits. `total` counts every picture that could be paged to, and duplicates that are hidden.

    `next_offset` is where the next page begins, null after the last. `clauses` say how the query was read, `language`
    in which language it is, null without words. `nearest` are the first k where nothing reaches `min_relevance`; they
    are no hits, and `total` does not count them. Notes: `no_good_match` (nothing reaches it, or without it, probably
    none of the pictures is right), `cannot_tell` (nothing was left out), `unknown_words` (left out of the query),
    `names` (of persons, brands, places or works; left out, as the encoder does not know them in pictures), `turned`
    (the picture looks like one of the library when it is turned, and was searched with so) and others.
    """

    hits: list[Hit]
    nearest: list[Hit] = []
    total: int
    next_offset: int | None
    timings_ms: Timings
    build: str
    encoder: str
    encoders: list[str] = Field([], description="Those that answered, first the one whose scores are shown")
    language: Language | None = None
    clauses: list[ClauseRead] = []
    notes: list[Note]


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


class ImageList(BaseModel):
    """One page of the pictures that satisfy some conditions. `total` counts all of them."""

    images: list[ListedImage]
    total: int
    next_offset: int | None = Field(None, description="Where the next page begins; null after the last")
    build: str


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
    """The fields of the pictures of this library."""

    fields: list[FieldInfo]


class FacetValue(BaseModel):
    """One value: as a condition takes it, as it is shown, and the number of pictures."""

    value: str
    label: str
    count: int


class Facet(BaseModel):
    """The values of one field, and how many pictures have each; most first, moments by their year."""

    field: str
    label: str
    values: list[FacetValue]


class Facets(BaseModel):
    """What the pictures that satisfy some conditions are like."""

    total: int
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


class Status(BaseModel):
    """The answer of the health routes."""

    status: Literal["ok", "ready"]
    build: str | None = None


class Problem(BaseModel):
    """RFC 9457 problem details: every error has this form, as application/problem+json."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
