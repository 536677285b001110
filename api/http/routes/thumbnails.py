"""Pictures of the library, small: as they are kept, else made from the original."""

from io import BytesIO
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from PIL import Image

from api.http.connection import while_connected
from api.http.door.gates import Scope, Work, gated
from api.http.mapping import ServiceDep
from api.http.service import Service
from api.search.errors import FileChanged, FileGone
from api.search.pictures import PictureToDecode
from api.search.results import HitPart
from indexer.library.catalog.records import ImageRow
from indexer.library.storage.thumbnail_cache import find_thumbnail
from indexer.library.thumbnails import THUMBNAIL_SIDE, make_thumbnail
from models.pictures.errors import DecodeError
from models.pictures.limits import DecodeLimits
from models.pictures.parts import telling_part

router = APIRouter(prefix="/images", tags=["images"])

# A picture may change under its id: a client keeps its copy, and asks whether it still holds.
CACHE = {"Cache-Control": "private, no-cache"}


@router.get(
    "/{image_id}/thumbnail",
    response_class=Response,
    responses={
        200: {"description": "The picture, small", "content": {"image/webp": {}}},
        304: {"description": "The client has it"},
    },
)
@gated(Scope.FILES, Work.FILE)
async def get_thumbnail(
    image_id: int,
    request: Request,
    service: ServiceDep,
    size: Annotated[int, Query(ge=16, le=2048)] = THUMBNAIL_SIDE,
    part: Annotated[int | None, Query(ge=0, le=65_535)] = None,
) -> Response:
    """Return the picture as WebP within a square of `size` pixels, upright and never enlarged.

    Of one that is longer than 1:3 it is a `part`: that of a hit, 0 for all of it, or without it one that tells what the
    picture is. Of another it is a region, if its number is given. Of a video it is the frame of a moment, that of the
    `part`, or one that stands for all of it.
    """
    engine = service.serving.engine
    row = await service.executors.search(engine.get_image, image_id)
    parts = await service.executors.search(engine.list_parts, row)
    shown = parts.get((find_telling_part(row, len(parts)) or 0) if part is None else part)
    number = shown.number if shown else 0
    tag = f'"{row.sha256[:32]}-{size}-{number}"'
    headers = {**CACHE, "ETag": tag}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    stored = await service.executors.files(find_thumbnail, engine.opened.layout, row.sha256, number)
    data = await service.executors.files(_read_stored, stored, size) if size <= THUMBNAIL_SIDE else None
    if data is None:
        data = await while_connected(request, _make(service, row, shown, size, stored))
    return Response(data, media_type="image/webp", headers=headers)


def find_telling_part(row: ImageRow, count: int) -> int | None:
    """Return which part stands for a picture that has `count`; None where all of it does, as of a video its cover."""
    return (telling_part(row.width, row.height, count) or None) if count and not row.is_video else None


def _read_stored(stored: Path, size: int) -> bytes | None:
    """Return the thumbnail that was made while indexing, or a smaller one of it; None where there is none."""
    if not stored.is_file():
        return None
    if size >= THUMBNAIL_SIDE:
        return stored.read_bytes()
    with Image.open(stored, formats=("WEBP",)) as image:
        small = make_thumbnail(image.convert("RGB"), size)
    buffer = BytesIO()
    small.save(buffer, "WEBP", quality=82, method=2)
    return buffer.getvalue()


async def _make(service: Service, row: ImageRow, part: HitPart | None, size: int, stored: Path) -> bytes:
    """Make a thumbnail from the original; where that cannot be, a smaller one is better than none."""
    settings = service.settings
    asked = PictureToDecode(
        limits=DecodeLimits(max_pixels=settings.max_pixels, max_bytes=settings.max_file_bytes),
        short_side=size if part else 1,
        long_side=0 if part else size,
        row=row,
        crop=part.box if part and part.at is None else None,
        at_ms=None if part is None or part.at is None else round(1000 * part.at),
    )
    try:
        return await service.decoding.make_thumbnail(asked, size)
    except (DecodeError, FileChanged, FileGone):
        data = await service.executors.files(_read_stored, stored, THUMBNAIL_SIDE)
        if data is None:
            raise
        return data
