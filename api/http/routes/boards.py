"""Boards: pictures that people collect, in the library's folder. Made and changed with the scope `boards`."""

from collections.abc import Callable, Sequence
from typing import Annotated, Final

import numpy as np
from fastapi import APIRouter, Depends, Path, Query

from api import schemas
from api.boards.boards import PlacedPicture
from api.boards.records import BoardRecord, moment, read_name
from api.http.door.gates import Scope, Work, gated
from api.http.door.json_bodies import BoundedRoute
from api.http.headers import check_json
from api.http.mapping import LanguageDep, ServiceDep, displayable, shown_path
from api.http.service import Service
from api.search.engine import SearchEngine
from api.search.errors import ImageNotFound, InvalidCursor
from api.search.options import MAX_K

router = APIRouter(prefix="/boards", tags=["boards"], route_class=BoundedRoute)

BoardId = Annotated[str, Path(max_length=64, description="`favourites`, `kept`, or as POST /v1/boards answered it")]
_AFTER = Query(max_length=20, description="`next` of the page before")
_JSON: Final = [Depends(check_json)]


@router.get("")
@gated(Scope.SEARCH, Work.TEXT)
async def list_boards(service: ServiceDep, language: LanguageDep) -> schemas.BoardList:
    """List the boards: the favourites, which are always there, then those first that were changed last."""
    engine = service.serving.engine
    boards = await service.executors.files(service.boards.store.list_boards)
    return schemas.BoardList(boards=await service.executors.files(_describe, service, engine, boards, language))


@router.post("", status_code=201, dependencies=_JSON)
@gated(Scope.BOARDS, Work.TEXT)
async def create_board(body: schemas.NewBoard, service: ServiceDep, language: LanguageDep) -> schemas.BoardInfo:
    """Make a board, with pictures where some are named."""
    service.check_home()
    engine = service.serving.engine

    def create() -> BoardRecord:
        _check(engine, body.ids)
        board = service.boards.store.create(read_name(body.name))
        return service.boards.add(board.id, body.ids, engine.opened) if body.ids else board

    return await _run(service, engine, create, language)


@router.post("/find", dependencies=_JSON)
@gated(Scope.SEARCH, Work.TEXT)
async def find_boards(body: schemas.BoardSearch, service: ServiceDep) -> schemas.FoundBoards:
    """Say which boards some pictures are on. Pictures that the library does not have are on none."""
    engine = service.serving.engine
    found = await service.executors.files(service.boards.find_boards, body.ids, engine.opened, engine.holds)
    return schemas.FoundBoards(boards=[schemas.FoundBoard(id=name, ids=ids) for name, ids in found.items()])


@router.get("/{board_id}")
@gated(Scope.SEARCH, Work.TEXT)
async def describe_board(
    board_id: BoardId,
    service: ServiceDep,
    language: LanguageDep,
    k: Annotated[int, Query(ge=1, le=MAX_K)] = 100,
    after: Annotated[str, _AFTER] = "",
) -> schemas.BoardPictures:
    """Say what a board is called, and return a page of its pictures in the order in which they were put there."""
    engine, start = service.serving.engine, _read_cursor(after)

    def describe() -> schemas.BoardPictures:
        board = service.boards.store.get_board(board_id)
        placed = service.boards.find(board_id, engine.opened, engine.holds)
        there = [one for one in placed if one.entry.number > start]
        page = there[:k]
        return schemas.BoardPictures(
            board=_describe(service, engine, [board], language)[0],
            pictures=_list_page(engine, page),
            missing=sum(one.image_id is None for one in placed),
            next=str(page[-1].entry.number) if len(there) > k else None,
        )

    return await service.executors.files(describe)


@router.put("/{board_id}", dependencies=_JSON)
@gated(Scope.BOARDS, Work.TEXT)
async def rename_board(
    board_id: BoardId, body: schemas.BoardNaming, service: ServiceDep, language: LanguageDep
) -> schemas.BoardInfo:
    """Call a board something else."""
    service.check_home()
    engine = service.serving.engine
    return await _run(service, engine, lambda: service.boards.store.rename(board_id, read_name(body.name)), language)


@router.delete("/{board_id}", status_code=204)
@gated(Scope.BOARDS, Work.TEXT)
async def delete_board(board_id: BoardId, service: ServiceDep) -> None:
    """Delete a board. Its pictures stay in the library."""
    service.check_home()
    await service.executors.files(service.boards.store.delete, board_id)


@router.post("/{board_id}/pictures", dependencies=_JSON)
@gated(Scope.BOARDS, Work.TEXT)
async def add_to_board(
    board_id: BoardId, body: schemas.BoardAddition, service: ServiceDep, language: LanguageDep
) -> schemas.BoardInfo:
    """Put pictures on a board, after those that are there. One that is there already stays where it is."""
    service.check_home()
    engine = service.serving.engine

    def add() -> BoardRecord:
        service.boards.store.get_board(board_id)
        _check(engine, body.ids)
        return service.boards.add(board_id, body.ids, engine.opened)

    return await _run(service, engine, add, language)


@router.post("/{board_id}/pictures/remove", dependencies=_JSON)
@gated(Scope.BOARDS, Work.TEXT)
async def remove_from_board(
    board_id: BoardId, body: schemas.BoardRemoval, service: ServiceDep, language: LanguageDep
) -> schemas.BoardInfo:
    """Take pictures off a board; those that are not on it are no mistake."""
    service.check_home()
    engine = service.serving.engine
    return await _run(
        service,
        engine,
        lambda: service.boards.remove(board_id, body.ids, engine.opened, missing=body.missing),
        language,
    )


async def _run(
    service: Service, engine: SearchEngine, change: Callable[[], BoardRecord], language: str
) -> schemas.BoardInfo:
    """Change a board beside the loop, and describe it as it is then."""

    def run() -> schemas.BoardInfo:
        return _describe(service, engine, [change()], language)[0]

    return await service.executors.files(run)


def _describe(
    service: Service, engine: SearchEngine, boards: Sequence[BoardRecord], language: str
) -> list[schemas.BoardInfo]:
    covers = service.boards.find_covers(boards, engine.opened, engine.holds)
    return [
        schemas.BoardInfo(
            id=one.id,
            name=one.title(language),
            count=one.count,
            covers=covers.get(one.id, []),
            fixed=one.is_fixed,
            created_at=moment(one.created_at),
            changed_at=moment(one.changed_at),
        )
        for one in boards
    ]


def _list_page(engine: SearchEngine, page: Sequence[PlacedPicture]) -> list[schemas.BoardPicture]:
    rows = engine.opened.catalog.get_images([one.image_id for one in page if one.image_id is not None])
    found = []
    for one in page:
        row = None if one.image_id is None else rows.get(one.image_id)
        if row is None:
            root, path = displayable(one.entry.mark.root), shown_path(one.entry.mark.path)
            found.append(schemas.BoardPicture(id=None, root=root, path=path))
        else:
            root, path = displayable(row.root.name), shown_path(row.path)
            size = {"width": row.width, "height": row.height}
            found.append(schemas.BoardPicture(id=row.id, root=root, path=path, **size))
    return found


def _check(engine: SearchEngine, image_ids: Sequence[int]) -> None:
    """Raise ImageNotFound for a picture that the build does not have."""
    held = engine.holds(np.array(image_ids, np.int64)).tolist() if image_ids else []
    if not all(held):
        raise ImageNotFound(image_ids[held.index(False)])


def _read_cursor(after: str) -> int:
    """Return the number of the last entry of the page before. Raises InvalidCursor."""
    if after and not (after.isascii() and after.isdecimal() and len(after) <= 18):
        raise InvalidCursor
    return int(after or 0)
