"""What a picture file says in words beside its pixels: XMP, IPTC, EXIF, and the texts of PNG; raw, and as text."""

import re
import struct
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from PIL import Image, PngImagePlugin, TiffImagePlugin

_PHOTOSHOP_IPTC, _TIFF_IPTC, _TIFF_XMP = 0x0404, 33723, 700
_MOST_TEXTS: Final = 50
_MOST_BYTES: Final = 2**20  # of a block; longer ones are no words of anybody


@dataclass(frozen=True, slots=True, eq=False)
class Metadata:
    """What lies beside the pixels of a file, as it is: XMP and IPTC (IIM) bytes, and texts by their keywords."""

    xmp: bytes = b""
    iptc: bytes = b""
    texts: Mapping[str, str] = field(default_factory=dict)


def read_metadata(image: Image.Image) -> Metadata:
    """Return the metadata of a loaded picture, without its EXIF. What cannot be read is left out."""
    texts: dict[str, str] = {}
    named = getattr(image, "text", None) if image.format == "PNG" else None
    for keyword, text in list((named or {}).items())[:_MOST_TEXTS]:
        texts[str(keyword)] = str(text) if isinstance(text, PngImagePlugin.iTXt) else read_again(str(text))
    comment = image.info.get("comment")
    if isinstance(comment, bytes | str) and comment:
        texts.setdefault("Comment", comment if isinstance(comment, str) else decode_text(comment))
    return Metadata(xmp=_bytes(image.info.get("xmp")) or _tag(image, _TIFF_XMP), iptc=_iptc(image), texts=texts)


def _iptc(image: Image.Image) -> bytes:
    photoshop = image.info.get("photoshop")
    if isinstance(photoshop, dict):
        return _bytes(photoshop.get(_PHOTOSHOP_IPTC))
    return _tag(image, _TIFF_IPTC)


def _tag(image: Image.Image, number: int) -> bytes:
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return b""
    value = image.tag_v2.get(number)
    if isinstance(value, tuple) and value and all(isinstance(one, int) for one in value):
        # Some write these bytes as numbers of four of them, in the order of the file.
        return struct.pack(f"{'<' if image.tag_v2.prefix == b'II' else '>'}{len(value)}I", *value)
    return _bytes(value)


def _bytes(value: Any) -> bytes:
    if isinstance(value, str):
        value = value.encode("utf-8", "replace")
    return value if isinstance(value, bytes) and len(value) <= _MOST_BYTES else b""


def decode_text(raw: bytes) -> str:
    """Return bytes as the text that they most likely are: UTF-8, else GB18030 (Chinese programs), else Latin-1.

    A short text in GB18030 may pass for one in UTF-8, of letters that nobody writes together.
    """
    found = {charset: text for charset in ("utf-8", "gb18030") if (text := _decode(raw, charset)) is not None}
    if not _TWO_BYTES.search(raw) or _PRIVATE.search(found.get("gb18030", "")):  # Chinese has two in a row
        found.pop("gb18030", None)
    if len(found) == 2 and not _is_written_so(found["utf-8"]):
        return found["gb18030"]
    return next(iter(found.values()), raw.decode("latin-1"))


_TWO_BYTES: Final = re.compile(rb"[\x80-\xff]{2}")
_PRIVATE: Final = re.compile("[\ue000-\uf8ff]")


def _decode(raw: bytes, charset: str) -> str | None:
    try:
        return raw.decode(charset)
    except UnicodeDecodeError:
        return None


_LATIN_ENDS: Final = "\u024f"  # beyond it come letters of phonetics


def _is_written_so(text: str) -> bool:
    """Say whether the letters of a text that take two bytes in UTF-8 are of one script."""
    letters = {char for char in text if "\x7f" < char < "\u0800" and char.isalpha()}
    scripts = {unicodedata.name(char, "").split(" ")[0] for char in letters}
    return len(scripts) <= 1 and (scripts != {"LATIN"} or max(letters) <= _LATIN_ENDS)


def read_again(text: str) -> str:
    """Return a text that was read as Latin-1, byte by byte, as what its bytes most likely are."""
    try:
        return decode_text(text.encode("latin-1"))
    except UnicodeEncodeError:
        return text


_ESCAPE_UTF_8: Final = b"\x1b%G"


def read_iptc(block: bytes) -> dict[tuple[int, int], list[str]]:
    """Return the texts of an IPTC block (IIM 4) by record and data set; a broken block as far as it goes."""
    found: dict[tuple[int, int], list[bytes]] = {}
    at = 0
    while at + 5 <= len(block) and block[at] == 0x1C:
        record, number, size = struct.unpack_from(">BBH", block, at + 1)
        at += 5
        if size & 0x8000:  # the size is in the bytes that follow, as many as it says
            width = size & 0x7FFF
            size, at = int.from_bytes(block[at : at + width], "big"), at + width
        if at + size > len(block):
            break
        found.setdefault((record, number), []).append(block[at : at + size])
        at += size
    declared = _ESCAPE_UTF_8 in b"".join(found.pop((1, 90), ()))
    return {
        name: [(raw.decode("utf-8", "replace") if declared else decode_text(raw)).strip("\0 ") for raw in values]
        for name, values in found.items()
    }
