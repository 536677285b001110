"""The catalog's file: a SQLite database in WAL mode, opened, migrated, written to in transactions, and sealed.

A seal is the checksum of the whole file beside it, made at the end of a run, so that a bit that flips on the disk is
found by `verify` even where SQLite would not notice. The first write of the next run breaks it, in its transaction.
"""

import json
import os
import secrets
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from indexer.errors import CatalogCorrupt, CatalogTooNew, CatalogTooOld, IndexUnavailable, LibraryUnwritable, NoIndex
from indexer.store.migrations import SCRIPTS
from models.files import replace_file, sha256_of


class Database:
    """A connection. Safe to use from several threads; writing is for the holder of the write lock."""

    def __init__(self, path: Path, *, create: bool = False) -> None:
        if not create and not path.exists():
            raise NoIndex(path.parent)
        self.path = path
        self._lock = threading.RLock()
        self._file = path.stat() if path.exists() else None
        try:
            self._connection = sqlite3.connect(
                _address(path, create=create), uri=True, timeout=30, isolation_level=None, check_same_thread=False
            )
            self._connection.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
            self._connection.execute("PRAGMA foreign_keys = ON")
            if create:
                self._connection.execute("PRAGMA journal_mode = WAL")
            self._migrate(write=create)
        except sqlite3.OperationalError as error:
            raise LibraryUnwritable(path, str(error)) from error
        except sqlite3.DatabaseError as error:
            raise CatalogCorrupt(path, str(error)) from error

    def is_current(self) -> bool:
        """Say whether the file at the path is still the one that was opened."""
        try:
            return self._file is not None and os.path.samestat(self._file, self.path.stat())
        except OSError:
            return False

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Make what is written inside one transaction. Raises LibraryUnwritable."""
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                self._connection.execute("DELETE FROM meta WHERE key = 'seal'")
                yield
                self._connection.execute("COMMIT")
            except BaseException as error:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                if isinstance(error, sqlite3.OperationalError):
                    raise LibraryUnwritable(self.path, str(error)) from error
                raise

    def get_meta(self, key: str) -> str:
        """Return a note of the library about itself, "" if there is none."""
        rows = self._query("SELECT value FROM meta WHERE key = ?", (key,))
        return str(rows[0][0]) if rows else ""

    def put_meta(self, key: str, value: str) -> None:
        """Keep a note of the library about itself."""
        self._connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def seal(self) -> None:
        """Write down the checksum of the whole file, if it is not sealed already. Raises LibraryUnwritable.

        Readers of an earlier state keep the file from being made whole just now; then it stays without a seal.
        """
        seal = self.get_meta("seal")
        if seal and seal == self._read_seal().get("seal"):
            return
        seal = secrets.token_hex(8)
        try:
            with self.writing():
                self.put_meta("seal", seal)
            ((busy, _, _),) = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            if not busy:
                content = {"seal": seal, "sha256": sha256_of(self.path)}
                replace_file(self._seal_path, json.dumps(content).encode())
        except (sqlite3.OperationalError, OSError) as error:
            raise LibraryUnwritable(self.path, str(error)) from error

    def check(self) -> str | None:
        """Return what is wrong with the file, or None: what SQLite finds, and whether it is what was sealed."""
        try:
            found = "; ".join(str(row[0]) for row in self._query("PRAGMA integrity_check(5)"))
            seal = self.get_meta("seal")
        except (CatalogCorrupt, IndexUnavailable) as error:
            return str(error.__cause__)
        if found != "ok":
            return found
        written = self._read_seal()
        if seal and written.get("seal") == seal and written.get("sha256") != sha256_of(self.path):
            return "it has changed since it was written"
        if seal and self._seal_path.exists() and written.get("seal") != seal:
            return f"{self._seal_path.name} does not belong to it"
        return None

    def vacuum(self) -> None:
        """Give back the room of rows that are gone. Raises LibraryUnwritable."""
        try:
            self._connection.execute("VACUUM")
        except sqlite3.OperationalError as error:
            raise LibraryUnwritable(self.path, str(error)) from error

    @property
    def _seal_path(self) -> Path:
        return self.path.with_suffix(".seal")

    def _read_seal(self) -> dict[str, Any]:
        try:
            found = json.loads(self._seal_path.read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _query(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        with self._lock:
            try:
                return self._connection.execute(sql, values).fetchall()
            except sqlite3.OperationalError as error:
                raise IndexUnavailable(self.path, str(error)) from error
            except sqlite3.DatabaseError as error:
                raise CatalogCorrupt(self.path, str(error)) from error

    def _migrate(self, *, write: bool) -> None:
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        if version > len(SCRIPTS):
            raise CatalogTooNew(self.path, version, len(SCRIPTS))
        if not write:
            if not version:
                raise NoIndex(self.path.parent)
            if version < len(SCRIPTS):
                raise CatalogTooOld(self.path)
            return
        if version < len(SCRIPTS):  # all at once: a reader never sees a catalog that is half a new one
            scripts = ";".join(SCRIPTS[version:])
            self._connection.executescript(f"BEGIN;{scripts};PRAGMA user_version = {len(SCRIPTS)};COMMIT;")


def _address(path: Path, *, create: bool) -> str:
    """Return the URI to open. In a folder that cannot be written to, such as a read-only mount, nobody writes."""
    read_only = not create and not os.access(path.parent, os.W_OK)
    return f"file:{quote(os.fsencode(path))}" + ("?mode=ro&immutable=1" if read_only else "")
