"""Chunks of a PNG that say where it was taken; those that are covered keep a checksum that holds."""

import re
import zlib
from collections.abc import Callable
from typing import Final

from models.pictures.locations.patches import Patch, Read, UnremovableLocation
from models.pictures.locations.properties import find_properties, may_say_place
from models.pictures.locations.tiff import find_tiff_locations

_PIXELS: Final = {b"IHDR", b"PLTE", b"IDAT", b"fdAT", b"IEND", b"tRNS"}
_MOST_BYTES: Final = 2**24
_UNUSED: Final = b"spAc"  # private, of no meaning, and to be left out by whoever does not know it
_PROFILE: Final = re.compile(rb"Raw profile type", re.IGNORECASE)
_HEX: Final = re.compile(rb"[^0-9A-Fa-f]+")


def find_png_locations(read: Read, size: int) -> tuple[list[Patch], int]:
    """Return what covers where a PNG was taken, and where its chunks end. Raises UnremovableLocation."""
    patches: list[Patch] = []
    at = 8
    while at + 12 <= size:
        head = read(at, 8)
        length, kind = int.from_bytes(head[:4], "big"), head[4:]
        if at + 12 + length > size:
            break
        if kind not in _PIXELS:
            patches += _chunk(read, at + 8, length, kind)
        at += 12 + length
        if kind == b"IEND":
            break
    return patches, at


def _chunk(read: Read, start: int, length: int, kind: bytes) -> list[Patch]:
    if length > _MOST_BYTES:
        raise UnremovableLocation(kind.decode("latin-1"))
    data = read(start, length)
    keyword, _, text = data.partition(b"\0")
    packed = _packed(kind, text)
    if packed is not None or _PROFILE.match(keyword):
        if not _says_place(text if packed is None else packed):
            return []
        return [(start - 4, _UNUSED + bytes(length) + zlib.crc32(_UNUSED + bytes(length)).to_bytes(4, "big"))]
    if kind in (b"tEXt", b"iTXt") and may_say_place(keyword):
        offset = len(keyword) + 1 + (0 if kind == b"tEXt" else _beginning(text))
        found = [(offset, b" " * (length - offset))]
    else:
        found = _find(data)
    if not found:
        return []
    changed = bytearray(data)
    for offset, patch in found:
        changed[offset : offset + len(patch)] = patch
    checksum = zlib.crc32(kind + changed).to_bytes(4, "big")
    return [(start + offset, patch) for offset, patch in found] + [(start + length, checksum)]


def _find(data: bytes) -> list[Patch]:
    """Return what covers a place in bytes that are a block of EXIF, or have properties in them."""
    found: list[Patch] = []
    block = data[6:] if data.startswith(b"Exif\0\0") else data
    if block[:4] in (b"II*\0", b"MM\0*"):
        found += find_tiff_locations(_reader(data), len(data) - len(block), len(data))
    return found + list(find_properties(data, 0, 0, len(data)))


def _packed(kind: bytes, text: bytes) -> bytes | None:
    """Return the text of a chunk that is compressed, None where it is not. Raises UnremovableLocation."""
    if kind == b"zTXt":
        body = text[1:]
    elif kind == b"iTXt" and text[:1] == b"\1":
        body = text[_beginning(text) :]
    else:
        return None
    try:
        return _unpacked(body)
    except zlib.error:
        return b""  # nobody reads it


def _unpacked(body: bytes) -> bytes:
    unpacking = zlib.decompressobj()
    data = unpacking.decompress(body, _MOST_BYTES)
    if unpacking.unconsumed_tail:
        raise UnremovableLocation("zTXt")
    return data


def _beginning(text: bytes) -> int:
    """Return where the text of an iTXt begins behind its keyword: after two flags, a language and a translation."""
    return 2 + len(b"\0".join(text[2:].split(b"\0", 2)[:2])) + 1


def _says_place(text: bytes) -> bool:
    """Say whether a text, or the block that is written in it in hexadecimal numbers, says where it was taken."""
    if may_say_place(text):
        return True
    digits = _HEX.sub(b"", text.partition(b"\n")[2].partition(b"\n")[2].partition(b"\n")[2])
    try:
        block = bytes.fromhex(digits.decode())
    except ValueError:
        return True  # it cannot be read here, and another may read it
    return may_say_place(block) or bool(_find(block[block.find(b"Exif\0\0") :] if b"Exif\0\0" in block else block))


def _reader(data: bytes) -> Callable[[int, int], bytes]:
    return lambda offset, count: data[offset : offset + count]
