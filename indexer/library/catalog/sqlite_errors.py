"""What SQLite says went wrong, as a part of a sentence in both languages."""

import sqlite3

from models.foundation.messages import Message, Quoted, Readable, mark, message

_ERRORS = {
    **dict.fromkeys((sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED), mark("another program is using it")),
    **dict.fromkeys((sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH), mark("Permission denied")),
    sqlite3.SQLITE_READONLY: mark("the file is read-only"),
    sqlite3.SQLITE_NOMEM: mark("Cannot allocate memory"),
    sqlite3.SQLITE_IOERR: mark("Input/output error"),
    sqlite3.SQLITE_CORRUPT: mark("the database is damaged"),
    sqlite3.SQLITE_FULL: mark("No space left on device"),
    sqlite3.SQLITE_CANTOPEN: mark("the file cannot be opened"),
    sqlite3.SQLITE_NOTADB: mark("it is no SQLite database"),
    sqlite3.SQLITE_ERROR: mark("its tables are not what they should be"),
}


def sqlite_message(error: sqlite3.Error | UnicodeDecodeError) -> Readable:
    """Return the reason for an error; bytes in a name that are damaged are one that SQLite itself never sees."""
    if isinstance(error, UnicodeDecodeError):
        return message("names in it are damaged")
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # the rest says more than people need
    known = _ERRORS.get(code)
    return Quoted(str(error), Message(known) if known else message("SQLite error {code}", code=code))
