"""The options of a search, each declared once.

The fields of `SearchOptions` make the request body, the query and the form parameters of the REST API, the options of
`xuntu search`, what `Query` refuses, and the parameters of the page's address. To add an option, add a field here, its
keyword below, and the code that uses its value.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, TypeAlias, TypedDict, get_args, get_origin, get_type_hints

from models.foundation.messages import Message, mark

MAX_K = 500
MAX_OFFSET = 1_000_000
MAX_ENCODERS = 16
MAX_PLAIN = 32
MAX_FIELDS = 32
MAX_CURSOR = 4_000  # characters
MAX_CLAUSES = 16  # not an option: how many things one query may ask for
MAX_QUERY_CHARS = 8_000  # nor this: of what is typed for all of them

# What a piece of a text is read as. scene: what a picture shows; the others are what vectors do not know: words that
# are to be there as they stand, the name of a file, a plate or another number, a date, a place, that it is a video.
SpanKind: TypeAlias = Literal["scene", "quoted", "file", "code", "date", "place", "video"]
Match: TypeAlias = Literal["auto", "vector", "text", "both"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressParameter:
    """How an option stands in the page's address, where a default value is left out.

    `changed` is written for a bool that is not its default. A number is written as a whole one, from 0 up; `per_cent`:
    of 0..1, as so many hundredths.
    """

    name: str
    changed: str = "1"
    per_cent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """What is declared of one option. `name`, `type` and `default` are those of its field.

    `description` is the help of the command and the text of the OpenAPI document. Numbers are from `low` to `high`,
    lists of names hold at most `max_items`. `refusal` says what is wrong with a value that cannot be used; it may name
    `{value}`, `{choices}`, and the bounds as they are declared. `flag` is its spelling in the command, where its
    default may be another one. `former` and `former_flag` are names that it had before. `address` is None where it does
    not stand in the page's address. `about_words`: it says how words are read or ranked, so it means nothing where only
    a picture is asked.
    """

    description: str
    refusal: str = ""
    low: float | None = None
    high: float | None = None
    max_items: int | None = None
    flag: str
    flag_default: Any = None
    former: str = ""
    former_flag: str = ""
    address: AddressParameter | None = None
    about_words: bool = False
    name: str = ""
    type: Any = None
    default: Any = None

    @property
    def choices(self) -> tuple[str, ...]:
        """The values it may have, where they are words; else empty."""
        return get_args(self.type) if get_origin(self.type) is Literal else ()

    @property
    def is_list(self) -> bool:
        """Whether its value is a list of names."""
        return isinstance(self.default, tuple)

    def accepts(self, value: Any) -> bool:
        """Say whether a value of the right type can be used."""
        if value is None:
            return self.default is None
        if self.choices:
            return value in self.choices
        if self.is_list:
            return self.max_items is None or len(value) <= self.max_items
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)

    def refuse(self, value: Any) -> Message:
        """Return the sentence that says why a value cannot be used."""
        facts = {"value": value, "choices": self.choices, "low": self.low, "high": self.high}
        return Message(self.refusal, {**facts, "max_items": self.max_items})


def _declare(default: Any, **declared: Any) -> Any:
    return field(default=default, metadata={"option": Option(default=default, **declared)})


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchOptions:
    """How a search is made: everything but what is looked for and the conditions. `Query` refuses impossible values."""

    k: int = _declare(
        20,
        description="Number of hits",
        low=1,
        high=MAX_K,
        refusal=mark("k is the number of hits: give one from {low} to {high}."),
        flag="--k",
        flag_default=10,
    )
    offset: int = _declare(
        0,
        description="Hits to pass over",
        low=0,
        high=MAX_OFFSET,
        refusal=mark("offset is how many hits are passed over: give a number from {low} to {high}."),
        flag="--offset",
    )
    after: str = _declare(
        "",
        description="Where the page begins, in place of offset: `next` of an answer to the same question",
        flag="--after",
    )
    fields: Sequence[str] = _declare(
        (),
        description="What of each picture is told, such as taken, camera, place, tags or rating (see /v1/fields); "
        "several are parted by commas",
        max_items=MAX_FIELDS,
        refusal=mark("fields names what is told of pictures: at most {max_items}."),
        flag="--fields",
    )
    min_score: float | None = _declare(
        None,
        description="Leave out hits below this cosine",
        low=-1,
        high=1,
        refusal=mark("min_score is a cosine: give a number from {low} to {high}."),
        flag="--min-score",
    )
    min_relevance: float | None = _declare(
        None,
        description="Leave out hits that are less likely right, where that can be told; where nothing is left, the "
        "nearest are given apart",
        low=0,
        high=1,
        refusal=mark("min_relevance is how likely a hit is right: give a number from {low} to {high}."),
        flag="--min-relevance",
        address=AddressParameter(name="sure", per_cent=True),
    )
    sort: str = _declare(
        "",
        description="Put the hits that were found in the order of a field, such as taken or -rating (a minus: the "
        "highest first); which they are it does not change. Where nothing is searched for, it is the order of all",
        flag="--sort",
        address=AddressParameter(name="sort"),
    )
    match: Match = _declare(  # noqa: RUF009 - a field
        "auto",
        description="Look at everything, and read dates, places, names of files and numbers in what is typed (auto), "
        "at the pictures alone (vector), at the words in and about them alone (text), or at both as they are typed",
        refusal=mark("match cannot be {value!r}; known are {choices}."),
        flag="--match",
        address=AddressParameter(name="match"),
        about_words=True,
    )
    hide_duplicates: bool = _declare(
        False,
        description="Leave out exact copies and near-duplicates of better hits; offset and k count what is left, "
        "total counts everything",
        flag="--hide-duplicates",
        address=AddressParameter(name="duplicates", changed="hide"),
    )
    literal: bool = _declare(
        False,
        description="Search words as they are. Otherwise negation in them (without people, 不要水印) is read as "
        "something to stay away from; the answer says how",
        flag="--literal",
        address=AddressParameter(name="literal"),
        about_words=True,
    )
    plain: Sequence[str] = _declare(
        (),
        description="Words of the query that are to mean what a picture shows, and no date, place, name or number, as "
        "an answer says them; may be repeated",
        max_items=MAX_PLAIN,
        refusal=mark("plain names words that are read as they are: at most {max_items}."),
        flag="--plain",
        address=AddressParameter(name="plain"),
        about_words=True,
    )
    hub_correction: bool = _declare(
        True,
        description="Take off what a picture scores with any text at all, where the index knows it; not with "
        "min_score, which is a cosine",
        flag="--hub-correction/--no-hub-correction",
        about_words=True,
    )
    encoders: Sequence[str] = _declare(
        (),
        description="Encoders that answer, by name, in place of the library's routes; may be repeated",
        max_items=MAX_ENCODERS,
        refusal=mark("encoders names the encoders that answer: at most {max_items}."),
        flag="--encoder",
        former="spaces",
        former_flag="--space",
    )
    explain: bool = _declare(
        False,
        description="Say of each hit what its score and its place are made of: what each clause, encoder, ranking and "
        "correction adds",
        flag="--explain",
    )
    count_likely: bool = _declare(
        False,
        description="Say how many hits are rather right than wrong (a relevance of 0.5 and more), of those pages that "
        "follow too, where that can be told; looked for among the first 1,000",
        flag="--count-likely",
    )


def _list_options() -> tuple[Option, ...]:
    hints = get_type_hints(SearchOptions)
    return tuple(replace(one.metadata["option"], name=one.name, type=hints[one.name]) for one in fields(SearchOptions))


OPTIONS = _list_options()


class PictureKeywords(TypedDict, total=False):
    """The options that mean something where only a picture is asked, as keywords for type checkers.

    A test holds this and `SearchKeywords` to what is declared above.
    """

    k: int
    offset: int
    after: str
    fields: Sequence[str]
    min_score: float | None
    min_relevance: float | None
    sort: str
    hide_duplicates: bool
    encoders: Sequence[str]
    explain: bool
    count_likely: bool


class SearchKeywords(PictureKeywords, total=False):
    """All options of a search as keywords for type checkers."""

    match: Match
    literal: bool
    plain: Sequence[str]
    hub_correction: bool
