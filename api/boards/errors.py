"""What can be wrong with a board.

BoardError
├─ BoardNotFound                        no board has this id
├─ BoardAmbiguous                       several boards are called that
├─ BoardNameUnusable                    no board may be called that
├─ BoardPictureUnknown                  what is to be put on a board is no picture of the library
├─ BoardFixed                           one that is always there stays, and is called what it is called
├─ TooManyBoards                        as many boards as there may be
├─ BoardFull                            as many pictures as a board may have
├─ BoardsUnavailable                    the file of the boards cannot be read or written
│  └─ BoardsDamaged                     it is no database, or a damaged one
└─ BoardExportUnwritable                the file that a board is exported to cannot be written
"""

from collections.abc import Sequence
from pathlib import Path

from models.foundation.errors import ImageSearchError
from models.foundation.messages import Readable, message

_SHOWN = 100  # characters of what was asked
_LISTED = 5  # ids of boards


class BoardError(ImageSearchError):
    """Something about a board."""

    code = "board_error"
    users_mistake = True


class BoardNotFound(BoardError):
    """No board has this id, or no longer."""

    code = "board_not_found"

    def __init__(self, board_id: str) -> None:
        self.board_id = board_id[:_SHOWN]
        super().__init__(message("There is no board {board_id!r}, or no longer.", board_id=self.board_id))


class BoardAmbiguous(BoardError):
    """Several boards have a name."""

    code = "board_ambiguous"

    def __init__(self, name: str, ids: Sequence[str]) -> None:
        self.ids = tuple(ids)
        super().__init__(
            message(
                "{count} boards are called {name!r}. Say by its id which is meant: {ids}.",
                count=len(ids),
                name=name[:_SHOWN],
                ids=", ".join(ids[:_LISTED]),
            )
        )


class BoardNameUnusable(BoardError):
    """No board may be called that."""

    code = "board_name_unusable"

    def __init__(self, most: int) -> None:
        super().__init__(message("The name of a board has 1 to {most} characters.", most=most))


class BoardPictureUnknown(BoardError):
    """What a person calls a picture is none of the library, or is several."""

    code = "board_picture_unknown"

    def __init__(self, named: str, found: int) -> None:
        self.named = named
        super().__init__(
            message(
                "{count} pictures of the library lie at {named}. Say which by its whole path, or by its id.",
                count=found,
                named=named,
            )
            if found
            else message("The library has no picture {named}. Say its id, or where its file lies.", named=named)
        )


class BoardFixed(BoardError):
    """One of the boards that are always there is neither deleted nor renamed."""

    code = "board_fixed"

    def __init__(self) -> None:
        super().__init__(
            message("This board is always there: it cannot be deleted or renamed. Take pictures off instead.")
        )


class TooManyBoards(BoardError):
    """There are as many boards as there may be."""

    code = "too_many_boards"

    def __init__(self, most: int) -> None:
        super().__init__(message("There are {most} boards, which is the most. Delete one first.", most=most))


class BoardFull(BoardError):
    """A board would have more pictures than it may."""

    code = "board_full"

    def __init__(self, most: int) -> None:
        super().__init__(message("A board has at most {most} pictures. Put the others on another one.", most=most))


class BoardsUnavailable(BoardError):
    """The file of the boards cannot be read or written, for a reason of the system."""

    code = "boards_unavailable"
    users_mistake = False

    def __init__(self, path: Path, why: Readable, said: Readable | None = None) -> None:
        self.path = path
        super().__init__(said or message("The boards in {path} cannot be used: {why}.", path=path, why=why))


class BoardsDamaged(BoardsUnavailable):
    """The file of the boards is damaged. It is left as it is."""

    code = "boards_damaged"

    def __init__(self, path: Path, why: Readable) -> None:
        super().__init__(
            path,
            why,
            message(
                "The boards in {path} are damaged ({why}). Put the file of a backup in its place, or move it away to "
                "begin anew. All but boards goes on.",
                path=path,
                why=why,
            ),
        )


class BoardExportUnwritable(BoardError):
    """The file that a board is exported to cannot be written."""

    code = "board_export_unwritable"

    def __init__(self, path: Path, why: Readable) -> None:
        self.path = path
        super().__init__(message("Cannot write {path}: {why}.", path=path, why=why))
