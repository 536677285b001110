"""What can be wrong with where a library lies; the branch below LibraryError that belongs to it.

LibraryError
└─ StorageError
   ├─ LibraryExists                     a folder that holds a library already is to be made one
   ├─ LibraryFileUnreadable             library.json is not what was written
   ├─ InvalidAddress                    an address of an index or of object storage that cannot be used
   └─ AddressUnreachable                nothing answers at an address
"""

from pathlib import Path

from indexer.library.errors import LibraryError
from models.foundation.messages import Readable, message


class StorageError(LibraryError):
    """Something about where a library lies."""

    code = "storage_error"


class LibraryExists(StorageError):
    """A folder that holds a library already is to be made one."""

    code = "library_exists"
    users_mistake = True

    def __init__(self, data: Path) -> None:
        self.data = data
        super().__init__(
            message(
                "{data} holds a library already. To see where it lies: xuntu library show. For another one, name "
                "another folder: xuntu library create --data OTHER",
                data=data,
            )
        )


class LibraryFileUnreadable(StorageError):
    """The file that says where a library lies cannot be read."""

    code = "library_file_unreadable"

    def __init__(self, path: Path, why: Readable) -> None:
        self.path, self.why = path, why
        super().__init__(
            message(
                "{path} cannot be read: {why}. It says where the index and the storage of this library lie: put back a "
                "copy of it. For a library that lies in its folder alone, delete it.",
                path=path,
                why=why,
            )
        )


class InvalidAddress(StorageError):
    """An address of an index or of object storage that cannot be used. What may be secret in it is not repeated."""

    code = "invalid_address"
    users_mistake = True

    def __init__(self, shown: str, why: Readable, example: str) -> None:
        self.shown, self.why = shown, why
        super().__init__(
            message(
                "The address {shown!r} cannot be used: {why}. Example: {example}", shown=shown, why=why, example=example
            )
        )


class AddressUnreachable(StorageError):
    """Nothing answers at the address of an index or of object storage."""

    code = "address_unreachable"

    def __init__(self, shown: str, why: Readable) -> None:
        self.shown, self.why = shown, why
        super().__init__(
            message(
                "{shown} cannot be reached: {why}. Start it, or mend the address or the network, then try again.",
                shown=shown,
                why=why,
            )
        )
