"""Where a picture's file says where it was taken, and the bytes that say nothing in their place.

Nothing is written anew: a file keeps its length, its structure and its pixels, to the byte. EXIF keeps a GPS part with
no entry, properties of XMP keep their names and are blank. What comes within a file is looked through as well: further
pictures, and the film of a motion photo. Notes that makers of cameras leave in forms of their own are not known.
"""

from collections.abc import Iterator
from typing import Final

from models.pictures.locations.films import find_film_locations
from models.pictures.locations.patches import Patch, Read, UnremovableLocation
from models.pictures.locations.png import find_png_locations
from models.pictures.locations.properties import find_properties, may_say_place
from models.pictures.locations.tiff import find_tiff_locations

_CHUNK_BYTES: Final = 2**20
_OVERLAP: Final = 2**13
_MOST_PATCHES: Final = 10_000
# Formats whose metadata is not known well enough, or is packed: camera files, and films but of one family.
_NOT_KNOWN: Final = frozenset({"raw", "mkv", "webm", "avi", "ts"})
_FILMS: Final = frozenset({"mp4", "mov", "3gp"})
_BOXED: Final = frozenset({"heif", "avif", "jp2", "jxl"})  # which begin as films do
# What may be, or hold, something that says it. Among pixels most hits are none.
_PARTS: Final = (b"II*\0", b"MM\0*", b"ftyp")


def find_locations(read: Read, size: int, form: str) -> list[Patch]:
    """Return what covers where a picture or film was taken, by the format of the catalog; [] where nothing says it.

    `read` gives bytes of the file, of which there are `size`. Raises UnremovableLocation where it cannot be covered, or
    nobody knows whether it is said.
    """
    if form in _NOT_KNOWN:
        raise UnremovableLocation(form)
    if form in _FILMS:
        return find_film_locations(read, 0, size)
    head = read(0, 12)
    if head[:4] in (b"II+\0", b"MM\0+"):
        raise UnremovableLocation("BigTIFF")
    if form == "jxl" and head[4:8] == b"JXL ":
        _check_not_packed(read, size)
    patches: list[Patch] = []
    start = 0
    if head[:4] == b"\x89PNG":
        patches, start = find_png_locations(read, size)
    own_brand = 64 if form in _BOXED else 0
    found = list(dict.fromkeys(_look_through(read, start, size, films_from=own_brand)))
    if found and form == "ico":
        raise UnremovableLocation("ico")  # a PNG in it has checksums
    if len(patches) + len(found) > _MOST_PATCHES:
        raise UnremovableLocation("patches")
    return patches + found


def _look_through(read: Read, start: int, size: int, *, films_from: int) -> Iterator[Patch]:
    for at in range(start, size, _CHUNK_BYTES):
        before = min(_OVERLAP, at - start)
        window = read(at - before, before + _CHUNK_BYTES + _OVERLAP)
        for kind, where in _list_parts(window, before, before + _CHUNK_BYTES):
            place = at - before + where
            if kind != b"ftyp":
                yield from find_tiff_locations(read, place, size)
            elif place >= max(4, films_from) and 8 <= int.from_bytes(read(place - 4, 4), "big") <= 256:
                yield from find_film_locations(read, place - 4, size)
        if may_say_place(window):
            yield from find_properties(window, at - before, before, before + _CHUNK_BYTES)


def _list_parts(window: bytes, start: int, end: int) -> Iterator[tuple[bytes, int]]:
    """Yield what may begin a part between two places of a window, and where."""
    for kind in _PARTS:
        place = window.find(kind, start, end + len(kind) - 1)
        while place >= 0:
            yield kind, place
            place = window.find(kind, place + 1, end + len(kind) - 1)


def _check_not_packed(read: Read, size: int) -> None:
    """Raise UnremovableLocation for a JPEG XL whose metadata is compressed."""
    at = 0
    while at + 8 <= size:
        head = read(at, 16)
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        if head[4:8] == b"brob":
            raise UnremovableLocation("brob")
        if length < 8:
            return
        at += length
