"""The calls about boards and downloads of many pictures, as data."""

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias
from urllib.parse import quote

from api.client.calls import Call, File, read_file
from api.schemas import ArchiveTicket, BoardInfo, BoardList, BoardPictures, FoundBoards

ArchiveForm: TypeAlias = Literal["zip", "csv", "json", "sheet", "pdf"]


def boards() -> Call[BoardList]:
    """Return the question which boards there are."""
    return Call("/v1/boards", lambda content, _: BoardList.model_validate_json(content))


def find_boards(ids: Sequence[int]) -> Call[FoundBoards]:
    """Return the question which boards some pictures are on."""
    arguments = {"json": {"ids": list(ids)}}
    return Call("/v1/boards/find", lambda content, _: FoundBoards.model_validate_json(content), "POST", arguments)


def board(board_id: str, k: int, after: str) -> Call[BoardPictures]:
    """Return the question what is on a board."""
    params: dict[str, Any] = {"k": k} | ({"after": after} if after else {})
    return Call(
        _path(board_id), lambda content, _: BoardPictures.model_validate_json(content), "GET", {"params": params}
    )


def create_board(name: str, ids: Sequence[int]) -> Call[BoardInfo]:
    """Return the request for a new board."""
    return Call("/v1/boards", _read_board, "POST", {"json": {"name": name, "ids": list(ids)}}, repeatable=False)


def rename_board(board_id: str, name: str) -> Call[BoardInfo]:
    """Return the request to call a board something else."""
    return Call(_path(board_id), _read_board, "PUT", {"json": {"name": name}})


def delete_board(board_id: str) -> Call[None]:
    """Return the request to delete a board."""
    return Call(_path(board_id), lambda _content, _headers: None, "DELETE", repeatable=False)


def add_to_board(board_id: str, ids: Sequence[int]) -> Call[BoardInfo]:
    """Return the request to put pictures on a board."""
    return Call(f"{_path(board_id)}/pictures", _read_board, "POST", {"json": {"ids": list(ids)}})


def remove_from_board(board_id: str, ids: Sequence[int], missing: bool) -> Call[BoardInfo]:
    """Return the request to take pictures off a board."""
    body = {"ids": list(ids), "missing": missing}
    return Call(f"{_path(board_id)}/pictures/remove", _read_board, "POST", {"json": body})


def archive(ids: Sequence[int] | None, board: str | None, form: str, name: str) -> Call[File]:
    """Return the request for a download of pictures."""
    return Call("/v1/archive", read_file, "POST", {"json": _order(ids, board, form, name)})


def archive_ticket(ids: Sequence[int] | None, board: str | None, form: str, name: str) -> Call[ArchiveTicket]:
    """Return the request for what such a download is fetched by."""
    arguments = {"json": _order(ids, board, form, name), "params": {"ticket": "true"}}
    return Call("/v1/archive", lambda content, _: ArchiveTicket.model_validate_json(content), "POST", arguments)


def archived(ticket: str) -> Call[File]:
    """Return the request for the download that a ticket is for."""
    return Call(f"/v1/archive/{quote(ticket, safe='')}", read_file)


def _path(board_id: str) -> str:
    return f"/v1/boards/{quote(board_id, safe='')}"


def _order(ids: Sequence[int] | None, board: str | None, form: str, name: str) -> dict[str, Any]:
    given = {"ids": None if ids is None else list(ids), "board": board}
    return {"format": form, "name": name, **{name: value for name, value in given.items() if value is not None}}


def _read_board(content: bytes, _: object) -> BoardInfo:
    return BoardInfo.model_validate_json(content)
