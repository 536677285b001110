"""One picture of the library: what is known of it, a thumbnail, and others like it. Its file: see files.py."""

import asyncio
from datetime import UTC, datetime
from io import BytesIO
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from PIL import Image
from pydantic import BaseModel, Field

from api import schemas
from api.http.door.gates import Scope, Work, gated
from api.http.mapping import (
    LanguageDep,
    ServiceDep,
    displayable,
    list_annotations,
    list_details,
    shown_path,
    to_filter,
    to_part,
    to_query,
    to_response,
)
from api.search.errors import why_not_read
from api.search.listing import list_pictures
from api.search.options import MAX_K, MAX_OFFSET
from api.search.query import Clause
from api.search.results import HitPart
from indexer.library.catalog.records import ImageRow
from indexer.library.errors import UnknownSource
from indexer.library.filters import Filter
from indexer.library.layout import Layout
from indexer.library.originals import address_of, decode_original, find_clip_of
from indexer.library.thumbnails import THUMBNAIL_SIDE, make_thumbnail
from models.pictures.errors import DecodeError
from models.pictures.limits import DecodeLimits
from models.pictures.parts import crop, telling_part

router = APIRouter(prefix="/images", tags=["images"])

# A picture may change under its id: a client keeps its copy, and asks whether it still holds.
_CACHE = {"Cache-Control": "private, no-cache"}


@router.get("")
@gated(Scope.SEARCH, Work.TEXT)
async def list_images(
    service: ServiceDep,
    where: Annotated[str | None, Query(max_length=schemas.MAX_WHERE_CHARS)] = None,
    sort: Annotated[str, Query(description="A field, such as taken; -taken puts the latest first")] = "-taken",
    k: Annotated[int, Query(ge=1, le=MAX_K)] = 100,
    offset: Annotated[int, Query(ge=0, le=MAX_OFFSET)] = 0,
) -> schemas.ImageList:
    """List pictures that satisfy some conditions, in the order of a field; nothing is searched for."""
    engine = service.serving.engine
    conditions = await to_filter(service, where) or Filter()
    found = await asyncio.to_thread(list_pictures, engine, conditions, sort, k=k, offset=offset)
    return schemas.ImageList(
        images=[
            schemas.ListedImage(
                id=row.id,
                path=shown_path(row.path),
                root=displayable(row.root.name),
                width=row.width,
                height=row.height,
                value=shown_path(value) if isinstance(value, str) else value,
            )
            for row, value in found.pictures
        ],
        total=found.total,
        next_offset=found.next_offset,
        build=engine.opened.manifest.build,
    )


@router.get("/{image_id}")
@gated(Scope.SEARCH, Work.TEXT)
async def describe_image(image_id: int, service: ServiceDep, language: LanguageDep) -> schemas.ImageDetail:
    """Say what the catalog knows of a picture."""
    engine = service.serving.engine
    row = await asyncio.to_thread(engine.get_image, image_id)
    fields, found, parts = await asyncio.to_thread(
        lambda: (engine.fields(), engine.get_annotations(row), engine.list_parts(row))
    )
    return schemas.ImageDetail(
        id=row.id,
        path=shown_path(row.path),
        root=displayable(row.root.name),
        width=row.width,
        height=row.height,
        format=row.format,
        bytes=row.stamp.size or 0,
        modified_at=datetime.fromtimestamp((row.stamp.mtime_ns or 0) / 1e9, UTC).isoformat(timespec="seconds"),
        taken_at=found.get("taken") or row.beside_at or row.named_at,
        dated=_dated(row, found.get("taken")),
        camera=found.get("camera"),
        has_gps=bool(found.get("has_gps")),
        place=found.get("place"),
        colours=[schemas.Colour(name=name, hex=mean, share=share) for name, mean, share in found.get("dominant") or ()],
        caption=row.caption,
        tags=row.tags.split("\n") if row.tags else [],
        url=address_of(row),
        annotations=list_annotations(fields, found),
        details=list_details(fields, found, language),
        kind="video" if row.is_video else "picture",
        duration=None if row.duration_ms is None else row.duration_ms / 1000,
        clip=await asyncio.to_thread(find_clip_of, row) is not None,
        parts=[to_part(part) for part in parts.values()],
        part=_telling_part(row, len(parts)),
    )


def _telling_part(row: ImageRow, count: int) -> int | None:
    """Return which part stands for a picture that has `count`; None where all of it does, as of a video its cover."""
    return (telling_part(row.width, row.height, count) or None) if count and not row.is_video else None


def _dated(row: ImageRow, by_camera: str | None) -> Literal["camera", "beside", "name", "file"]:
    if by_camera:
        return "camera"
    return "beside" if row.beside_at else "name" if row.named_at else "file"


@router.get("/{image_id}/thumbnail", response_class=Response)
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
    row = await asyncio.to_thread(engine.get_image, image_id)
    parts = await asyncio.to_thread(engine.list_parts, row)
    shown = parts.get((_telling_part(row, len(parts)) or 0) if part is None else part)
    number = shown.number if shown else 0
    tag = f'"{row.sha256[:32]}-{size}-{number}"'
    headers = {**_CACHE, "ETag": tag}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    limits = DecodeLimits(max_pixels=service.settings.max_pixels, max_bytes=service.settings.max_file_bytes)
    data = await asyncio.to_thread(_thumbnail, engine.opened.layout, row, shown, size, limits)
    return Response(data, media_type="image/webp", headers=headers)


@schemas.with_options(words=False)
class SimilarParams(BaseModel):
    """How others like a picture are looked for."""

    where: str | None = Field(None, max_length=schemas.MAX_WHERE_CHARS)


@router.get("/{image_id}/similar")
@gated(Scope.SEARCH, Work.TEXT)
async def find_similar(
    image_id: int, params: Annotated[SimilarParams, Query()], service: ServiceDep, language: LanguageDep
) -> schemas.SearchResponse:
    """Find pictures like one of the library; that one is left out."""
    query = to_query([Clause(image_id=image_id)], await to_filter(service, params.where), params)
    return to_response(await service.search(query), offset=query.offset, language=language)


def _thumbnail(layout: Layout, row: ImageRow, part: HitPart | None, size: int, limits: DecodeLimits) -> bytes:
    """Return WebP bytes: the stored thumbnail where it is big enough, else made from the picture."""
    stored = layout.thumbnail(row.sha256, part.number if part else 0)
    if size <= THUMBNAIL_SIDE and stored.is_file():
        if size == THUMBNAIL_SIDE:
            return stored.read_bytes()
        with Image.open(stored, formats=("WEBP",)) as image:
            return _webp(make_thumbnail(image.convert("RGB"), size))
    try:
        sides = (size, 0) if part else (1, size)
        at_ms = None if part is None or part.at is None else round(1000 * part.at)
        decoded = decode_original(row, short_side=sides[0], long_side=sides[1], limits=limits, at_ms=at_ms)
    except (DecodeError, UnknownSource) as error:
        if stored.is_file():  # the file has gone since; a smaller picture is better than none
            return stored.read_bytes()
        raise why_not_read(row.id, error) from error
    shown = decoded.image
    if part and part.at is None:
        shown = crop(shown, part.box, (decoded.width, decoded.height))
    return _webp(make_thumbnail(shown, size))


def _webp(image: Image.Image) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "WEBP", quality=82, method=2)
    return buffer.getvalue()
