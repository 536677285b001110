"""The pictures of a library as they lie where they came from."""

from indexer.library.catalog.records import ImageRow
from indexer.library.errors import UnknownSource
from indexer.library.sources.kinds import open_source
from indexer.library.sources.port import Bytes, FilePath, Original, Redirect
from models.pictures.errors import DecodeError
from models.pictures.files import read_image_file
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


def address_of(row: ImageRow) -> str | None:
    """Return where a picture was fetched from, None for one of this machine."""
    try:
        return open_source(row.source).address(row.path)
    except UnknownSource:
        return None
