"""The pictures of a library as they lie where they came from."""

import hashlib

from indexer.library.catalog.records import ImageRow
from models.foundation.errors import DecodeError
from models.pictures.decode import DecodeLimits, read_image_file


def read_original(row: ImageRow, limits: DecodeLimits) -> bytes:
    """Return the bytes of a picture of the library; nothing is fetched from an address. Raises DecodeError.

    A tar file may have been written anew since, with something else at the place; that is not given out.
    """
    if row.address is not None:
        raise DecodeError("not_found")
    if row.offset is None:
        return read_image_file(row.file, limits)
    data = read_image_file(row.file, limits, part=(row.offset, row.size))
    if hashlib.sha256(data).hexdigest() != row.sha256:
        raise DecodeError("not_found")
    return data
