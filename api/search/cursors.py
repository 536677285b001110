"""Cursors: places in a list as an answer gives them and a client hands them back, without looking into them.

A place in the order of a field is the value and the id of the last picture before it, so that it stays where it is
while pictures come and go. A place among ranked hits is how many were passed over, and in which build.
"""

import base64
import binascii
import json
from contextlib import suppress
from dataclasses import astuple, dataclass, replace
from typing import Any, TypeAlias

from api.search.errors import InvalidCursor
from api.search.options import MAX_CURSOR, MAX_OFFSET
from api.search.query import MAX_HIDING, Query
from indexer.library.sources.items import MAX_INT64

_MOST_CHARS = 200  # of a text that decides where a picture stands
_WITHHELD = "\0"  # is in no path
Key: TypeAlias = str | int | float | None


@dataclass(frozen=True, slots=True)
class Placed:
    """A picture in the order `sort`: what decides where it stands, and its id."""

    sort: str
    key: Key
    id: int

    @classmethod
    def of(cls, sort: str, key: Key, image_id: int) -> "Placed":
        """Return the place of a picture; of a long text the beginning decides."""
        return cls(sort, key[:_MOST_CHARS] if isinstance(key, str) else key, image_id)

    def withheld(self) -> "Placed":
        """Return the place as people may see it: without an absolute path or an address, which the id leads to."""
        if isinstance(self.key, str) and (self.key.startswith("/") or "://" in self.key):
            return replace(self, key=_WITHHELD)
        return self

    @property
    def is_withheld(self) -> bool:
        """Whether only the id says where it is."""
        return self.key == _WITHHELD


@dataclass(frozen=True, slots=True)
class Ranked:
    """A place among the hits of a question: the question as `Query.fingerprint` has it, the build, the place."""

    question: str
    build: str
    offset: int


def write_cursor(place: Placed | Ranked) -> str:
    """Return a place as a client gets it."""
    kind = "p" if isinstance(place, Placed) else "r"
    text = json.dumps([kind, *astuple(place)], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def write_next(question: Query, build: str, end: int) -> str | None:
    """Return where the next page of ranked hits begins; None where no page may begin any more."""
    most = MAX_HIDING - question.k if question.hide_duplicates else MAX_OFFSET
    return write_cursor(Ranked(question.fingerprint(), build, end)) if end <= most else None


def read_placed(written: str, sort: str) -> Placed:
    """Read a place in the order `sort`. Raises InvalidCursor."""
    match _read(written):
        case ["p", str(named), key, int(image_id)] if _is_key(key) and 0 <= image_id <= MAX_INT64:
            if named != sort:
                raise InvalidCursor(of_another=True)
            return Placed(named, key, image_id)
        case ["r", *_]:
            raise InvalidCursor(of_another=True)
    raise InvalidCursor


def read_ranked(written: str, question: str) -> Ranked:
    """Read a place among the hits of a question. Raises InvalidCursor."""
    match _read(written):
        case ["r", str(asked), str(build), int(offset)] if 0 <= offset <= MAX_OFFSET:
            if asked != question:
                raise InvalidCursor(of_another=True)
            return Ranked(asked, build, offset)
        case ["p", *_]:
            raise InvalidCursor(of_another=True)
    raise InvalidCursor


def offset_of(written: str) -> int:
    """Return the place of a cursor among ranked hits, 0 for none and for what is no such cursor."""
    with suppress(InvalidCursor):
        match _read(written) if written else None:
            case ["r", _, _, int(offset)]:
                return max(0, offset)
    return 0


def sort_of(written: str) -> str | None:
    """Return the order of a place in one, None for another cursor. Raises InvalidCursor."""
    match _read(written):
        case ["p", str(named), *_]:
            return named
    return None


def _read(written: str) -> Any:
    if len(written) > MAX_CURSOR:
        raise InvalidCursor
    try:
        return json.loads(base64.b64decode(written + "=" * (-len(written) % 4), b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError) as error:
        raise InvalidCursor from error


def _is_key(key: Any) -> bool:
    if isinstance(key, bool):
        return False
    if isinstance(key, str):  # half a character is in no catalog
        return not any(0xD800 <= ord(character) < 0xDC80 or "\udd00" <= character <= "\udfff" for character in key)
    return key is None or (isinstance(key, (int, float)) and abs(key) < 2**64)
