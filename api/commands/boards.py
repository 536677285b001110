"""`xuntu boards`: pictures that people collect."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from indexer.command_settings import settings_for
from models.foundation.messages import message
from models.foundation.terminal import Data, Json, language, print_json, print_table, say, tell

if TYPE_CHECKING:
    from api.boards.records import BoardRecord
    from api.commands.board_library import BoardLibrary

app = typer.Typer(
    help="Collect pictures on boards: favourites, and boards with a name of their own.", no_args_is_help=True
)

Board = Annotated[str, typer.Argument(metavar="BOARD", help="A board by its id or its name, or: favourites, kept.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="What it is called.")]
Pictures = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[PICTURE]...",
        help="Pictures by their ids or where their files lie; - reads them from standard input, one a line.",
        show_default=False,
    ),
]


@app.command("list")
def list_boards(context: typer.Context, *, data: Data = None, as_json: Json = False) -> None:
    """List the boards: the favourites, then those first that were changed last."""
    with _library(context, data) as library:
        boards = library.boards.store.list_boards()
    if as_json:
        print_json({"boards": list(map(_fields, boards))})
        return
    head = (message("id"), message("board"), message("pictures"), message("changed"))
    print_table(head, [(one.id, one.title(language()), one.count, _local(one)) for one in boards])


@app.command()
def show(
    context: typer.Context,
    board: Board,
    *,
    k: Annotated[int, typer.Option("--k", min=1, help="Number of pictures")] = 100,
    offset: Annotated[int, typer.Option(min=0, help="Pictures to pass over")] = 0,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Show what is on a board, in the order in which it was put there; also what the library does not have any more."""
    with _library(context, data) as library:
        found = library.boards.resolve(board)
        placed = library.list_placed(found.id)
        missing = sum(one["id"] is None for one in placed)
        page = placed[offset : offset + k]
    if as_json:
        print_json({"board": _fields(found), "pictures": page, "missing": missing})
        return
    gone = message("no longer in the library").text(language())
    print_table((message("id"), message("file")), [(one["id"] or gone, one["place"] or one["path"]) for one in page])
    tell(message("{shown} of {total} pictures.", shown=len(page), total=len(placed)))
    if missing:
        tell(
            message(
                "{count} of them are no longer in the library. To take those off: "
                "xuntu boards remove {board} --missing",
                count=missing,
                board=found.id,
            )
        )


@app.command()
def create(
    context: typer.Context, name: Name, pictures: Pictures = None, *, data: Data = None, as_json: Json = False
) -> None:
    """Make a board, with pictures where some are named."""
    from api.boards.records import read_name

    with _library(context, data, writes=True) as library:
        ids = library.find_pictures(_read(pictures))
        made = library.boards.store.create(read_name(name))
        if ids:
            made = library.boards.add(made.id, ids, library.opened)
    _tell(made, message("The board {name}: {id}", name=made.name, id=made.id), as_json=as_json)


@app.command()
def rename(context: typer.Context, board: Board, name: Name, *, data: Data = None, as_json: Json = False) -> None:
    """Call a board something else."""
    from api.boards.records import read_name

    with _library(context, data, writes=True) as library:
        done = library.boards.store.rename(library.boards.resolve(board).id, read_name(name))
    _tell(done, message("The board {id} is called {name} now.", id=done.id, name=done.name), as_json=as_json)


@app.command()
def delete(
    context: typer.Context,
    board: Board,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Delete a board. Its pictures stay in the library."""
    from api.boards.errors import BoardFixed

    with _library(context, data, writes=True) as library:
        found = library.boards.resolve(board)
        if found.is_fixed:
            raise BoardFixed
        if not yes:
            asked = message("Delete the board {name}, with {count} pictures?", name=found.name, count=found.count)
            typer.confirm(asked.text(language()), abort=True, err=True)
        library.boards.store.delete(found.id)
    if as_json:
        print_json({"deleted": found.id})
        return
    say(message("The board {name} is deleted. Its pictures stay in the library.", name=found.name))


@app.command()
def add(
    context: typer.Context, board: Board, pictures: Pictures = None, *, data: Data = None, as_json: Json = False
) -> None:
    """Put pictures on a board, after those that are there. One that is there already stays where it is."""
    with _library(context, data, writes=True) as library:
        found = library.boards.resolve(board)
        ids = library.find_pictures(_read(pictures))
        done = library.boards.add(found.id, ids, library.opened)
    _tell_count(done, as_json=as_json)


@app.command()
def remove(
    context: typer.Context,
    board: Board,
    pictures: Pictures = None,
    *,
    missing: Annotated[bool, typer.Option("--missing", help="Also those that the library has no more.")] = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Take pictures off a board; those that are not on it are no mistake."""
    with _library(context, data, writes=True) as library:
        found = library.boards.resolve(board)
        ids = library.find_pictures(_read(pictures))
        done = library.boards.remove(found.id, ids, library.opened, missing=missing)
    _tell_count(done, as_json=as_json)


@app.command()
def export(
    context: typer.Context,
    board: Board,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What is written: its ending says the format.")],
    *,
    form: Annotated[
        Literal["zip", "csv", "json"] | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="zip has the files, csv and json what is known of them.",
            show_default="as FILE ends",
        ),
    ] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Write the pictures of a board to a file: their files as a ZIP, or what is known of them."""
    from api.commands.board_export import export_board

    with _library(context, data) as library:
        found = library.boards.resolve(board)
    done = export_board(data or context.obj, found.id, file, form)
    if as_json:
        print_json({"file": str(file), "format": done.form, "pictures": done.pictures, "bytes": done.bytes})
        return
    say(message("{count} pictures written to {file}.", count=done.pictures, file=file))


@contextmanager
def _library(context: typer.Context, data: Path | None, *, writes: bool = False) -> "Iterator[BoardLibrary]":
    """Open the boards. Raises LibraryElsewhere where they are to be changed, and lie on another machine."""
    from api.commands.board_library import BoardLibrary
    from indexer.library.layout import Layout
    from indexer.library.replicas.replica import check_home

    folder = settings_for(context, data).data
    if writes:
        check_home(Layout(folder.absolute()))
    library = BoardLibrary(folder)
    try:
        yield library
    finally:
        library.close()


def _read(pictures: Sequence[str] | None) -> list[str]:
    """Return what names pictures, with the lines of standard input in the place of a minus."""
    named: list[str] = []
    for one in pictures or ():
        named += [line for line in sys.stdin.read().splitlines() if line.strip()] if one == "-" else [one]
    return named


def _fields(board: "BoardRecord") -> dict[str, Any]:
    from api.boards.records import moment

    return {
        "id": board.id,
        "name": board.title(language()),
        "count": board.count,
        "fixed": board.is_fixed,
        "created_at": moment(board.created_at),
        "changed_at": moment(board.changed_at),
    }


def _local(board: "BoardRecord") -> str:
    from datetime import datetime

    return datetime.fromtimestamp(board.changed_at).strftime("%Y-%m-%d %H:%M") if board.changed_at else ""


def _tell(board: "BoardRecord", sentence: Any, *, as_json: bool) -> None:
    if as_json:
        print_json(_fields(board))
    else:
        say(sentence)


def _tell_count(board: "BoardRecord", *, as_json: bool) -> None:
    said = message("{count} pictures are on {name} now.", count=board.count, name=board.title(language()))
    _tell(board, said, as_json=as_json)
