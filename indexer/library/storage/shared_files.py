"""Small files for a while, such as pictures that are asked with: seen by all who answer from a library in storage."""

import logging
import time
from dataclasses import dataclass
from pathlib import Path

from indexer.library.storage.errors import ObjectMissing, StorageError
from indexer.library.storage.library_file import LibraryFile
from indexer.library.storage.object_store import open_store
from indexer.library.storage.port import ObjectStore

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SharedFile:
    """A file: what is in it, and when it was written, seconds since 1970."""

    data: bytes
    written_at: float


class SharedFiles:
    """Files below a folder of the storage of the library in `data`; none where it has no storage.

    Storage that is away is logged and counts as empty: who wrote a file has it all the same. Safe to use from several
    threads.
    """

    def __init__(self, data: Path, folder: str) -> None:
        self._data, self._folder = data, folder

    def put(self, name: str, data: bytes) -> None:
        """Write a file."""
        try:
            if store := self._open():
                store.put(f"{self._folder}/{name}", data)
        except StorageError as error:
            self._tell(error)

    def has(self, name: str) -> bool | None:
        """Say whether a file is there; None where there is no storage, or it is away."""
        try:
            if store := self._open():
                store.head(f"{self._folder}/{name}")
                return True
        except ObjectMissing:
            return False
        except StorageError as error:
            self._tell(error)
        return None

    def get(self, name: str) -> SharedFile | None:
        """Return a file, None if there is none."""
        path = f"{self._folder}/{name}"
        try:
            if store := self._open():
                written_at = store.head(path).modified_ns / 1e9
                return SharedFile(store.get(path), written_at)
        except ObjectMissing:
            return None
        except StorageError as error:
            self._tell(error)
        return None

    def delete(self, *names: str) -> None:
        """Delete files."""
        try:
            if store := self._open():
                for name in names:
                    store.delete(f"{self._folder}/{name}")
        except StorageError as error:
            self._tell(error)

    def clean(self, max_age_s: float) -> None:
        """Delete the files that are older."""
        try:
            if store := self._open():
                before = (time.time() - max_age_s) * 1e9
                for one in list(store.list(self._folder)):
                    if one.modified_ns <= before:
                        store.delete(one.name)
        except StorageError as error:
            self._tell(error)

    def _open(self) -> ObjectStore | None:
        address = LibraryFile.read(self._data).storage
        return open_store(address) if address else None

    def _tell(self, error: StorageError) -> None:
        logger.warning("%s are not shared with other machines: %s", self._folder, error)
