"""`library.json`: what a library says itself of where its index and its pictures' storage lie."""

import json
import re
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from indexer.library.errors import LibraryUnwritable
from indexer.library.layout import Layout
from indexer.library.storage.addresses import read_index_address, read_storage_address
from indexer.library.storage.errors import InvalidAddress, LibraryExists, LibraryFileUnreadable
from models.foundation.files import JSON_ERRORS, replace_file
from models.foundation.messages import Readable, message, os_message

FORMAT = 1
_ID = re.compile(r"[a-z0-9]{4,32}")


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryFile:
    """Where a library lies: `index` and `storage` are addresses, None for its own folder.

    `id` tells it from others that lie at the same addresses; "" for a library without this file, which is all in its
    folder.
    """

    id: str = ""
    index: str | None = None
    storage: str | None = None

    @classmethod
    def make(cls, *, index: str | None = None, storage: str | None = None) -> Self:
        """Return what a new library is to say, with an id of its own. Raises InvalidAddress."""
        return cls(
            id=secrets.token_hex(4),
            index=read_index_address(index).text if index else None,
            storage=read_storage_address(storage).text if storage else None,
        )

    @classmethod
    def read(cls, data: Path) -> Self:
        """Read the file of the library in the folder `data`; one without the file is local.

        Raises LibraryFileUnreadable.
        """
        path = Layout(data).library_file
        try:
            values = json.loads(path.read_bytes())
            found = values["format"]
            if not isinstance(found, int) or found > FORMAT:
                raise LibraryFileUnreadable(path, message("a newer xuntu wrote it (format {found})", found=found))
            read = cls(id=values["id"], index=values["index"], storage=values["storage"])
            _check(read)
        except FileNotFoundError:
            return cls()
        except InvalidAddress as error:
            raise LibraryFileUnreadable(path, error) from error
        except JSON_ERRORS as error:
            why: Readable = message("it is not what xuntu writes")
            raise LibraryFileUnreadable(path, os_message(error) if isinstance(error, OSError) else why) from error
        return read

    def write(self, data: Path) -> None:
        """Write the file into the folder `data`, whole or not at all. Raises LibraryUnwritable."""
        path = Layout(data).library_file
        content = json.dumps({"format": FORMAT, **asdict(self)}, indent=2, ensure_ascii=False)
        try:
            data.mkdir(parents=True, exist_ok=True)
            replace_file(path, f"{content}\n".encode())
        except OSError as error:
            raise LibraryUnwritable(path, os_message(error)) from error


def check_empty(data: Path) -> None:
    """Raise LibraryExists if a library lies in the folder `data`, or is said to."""
    layout = Layout(data)
    if layout.library_file.exists() or layout.catalog.exists() or layout.builds.exists():
        raise LibraryExists(data)


def _check(read: LibraryFile) -> None:
    """Raise TypeError, ValueError or InvalidAddress for what is in a file and was not written by `write`."""
    if not _ID.fullmatch(read.id):
        raise ValueError(read.id)
    if read.index is not None:
        read_index_address(read.index)
    if read.storage is not None:
        read_storage_address(read.storage)
