"""The file of a picture as it is, as far as it is still that picture."""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Response
from fastapi.responses import RedirectResponse

from api.http.door.gates import Scope, Work, gated
from api.http.fetching import FetchedResponse
from api.http.mapping import ServiceDep, displayable
from api.http.outgoing import (
    OutgoingFile,
    check_redirect,
    open_outgoing,
    open_outgoing_clip,
    sign_outgoing,
    tag_of_fetched,
    take_fetched,
    while_opening,
)
from api.http.sending import CACHE, OriginalResponse
from api.search.errors import AddressWithheld
from indexer.library.catalog.records import ImageRow
from indexer.library.sources.port import Redirect
from models.pictures.formats import FORMATS

router = APIRouter(prefix="/images", tags=["images"])


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
    inline: Annotated[bool, Query(description="To be looked at and not saved, if browsers show its format")] = False,
) -> Response:
    """Return the file as it is, or a range of it; that of a picture at an address is fetched from there.

    What lies there by now and is not what was indexed is not given out.
    """
    row = await service.executors.search(service.serving.engine.get_image, image_id)
    settings = service.settings
    found = await while_opening(lambda: (open_outgoing_clip if clip else open_outgoing)(row, settings))
    if not isinstance(found, Redirect):
        if signed := await service.executors.files(sign_outgoing, row, found, settings):
            found.opened.close()
            return RedirectResponse(signed, headers=CACHE)
        return _send(row, found, inline=inline)
    if settings.api.addresses == "off":
        raise AddressWithheld(image_id, "off")
    if settings.api.addresses == "stream":
        service.fetches.check_size(row)
        address, tag = found.address, f'"{tag_of_fetched(row, settings)}"'
        return FetchedResponse(
            service.fetches,
            row,
            address,
            tag,
            lambda data: _send(row, take_fetched(row, address, data, settings), inline=inline),
        )
    check_redirect(row, found.address, settings)
    return RedirectResponse(found.address, headers=CACHE)


def _send(row: ImageRow, file: OutgoingFile, *, inline: bool) -> Response:
    """Return what sends a file. Where it cannot be made, the file is closed."""
    try:
        kind, name, is_shown = _media_type(file.form), displayable(file.name), inline and file.form in _SHOWN
        return OriginalResponse(row.id, file.opened, kind=kind, name=name, tag=file.tag, inline=is_shown)
    except BaseException:
        file.opened.close()
        raise


_SHOWN: Final = frozenset(("jpeg", "png", "webp", "gif", "avif", "bmp"))  # by browsers, and nothing in them runs
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
