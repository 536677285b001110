"""Where a film's file (MP4, MOV, 3GP) says where it was taken, and the bytes that say nothing in their place.

Boxes of their own become free space, values of keys become zeros: the file keeps its length and its structure.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from models.pictures.locations.patches import Patch, Read, UnremovableLocation

_HOLDERS: Final = {b"moov", b"udta", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf"}
_PLACES: Final = {b"\xa9xyz", b"loci", b"\xa9gps"}
_TRACES: Final = {b"gpmd", b"camm", b"rtmd", b"GPMF", b"gps ", b"GPS "}  # a position for each moment
_MOST_BYTES: Final = 2**24
_MOST_BOXES: Final = 100_000
_DEEPEST: Final = 12
_SAYS_PLACE_IN_TEXT: Final = re.compile(rb"gps_?(?:lat|lon|pos)|geo:l|ISO6709", re.IGNORECASE)
_SAYS_PLACE: Final = re.compile(rb"location|gps|geo:l|ISO6709", re.IGNORECASE)


class _Atom(NamedTuple):
    kind: bytes
    at: int
    start: int  # of what is in it
    end: int


def find_film_locations(read: Read, start: int, end: int) -> list[Patch]:
    """Return what covers where a film was taken that lies between two offsets. Raises UnremovableLocation."""
    return list(_Walk(read).boxes(start, end, depth=0))


class _Walk:
    def __init__(self, read: Read) -> None:
        self._read = read
        self._seen = 0

    def boxes(self, start: int, end: int, *, depth: int) -> Iterator[Patch]:
        for box in self._list(start, end):
            if box.kind in _TRACES:
                raise UnremovableLocation(box.kind.decode("latin-1"))
            if box.kind in _PLACES:
                yield box.at + 4, b"free"
                yield box.start, bytes(box.end - box.start)
            elif box.kind in _HOLDERS and depth < _DEEPEST:
                yield from self.boxes(box.start, box.end, depth=depth + 1)
            elif box.kind == b"meta":
                yield from self._meta(box)
            elif box.kind == b"stsd":
                self._check_samples(box)
            elif box.kind in (b"uuid", b"XMP_"):
                self._check_text(box)

    def _list(self, start: int, end: int) -> Iterator[_Atom]:
        while start + 8 <= end:
            self._seen += 1
            if self._seen > _MOST_BOXES:
                raise UnremovableLocation("boxes")
            head = self._read(start, 16)
            size, kind, body = int.from_bytes(head[:4], "big"), head[4:8], start + 8
            if size == 1:
                size, body = int.from_bytes(head[8:16], "big"), start + 16
            last = end if size == 0 else start + size
            if last < body or last > end:
                return  # it breaks off, or something else follows
            yield _Atom(kind, start, body, last)
            start = last

    def _meta(self, box: _Atom) -> Iterator[Patch]:
        """Cover values of keys that name a place, and boxes of their own, in either form of this box."""
        start = box.start if self._read(box.start + 4, 4) == b"hdlr" else box.start + 4
        keys: list[bytes] = []
        for one in self._list(start, box.end):
            if one.kind == b"keys":
                keys = [self._bytes(key) for key in self._list(one.start + 8, one.end)]
            elif one.kind == b"ilst":
                for number_or_kind in self._list(one.start, one.end):
                    yield from self._value(number_or_kind, keys)
            elif one.kind in (b"uuid", b"xml "):
                self._check_text(one)

    def _value(self, item: _Atom, keys: list[bytes]) -> Iterator[Patch]:
        number = int.from_bytes(item.kind, "big")
        name = keys[number - 1] if 0 < number <= len(keys) else item.kind
        if item.kind == b"----" and _SAYS_PLACE.search(self._bytes(item)):
            raise UnremovableLocation("----")
        if name in _PLACES or _SAYS_PLACE.search(name):
            for data in self._list(item.start, item.end):
                if data.kind == b"data" and data.end - data.start > 8:
                    yield data.start + 8, bytes(data.end - data.start - 8)

    def _check_samples(self, box: _Atom) -> None:
        for sample in self._list(box.start + 8, box.end):
            if sample.kind in _TRACES or (
                sample.kind in (b"mebx", b"mett") and _SAYS_PLACE.search(self._bytes(sample))
            ):
                raise UnremovableLocation(sample.kind.decode("latin-1"))

    def _check_text(self, box: _Atom) -> None:
        if _SAYS_PLACE_IN_TEXT.search(self._bytes(box)):
            raise UnremovableLocation(box.kind.decode("latin-1"))

    def _bytes(self, box: _Atom) -> bytes:
        if box.end - box.start > _MOST_BYTES:
            raise UnremovableLocation("size")
        return self._read(box.start, box.end - box.start)
