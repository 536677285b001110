"""Pictures that are kept in a folder of the operator's, and deleted from it."""

import hashlib
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request, Response
from starlette.datastructures import UploadFile

from api import schemas
from api.http.door.access import Caller
from api.http.door.gates import Scope, Work, gated
from api.http.forms import open_form
from api.http.jobs.orders import read_order
from api.http.jobs.telling import describe_jobs
from api.http.kept_pictures.errors import KeepingOff, NotUploaded
from api.http.kept_pictures.folder import UploadFolder, check_file, checksum, holds_just, name_error
from api.http.mapping import LanguageDep, ServiceDep, displayable, shown_path
from api.http.service import Service
from api.search.errors import FileChanged, FileGone
from api.search.pictures import PictureToDecode
from indexer.library.catalog.records import ImageRow
from models.pictures.errors import DecodeError
from models.pictures.limits import DecodeLimits

router = APIRouter(prefix="/images", tags=["images"])

_MOST_FILES = 100
_Index = Annotated[bool, Query(description="Whether the library is brought up to date at once, as a job")]
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {"file": {"type": "array", "items": {"type": "string", "format": "binary"}}},
                }
            },
        },
    }
}


@router.put("", status_code=201, openapi_extra=_BODY, responses={200: {"model": schemas.StoredPictures}})
@gated(Scope.INDEX, Work.PICTURE, pictures=True)
async def store_pictures(
    request: Request,
    response: Response,
    service: ServiceDep,
    language: LanguageDep,
    name: Annotated[str, Query(max_length=1000, description="Of the file, where the body is a picture as it is")] = "",
    index: _Index = False,
) -> schemas.StoredPictures:
    """Keep pictures: one whose bytes are the body, or several as a form. All of them, or where one is refused, none.

    200 means that all were there already.
    """
    service.check_home()
    folder = _folder(service)
    files = await _read_files(request, name, service.settings.api.max_upload_bytes)
    checked = await _check(service, files)
    stored = [await service.executors.files(_store_one, service, folder, *one) for one in checked]
    if not any(one.is_new for one in stored):
        response.status_code = 200
    job = await _update(request, service, folder, language) if index else None
    return schemas.StoredPictures(pictures=stored, job=job)


@router.delete("/{image_id}")
@gated(Scope.INDEX, Work.FILE)
async def delete_picture(
    image_id: int, request: Request, service: ServiceDep, language: LanguageDep, index: _Index = False
) -> schemas.DeletedPicture:
    """Delete the file of a picture in the folder of uploads; for some days it stays in the folder .trash there."""
    service.check_home()
    folder, days = _folder(service), service.settings.api.trash_days
    row = await service.executors.files(service.serving.engine.get_image, image_id)
    await service.executors.files(_delete, folder, row, days)
    job = await _update(request, service, folder, language, may_be_empty=True) if index else None
    root, path = displayable(row.root.name), shown_path(row.path)
    return schemas.DeletedPicture(id=row.id, root=root, path=path, kept_days=days, job=job)


def _folder(service: Service) -> UploadFolder:
    root = service.settings.api.upload_root
    if root is None:
        raise KeepingOff
    return UploadFolder(root)


async def _read_files(request: Request, name: str, most_bytes: int) -> list[tuple[str, bytes]]:
    """Return names and contents of what was sent: of each file at most a byte more than may be."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        return [(name, await request.body())]
    async with open_form(request, most=_MOST_FILES) as form:
        files = [one for _, one in form.multi_items() if isinstance(one, UploadFile)]
        if not files:
            raise HTTPException(400)
        return [(one.filename or "", await one.read(most_bytes + 1)) for one in files]


async def _check(service: Service, files: list[tuple[str, bytes]]) -> list[tuple[str, str, bytes]]:
    """Return each file: as it was named, the name under which it may be kept, its content. Raises as `check_file`."""
    api = service.settings.api
    limits = DecodeLimits(max_pixels=service.settings.max_pixels, max_bytes=api.max_upload_bytes, extra_formats=False)
    checked = []
    for sent, data in files:
        name, to_decode = check_file(sent, data, limits)
        if to_decode:
            try:
                async with service.decoding.decode([PictureToDecode(limits=limits, short_side=16, data=data)]):
                    pass
            except DecodeError as error:
                raise name_error(name, error) from error
        checked.append((sent, name, data))
    return checked


def _store_one(service: Service, folder: UploadFolder, sent: str, name: str, data: bytes) -> schemas.StoredPicture:
    known = _find_known(service, data)
    if known:
        root, path = displayable(known.root.name), shown_path(known.path)
        return schemas.StoredPicture(name=sent, root=root, path=path, id=known.id, is_new=False)
    same = folder.find_same(name, data)
    path = (same or folder.store(name, data)).name
    return schemas.StoredPicture(name=sent, root=displayable(folder.root.name), path=path, is_new=same is None)


def _find_known(service: Service, data: bytes) -> ImageRow | None:
    """Return a picture of the library whose file is there and holds just this."""
    if not service.has_library:
        return None
    catalog = service.serving.engine.opened.catalog
    rows = catalog.get_images(catalog.find_by_content(checksum(data)))
    return next((row for row in rows.values() if (file := _file_of(row)) and holds_just(file, data)), None)


def _file_of(row: ImageRow) -> Path | None:
    """Return the file that a picture of a folder is, None for one in an archive or a list, and for a link."""
    if row.source.kind != "folder":
        return None
    path = row.source.path / row.path
    return None if path.is_symlink() else path


def _delete(folder: UploadFolder, row: ImageRow, days: int) -> None:
    """Delete what was indexed. Raises NotUploaded, FileGone, or FileChanged where something else lies there by now."""
    file = _file_of(row)
    if file is None or not folder.holds(file):
        raise NotUploaded(row.id)
    try:
        with file.open("rb") as opened:
            if hashlib.file_digest(opened, "sha256").hexdigest() != row.sha256:
                raise FileChanged(row.id)
        folder.delete(file, days)
    except FileNotFoundError as error:
        raise FileGone(row.id) from error


async def _update(
    request: Request, service: Service, folder: UploadFolder, language: str, *, may_be_empty: bool = False
) -> schemas.JobInfo:
    """Have the folder's pictures brought into the library, or taken out of it; the last of them, if `may_be_empty`."""
    allowed = await service.executors.files(service.list_job_roots)
    sources = [one.path.resolve() for one in allowed if one.root is not None and one.root.kind == "folder"]
    named = [folder.root.name]
    if not any(folder.root.is_relative_to(source) for source in sources):
        asked = schemas.JobRequest(kind="build", roots=named)
    else:  # a source whose pictures are all gone is taken for a drive that is not there, unless somebody knows better
        is_own = may_be_empty and folder.root in sources
        asked = schemas.JobRequest(kind="update", allow_empty=named if is_own else None)
    order = read_order(asked, service.settings.data.absolute(), lambda _: folder.root)
    caller: Caller = request.state.caller
    job = await service.jobs.submit(order, caller=caller.name, request_id=request.state.request_id)
    return (await service.executors.files(describe_jobs, service.jobs, [job], language))[0]
