"""The GPS part of EXIF, wherever a block of it lies in a file."""

from collections.abc import Iterator
from typing import Final, Literal

from models.pictures.locations.patches import Patch, Read, UnremovableLocation

_MOST_DIRECTORIES: Final = 4096
_MOST_ENTRIES: Final = 2048
_MOST_GPS_ENTRIES: Final = 256
_SIZES: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}  # of types
_GPS, _EXIF, _SUB_DIRECTORIES = 0x8825, 0x8769, 0x014A


def find_tiff_locations(read: Read, base: int, size: int) -> Iterator[Patch]:
    """Yield what covers the GPS part of a block that begins at `base`; nothing where there is no block after all.

    Raises UnremovableLocation.
    """
    order: Literal["little", "big"] = "little" if read(base, 2) == b"II" else "big"

    def number(at: int, width: int) -> int:
        return int.from_bytes(read(base + at, width), order)

    waiting, seen = [number(4, 4)], set[int]()
    while waiting:
        at = waiting.pop()
        count = number(at, 2)
        if at < 8 or at in seen or not 0 < count <= _MOST_ENTRIES or base + at + 2 + 12 * count > size:
            continue
        seen.add(at)
        if len(seen) > _MOST_DIRECTORIES:
            raise UnremovableLocation("directories")
        entries = read(base + at + 2, 12 * count + 4)
        for start in range(0, 12 * count, 12):
            tag, kind, n, value = (
                int.from_bytes(entries[start + a : start + b], order) for a, b in ((0, 2), (2, 4), (4, 8), (8, 12))
            )
            if tag == _GPS and kind in (4, 13):
                yield from _cover(read, base, value, size, order)
            elif tag == _EXIF or (tag == _SUB_DIRECTORIES and n == 1):
                waiting.append(value)
            elif tag == _SUB_DIRECTORIES and n <= 64:
                waiting += [number(value + 4 * index, 4) for index in range(n)]
        waiting.append(int.from_bytes(entries[12 * count :], order))


def _cover(read: Read, base: int, at: int, size: int, order: Literal["little", "big"]) -> Iterator[Patch]:
    """Yield zeros for a GPS part and all of its values, so that it has no entry."""
    count = int.from_bytes(read(base + at, 2), order)
    if at < 8 or base + at + 2 > size or not count:
        return
    if count > _MOST_GPS_ENTRIES:
        raise UnremovableLocation("GPS")
    entries = read(base + at + 2, 12 * count)
    for start in range(0, len(entries) - 11, 12):
        kind, n, value = (int.from_bytes(entries[start + a : start + b], order) for a, b in ((2, 4), (4, 8), (8, 12)))
        length = _SIZES.get(kind, 1) * n
        if length > 2**16:
            raise UnremovableLocation("GPS")
        if length > 4 and 8 <= value < size - base:
            yield base + value, bytes(min(length, size - base - value))
    yield base + at, bytes(min(2 + 12 * count, size - base - at))
