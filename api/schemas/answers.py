"""What a search answers: hits, and how the query was read."""

from typing import Any

from pydantic import BaseModel, Field

from api.schemas.base import Language, Likelihood, Region
from api.schemas.explanations import HitExplanation
from api.search.options import SpanKind


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
    explanation: HitExplanation | None = Field(
        None, description="What its score and its place are made of, with `explain`"
    )
    fields: dict[str, Any] = Field({}, description="What else was asked for, by name; null: not known of it")


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

    kind: SpanKind
    start: int
    end: int
    said: str
    where: str | None = None
    taken_from: str | None = Field(None, description="The first day of a date, null where it is open")
    taken_to: str | None = Field(None, description="The last day of a date, null where it is open")


class ClauseRead(BaseModel):
    """A clause as it was searched, read from the clause at `source` (from 0); a negative weight means away from it.

    The terms of `q` are the first of those that are asked for, then the clauses follow.
    The text is null for a picture, the id too for one that was sent.
    """

    source: int
    at: tuple[int, int] | None = Field(
        None,
        description="Where in `q` stands what it was read from: from a character (a code point) and to before another, "
        "with sign, weight and quotation marks. Of words that stand apart it is from the first to the last; null: a "
        "clause that was given by itself",
    )
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

    `likely`, with `count_likely`, is how many hits of all pages have a relevance of 0.5 and more; where words rank as
    well, of those that do not say them. It is null where relevance is not told. With `likely_is_least` there may be
    more: all pictures that were looked at for it, the first 1,000, are likely.
    """

    hits: list[Hit]
    nearest: list[Hit] = []
    total: int
    likely: int | None = Field(None, description="How many hits are rather right than wrong, with `count_likely`")
    likely_is_least: bool = Field(False, description="Whether `likely` is only the least that there are")
    next_offset: int | None
    next: str | None = Field(None, description="Where the next page begins, as `after`; null after the last")
    timings_ms: Timings
    build: str
    encoder: str
    encoders: list[str] = Field([], description="Those that answered, first the one whose scores are shown")
    language: Language | None = None
    clauses: list[ClauseRead] = []
    notes: list[Note]
