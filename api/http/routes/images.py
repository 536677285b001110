"""One picture of the library: what is known of it, a thumbnail, and others like it. Its file: see files.py."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field

from api import schemas
from api.http.clauses import CROP, CROP_DESCRIPTION, count_as_picture, read_crop, to_clauses
from api.http.connection import while_connected
from api.http.door.gates import Scope, Work, gated
from api.http.mapping import (
    LanguageDep,
    PlaceDep,
    ServiceDep,
    displayable,
    list_annotations,
    list_details,
    shown_path,
    shown_values,
    to_filter,
    to_part,
    to_query,
    to_response,
)
from api.http.parameters import parameters_of, reader_of
from api.http.routes.thumbnails import find_telling_part
from api.search.listing import LATEST_FIRST, PageOfList
from api.search.options import MAX_CURSOR, MAX_FIELDS, MAX_K, MAX_OFFSET
from indexer.library.catalog.records import ImageRow
from indexer.library.filters import Filter
from indexer.library.originals import address_of, find_clip_of

router = APIRouter(prefix="/images", tags=["images"])


class ListParams(schemas.Strict):
    """Which pictures are listed, in which order, and which page of them."""

    where: str | None = Field(None, max_length=schemas.MAX_WHERE_CHARS)
    sort: str = Field(
        LATEST_FIRST,
        description="A field, such as taken; -taken puts the latest first. Also added, and random, or random:42 for "
        "the same order each time",
    )
    k: int = Field(100, ge=1, le=MAX_K)
    offset: int = Field(0, ge=0, le=MAX_OFFSET)
    after: str = Field("", max_length=MAX_CURSOR, description="In place of offset: `next` of an answer")
    before: str = Field("", max_length=MAX_CURSOR, description="`previous` of an answer: the page that ends there")
    fields: list[str] = Field(
        [], max_length=MAX_FIELDS, description="What else is told of each picture; several are parted by commas"
    )


@router.get("")
@gated(Scope.SEARCH, Work.TEXT)
async def list_images(params: Annotated[ListParams, Query()], service: ServiceDep) -> schemas.ImageList:
    """List pictures that satisfy some conditions, in the order of a field; nothing is searched for."""
    engine = service.serving.engine
    conditions = await to_filter(service, params.where) or Filter()
    chosen = params.model_dump(include={"k", "offset", "after", "before", "fields"})
    found = await service.executors.search(engine.list_page, conditions, params.sort, PageOfList(**chosen))
    return schemas.ImageList(
        images=[
            schemas.ListedImage(
                id=row.id,
                path=shown_path(row.path),
                root=displayable(row.root.name),
                width=row.width,
                height=row.height,
                value=shown_path(value) if isinstance(value, str) else value,
                fields=shown_values(found.facts.get(row.id, {})),
            )
            for row, value in found.pictures
        ],
        total=found.total,
        next_offset=found.next_offset,
        next=found.next,
        previous=found.previous,
        build=engine.opened.manifest.build,
    )


@router.get("/{image_id}")
@gated(Scope.SEARCH, Work.TEXT)
async def describe_image(image_id: int, service: ServiceDep, language: LanguageDep) -> schemas.ImageDetail:
    """Say what the catalog knows of a picture."""
    engine = service.serving.engine
    row = await service.executors.search(engine.get_image, image_id)
    fields, found, parts = await service.executors.search(
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
        clip=await service.executors.files(find_clip_of, row) is not None,
        parts=[to_part(part) for part in parts.values()],
        part=find_telling_part(row, len(parts)),
    )


def _dated(row: ImageRow, by_camera: str | None) -> Literal["camera", "beside", "name", "file"]:
    if by_camera:
        return "camera"
    return "beside" if row.beside_at else "name" if row.named_at else "file"


@schemas.with_options(words=False)
class SimilarParams(BaseModel):
    """How others like a picture are looked for."""

    where: str | None = Field(None, max_length=schemas.MAX_WHERE_CHARS)
    crop: str | None = Field(None, pattern=CROP, description=CROP_DESCRIPTION)


@router.get("/{image_id}/similar", openapi_extra=parameters_of(SimilarParams))
@gated(Scope.SEARCH, Work.TEXT)
async def find_similar(
    image_id: int,
    params: Annotated[SimilarParams, Depends(reader_of(SimilarParams))],
    request: Request,
    service: ServiceDep,
    place: PlaceDep,
    language: LanguageDep,
) -> schemas.SearchResponse:
    """Find pictures like one of the library, or like a part of it; that one is left out."""
    asked = [schemas.ClauseIn(image_id=image_id, crop=read_crop(params.crop))]
    count_as_picture(place, asked)
    query = to_query(await to_clauses(service, asked), await to_filter(service, params.where), params)
    search = service.search(query)
    return to_response(await (while_connected(request, search) if params.crop else search), language=language)
