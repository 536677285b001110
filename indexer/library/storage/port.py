"""What a library asks of object storage."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object: its name below the store's address, its bytes, what tells it from another of its name, its time."""

    name: str
    size: int
    etag: str
    modified_ns: int  # since 1970, UTC


class ObjectStore(Protocol):
    """Objects by name, below one address. Safe to use from several threads.

    Every method raises StorageUnavailable where the storage cannot be reached, refuses, or has no such bucket, once
    trying again has not helped.
    """

    @property
    def address(self) -> str:
        """The address, without anything secret."""
        ...

    def get(self, name: str) -> bytes:
        """Return an object as a whole. Raises ObjectMissing."""
        ...

    def get_range(self, name: str, start: int, count: int, *, etag: str = "") -> bytes:
        """Return `count` bytes of an object from `start` on, all of them within it.

        Raises ObjectMissing, or ObjectChanged where it is not the one of `etag`, if that is given.
        """
        ...

    def put(self, name: str, data: bytes, *, etag: str | None = None) -> str:
        """Write an object, whole or not at all, and return its etag.

        `etag`: "" where there must be none yet, else that of the one that is replaced. Raises ObjectChanged where it
        is not so; what does not know conditions (a folder) replaces what is there.
        """
        ...

    def head(self, name: str) -> StoredObject:
        """Return what is known of an object. Raises ObjectMissing."""
        ...

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        """Yield the objects below a folder, "" for all, in no promised order."""
        ...

    def delete(self, name: str) -> None:
        """Delete an object; that there is none is no error."""
        ...
