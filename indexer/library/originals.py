"""The pictures of a library as they lie where they came from."""

import hashlib
from dataclasses import replace
from io import BufferedReader
from pathlib import Path

from indexer.library.addresses.shown import has_secrets
from indexer.library.catalog.records import ImageRow
from indexer.library.errors import UnknownSource
from indexer.library.opening import open_original
from indexer.library.sources.items import Item
from indexer.library.sources.kinds import open_source
from indexer.library.sources.port import Redirect
from models.pictures.decode import DecodedImage, decode_image
from models.pictures.errors import DecodeError
from models.pictures.files import explain
from models.pictures.formats import is_extra_installed
from models.pictures.limits import DecodeLimits, check_bytes


def read_original(row: ImageRow, limits: DecodeLimits) -> bytes:
    """Return the bytes of a picture of the library, which are those that were indexed; none are fetched.

    Raises DecodeError (changed, where something else lies there by now; not_found, at an address) or UnknownSource.
    """
    opened = open_original(row, limits)
    if isinstance(opened, Redirect):
        raise DecodeError("not_found")
    with opened:
        check_bytes(opened.size, limits)
        data = opened.read(0, opened.size)
    if hashlib.sha256(data).hexdigest() != row.sha256:
        raise DecodeError("changed")
    return data


def decode_original(
    row: ImageRow, *, short_side: int, long_side: int = 0, limits: DecodeLimits, at_ms: int | None = None
) -> DecodedImage:
    """Return a picture of the library, decoded as `decode_image` does; of a video its cover, or the frame at a time.

    It is what was indexed, or nothing. None are fetched from an address. Raises DecodeError or UnknownSource.
    """
    if not row.is_video:
        return decode_image(read_original(row, limits), short_side=short_side, long_side=long_side, limits=limits)
    find_video(row)
    from models.videos.moments import decode_at, decode_cover
    from models.videos.opening import open_video

    opened = open_original(row, limits)
    if isinstance(opened, Redirect) or not isinstance(opened.held, BufferedReader):
        raise DecodeError("video_elsewhere")
    with opened, explain(), open_video(opened.held, limits) as video:
        decoded = decode_cover(video, limits, short_side=short_side, long_side=long_side)
        if at_ms is None:
            return decoded
        image = decode_at(video, at_ms, limits, short_side=short_side, long_side=long_side)
        return replace(decoded, image=image)


def find_video(row: ImageRow) -> Path:
    """Return the file of a video of the library. Raises DecodeError or UnknownSource."""
    if not is_extra_installed("av"):
        raise DecodeError("needs_video", row.format.upper())
    path = open_source(row.source).own_file(Item(row.locator))
    if path is None:
        raise DecodeError("video_elsewhere")
    return path


def find_clip_of(row: ImageRow) -> Path | None:
    """Return the file with the moments around a picture of the library, None where there is none."""
    try:
        return None if row.is_video else open_source(row.source).clip(row.path)
    except UnknownSource:
        return None


def address_of(row: ImageRow) -> str | None:
    """Return where a picture was fetched from, None for one of this machine, or where the address has secrets."""
    address = _raw_address(row)
    return None if address is None or has_secrets(address) else address


def is_fetched(row: ImageRow) -> bool:
    """Say whether a picture was fetched from an address."""
    return _raw_address(row) is not None


def _raw_address(row: ImageRow) -> str | None:
    try:
        return open_source(row.source).address(row.path)
    except UnknownSource:
        return None
