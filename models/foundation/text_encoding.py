"""In which encoding a text file is written: tables and captions come from spreadsheets, and from old programs."""

import re
from pathlib import Path
from typing import TextIO

_CHUNK = 1 << 20
_MARKS_16 = (b"\xff\xfe", b"\xfe\xff")
_BEYOND_ASCII, _TWO_BYTES = re.compile("[^\x00-\x7f]"), re.compile("[\x80-\u07ff]")
_NARROW_FOR_ONE = 4  # characters of two bytes: of a short text in GBK every second one may pass for one of UTF-8


def detect_text_encoding(path: Path) -> str | None:
    """Return the encoding of a text: UTF-8, UTF-16 with a mark as Excel writes, or GBK; None if it is none of them.

    A text is UTF-8 even with a few bytes that are not, as where a caption was cut between two of them. Raises OSError.
    """
    with path.open("rb") as raw:
        mark = raw.read(2)
    if mark in _MARKS_16:
        return "utf-16"
    if b"\0" in mark:
        return None
    if _is_whole(path, "utf-8-sig"):
        return "utf-8-sig"
    narrow, wide, broken = _count_characters(path)
    if not _is_whole(path, "gb18030"):
        return "utf-8-sig" if broken <= narrow + wide else None
    return "utf-8-sig" if broken <= wide + narrow // _NARROW_FOR_ONE else "gb18030"


def open_text(path: Path, charset: str, *, newline: str | None = None) -> TextIO:
    """Open a text of which a few bytes may be broken; names of files come through with the bytes they have."""
    errors = "replace" if charset == "utf-16" else "surrogateescape"
    return path.open(encoding=charset, errors=errors, newline=newline)


def read_name(name: str) -> str:
    """Return the name of a file as text: where its bytes are not UTF-8 (surrogates stand for them) they may be GBK."""
    if not any("\udc80" <= char <= "\udcff" for char in name):
        return name
    raw = name.encode("utf-8", "surrogateescape")
    try:
        return raw.decode("gb18030")
    except UnicodeDecodeError:
        return raw.decode("utf-8", "ignore")


def _count_characters(path: Path) -> tuple[int, int, int]:
    """Return how many characters beyond ASCII a text has as UTF-8: of two bytes, of more, and those that are none."""
    narrow = wide = broken = 0
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        while text := file.read(_CHUNK):
            beyond, two_bytes = (len(found.findall(text)) for found in (_BEYOND_ASCII, _TWO_BYTES))
            broken_here = text.count("\ufffd")
            narrow, wide, broken = narrow + two_bytes, wide + beyond - two_bytes - broken_here, broken + broken_here
    return narrow, wide, broken


def _is_whole(path: Path, charset: str) -> bool:
    with path.open(encoding=charset, newline="") as file:
        try:
            while file.read(_CHUNK):
                pass
        except UnicodeError:
            return False
    return True
