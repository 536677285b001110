"""The file of a picture as it is, as far as it is still that picture."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Annotated, Final, NamedTuple

from fastapi import APIRouter, Query, Response
from fastapi.responses import RedirectResponse

from api.http.door.gates import Scope, Work, gated
from api.http.fetching import FetchedResponse, name_at
from api.http.mapping import ServiceDep, displayable
from api.http.sending import CACHE, OriginalResponse
from api.http.stripping import strip_location, tag_without_location
from api.search.errors import AddressWithheld, FileGone, PlaceNotRemovable, why_not_read
from indexer.library.addresses.shown import has_secrets
from indexer.library.catalog.records import ImageRow
from indexer.library.opening import OpenOriginal, open_clip, open_original
from indexer.library.sources.port import Redirect
from models.pictures.errors import DecodeError
from models.pictures.formats import FORMATS
from models.pictures.limits import DecodeLimits

router = APIRouter(prefix="/images", tags=["images"])

# Reading a file to see whether it is still what was indexed takes a disk and a processor: two at a time.
_opening = ThreadPoolExecutor(2, thread_name_prefix="opening")


@router.get(
    "/{image_id}/file",
    response_class=Response,
    responses={
        200: {"description": "The file", "content": {"image/*": {}, "video/*": {}}},
        206: {"description": "A range of it", "content": {"image/*": {}, "video/*": {}}},
        304: {"description": "The client has it"},
        307: {"description": "It is at an address, where the service is set to send clients there"},
    },
)
@gated(Scope.FILES, Work.FILE)
async def download_image(
    image_id: int,
    service: ServiceDep,
    clip: Annotated[bool, Query(description="The film that lies beside a live photo, in place of the picture")] = False,
) -> Response:
    """Return the file as it is, or a range of it; that of a picture at an address is fetched from there.

    What lies there by now and is not what was indexed is not given out.
    """
    row = await service.executors.search(service.serving.engine.get_image, image_id)
    settings = service.settings
    limits, follow = DecodeLimits(max_bytes=settings.max_file_bytes), settings.api.follow_links
    opening = partial(_open_clip, row, follow) if clip else partial(_open, row, limits, follow)
    make = partial(_prepare, row, opening, strip_gps=settings.api.strip_gps)
    found = await asyncio.get_running_loop().run_in_executor(_opening, make)
    if not isinstance(found, Redirect):
        return found
    if settings.api.addresses == "off":
        raise AddressWithheld(image_id, "off")
    if settings.api.addresses == "stream":
        service.fetches.check_size(row)
        tag = f'"{tag_without_location(row.sha256) if settings.api.strip_gps else row.sha256}"'
        prepare = partial(_prepare_fetched, row, found.address, settings.api.strip_gps)
        return FetchedResponse(service.fetches, row, found.address, tag, prepare)
    if has_secrets(found.address):
        raise AddressWithheld(image_id, "secret")
    if settings.api.strip_gps:
        raise PlaceNotRemovable(image_id, row.format)
    return RedirectResponse(found.address, headers=CACHE)


class _ToSend(NamedTuple):
    opened: OpenOriginal
    form: str
    name: str
    tag: str


def _prepare(row: ImageRow, opening: Callable[[], _ToSend | Redirect], *, strip_gps: bool) -> Response | Redirect:
    """Open what is to be sent. Raises FileGone, FileChanged, LinkNotFollowed, PlaceNotRemovable or UnknownSource."""
    try:
        found = opening()
    except DecodeError as error:
        raise why_not_read(row.id, error) from error
    return found if isinstance(found, Redirect) else _send(row, found, strip_gps=strip_gps)


def _send(row: ImageRow, found: _ToSend, *, strip_gps: bool) -> Response:
    """Return what sends a file. Raises FileChanged and PlaceNotRemovable; then it is closed."""
    opened, form, name, tag = found
    try:
        if strip_gps:
            tag = strip_location(opened, row.id, form=form, tag=tag)
        return OriginalResponse(row.id, opened, kind=_media_type(form), name=displayable(name), tag=tag)
    except DecodeError as error:
        opened.close()
        raise why_not_read(row.id, error) from error
    except BaseException:
        opened.close()
        raise


def _open(row: ImageRow, limits: DecodeLimits, follow_links: bool) -> _ToSend | Redirect:
    opened = open_original(row, limits, follow_links=follow_links)
    if isinstance(opened, Redirect):
        return opened
    return _ToSend(opened, row.format, row.shown_path.rpartition("/")[2], row.sha256)


def _prepare_fetched(row: ImageRow, address: str, strip_gps: bool, data: bytes) -> Response:
    return _send(row, _ToSend(OpenOriginal(data), row.format, name_at(address), row.sha256), strip_gps=strip_gps)


def _open_clip(row: ImageRow, follow_links: bool) -> _ToSend:
    found = open_clip(row, follow_links=follow_links)
    if found is None:
        raise FileGone(row.id)
    opened, name = found
    tag = "-".join(format(one, "x") for one in opened.state or ())
    return _ToSend(opened, "mov" if name.lower().endswith(".mov") else "mp4", name, tag)


_VIDEO_TYPES: Final = {
    "mp4": "mp4",
    "mov": "quicktime",
    "3gp": "3gpp",
    "mkv": "x-matroska",
    "webm": "webm",
    "avi": "x-msvideo",
    "ts": "mp2t",
}
_IMAGE_TYPES: Final = {
    "ico": "vnd.microsoft.icon",
    "tga": "x-tga",
    "psd": "vnd.adobe.photoshop",
    "raw": "x-dcraw",
}


def _media_type(form: str) -> str:
    """Return the media type of a format of the catalog; no other is ever said."""
    if form in _VIDEO_TYPES:
        return f"video/{_VIDEO_TYPES[form]}"
    return f"image/{_IMAGE_TYPES.get(form, form)}" if form in FORMATS else "application/octet-stream"
