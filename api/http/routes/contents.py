"""What is in one picture of the library, and where else it is: the text that was read in it, and its copies."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query

from api import schemas
from api.http.door.gates import Scope, Work, gated
from api.http.mapping import ServiceDep, displayable, shown_path
from api.search.copies import PictureCopy
from api.search.engine import SearchEngine
from api.search.written import WrittenLine, list_lines

router = APIRouter(prefix="/images", tags=["images"])


@router.get("/{image_id}/text")
@gated(Scope.SEARCH, Work.TEXT)
async def list_text(image_id: int, service: ServiceDep) -> schemas.PictureText:
    """List the lines of text that were read in a picture, and where each stands."""
    lines = await service.executors.search(_list_lines, service.serving.engine, image_id)
    return schemas.PictureText(
        lines=[
            schemas.ReadLine(
                text=displayable(line.text),
                confidence=line.confidence,
                box=schemas.Region(**asdict(line.box)),
                corners=list(line.corners),
                at=line.at,
            )
            for line in lines
        ]
    )


@router.get("/{image_id}/copies")
@gated(Scope.SEARCH, Work.TEXT)
async def list_copies(
    image_id: int, service: ServiceDep, k: Annotated[int, Query(ge=1, le=500)] = 100
) -> schemas.CopyList:
    """List the exact copies and the near-duplicates of a picture."""
    engine = service.serving.engine
    found, taken = await service.executors.search(_find_copies, engine, image_id, k)
    return schemas.CopyList(
        copies=[
            schemas.DuplicatePicture(
                why=one.why,
                id=one.picture.id,
                root=displayable(one.picture.root.name),
                path=shown_path(one.picture.path),
                width=one.picture.width,
                height=one.picture.height,
                bytes=one.picture.stamp.size or 0,
                taken_at=taken[one.picture.content_id].get("taken"),
                bits=one.bits,
                cosine=round(one.cosine, 4),
            )
            for one in found[:k]
        ],
        total=len(found),
        build=engine.opened.manifest.build,
    )


def _list_lines(engine: SearchEngine, image_id: int) -> list[WrittenLine]:
    row = engine.get_image(image_id)
    return list_lines(row, engine.get_annotations(row))


def _find_copies(engine: SearchEngine, image_id: int, k: int) -> tuple[list[PictureCopy], dict[int, dict[str, object]]]:
    """Return the copies of a picture, and what is known of the first k by their contents."""
    found = engine.find_copies(engine.get_image(image_id))
    return found, engine.opened.catalog.get_annotations([one.picture.content_id for one in found[:k]])
