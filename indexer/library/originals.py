"""The pictures of a library as they lie where they came from."""

from dataclasses import replace
from pathlib import Path

from indexer.library.addresses.shown import has_secrets
from indexer.library.catalog.records import ImageRow
from indexer.library.errors import UnknownSource
from indexer.library.sources.items import Item
from indexer.library.sources.kinds import open_source
from indexer.library.sources.port import Bytes, FilePath, Original, Redirect
from models.pictures.decode import DecodedImage, decode_image
from models.pictures.errors import DecodeError
from models.pictures.files import open_regular, read_image_file
from models.pictures.formats import is_extra_installed
from models.pictures.limits import DecodeLimits


def find_original(row: ImageRow, limits: DecodeLimits) -> Original:
    """Return a picture of the library as its source has it. Raises DecodeError or UnknownSource."""
    return open_source(row.source).original(row, limits)


def read_original(row: ImageRow, limits: DecodeLimits) -> bytes:
    """Return the bytes of a picture of the library; none are fetched from an address.

    Raises DecodeError or UnknownSource.
    """
    match find_original(row, limits):
        case FilePath(path):
            return read_image_file(path, limits)
        case Bytes(data):
            return data
        case Redirect():
            raise DecodeError("not_found")


def decode_original(
    row: ImageRow, *, short_side: int, long_side: int = 0, limits: DecodeLimits, at_ms: int | None = None
) -> DecodedImage:
    """Return a picture of the library, decoded as `decode_image` does; of a video its cover, or the frame at a time.

    None are fetched from an address. Raises DecodeError or UnknownSource.
    """
    if not row.is_video:
        return decode_image(read_original(row, limits), short_side=short_side, long_side=long_side, limits=limits)
    path = find_video(row)
    from models.videos.moments import decode_at, decode_cover
    from models.videos.opening import open_video

    with open_regular(path) as file, open_video(file, limits) as video:
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
