"""The routes of clip-retrieval's service, so that its clients and its front search a library of xuntu.

Its clients do not say that their bodies are JSON, and expect fields only where there is something to say.
"""

import base64
import re
from collections.abc import Callable, Coroutine, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response
from PIL import Image

from api import schemas
from api.http.connection import while_connected
from api.http.door.access import Caller
from api.http.door.admission import Place
from api.http.door.gates import Scope, Work, gated
from api.http.door.json_bodies import BoundedRoute
from api.http.embedding import decode_picture
from api.http.mapping import PlaceDep, ServiceDep, shown_path
from api.http.service import Service
from api.search.errors import InvalidQuery
from api.search.options import MAX_K
from api.search.query import Clause, Query
from indexer.library.catalog.records import ImageRow
from indexer.library.layout import Layout
from indexer.library.originals import address_of, is_fetched
from indexer.library.storage.thumbnail_cache import find_thumbnail
from models.foundation.messages import message

_MOST_SHOWN = 100  # small pictures in one answer
_OURS = re.compile(r"/v1/images/([0-9]{1,18})/(?:file|thumbnail)")
_HOST = re.compile(r"[A-Za-z0-9.-]+(:[0-9]+)?|\[[0-9A-Fa-f:.]+\](:[0-9]+)?")


class _AnyContentRoute(BoundedRoute):
    """A route whose bodies are JSON, whatever they are said to be."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request."""
        answer = super().get_route_handler()

        async def answer_any(request: Request) -> Response:
            kept = [one for one in request.scope["headers"] if one[0] != b"content-type"]
            said = [*kept, (b"content-type", b"application/json")]
            return await answer(Request({**request.scope, "headers": said}, request.receive))

        return answer_any


router = APIRouter(tags=["clip-retrieval"], route_class=_AnyContentRoute)


@router.get("/indices-list")
@gated(Scope.SEARCH, Work.LIGHT)
async def list_indices(service: ServiceDep) -> list[str]:
    """List what can be searched by name: the library."""
    return [_name(service)]


@router.post("/knn-service", response_model_exclude_none=True)
@gated(Scope.SEARCH, Work.TEXT, pictures=True)
async def search_as_clip_retrieval(
    body: schemas.KnnRequest, request: Request, response: Response, service: ServiceDep, place: PlaceDep
) -> list[schemas.KnnHit]:
    """Find pictures as clip-retrieval does. Those after the first `num_images` are known by their ids alone."""
    _check_name(service, body.indice_name)
    clause = await _read_clause(body, request, service, place)
    count = body.num_images if body.num_result_ids is None else body.num_result_ids
    query = Query(clauses=[clause], match="vector", k=min(max(count, 1), MAX_K), hide_duplicates=body.deduplicate)
    hits = (await while_connected(request, service.search(query))).hits
    told = await _tell(request, service, [hit.id for hit in hits[: body.num_images]])
    response.headers["Cache-Control"] = "no-store"
    return [schemas.KnnHit(id=hit.id, similarity=hit.score, **told.get(hit.id, {})) for hit in hits]


@router.post("/metadata")
@gated(Scope.SEARCH, Work.TEXT)
async def describe_as_clip_retrieval(
    body: schemas.MetadataRequest, request: Request, response: Response, service: ServiceDep
) -> list[schemas.PictureMetadata]:
    """Say what is known of pictures, in the order in which they are asked about; what is not there is left out."""
    _check_name(service, body.indice_name)
    told = await _tell(request, service, [one for one in dict.fromkeys(body.ids) if 0 < one < 2**63])
    response.headers["Cache-Control"] = "no-store"
    return [schemas.PictureMetadata(id=one, metadata=told[one]) for one in body.ids if one in told]


def _name(service: Service) -> str:
    return service.settings.data.absolute().name


def _check_name(service: Service, asked: str | None) -> None:
    """Raise InvalidQuery for another library than this one."""
    if asked and asked != _name(service):
        raise InvalidQuery(
            message("There is no index {asked!r} here; there is {known}.", asked=asked, known=_name(service))
        )


async def _read_clause(body: schemas.KnnRequest, request: Request, service: Service, place: Place) -> Clause:
    """Return what is looked for; what is empty counts as not given. Raises InvalidQuery."""
    given = [one for one in (body.text, body.image, body.image_url, body.embedding_input) if one]
    if len(given) != 1:
        raise InvalidQuery(message("Give exactly one of text, image, image_url and embedding_input."))
    if body.text:
        return Clause(text=body.text.encode("utf-8", "ignore").decode())  # JSON can hold half a character
    if body.image:
        place.become(Work.PICTURE)
        return Clause(image=await service.executors.search(decode_picture, body.image))
    if body.image_url:
        return Clause(image_id=_read_address(body.image_url, request, service))
    return Clause(vector=body.embedding_input, encoder=service.serving.engine.get_space().name)


def _read_address(address: str, request: Request, service: Service) -> int:
    """Return the id of a picture of this service by its address. Raises InvalidQuery for any other address."""
    found = _OURS.fullmatch(address.removeprefix(_base(request, service)).partition("?")[0])
    if found is None:
        raise InvalidQuery(
            message("The service fetches no addresses. Send the picture itself, in base64 or as a data: URI.")
        )
    return int(found[1])


def _base(request: Request, service: Service) -> str:
    """Return where the client has reached the service; "" where it does not say so in a way that can be repeated."""
    if service.settings.api.public_url:
        return service.settings.api.public_url.rstrip("/")
    if not _HOST.fullmatch(request.headers.get("host", "")):
        return ""
    return str(request.base_url).rstrip("/")


async def _tell(request: Request, service: Service, ids: Sequence[int]) -> dict[int, dict[str, str]]:
    """Return what is said of pictures, by their ids; of those beyond what one answer shows nothing.

    Programs get the address of a file. A browser could not send a token to it, nor show it in the page of another
    origin: it gets a small picture.
    """
    engine = service.serving.engine
    rows = await service.executors.search(engine.opened.catalog.get_images, list(ids))
    caller: Caller = request.state.caller
    may_see, is_browser = Scope.FILES in caller.scopes, "origin" in request.headers
    gives_addresses, base = service.settings.api.addresses != "off", _base(request, service)
    told: dict[int, dict[str, str]] = {}
    to_show: list[ImageRow] = []
    for row in (rows[one] for one in ids if one in rows):
        said = {"caption": row.caption, "image_path": shown_path(row.path)}
        url = address_of(row) if gives_addresses else None
        if url is None and may_see and not is_browser and not is_fetched(row):
            url = f"{base}/v1/images/{row.id}/file"
        if url is not None:
            said["url"] = url
        elif may_see:
            if len(to_show) == _MOST_SHOWN:
                continue
            to_show.append(row)
        told[row.id] = said
    if to_show:
        for row, shown in zip(to_show, await _show(service, engine.opened.layout, to_show), strict=True):
            told[row.id] |= {} if shown is None else {"image": shown}
    return told


async def _show(service: Service, layout: Layout, rows: Sequence[ImageRow]) -> list[str | None]:
    return await service.executors.files(lambda: [_small_jpeg(find_thumbnail(layout, row.sha256)) for row in rows])


def _small_jpeg(stored: Path) -> str | None:
    """Return a thumbnail as JPEG in base64, None where there is none."""
    try:
        with Image.open(stored, formats=("WEBP",)) as image:
            buffer = BytesIO()
            image.convert("RGB").save(buffer, "JPEG", quality=85)
    except OSError:
        return None
    return base64.b64encode(buffer.getvalue()).decode()
