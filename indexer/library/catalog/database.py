"""The catalog's file: a SQLite database in WAL mode, opened, migrated, written to in transactions, and sealed.

A seal is the checksum of the whole file beside it, made at the end of a run, so that a bit that flips on the disk is
found by `verify` even where SQLite would not notice. The first write of the next run breaks it, in its transaction.
"""

import hashlib
import json
import os
import secrets
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from indexer.library.catalog.migrations import SCRIPTS
from indexer.library.catalog.paths import NORMAL_PATH, normal_path
from indexer.library.catalog.sqlite_errors import sqlite_message
from indexer.library.damage import Damage, DamageKind
from indexer.library.errors import (
    CatalogCorrupt,
    CatalogTooNew,
    CatalogTooOld,
    IndexUnavailable,
    LibraryUnwritable,
    NoIndex,
)
from models.foundation.files import replace_file, sha256_of, sync_folder
from models.foundation.messages import Message, Readable, message, os_message


class Transaction:
    """What is written together; all of it is kept, unless it is undone."""

    def __init__(self) -> None:
        self.is_undone = False

    def undo(self) -> None:
        """Keep nothing of it, once it ends."""
        self.is_undone = True


_FIRST_SEALED = 2  # version of the schema


class Database:
    """A connection. Safe to use from several threads; writing is for the holder of the write lock."""

    def __init__(self, path: Path, *, create: bool = False) -> None:
        if not create and not path.exists():
            raise NoIndex(path.parent)
        self.path = path
        self._lock = threading.RLock()
        self._file = path.stat() if path.exists() else None
        self._is_frozen = not create and not os.access(path.parent, os.W_OK) and not _has_journal(path)
        try:
            self._connection = sqlite3.connect(
                _address(path, frozen=self._is_frozen),
                uri=True,
                timeout=30,
                isolation_level=None,
                check_same_thread=False,
            )
            self._connection.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
            self._connection.create_function(NORMAL_PATH, 2, normal_path, deterministic=True)
            self._connection.execute("PRAGMA foreign_keys = ON")
            if create:
                self._connection.execute("PRAGMA journal_mode = WAL")
            self._migrate(write=create)
        except sqlite3.OperationalError as error:
            kind = LibraryUnwritable if create else IndexUnavailable
            raise kind(path, sqlite_message(error)) from error
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # the second where names in it are damaged
            raise CatalogCorrupt(path, sqlite_message(error)) from error

    def is_current(self) -> bool:
        """Say whether the file at the path is still the one that was opened, and changes in it are seen."""
        if self._is_frozen:
            return False
        try:
            return self._file is not None and os.path.samestat(self._file, self.path.stat())
        except OSError:
            return False

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    @contextmanager
    def writing(self) -> Iterator["Transaction"]:
        """Make what is written inside one transaction, which is undone where asked. Raises LibraryUnwritable."""
        transaction = Transaction()
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                self._connection.execute("UPDATE meta SET value = '' WHERE key = 'seal'")
                yield transaction
                self._connection.execute("ROLLBACK" if transaction.is_undone else "COMMIT")
            except BaseException as error:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                if isinstance(error, sqlite3.OperationalError):
                    raise LibraryUnwritable(self.path, sqlite_message(error)) from error
                if isinstance(error, (sqlite3.DatabaseError, UnicodeDecodeError)):
                    raise CatalogCorrupt(self.path, sqlite_message(error)) from error
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
            self._seal_path.unlink(missing_ok=True)  # first: a seal that is there is meant
            sync_folder(self.path.parent)
            with self.writing():
                self.put_meta("seal", seal)
            ((busy, _, _),) = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            if busy:
                with self.writing():
                    pass  # breaks the seal
            else:
                content = {"seal": seal, "sha256": sha256_of(self.path), "stamp": self._stamp()}
                replace_file(self._seal_path, json.dumps({**content, "check": _check_of(content)}).encode())
        except sqlite3.OperationalError as error:
            raise LibraryUnwritable(self.path, sqlite_message(error)) from error
        except OSError as error:
            raise LibraryUnwritable(self.path, os_message(error)) from error

    def check(self) -> Damage | None:
        """Return what is wrong with the file, or None: what SQLite finds, and whether it is what was sealed."""
        why: Readable | None
        try:
            found = "; ".join(str(row[0]) for row in self._query("PRAGMA integrity_check(5)"))
            why = self._broken_seal(thorough=True)
            if found != "ok":
                why = message("SQLite reports {found}", found=found)
        except (CatalogCorrupt, IndexUnavailable) as error:
            why = error.why
        return None if why is None else Damage(self.path, DamageKind.CATALOG, why=why)

    def check_seal(self, *, thorough: bool) -> None:
        """Raise CatalogCorrupt if the file is not what was sealed, before a run builds on it.

        Not `thorough`: only a file that has been touched since is read.
        """
        broken = self._broken_seal(thorough=thorough)
        if broken:
            seal = self._seal_path.name
            why = message("{broken}; to go on with it as it is, delete {seal}", broken=broken, seal=seal)
            raise CatalogCorrupt(self.path, why)

    def has_readable_seal(self) -> bool:
        """Say whether the file with the seal, where there is one, is what was written."""
        return not self._seal_path.exists() or bool(self._read_seal())

    def _broken_seal(self, *, thorough: bool) -> Message | None:
        rows = self._query("SELECT value FROM meta WHERE key = 'seal'")
        if not rows:
            return message("the note of its seal is gone")
        written = self._read_seal()
        if not rows[0][0] or not written:
            return None  # a run was interrupted, or readers were in the way: there is nothing to compare with
        if written["seal"] != rows[0][0]:
            name = self._seal_path.name
            return message("{name} does not belong to it", name=name)
        if not thorough and written["stamp"] == self._stamp():
            return None
        if written["sha256"] == sha256_of(self.path):
            return None
        return message("it has changed since it was written")

    def vacuum(self) -> None:
        """Give back the room of rows that are gone. Raises LibraryUnwritable."""
        try:
            self._connection.execute("VACUUM")
        except sqlite3.OperationalError as error:
            raise LibraryUnwritable(self.path, sqlite_message(error)) from error

    @property
    def _seal_path(self) -> Path:
        return self.path.with_suffix(".seal")

    def _stamp(self) -> str:
        info = self.path.stat()
        return f"{info.st_size}:{info.st_mtime_ns}"

    def _read_seal(self) -> dict[str, str]:
        """Return the seal, nothing if there is none or it is not what was written."""
        try:
            found = json.loads(self._seal_path.read_bytes())
            check = found.pop("check")
            return found if check == _check_of(found) else {}
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return {}

    def _query(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        with self._lock:
            try:
                return self._connection.execute(sql, values).fetchall()
            except sqlite3.OperationalError as error:
                raise IndexUnavailable(self.path, sqlite_message(error)) from error
            except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
                raise CatalogCorrupt(self.path, sqlite_message(error)) from error

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
            if version >= _FIRST_SEALED:
                self.check_seal(thorough=True)  # what is damaged is not built on, and the seal ends with its format
            scripts = ";".join([*SCRIPTS[version:], "UPDATE meta SET value = '' WHERE key = 'seal'"])
            self._connection.executescript(f"BEGIN;{scripts};PRAGMA user_version = {len(SCRIPTS)};COMMIT;")


def _address(path: Path, *, frozen: bool) -> str:
    """Return the URI to open. In a folder that cannot be written to, such as a read-only mount, nobody writes."""
    return f"file:{quote(os.fsencode(path))}" + ("?mode=ro&immutable=1" if frozen else "")


def _has_journal(path: Path) -> bool:
    """Say whether a writer has, or had when it was killed, something to say that is not in the file yet."""
    try:
        return path.with_name(f"{path.name}-wal").stat().st_size > 0
    except OSError:
        return False


def _check_of(content: dict[str, str]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def copy_catalog(path: Path, to: Path) -> None:
    """Copy a catalog of any version, as it is at this moment, to a new file. Writers are not kept waiting.

    Raises NoIndex, IndexUnavailable or CatalogCorrupt; and sqlite3.OperationalError where the copy cannot be written.
    """
    if not path.exists():
        raise NoIndex(path.parent)
    frozen = not os.access(path.parent, os.W_OK) and not _has_journal(path)
    try:
        with (
            closing(sqlite3.connect(_address(path, frozen=frozen), uri=True, timeout=30)) as source,
            closing(sqlite3.connect(to)) as target,
        ):
            source.execute("SELECT count(*) FROM sqlite_master").fetchall()
            source.backup(target)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
            raise
        raise IndexUnavailable(path, sqlite_message(error)) from error
    except sqlite3.DatabaseError as error:
        raise CatalogCorrupt(path, sqlite_message(error)) from error
