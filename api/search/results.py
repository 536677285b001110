"""What a search answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from api.search.clauses import ReadClause
from api.search.explanation import Explanation
from models.foundation.messages import Readable, Show
from models.language.text import Language
from models.pictures.parts import Box, PicturePart, is_region
from models.relevance.curves import Likelihood


@dataclass(frozen=True, slots=True)
class HitPart:
    """A part of a picture that was found: its number, from 1, and where it lies, in pixels of the upright picture.

    Of a video it is a moment, `at` seconds from the beginning, and the box is the whole frame.
    """

    number: int
    box: Box
    at: float | None = None

    @classmethod
    def of(cls, number: int, part: PicturePart) -> "HitPart":
        """Return a part that the catalog knows."""
        return cls(number, part.box, None if part.at_ms is None else part.at_ms / 1000)

    @property
    def is_region(self) -> bool:
        """Whether it is a region of a picture that is seen well as a whole."""
        return is_region(self.number)


@dataclass(frozen=True, slots=True)
class HitMoment:
    """A moment of a video that was found: its number, from 1, its time in seconds, and how it scores by itself."""

    number: int
    at: float
    score: float


@dataclass(frozen=True, slots=True)
class Reason:
    """Something that says what was asked for: the name of its field, what it says, and where in the picture.

    The fields are those of the library, and caption, tag and name; or it is `picture`, which says nothing, where the
    picture is one of the nearest. The box is in pixels of the upright picture; `at` is when it is there, in seconds of
    a video.
    """

    field: str
    text: str
    box: Box | None = None
    at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchHit:
    """A ranked picture: `path` is below the folder `root`; `score` is what ranks, higher is better.

    The score is a cosine; with texts, where hubs are corrected, less what the picture scores with any text at all. Of
    several encoders it is the score of the first, and the order is that of all. That of a region is less by a share of
    how far the scores of the query spread (see indexer/library/index/parted.py).

    In a list, `path` may be absolute or an address; `place` is where a person finds the picture. The score is 0 where
    only words were found, as the encoder knows none of them, or nothing was searched for. `relevance` is how likely the
    hit is right, 0..1, for this query in this library; `likelihood` is the same in a word. Each is None where it does
    not hold. Width and height are of the upright picture, in pixels. `duplicates` are those left out because of this
    hit, as far as the search looked. `part` is what of a picture was found, None where that is all of it, or the moment
    of a video, of which `moments` are the best few, in the order of time; `reasons` are what of it says the words,
    where words were looked at. `fields` has what else of the picture was asked for, by name. `explanation` says what
    score and place are made of, where that was asked for.
    """

    id: int
    path: str
    root: Path
    place: str
    score: float
    width: int
    height: int
    relevance: float | None = None
    likelihood: Likelihood | None = None
    duplicates: int = 0
    part: HitPart | None = None
    moments: tuple[HitMoment, ...] = ()
    reasons: tuple[Reason, ...] = ()
    explanation: Explanation | None = None
    fields: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchNote:
    """Something about how the query was understood that the person should know."""

    code: str
    said: Readable

    def text(self, language: str, show: Show = str) -> str:
        """Return the sentence in `language`: Chinese for every tag that starts with "zh", else English."""
        return self.said.text(language, show)


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    """One page of hits; times are milliseconds.

    `total` counts every picture that could be paged to, and duplicates that are hidden; the page begins at place
    `offset` of them; `more`: there are hits after it, and `next` is a cursor to them. `encoders` are those that
    answered, first the one whose scores are shown, which is `encoder`; "" where nothing was searched for. `nearest`
    are the first k where nothing is as relevant as was asked for: no hits. `clauses` say how the query was read,
    `language` in which language it is, None without words. `likely`, where it was asked for and can be told, is how
    many hits of all pages have a relevance of 0.5 and more; `likely_is_least`: there may be more.
    """

    hits: list[SearchHit]
    total: int
    timings_ms: dict[str, float]
    build: str
    encoder: str
    encoders: Sequence[str]
    likely: int | None = None
    likely_is_least: bool = False
    offset: int = 0
    more: bool = False
    next: str | None = None
    nearest: list[SearchHit] = field(default_factory=list)
    language: Language | None = None
    clauses: list[ReadClause] = field(default_factory=list)
    notes: list[SearchNote] = field(default_factory=list)
