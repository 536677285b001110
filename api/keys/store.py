"""The file of keys: JSON that only its owner reads, replaced as a whole, by one process at a time.

Where it has been made, a key is asked for, and be it empty: a service does not open because its last key is revoked.
"""

import contextlib
import fcntl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ValidationError

from api.keys.errors import KeyNameTaken, KeysUnreadable, UnknownKey
from api.keys.records import KeyRecord, sort_records
from api.keys.scopes import Scope
from indexer.library.errors import LibraryUnwritable
from models.foundation.files import replace_file
from models.foundation.messages import os_message

_OWNER_ONLY = 0o600


# Those that there were before boards: a key that had all of them may do all that there is now.
_FIRST_SCOPES = frozenset({Scope.SEARCH, Scope.FILES, Scope.INDEX, Scope.ADMIN})


class _KeysFile(BaseModel):
    version: Literal[1, 2] = 2
    keys: list[KeyRecord] = []

    def list_keys(self) -> list[KeyRecord]:
        """Return the keys with the scopes that they have by now."""
        if self.version > 1:
            return self.keys
        return [
            one.model_copy(update={"scopes": frozenset(Scope)}) if one.scopes >= _FIRST_SCOPES else one
            for one in self.keys
        ]


def read_keys(path: Path) -> list[KeyRecord] | None:
    """Return the keys in a file, in the order in which they were made; None where it is not there.

    Raises KeysUnreadable.
    """
    try:
        return sort_records(_KeysFile.model_validate_json(path.read_bytes()).list_keys())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise KeysUnreadable(path) from error


def add_key(path: Path, record: KeyRecord) -> None:
    """Keep a new key. Raises KeyNameTaken, KeysUnreadable and LibraryUnwritable."""

    def add(keys: list[KeyRecord]) -> list[KeyRecord]:
        if any(one.name == record.name for one in keys):
            raise KeyNameTaken(record.name)
        return [*keys, record]

    _change(path, add)


def revoke_key(path: Path, name: str) -> int:
    """Forget a key, and return how many are left. Raises UnknownKey, KeysUnreadable and LibraryUnwritable."""

    def take_out(keys: list[KeyRecord]) -> list[KeyRecord]:
        left = [one for one in keys if one.name != name]
        if len(left) == len(keys):
            raise UnknownKey(name)
        return left

    return len(_change(path, take_out, make=False))


def _change(path: Path, change: Callable[[list[KeyRecord]], list[KeyRecord]], *, make: bool = True) -> list[KeyRecord]:
    """Replace the file by what `change` makes of its keys, while no other process does."""
    if not make and not path.exists():
        return change([])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path):
            changed = change(read_keys(path) or [])
            text = _KeysFile(keys=changed).model_dump_json(indent=2)
            replace_file(path, text.encode() + b"\n", mode=_OWNER_ONLY)
            return changed
    except OSError as error:
        raise LibraryUnwritable(path, os_message(error)) from error


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Wait for the lock of the file, which lies beside it, since the file itself is replaced."""
    with path.with_name(f"{path.name}.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
