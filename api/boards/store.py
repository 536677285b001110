"""The file of the boards: SQLite beside the catalog, of which builds and runs know nothing.

It is opened for each question, so that several processes may use it, and a backup or a restore may replace it.
"""

import json
import os
import secrets
import sqlite3
import string
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from api.boards.errors import BoardFixed, BoardFull, BoardNotFound, BoardsDamaged, BoardsUnavailable, TooManyBoards
from api.boards.records import FAVOURITES, FIXED, MAX_BOARDS, MAX_PICTURES, BoardEntry, BoardRecord
from indexer.library.catalog.marks import PictureMark
from indexer.library.catalog.paths import encode_path
from indexer.library.catalog.sqlite_errors import sqlite_message
from models.foundation.messages import message, os_message

# One script a version; one that has been released never changes. `user_version` counts those that have been run.
_SCRIPTS = (
    """
CREATE TABLE boards (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    created_at REAL NOT NULL,
    changed_at REAL NOT NULL,
    version INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE entries (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    board_id TEXT NOT NULL REFERENCES boards (id) ON DELETE CASCADE,
    image_id INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    root BLOB NOT NULL,
    path BLOB NOT NULL
) STRICT;
CREATE INDEX entries_of ON entries (board_id, number);
""",
    # so that the boards of a picture are found among very many entries
    """
CREATE INDEX entries_by_id ON entries (image_id);
CREATE INDEX entries_by_content ON entries (sha256);
CREATE INDEX entries_by_path ON entries (path);
""",
)
_BOARDS = (
    "SELECT id, name, (SELECT count(*) FROM entries WHERE board_id = boards.id), created_at, changed_at, version "
    "FROM boards"
)
_COUNT = "SELECT count(*) FROM boards WHERE id NOT IN (SELECT value FROM json_each(?))"
_ENTRY = "SELECT number, image_id, sha256, root, path"
_ENTRIES = f"{_ENTRY} FROM entries WHERE board_id = ?"
_QUERIED_ROWS = 500
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

Suspects = Mapping[int, PictureMark | None]  # ids of pictures, with the marks of those that the library has
Find = Callable[[Sequence[BoardEntry]], Mapping[int, int]]  # entries -> their numbers and ids of pictures by now


class BoardStore:
    """The boards of a library. Safe to use from several threads and processes.

    Every method raises BoardsUnavailable where the system does not let the file be used.
    """

    def __init__(self, path: Path, *, now: Callable[[], float] = time.time) -> None:
        """`now`: seconds since 1970. Nothing is made before something is kept."""
        self._path = path
        self._now = now

    def list_boards(self) -> list[BoardRecord]:
        """Return the favourites, then the other boards, those first that were changed last."""
        with self._reading() as connection:
            rows = connection.execute(f"{_BOARDS} ORDER BY changed_at DESC, id").fetchall() if connection else []
        found = {row[0]: _board(row) for row in rows}
        return [found.pop(FAVOURITES, _empty(FAVOURITES)), *found.values()]

    def check(self) -> list[BoardRecord]:
        """Return the boards as `list_boards`, once all of the file was read. Raises BoardsDamaged."""
        with self._reading() as connection:
            found = connection.execute("PRAGMA integrity_check(1)").fetchone() if connection else ("ok",)
        if found != ("ok",):
            raise BoardsDamaged(self._path, message("the database is damaged"))
        return self.list_boards()

    def get_board(self, board_id: str) -> BoardRecord:
        """Return a board. Raises BoardNotFound."""
        with self._reading() as connection:
            return _get(connection, board_id)

    def list_entries(self, board_id: str) -> list[BoardEntry]:
        """Return what is on a board, in the order in which it was put there; nothing where there is none."""
        return self.list_first([board_id], MAX_PICTURES)[board_id]

    def list_first(self, board_ids: Sequence[str], most: int) -> dict[str, list[BoardEntry]]:
        """Return the first of what is on each of some boards."""
        asked = f"{_ENTRIES} ORDER BY number LIMIT ?"
        with self._reading() as connection:
            return {
                one: [*map(_entry, connection.execute(asked, (one, most)))] if connection else [] for one in board_ids
            }

    def list_suspects(self, pictures: Suspects) -> dict[str, list[BoardEntry]]:
        """Return the entries that may be one of some pictures, by their boards.

        They are those that have its id, its content, or its path; no other entry is found again as the picture.
        """
        with self._reading() as connection:
            return _list_suspects(connection, pictures) if connection else {}

    def create(self, name: str) -> BoardRecord:
        """Make a board, with an id that nobody guesses. Raises TooManyBoards."""
        board_id, now = _make_id(), self._now()
        with self._writing() as connection:
            ((count,),) = connection.execute(_COUNT, (json.dumps([*FIXED]),))
            if count >= MAX_BOARDS:
                raise TooManyBoards(MAX_BOARDS)
            connection.execute(
                "INSERT INTO boards (id, name, created_at, changed_at) VALUES (?, ?, ?, ?)", (board_id, name, now, now)
            )
            return _get(connection, board_id)

    def rename(self, board_id: str, name: str) -> BoardRecord:
        """Call a board something else. Raises BoardNotFound and BoardFixed."""
        if board_id in FIXED:
            raise BoardFixed
        with self._writing() as connection:
            connection.execute("UPDATE boards SET name = ? WHERE id = ?", (name, board_id))
            self._touch(connection, board_id)
            return _get(connection, board_id)

    def delete(self, board_id: str) -> None:
        """Delete a board; its pictures stay in the library. Raises BoardNotFound and BoardFixed."""
        if board_id in FIXED:
            raise BoardFixed
        with self._writing() as connection:
            if not connection.execute("DELETE FROM boards WHERE id = ?", (board_id,)).rowcount:
                raise BoardNotFound(board_id)

    def add(self, board_id: str, marks: Mapping[int, PictureMark], find: Find) -> BoardRecord:
        """Put pictures on a board, by their ids, after those that are there; one that is there stays where it is.

        `find` says which pictures those that are there are by now. Raises BoardNotFound and BoardFull.
        """
        with self._writing() as connection:
            self._begin_fixed(connection, board_id)
            there = set(find(_list_suspects(connection, marks).get(board_id, [])).values())
            new = [(board_id, image_id, *_kept(mark)) for image_id, mark in marks.items() if image_id not in there]
            if _get(connection, board_id).count + len(new) > MAX_PICTURES:
                raise BoardFull(MAX_PICTURES)
            if new:
                connection.executemany(
                    "INSERT INTO entries (board_id, image_id, sha256, root, path) VALUES (?, ?, ?, ?, ?)", new
                )
                self._touch(connection, board_id)
            return _get(connection, board_id)

    def remove(
        self, board_id: str, pictures: Suspects | None, choose: Callable[[Sequence[BoardEntry]], Sequence[int]]
    ) -> BoardRecord:
        """Take off a board what `choose` says, by the numbers of entries. Raises BoardNotFound.

        It is asked about those that may be one of some pictures, as `list_suspects`; None: about all.
        """
        with self._writing() as connection:
            self._begin_fixed(connection, board_id)
            if pictures is None:
                entries = [*map(_entry, connection.execute(f"{_ENTRIES} ORDER BY number", (board_id,)))]
            else:
                entries = _list_suspects(connection, pictures).get(board_id, [])
            chosen = choose(entries)
            if chosen:
                connection.executemany("DELETE FROM entries WHERE number = ?", ((number,) for number in chosen))
                self._touch(connection, board_id)
            return _get(connection, board_id)

    def refresh(self, seen: Mapping[int, tuple[int, PictureMark]]) -> None:
        """Keep what pictures are called by now: their ids and marks, by the numbers of entries."""
        rows = [(image_id, *_kept(mark), number) for number, (image_id, mark) in seen.items()]
        with self._writing() as connection:
            connection.executemany(
                "UPDATE entries SET image_id = ?, sha256 = ?, root = ?, path = ? WHERE number = ?", rows
            )

    def _begin_fixed(self, connection: sqlite3.Connection, board_id: str) -> None:
        if board_id in FIXED:
            now = self._now()
            connection.execute(
                "INSERT OR IGNORE INTO boards (id, name, created_at, changed_at) VALUES (?, '', ?, ?)",
                (board_id, now, now),
            )

    def _touch(self, connection: sqlite3.Connection, board_id: str) -> None:
        connection.execute(
            "UPDATE boards SET changed_at = ?, version = version + 1 WHERE id = ?", (self._now(), board_id)
        )

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection | None]:
        """Give a connection, None where nothing has been kept."""
        if not self._path.exists():
            yield None
            return
        with self._explaining(), closing(self._connect()) as connection:
            _check_version(self._path, connection)
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Give a connection whose changes are kept together, or not at all where something is raised."""
        with self._explaining():
            if not self._path.exists():
                self._make()
        with self._explaining(), closing(self._connect()) as connection:
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("BEGIN IMMEDIATE")
            try:
                _migrate(connection, _check_version(self._path, connection))
                yield connection
            except BaseException:
                if connection.in_transaction:  # SQLite has ended it by itself where the disk is full
                    connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def _make(self) -> None:
        """Make the file, all of it at once, unless another process has made it meanwhile.

        It is private like the keys: what people collect is theirs.
        """
        handle, name = tempfile.mkstemp(prefix=f".{self._path.name}.", suffix=".tmp", dir=self._path.parent)
        os.close(handle)
        try:
            with closing(sqlite3.connect(name, isolation_level=None)) as connection:
                connection.execute("PRAGMA journal_mode = WAL")
                _migrate(connection, 0)
            try:
                os.link(name, self._path)
            except FileExistsError:
                pass
            except OSError:  # a file system without links
                if not self._path.exists():
                    Path(name).rename(self._path)
        finally:
            Path(name).unlink(missing_ok=True)

    def _connect(self) -> sqlite3.Connection:
        journal = self._path.with_name(f"{self._path.name}-wal")
        frozen = not os.access(self._path.parent, os.W_OK) and not (journal.exists() and journal.stat().st_size)
        address = f"file:{quote(os.fsencode(self._path.absolute()))}" + ("?mode=ro&immutable=1" if frozen else "")
        return sqlite3.connect(address, uri=True, timeout=30, isolation_level=None)

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED:
                raise BoardsDamaged(self._path, sqlite_message(error)) from error
            raise BoardsUnavailable(self._path, sqlite_message(error)) from error
        except OSError as error:
            raise BoardsUnavailable(self._path, os_message(error)) from error


def _make_id() -> str:
    """Return an id that nobody guesses, and that no command takes for an option."""
    return secrets.choice(string.ascii_letters) + secrets.token_urlsafe(9)


def _check_version(path: Path, connection: sqlite3.Connection) -> int:
    """Return the version of a file. Raises BoardsUnavailable for a newer one."""
    ((version,),) = connection.execute("PRAGMA user_version")
    if version > len(_SCRIPTS):
        raise BoardsUnavailable(path, message("a newer xuntu has written it"))
    return int(version)


def _migrate(connection: sqlite3.Connection, version: int) -> None:
    """Bring a file up to date, within the transaction that is open, so that it is done wholly or not at all."""
    for number, script in enumerate(_SCRIPTS[version:], version + 1):
        for statement in script.split(";"):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {number}")


def _list_suspects(connection: sqlite3.Connection, pictures: Suspects) -> dict[str, list[BoardEntry]]:
    marks = [mark for mark in pictures.values() if mark]
    sought: dict[str, list[Any]] = {
        "image_id": list(pictures),
        "sha256": list({mark.sha256 for mark in marks}),
        "path": list({encode_path(mark.path) for mark in marks}),
    }
    found: dict[int, tuple[str, BoardEntry]] = {}
    for column, values in sought.items():
        for start in range(0, len(values), _QUERIED_ROWS):
            chunk = values[start : start + _QUERIED_ROWS]
            asked = f"{_ENTRY}, board_id FROM entries WHERE {column} IN ({', '.join('?' * len(chunk))})"
            found.update((row[0], (row[5], _entry(row))) for row in connection.execute(asked, chunk))
    by_board: dict[str, list[BoardEntry]] = {}
    for _, (board_id, entry) in sorted(found.items()):
        by_board.setdefault(board_id, []).append(entry)
    return by_board


def _get(connection: sqlite3.Connection | None, board_id: str) -> BoardRecord:
    rows = connection.execute(f"{_BOARDS} WHERE id = ?", (board_id,)).fetchall() if connection else []
    if rows:
        return _board(rows[0])
    if board_id in FIXED:
        return _empty(board_id)
    raise BoardNotFound(board_id)


def _empty(board_id: str) -> BoardRecord:
    return BoardRecord(id=board_id, name="")


def _board(row: Sequence[Any]) -> BoardRecord:
    names = ("id", "name", "count", "created_at", "changed_at", "version")
    return BoardRecord(**dict(zip(names, row, strict=True)))


def _entry(row: Sequence[Any]) -> BoardEntry:
    root, path = (raw.decode("utf-8", "surrogateescape") for raw in row[3:5])
    return BoardEntry(row[0], row[1], PictureMark(row[2], root, path))


def _kept(mark: PictureMark) -> tuple[str, bytes, bytes]:
    return mark.sha256, encode_path(mark.root), encode_path(mark.path)
