"""The bytes of a picture, wherever it lies: a file, a part of a tar file, an address."""

from dataclasses import replace

from indexer.library.catalog.records import ImageFile
from indexer.sources.addresses import Fetching, fetch_address
from indexer.sources.folders import clamp_mtime
from models.foundation.errors import DecodeError
from models.pictures.decode import DecodeLimits, read_image_file


def read_source(file: ImageFile, limits: DecodeLimits, fetching: Fetching) -> tuple[ImageFile, bytes]:
    """Return a picture's bytes, and the file with the size and time it has as they are read.

    A later change will be seen as one. Raises DecodeError, with the file's own problem if it has one.
    """
    if file.problem is not None:
        raise DecodeError(*file.problem)
    if file.address is not None:
        data, mtime_ns = fetch_address(file.address, limits, fetching)
        return replace(file, size=len(data), mtime_ns=clamp_mtime(mtime_ns)), data
    if file.offset is not None:  # the time is that of the tar when it was scanned
        return file, read_image_file(file.absolute, limits, part=(file.offset, file.size))
    file = _as_it_is(file)
    return file, read_image_file(file.absolute, limits)


def _as_it_is(file: ImageFile) -> ImageFile:
    try:
        info = file.absolute.stat()
    except (OSError, ValueError):
        return file  # reading it says what is wrong
    return replace(file, size=info.st_size, mtime_ns=clamp_mtime(info.st_mtime_ns))
