"""What can be wrong with where a library lies; the branch below LibraryError that belongs to it.

LibraryError
└─ StorageError
   ├─ LibraryExists                     a folder that holds a library already is to be made one
   ├─ LibraryFileUnreadable             library.json is not what was written
   ├─ InvalidAddress                    an address of an index or of object storage that cannot be used
   ├─ AddressUnreachable                nothing answers at an address
   ├─ StorageUnavailable                object storage that cannot be reached, refuses, or has no such bucket
   ├─ ObjectMissing                     an object that is not there
   ├─ ObjectChanged                     an object that is there already, or another than was known
   ├─ ObjectUnreadable                  an object that is not what was written
   ├─ NoLibraryThere                    no library lies at an address of object storage, or nothing of it yet
   ├─ LibraryElsewhere                  a library that is written on another machine is to be changed here
   ├─ StorageDiffers                    the settings name another storage than the library's own file
   └─ StorageTaken                      another library lies at the address
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


class StorageUnavailable(StorageError):
    """Object storage that cannot be reached, refuses, or has no such bucket."""

    code = "storage_unavailable"

    def __init__(self, address: str, why: Readable) -> None:
        self.address, self.why = address, why
        super().__init__(
            message(
                "The object storage {address} cannot be used: {why}. What is kept on this machine is untouched; mend "
                "that, then try again.",
                address=address,
                why=why,
            )
        )


class ObjectMissing(StorageError):
    """An object that is not there."""

    code = "object_missing"

    def __init__(self, address: str, name: str) -> None:
        self.address, self.name = address, name
        super().__init__(message("There is no {name} in {address}.", name=name, address=address))


class ObjectChanged(StorageError):
    """An object that is there already where none was to be, or is another one than was known."""

    code = "object_changed"

    def __init__(self, address: str, name: str) -> None:
        self.address, self.name = address, name
        super().__init__(
            message(
                "{name} in {address} has been changed by somebody else meanwhile. Run the same command again.",
                name=name,
                address=address,
            )
        )


class StorageTaken(StorageError):
    """Another library lies at an address of object storage."""

    code = "storage_taken"
    users_mistake = True

    def __init__(self, address: str, other: str) -> None:
        self.address, self.other = address, other
        super().__init__(
            message(
                "Another library ({other}) lies in {address} already. Name another address, such as {address}/second.",
                other=other,
                address=address,
            )
        )


class ObjectUnreadable(StorageError):
    """An object that is not what was written."""

    code = "object_unreadable"

    def __init__(self, address: str, name: str) -> None:
        self.address, self.name = address, name
        super().__init__(
            message(
                "{name} in {address} is not what xuntu has written there. On the machine that indexes, run: xuntu "
                "index update",
                name=name,
                address=address,
            )
        )


class StorageDiffers(StorageError):
    """The settings name another storage than the library's own file."""

    code = "storage_differs"
    users_mistake = True

    def __init__(self, own: str, named: str) -> None:
        self.own, self.named = own, named
        super().__init__(
            message(
                "This library lies in {own}, and the settings name {named}. Take XUNTU_STORAGE away, or name another "
                "library.",
                own=own,
                named=named,
            )
        )


class NoLibraryThere(StorageError):
    """No library lies at an address of object storage, or nothing has been published there yet."""

    code = "no_library_there"
    users_mistake = True

    def __init__(self, address: str) -> None:
        self.address = address
        super().__init__(
            message(
                "No library has been published in {address} yet. On the machine that indexes: xuntu library create "
                "--storage {address}, then xuntu index build PATH",
                address=address,
            )
        )


class LibraryElsewhere(StorageError):
    """A library that is written on another machine is to be changed here."""

    code = "library_elsewhere"
    users_mistake = True

    def __init__(self, address: str) -> None:
        self.address = address
        super().__init__(
            message(
                "This is a copy of the library in {address}, which another machine writes: here it can be searched "
                "only. Make this change on the machine that indexes.",
                address=address,
            )
        )
