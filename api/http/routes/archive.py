"""Many pictures in one download."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import numpy as np
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import JSONResponse

from api import schemas
from api.http.archives.names import safe_name
from api.http.archives.packing import Packer
from api.http.archives.sheets import MAX_ON_SHEET, SheetFormat, draw_pictures
from api.http.archives.streaming import StreamedResponse
from api.http.archives.tables import stream_json, stream_table
from api.http.door.access import Caller
from api.http.door.admission import Place
from api.http.door.gates import Scope, Work, gated
from api.http.door.json_bodies import BoundedRoute
from api.http.headers import check_json
from api.http.mapping import LanguageDep, PlaceDep, ServiceDep
from api.http.refusals import ScopeMissing
from api.http.sending import disposition
from api.http.service import Service
from api.http.tickets.errors import TicketUnknown
from api.search.errors import ImageNotFound, InvalidQuery
from models.foundation.messages import message

router = APIRouter(prefix="/archive", tags=["images"], route_class=BoundedRoute)

# A sheet takes a processor, and memory for all of it: one at a time.
_drawing = ThreadPoolExecutor(1, thread_name_prefix="drawing")
_KINDS: Final = {
    "zip": ("application/zip", "zip"),
    "csv": ("text/csv; charset=utf-8", "csv"),
    "json": ("application/json", "json"),
    "sheet": ("image/jpeg", "jpg"),
    "pdf": ("application/pdf", "pdf"),
}
_BYTES: Final = {"schema": {"type": "string", "format": "binary"}}
_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The download",
        "model": schemas.ExportedPictures,
        "content": {kind.partition(";")[0]: _BYTES for kind, name in _KINDS.values() if name != "json"},
    }
}
_TICKET: Final[dict[int | str, dict[str, Any]]] = {
    201: {"description": "What it is fetched by", "model": schemas.ArchiveTicket}
}


@router.post("", response_class=Response, responses={**_ANSWERS, **_TICKET}, dependencies=[Depends(check_json)])
@gated(Scope.FILES, Work.FILE)
async def archive_pictures(
    body: schemas.ArchiveRequest,
    request: Request,
    service: ServiceDep,
    place: PlaceDep,
    language: LanguageDep,
    ticket: Annotated[
        bool, Query(description="Return a ticket, by which a browser fetches the download, in place of it")
    ] = False,
) -> Response:
    """Download pictures together: their files as a ZIP, what is known of them, or a sheet that shows them.

    Of a file that is not there, or is another by now, `pictures.csv` in the ZIP says so. Needs `search` as well.
    """
    ids = await _check(service, body, request)
    if not ticket:
        return await _answer(service, body, ids, place, language)
    given = await service.executors.files(service.tickets.give, body.model_dump(), _owner(request))
    told = schemas.ArchiveTicket(
        ticket=given.id,
        url=f"{request.url.path.rstrip('/')}/{given.id}",
        expires_at=datetime.fromtimestamp(given.expires_at, UTC).isoformat(timespec="seconds"),
    )
    return JSONResponse(told.model_dump(), 201, {"Cache-Control": "no-store"})


@router.get("/{ticket}", response_class=Response, responses=_ANSWERS)
@gated(Scope.FILES, Work.FILE)
async def fetch_archive(
    ticket: Annotated[str, Path(max_length=100, description="As POST /v1/archive?ticket=true answered it")],
    request: Request,
    service: ServiceDep,
    place: PlaceDep,
    language: LanguageDep,
) -> Response:
    """Download what a ticket is for, as often as is wanted for ten minutes, by the caller that asked for it."""
    order = await service.executors.files(service.tickets.read, ticket, _owner(request))
    try:
        body = schemas.ArchiveRequest.model_validate(order)
    except ValueError as error:  # kept by another version
        raise TicketUnknown from error
    return await _answer(service, body, await _check(service, body, request), place, language)


def _owner(request: Request) -> str:
    """Return what tells a caller from others: the digest of its key, or what those without one are called."""
    caller: Caller = request.state.caller
    return caller.identity or caller.name


async def _check(service: Service, body: schemas.ArchiveRequest, request: Request) -> list[int]:
    """Return the ids of the pictures that are asked for, each once.

    Raises ScopeMissing, InvalidQuery, BoardNotFound, or ImageNotFound where the library has none of them.
    """
    caller: Caller = request.state.caller
    if Scope.SEARCH not in caller.scopes:
        raise ScopeMissing(caller.name, Scope.SEARCH)
    if (body.ids is None) == (body.board is None):
        raise InvalidQuery(message("Give exactly one of ids and board."))
    engine = service.serving.engine
    if body.board is not None:
        ids = await service.executors.files(service.boards.list_ids, body.board, engine.opened, engine.holds)
    else:
        ids = list(dict.fromkeys(body.ids or ()))
        if not engine.holds(np.array(ids, np.int64)).any():
            raise ImageNotFound(ids[0])
    if body.format in ("sheet", "pdf") and not 0 < len(ids) <= MAX_ON_SHEET:
        raise InvalidQuery(
            message("A sheet shows 1 to {most} pictures, not {count}.", most=MAX_ON_SHEET, count=len(ids))
        )
    return ids


async def _answer(
    service: Service, body: schemas.ArchiveRequest, ids: Sequence[int], place: Place, language: str
) -> Response:
    """Return what sends a download. Raises Overloaded where as many are sent as may be at once."""
    engine, name = service.serving.engine, await _name(service, body)
    kind, suffix = _KINDS[body.format]
    if body.format in ("sheet", "pdf"):
        place.become(Work.PICTURE)
        return await _draw(service, ids, name, "pdf" if body.format == "pdf" else "sheet")
    pieces: AsyncGenerator[bytes, None]
    if body.format == "zip":
        place.become(Work.ARCHIVE)
        pieces = Packer(service, ids, language).pack()
    else:
        stream = stream_table if body.format == "csv" else stream_json
        pieces = stream(service.executors, engine, ids, language)
    return StreamedResponse(pieces, kind=kind, name=f"{name}.{suffix}")


async def _name(service: Service, body: schemas.ArchiveRequest) -> str:
    """Return what a download is called, without its ending: as asked for, or like the board."""
    name = body.name
    if not name and body.board is not None:
        name = (await service.executors.files(service.boards.store.get_board, body.board)).name or body.board
    return safe_name(name) if name.strip() else "xuntu"


async def _draw(service: Service, ids: Sequence[int], name: str, form: SheetFormat) -> Response:
    opened = service.serving.engine.opened

    def draw() -> bytes:
        rows = opened.catalog.get_images(ids)
        return draw_pictures([rows[one] for one in ids if one in rows], opened.layout, name, form)

    kind, suffix = _KINDS[form]
    data = await asyncio.get_running_loop().run_in_executor(_drawing, draw)
    headers = {"Content-Disposition": disposition(f"{name}.{suffix}"), "Cache-Control": "no-store"}
    return Response(data, media_type=kind, headers=headers)
