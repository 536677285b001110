"""What is asked, and the URL that says it.

The URL is the only state of a search: every action of the page is a link to another address, so a link can be
shared, opened in a new tab, and gone back to. The text is kept as it was typed; `split_text` reads it.

    ?q=雪山+-人&like=12&like=9@120,80,300,200&less=7&match=both&colour=blue&shape=landscape&duplicates=hide&sure=70
        &lang=zh&page=2&id=31&t=83.4

The service reads negation in the words ("没有人") and says so; `literal=1` has them searched as they are. Which options
of a search stand in a URL, and how, is declared with them.
What stands after an @ is a part of a picture: from the left, from the top, width, height, in pixels of the upright one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs, urlencode

from api.schemas import MAX_CLAUSES, OPTIONS, AddressParameter, ClauseIn, Match, Option, Region, SearchOptions

PAGE_SIZE = 30
AWAY_WEIGHT = -0.5  # a full step away from a word moves too far from what was asked

# Width divided by height: from, to.
SHAPES: Mapping[str, tuple[float | None, float | None]] = {
    "landscape": (1.05, None),
    "portrait": (None, 0.95),
    "square": (0.95, 1.05),
    "panorama": (2.0, None),
}

KINDS = ("picture", "video")

SURE = (50, 70, 90)  # per cent of relevance that a hit may be asked to have

# What is looked at: everything, the pictures, the words. An address may also say both.
MATCHES: tuple[Match, ...] = ("auto", "vector", "text")

_CROP = re.compile(r"([0-9]{1,18})@" + ",".join(["([0-9]{1,9})"] * 4))
_AWAY = re.compile(r'(?:(?<=\s)|^)[-−－](?:"([^"]+)"|“([^”]+)”|([^\s"“]\S*))')


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """A piece of the typed text: what to look for, or what to stay away from."""

    text: str
    away: bool = False


@dataclass(frozen=True, slots=True)
class Crop:
    """A part of a picture of the library that is asked with, in pixels of the whole, upright picture."""

    image_id: int
    x: int
    y: int
    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.image_id}@{self.x},{self.y},{self.width},{self.height}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Conditions on the pictures; the empty value of each means no condition."""

    path: str = ""
    formats: tuple[str, ...] = ()
    colours: tuple[str, ...] = ()
    shape: str = ""
    min_width: int = 0
    taken_from: str = ""
    taken_to: str = ""
    place: str = ""
    kind: str = ""


NO_FILTERS = Filters()


@dataclass(frozen=True, slots=True, kw_only=True)
class Address(SearchOptions):
    """A whole search: `like`, `less` and `detail` are image ids; `uploads` name pictures.

    Those are of this session, or kept by the service.

    `crops` are parts of pictures that are asked for, as those of `like` are.

    `part` is the part of an open picture that is to be seen, where it is a long one; `time` is where an open video
    plays from, in seconds.

    Of its options, those that have no parameter are as they are by default.
    """

    text: str = ""
    like: tuple[int, ...] = ()
    crops: tuple[Crop, ...] = ()
    less: tuple[int, ...] = ()
    uploads: tuple[str, ...] = ()
    filters: Filters = NO_FILTERS
    lang: str = ""
    page: int = 1
    detail: int | None = None
    part: int | None = None
    time: float | None = None

    @property
    def asks(self) -> bool:
        """Whether anything is looked for."""
        return bool(split_text(self.text) or self.asks_pictures)

    @property
    def asks_pictures(self) -> bool:
        """Whether anything is looked for besides words."""
        return bool(self.like or self.crops or self.less or self.uploads)

    @property
    def sure(self) -> int:
        """The relevance that hits must have, in per cent; 0 for any."""
        return round(100 * (self.min_relevance or 0))

    @property
    def looks_at(self) -> Match:
        """What to look at: the words only where some are looked for, and not alone where pictures are asked for too."""
        if not any(not term.away for term in split_text(self.text)):
            return "vector"
        return "both" if self.match == "text" and self.asks_pictures else self.match

    def but(self, **changes: Any) -> Address:
        """Return the address with other contents, on its first page and with no picture open unless they say so."""
        return replace(self, **{"page": 1, "detail": None, "part": None, "time": None, **changes})

    def filtered(self, **changes: Any) -> Address:
        """Return the address with other conditions, on its first page."""
        return self.but(filters=replace(self.filters, **changes))


def split_text(text: str) -> tuple[Term, ...]:
    """Read typed text: a minus before a word or a quoted phrase steers away from it, the rest is one term."""
    away = [next(part for part in match.groups() if part) for match in _AWAY.finditer(text)]
    wanted = " ".join(_AWAY.sub(" ", text).split())
    return (*([Term(text=wanted)] if wanted else []), *(Term(text=word, away=True) for word in away))


def join_terms(terms: Sequence[Term]) -> str:
    """Return the text that `split_text` reads as these terms."""
    return " ".join(
        (f'-"{term.text}"' if re.search(r"\s", term.text) else f"-{term.text}") if term.away else term.text
        for term in terms
    )


def parse(params: Mapping[str, Sequence[str]]) -> Address:
    """Read the parameters of a URL. A number that is none is left out; words are the service's to judge."""

    def last(name: str) -> str:
        return (params.get(name) or ("",))[-1].strip()

    return Address(
        text=last("q"),
        like=_ids(params.get("like", ())),
        crops=_crops(params.get("like", ())),
        less=_ids(params.get("less", ())),
        uploads=_words(params.get("up", ())),
        filters=Filters(
            path=last("folder"),
            formats=_words(params.get("format", ())),
            colours=_words(params.get("colour", ())),
            shape=last("shape") if last("shape") in SHAPES else "",
            min_width=_number(last("width")) or 0,
            taken_from=last("from"),
            taken_to=last("to"),
            place=last("place"),
            kind=last("kind") if last("kind") in KINDS else "",
        ),
        lang=last("lang"),
        page=max(1, _number(last("page")) or 1),
        detail=_number(last("id")),
        part=_number(last("part")),
        time=_seconds(last("t")),
        **{
            option.name: _read_option(option, option.address, params.get(option.address.name, ()))
            for option in OPTIONS
            if option.address
        },
    )


def parse_link(link: str) -> Address:
    """Read a link of the page, such as "?q=snow"."""
    return parse(parse_qs(link.removeprefix("?")))


def params(address: Address) -> dict[str, list[str]]:
    """Return the parameters of an address, without those that say nothing."""
    filters = address.filters
    found = {
        "q": [address.text],
        "like": [str(one) for one in (*address.like, *address.crops)],
        "less": [str(image_id) for image_id in address.less],
        "up": list(address.uploads),
        "folder": [filters.path],
        "format": list(filters.formats),
        "colour": list(filters.colours),
        "shape": [filters.shape],
        "width": [str(filters.min_width or "")],
        "from": [filters.taken_from],
        "to": [filters.taken_to],
        "place": [filters.place],
        "kind": [filters.kind],
        **{
            option.address.name: _write_option(option, option.address, getattr(address, option.name))
            for option in OPTIONS
            if option.address
        },
        "lang": [address.lang],
        "page": [str(address.page) if address.page > 1 else ""],
        "id": ["" if address.detail is None else str(address.detail)],
        "part": ["" if address.part is None else str(address.part)],
        "t": ["" if address.time is None else f"{address.time:.3f}".rstrip("0").rstrip(".")],
    }
    kept = {name: [value for value in values if value] for name, values in found.items()}
    return {name: values for name, values in kept.items() if values}


def link(address: Address) -> str:
    """Return the address as a link, such as "?q=snow"."""
    return "?" + urlencode(params(address), doseq=True, safe="@,")


def toward(address: Address, image_id: int) -> Address | None:
    """Return the address that also asks for pictures like this one; None where no clause more is allowed."""
    return _with_picture(address, image_id, away=False)


def away_from(address: Address, image_id: int) -> Address | None:
    """Return the address that also steers away from this picture; None where no clause more is allowed."""
    return _with_picture(address, image_id, away=True)


def crop_base(address: Address) -> Address:
    """Return the address to which a part of a picture is added to ask with that alone, under the same conditions."""
    return address.but(text="", like=(), crops=(), less=(), uploads=(), literal=False, plain=())


def clauses(address: Address, pictures: Mapping[str, str]) -> list[ClauseIn]:
    """Return what to ask the service.

    `pictures` holds the uploads in base64: those of this session, and, empty, those that the service keeps under their
    names. Others are left out.
    """
    texts = [ClauseIn(text=term.text, weight=AWAY_WEIGHT if term.away else 1.0) for term in split_text(address.text)]
    uploads = [
        ClauseIn(image=pictures[name]) if pictures[name] else ClauseIn(upload=name)
        for name in address.uploads
        if name in pictures
    ]
    like = [ClauseIn(image_id=image_id) for image_id in address.like]
    crops = [
        ClauseIn(image_id=one.image_id, crop=Region(x=one.x, y=one.y, width=one.width, height=one.height))
        for one in address.crops
    ]
    less = [ClauseIn(image_id=image_id, weight=AWAY_WEIGHT) for image_id in address.less]
    return [*texts, *uploads, *like, *crops, *less]


def where(filters: Filters) -> dict[str, Any] | None:
    """Return the conditions as the service's `FilterIn`; None where there are none."""
    low, high = SHAPES.get(filters.shape, (None, None))
    found = {
        "path": filters.path,
        "formats": list(filters.formats),
        "colours": list(filters.colours),
        "min_width": filters.min_width,
        "min_aspect": low,
        "max_aspect": high,
        "taken_from": filters.taken_from,
        "taken_to": filters.taken_to,
        "fields": {name: [value] for name, value in (("place", filters.place), ("kind", filters.kind)) if value},
    }
    return {name: value for name, value in found.items() if value} or None


def _read_option(option: Option, parameter: AddressParameter, said: Sequence[str]) -> Any:
    """Return the value of an option that a URL says; its default where that cannot be used. The number 0 says nothing.

    A number beyond the largest that may be asked is taken for that.
    """
    last = said[-1].strip() if said else ""
    value: Any = last
    if option.is_list:
        value = _words(said)
    elif isinstance(option.default, bool):
        value = option.default != (last == parameter.changed)
    elif not option.choices:
        number = _number(last)
        if not number:
            return option.default
        value = number / 100 if parameter.per_cent else number
        value = value if option.high is None else min(value, option.high)
    return value if option.accepts(value) else option.default


def _write_option(option: Option, parameter: AddressParameter, value: Any) -> list[str]:
    """Return what a URL says of the value of an option."""
    if value == option.default:
        return []
    if option.is_list:
        return list(value)
    if isinstance(value, bool):
        return [parameter.changed]
    return [str(round(100 * value) if parameter.per_cent else value)]


def _with_picture(address: Address, image_id: int, *, away: bool) -> Address | None:
    like = tuple(other for other in address.like if other != image_id)
    less = tuple(other for other in address.less if other != image_id)
    changed = address.but(
        like=like if away else (*like, image_id),
        less=(*less, image_id) if away else less,
    )
    pictures = (*changed.uploads, *changed.like, *changed.crops, *changed.less)
    return changed if len(split_text(changed.text)) + len(pictures) <= MAX_CLAUSES else None


def _number(value: str) -> int | None:
    return int(value) if value.isascii() and value.isdigit() and len(value) < 19 else None


def _seconds(value: str) -> float | None:
    return float(value) if re.fullmatch(r"[0-9]{1,7}(\.[0-9]{1,3})?", value) else None


def _ids(values: Sequence[str]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(number for number in map(_number, values) if number is not None))


def _crops(values: Sequence[str]) -> tuple[Crop, ...]:
    found = (Crop(*map(int, match.groups())) for match in map(_CROP.fullmatch, values) if match)
    return tuple(dict.fromkeys(one for one in found if one.width and one.height))


def _words(values: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value.strip() for value in values if value.strip()))
