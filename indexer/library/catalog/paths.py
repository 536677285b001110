"""Paths as the catalog keeps them: the bytes of the file system; and in one form, so that what looks alike is alike."""

import unicodedata

NORMAL_PATH = "normal_path"  # the name of `normal_path` in SQL


def encode_path(path: str) -> bytes:
    """Return a path as the catalog keeps it."""
    return path.encode("utf-8", "surrogateescape")


def normal_path(path: bytes, folded: bool) -> bytes:
    """Return a path with its characters composed (macOS parts them), `folded` in small letters.

    Bytes that are no text stay what they are.
    """
    if path.isascii():
        return path.lower() if folded else path
    text = unicodedata.normalize("NFC", path.decode("utf-8", "surrogateescape"))
    return encode_path(unicodedata.normalize("NFC", text.casefold()) if folded else text)
