"""Properties of XMP that say where a picture was taken, as they stand in a file."""

import re
from collections.abc import Iterator
from typing import Final

from models.pictures.locations.patches import Patch, UnremovableLocation

_HINTS: Final = (b"gps", b"geo:l", b"g\0p\0s")
_BEFORE: Final = 64
# In the text of a packet. Values have no byte that no text has: a packet that is cut in pieces is not stepped over.
_ATTRIBUTE: Final = re.compile(
    rb"""(?:GPS|geo:l)[\w-]{0,60}\s*=\s*(?:"([^"<>\0\xff]{0,2000})"|'([^'<>\0\xff]{0,2000})')""", re.IGNORECASE
)
_ELEMENT: Final = re.compile(
    rb"<((?:[\w.-]{1,40}:)?(?:GPS|geo:l)[\w-]{0,60})(?:\s[^<>\0\xff]{0,500})?>([^\0\xff]{0,4000}?)</\1\s*>",
    re.IGNORECASE,
)
_NAME: Final = re.compile(rb"g(?:ps|eo:l)")  # of what is in lower case
_TEXT: Final = re.compile(rb"(?<![^>])[^<>]+(?=<|\Z)")
_SAYS_PLACE: Final = re.compile(rb"(?:GPS[ _-]?(?:Lat|Long|Pos|Coord)|geo:l(?:at|ong))", re.IGNORECASE)
_SAYS_NOTHING: Final = re.compile(rb"\A</|\A<[\w:.-]+\s*/>\Z")  # the end of an element, and one without a value
_WIDE: Final = re.compile(rb"G\0P\0S\0(?:L|D|P)", re.IGNORECASE)  # in UTF-16


def may_say_place(window: bytes) -> bool:
    """Say quickly whether there may be something for `find_properties`."""
    lower = window.lower()
    return any(hint in lower for hint in _HINTS)


def find_properties(window: bytes, base: int, start: int, end: int) -> Iterator[Patch]:
    """Yield blanks for the values of properties whose names stand between two places of a window.

    `base` is the offset of the window in the file. Raises UnremovableLocation for a place that is said in another way.
    """
    if _WIDE.search(window, start, end):
        raise UnremovableLocation("UTF-16")
    covered = start
    for name in _NAME.finditer(window.lower(), max(0, start - _BEFORE), end):
        if name.start() < covered:
            continue
        attribute = _ATTRIBUTE.match(window, name.start())
        element = None if attribute else _element(window, name.start())
        if attribute:
            which = 1 if attribute[1] is not None else 2
            yield base + attribute.start(which), b" " * len(attribute[which])
            covered = attribute.end()
        elif element:
            for text in _TEXT.finditer(element[2]):
                yield base + element.start(2) + text.start(), b" " * len(text[0])
            covered = element.end()
        elif _SAYS_PLACE.match(window, name.start()) and not _SAYS_NOTHING.search(_tag(window, name.start())):
            raise UnremovableLocation("XMP")


def _tag(window: bytes, at: int) -> bytes:
    """Return the tag that a name is in, as far as it goes."""
    opened, closed = window.rfind(b"<", max(0, at - _BEFORE), at), window.find(b">", at, at + 2 * _BEFORE)
    return window[opened : closed + 1] if opened >= 0 and closed >= 0 else b""


def _element(window: bytes, at: int) -> re.Match[bytes] | None:
    """Return the element whose name holds what is at a place."""
    opened = window.rfind(b"<", max(0, at - _BEFORE), at)
    return _ELEMENT.match(window, opened) if opened >= 0 else None
