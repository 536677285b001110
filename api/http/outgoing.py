"""A picture of the library -> what of it is given out: open, still what was indexed, without what is to be left out."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from typing import NamedTuple, TypeVar

from anyio import CancelScope

from api.config import Settings
from api.http.fetching import AddressFetches, name_at
from api.http.stripping import strip_location, tag_without_location
from api.search.errors import AddressWithheld, FileGone, PlaceNotRemovable, why_not_read
from indexer.library.addresses.shown import has_secrets
from indexer.library.catalog.records import ImageRow
from indexer.library.opening import OpenOriginal, open_clip, open_original
from indexer.library.sources.port import Redirect, StoredBytes
from models.pictures.errors import DecodeError
from models.pictures.limits import DecodeLimits

T = TypeVar("T")

# Reading a file to see whether it is still what was indexed takes a disk and a processor: two at a time.
_opening = ThreadPoolExecutor(2, thread_name_prefix="opening")


class OutgoingFile(NamedTuple):
    """What is open of a picture, its format, its name, and what tells its bytes from all others. It is to be closed."""

    opened: OpenOriginal
    form: str
    name: str
    tag: str


async def while_opening(work: Callable[[], T]) -> T:
    """Return what opening a file gives, in its turn."""
    return await asyncio.get_running_loop().run_in_executor(_opening, work)


def open_outgoing(row: ImageRow, settings: Settings) -> OutgoingFile | Redirect:
    """Open the file of a picture, or say at which address it is.

    Raises FileGone, FileChanged, LinkNotFollowed, PlaceNotRemovable or UnknownSource.
    """
    limits = DecodeLimits(max_bytes=settings.max_file_bytes)
    try:
        opened = open_original(row, limits, follow_links=settings.api.follow_links)
    except DecodeError as error:
        raise why_not_read(row.id, error) from error
    if isinstance(opened, Redirect):
        return opened
    name = row.shown_path.rpartition("/")[2]
    return _checked(row, OutgoingFile(opened, row.format, name, row.sha256), strip_gps=settings.api.strip_gps)


def sign_outgoing(row: ImageRow, file: OutgoingFile, settings: Settings) -> str | None:
    """Return the signed address at which a client can get what is open by itself, None where the service sends it.

    Raises FileGone, FileChanged or StorageUnavailable.
    """
    held, is_whole = file.opened.held, row.locator.part is None
    if not settings.api.signed_seconds or settings.api.strip_gps or not isinstance(held, StoredBytes) or not is_whole:
        return None
    try:
        return held.sign(settings.api.signed_seconds)
    except DecodeError as error:
        raise why_not_read(row.id, error) from error


def open_outgoing_clip(row: ImageRow, settings: Settings) -> OutgoingFile:
    """Open the film that lies beside a picture. Raises as `open_outgoing`."""
    try:
        found = open_clip(row, follow_links=settings.api.follow_links)
    except DecodeError as error:
        raise why_not_read(row.id, error) from error
    if found is None:
        raise FileGone(row.id)
    opened, name = found
    tag = "-".join(format(one, "x") for one in opened.state or ())
    form = "mov" if name.lower().endswith(".mov") else "mp4"
    return _checked(row, OutgoingFile(opened, form, name, tag), strip_gps=settings.api.strip_gps)


def take_fetched(row: ImageRow, address: str, data: bytes, settings: Settings) -> OutgoingFile:
    """Return what was fetched from the address of a picture. Raises PlaceNotRemovable."""
    file = OutgoingFile(OpenOriginal(data), row.format, name_at(address), row.sha256)
    return _checked(row, file, strip_gps=settings.api.strip_gps)


def tag_of_fetched(row: ImageRow, settings: Settings) -> str:
    """Return what will tell the bytes of a picture at an address from all others."""
    return tag_without_location(row.sha256) if settings.api.strip_gps else row.sha256


def check_redirect(row: ImageRow, address: str, settings: Settings) -> None:
    """Raise AddressWithheld or PlaceNotRemovable where a client is not to be sent to the address of a picture."""
    if has_secrets(address):
        raise AddressWithheld(row.id, "secret")
    if settings.api.strip_gps:
        raise PlaceNotRemovable(row.id, row.format)


async def open_or_fetch(
    row: ImageRow, settings: Settings, fetches: AddressFetches, held: AsyncExitStack
) -> OutgoingFile:
    """Open a picture where it lies, or fetch it from its address; it is closed when `held` is left.

    Raises as `open_outgoing`, and AddressWithheld, where the service does not fetch, or AddressNotFetched.
    """
    with CancelScope(shield=True):  # what is opened is closed
        found = await while_opening(lambda: open_outgoing(row, settings))
    if isinstance(found, Redirect):
        if settings.api.addresses != "stream":
            raise AddressWithheld(row.id, settings.api.addresses)
        fetches.check_size(row)
        data, address = await fetches.fetch(row, found.address, held), found.address
        found = await asyncio.to_thread(take_fetched, row, address, data, settings)
    held.enter_context(found.opened)
    return found


def _checked(row: ImageRow, file: OutgoingFile, *, strip_gps: bool) -> OutgoingFile:
    """Return a file without where it was taken, if `strip_gps`. Where that cannot be, it is closed.

    Raises PlaceNotRemovable and FileChanged.
    """
    if not strip_gps:
        return file
    try:
        return file._replace(tag=strip_location(file.opened, row.id, form=file.form, tag=file.tag))
    except DecodeError as error:
        file.opened.close()
        raise why_not_read(row.id, error) from error
    except BaseException:
        file.opened.close()
        raise
