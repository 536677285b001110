"""Pictures that are sent once and asked with for a while, by an id."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from api import schemas
from api.http.door.gates import Scope, Work, gated
from api.http.forms import open_form
from api.http.mapping import ServiceDep
from models.pictures.errors import ImageTooLarge

router = APIRouter(prefix="/uploads", tags=["search"])

UploadId = Annotated[str, Path(max_length=100, description="As PUT /v1/uploads answered it")]

_PICTURE = {"schema": {"type": "string", "format": "binary"}}
_FORM = {
    "schema": {"type": "object", "required": ["file"], "properties": {"file": {"type": "string", "format": "binary"}}}
}
_BODY = {"content": {"image/*": _PICTURE, "application/octet-stream": _PICTURE, "multipart/form-data": _FORM}}


@router.put("", openapi_extra={"requestBody": {"required": True, **_BODY}})
@gated(Scope.SEARCH, Work.PICTURE, pictures=True)
async def keep_upload(request: Request, service: ServiceDep) -> schemas.UploadInfo:
    """Keep a picture for a day, or as long as the service is set to, so that it can be asked with by its id.

    The body is the picture, with its content type or application/octet-stream, or a form with the field `file`. The
    same picture has the same id, and is kept once.
    """
    kept = await service.keep_upload(await _read_picture(request, service.settings.api.max_upload_bytes))
    expires_at = datetime.fromtimestamp(kept.expires_at, UTC).isoformat(timespec="seconds")
    return schemas.UploadInfo(id=kept.id, width=kept.width, height=kept.height, expires_at=expires_at)


@router.delete("/{upload_id}", status_code=204)
@gated(Scope.SEARCH, Work.FILE)
async def delete_upload(upload_id: UploadId, service: ServiceDep) -> None:
    """Delete a picture that was sent; one that is not there is no mistake."""
    await service.executors.files(service.uploads.delete, upload_id)


@router.get("/{upload_id}/thumbnail", response_class=Response)
@gated(Scope.SEARCH, Work.FILE)
async def get_upload_thumbnail(upload_id: UploadId, service: ServiceDep) -> Response:
    """Return a picture that was sent as WebP within a square of 400 pixels, upright."""
    data = await service.executors.files(service.uploads.read_thumbnail, upload_id)
    headers = {"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff"}
    return Response(data, media_type="image/webp", headers=headers)


async def _read_picture(request: Request, limit: int) -> bytes:
    """Return the picture that a request sends. Raises ImageTooLarge, or HTTPException for what is none."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        async with open_form(request, most=1) as form:
            file = form.get("file")
            if not isinstance(file, UploadFile):
                raise HTTPException(400)
            data = await file.read(limit + 1)
    elif kind == "application/octet-stream" or kind.startswith("image/"):
        data = await request.body()
    else:
        raise HTTPException(415)
    if len(data) > limit:
        raise ImageTooLarge("too_many_bytes", f"> {limit / 2**20:.0f} MiB")
    return data
