"""What can be wrong with a library on disk; the branch below ImageSearchError that belongs to it.

LibraryError
├─ GpuNotUsed                           a GPU cannot do its part for the index (a warning)
├─ InvalidFilter                        a `where` that cannot be read
├─ InvalidSort                          a `sort` by what has no order
├─ UnknownFields                        `fields` that are not known of pictures
├─ CatalogTooNew, CatalogCorrupt        refuses, never guesses
├─ CatalogTooOld                        readers do not change the catalog; one update brings it up to date
├─ UnknownSource                        pictures of a source whose class is in a package that is not installed
├─ IndexUnavailable                     the catalog cannot be reached just now
├─ FileUnavailable                      the system does not let a file be read: too many are open, no permission
├─ LibraryBusy                          another process is writing
├─ LibraryUnwritable                    no room, or no permission
├─ NoIndex                              nothing has been built yet
├─ LibraryClosed                        a program goes on with a library that it has closed
├─ IndexMismatch                        built with another encoder
├─ EncodersLeftOut                      the library has more encoders than were named
├─ EncoderNotInLibrary                  an encoder to be dropped that the library does not have
├─ LastEncoder                          a library keeps one encoder
├─ RoutingUnreadable                    the library's file of routes is not what was written
├─ UnknownIndexBackend                  an index back end that is not installed
├─ BrokenIndexBackend                   an index back end that cannot be loaded
├─ IndexDamaged                         a file of the build or of the vector store is not what was written
│  └─ BuildUnreadable                   written by another version of the product
├─ StorageError                         indexer/library/storage/errors.py
└─ NothingToRollBack                    there is no earlier build
"""

import errno
import os
from collections.abc import Sequence
from pathlib import Path

from indexer.library.damage import Damage, DamageKind
from models.foundation.errors import ImageSearchError
from models.foundation.messages import Readable, message, os_message

# What a system says that does not let a file be read, whatever is in it.
_REFUSALS = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.EINTR, errno.EACCES, errno.EPERM}

_SHOWN = 100  # characters of what was asked


class LibraryError(ImageSearchError):
    """Something about a library on disk."""

    code = "library_error"


class GpuNotUsed(LibraryError):
    """A GPU that was to search or make the index cannot. A warning: the processor does it, and answers the same."""

    code = "gpu_not_used"

    def __init__(self, device: str, why: Readable) -> None:
        self.device = device
        super().__init__(
            message(
                "The processor takes the place of {device} for the index: {why}, or set XUNTU_INDEX__DEVICE=cpu.",
                device=device,
                why=why,
            )
        )


class InvalidFilter(LibraryError):
    """A `where` that cannot be read. `position` counts characters from 0."""

    code = "invalid_filter"
    users_mistake = True

    def __init__(self, expression: str, position: int, why: Readable) -> None:
        self.expression, self.position = expression, position
        super().__init__(
            message(
                "The filter cannot be read at character {position} ({found!r}): {why}. Example: format=jpeg and "
                "width>=1000 and taken=2024-05 and colour=blue and path=2024/",
                position=position + 1,
                found=expression[position : position + 20],
                why=why,
            )
        )


class InvalidSort(LibraryError):
    """A `sort` that names no field by which pictures can be sorted."""

    code = "invalid_sort"
    users_mistake = True

    def __init__(self, asked: str, fields: Sequence[str]) -> None:
        self.asked, self.fields = asked[:_SHOWN], tuple(fields)
        super().__init__(
            message(
                "Pictures cannot be sorted by {asked!r}; they can by {fields}. A minus before the name puts the "
                "highest first: -taken",
                asked=self.asked,
                fields=self.fields,
            )
        )


class UnknownFields(LibraryError):
    """A name in `fields` of nothing that is known of pictures."""

    code = "unknown_fields"
    users_mistake = True

    def __init__(self, asked: str, fields: Sequence[str]) -> None:
        self.asked, self.fields = asked[:_SHOWN], tuple(fields)
        super().__init__(
            message("{asked!r} is not known of pictures; these are: {fields}.", asked=self.asked, fields=self.fields)
        )


class CatalogTooNew(LibraryError):
    """The catalog was written by a later version of the product."""

    code = "catalog_too_new"

    def __init__(self, path: Path, found: int, known: int) -> None:
        self.path, self.found, self.known = path, found, known
        super().__init__(
            message(
                "{path} was written by a newer xuntu (format {found}; this one reads up to {known}). Upgrade xuntu.",
                path=path,
                found=found,
                known=known,
            )
        )


class CatalogTooOld(LibraryError):
    """The catalog was written by an earlier version, and this command only reads."""

    code = "catalog_too_old"
    users_mistake = True

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(
            message(
                "{path} was written by an earlier xuntu. Bring it up to date first: xuntu index update",
                path=path,
            )
        )


class CatalogCorrupt(LibraryError):
    """The catalog is not a readable SQLite file."""

    code = "catalog_corrupt"

    def __init__(self, path: Path, why: Readable) -> None:
        self.path, self.why = path, why
        super().__init__(
            message(
                "The catalog {path} is damaged ({why}). Restore it from a backup, or move the folder {folder} away and "
                "run: xuntu index build PATH",
                path=path,
                folder=path.parent,
                why=why,
            )
        )


class UnknownSource(LibraryError):
    """A source of a kind that nothing here can read; its pictures stay in the library and are found."""

    code = "unknown_source"
    users_mistake = True

    def __init__(self, path: Path, kind: str, package: str) -> None:
        self.path, self.kind, self.package = path, kind, package
        what = message("the package that has it")
        if package:
            what = message("the package {package}: pip install {package}", package=package)
        super().__init__(
            message(
                "{path} is a source of the kind {kind}, which nothing that is installed can read. Its pictures stay in "
                "the library. To read them again, install {what}",
                path=path,
                kind=kind,
                what=what,
            )
        )


class IndexUnavailable(LibraryError):
    """The catalog cannot be reached just now, though nothing says that it is damaged."""

    code = "index_unavailable"

    def __init__(self, path: Path, why: Readable) -> None:
        self.path, self.why = path, why
        super().__init__(message("The catalog {path} cannot be read just now ({why}). Try again.", path=path, why=why))


class FileUnavailable(LibraryError):
    """The system does not let a file of the library be read, though nothing says that it is damaged."""

    code = "file_unavailable"

    def __init__(self, path: Path | str, why: Readable) -> None:
        self.path, self.why = path, why
        super().__init__(
            message(
                "{path} cannot be read: {why}. Nothing says that it is damaged: give this process what it lacks (open "
                "files: ulimit -n, memory, permission), then try again.",
                path=path,
                why=why,
            )
        )


class LibraryBusy(LibraryError):
    """Another process holds the write lock."""

    code = "library_busy"

    def __init__(self, data: Path) -> None:
        self.data = data
        super().__init__(
            message(
                "Another process is indexing into {data}. Wait until it has finished, then run this again.", data=data
            )
        )


class LibraryUnwritable(LibraryError):
    """The data folder cannot be written to: no permission, or no room left."""

    code = "library_unwritable"

    def __init__(self, path: Path, why: Readable) -> None:
        self.path, self.why = path, why
        super().__init__(
            message(
                "Cannot write to {path}: {why}. What was indexed before is untouched; run the same command again when "
                "there is room and permission.",
                path=path,
                why=why,
            )
        )


class NoIndex(LibraryError):
    """There is no published build in the data folder."""

    code = "no_index"
    users_mistake = True

    def __init__(self, data: Path) -> None:
        self.data = data
        super().__init__(message("There is no picture library here yet. Run: xuntu index build PATH"))


class LibraryClosed(LibraryError):
    """A program goes on with a library that it has closed."""

    code = "library_closed"

    def __init__(self, data: Path) -> None:
        self.data = data
        super().__init__(message("The library {data} has been closed. Open it again.", data=data))


class IndexMismatch(LibraryError):
    """The library was built with another encoder, or with other weights of the same name."""

    code = "index_mismatch"
    users_mistake = True

    def __init__(self, built_with: str, asked_for: str) -> None:
        self.built_with, self.asked_for = built_with, asked_for
        name, new = (text.split(maxsplit=1)[0] for text in (built_with, asked_for))
        way = message("Build another library")
        if name != new:
            way = message(
                "Use --encoder {name}, name both to have both (--encoder {name} --encoder {new}), or build another "
                "library",
                name=name,
                new=new,
            )
        super().__init__(
            message(
                "This library was built with the encoder {built_with}, and {asked_for} was asked for; their vectors "
                "cannot be mixed. {way} (xuntu index build PATH --data OTHER), or encode this one again: xuntu index "
                "rebuild --reencode --encoder {new}",
                built_with=built_with,
                asked_for=asked_for,
                way=way,
                new=new,
            )
        )


class EncodersLeftOut(LibraryError):
    """The library has vectors of encoders that were not named with the others, and none is dropped without a word."""

    code = "encoders_left_out"
    users_mistake = True

    def __init__(self, left_out: Sequence[str], stored: Sequence[str]) -> None:
        self.left_out, self.stored = tuple(left_out), tuple(stored)
        drop = " ".join(f"--drop-encoder {name}" for name in left_out)
        keep = " ".join(f"--encoder {name}" for name in stored)
        super().__init__(
            message(
                "This library also has the vectors of {left_out}. To keep them, name all of its encoders ({keep}) or "
                "none; to delete them: xuntu index update {drop}",
                left_out=self.left_out,
                keep=keep,
                drop=drop,
            )
        )


class EncoderNotInLibrary(LibraryError):
    """An encoder that is to be dropped, and that the library does not have."""

    code = "encoder_not_in_library"
    users_mistake = True

    def __init__(self, name: str, stored: Sequence[str]) -> None:
        self.name, self.stored = name, tuple(stored)
        super().__init__(
            message(
                "This library has no encoder {name} that could be dropped; it has {stored}.",
                name=name,
                stored=self.stored or message("none"),
            )
        )


class LastEncoder(LibraryError):
    """Dropping encoders would leave the library without one."""

    code = "last_encoder"
    users_mistake = True

    def __init__(self, stored: Sequence[str]) -> None:
        super().__init__(
            message(
                "A library needs an encoder, and {stored} would be dropped. To go over to another one: xuntu index "
                "rebuild --reencode --encoder NAME",
                stored=stored,
            )
        )


class RoutingUnreadable(LibraryError):
    """The file that says which encoder answers which kind of query cannot be read."""

    code = "routing_unreadable"

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(
            message(
                "{path} cannot be read. Delete it, or measure again: xuntu evaluate QUESTIONS.csv --route", path=path
            )
        )


class IndexDamaged(LibraryError):
    """A file of the build or of the vector store is missing or not what was written."""

    code = "index_damaged"

    def __init__(self, damage: Damage, *, command: str = "xuntu index rebuild") -> None:
        self.damage = damage
        super().__init__(
            message(
                "{name} is damaged: {reason}. Run: {command}", name=damage.name, reason=damage.reason, command=command
            )
        )


def unreadable(error: BaseException, damage: Damage, *, command: str = "xuntu index rebuild") -> LibraryError:
    """Return what is wrong where a file could not be read: FileUnavailable if the system refused, else IndexDamaged."""
    if isinstance(error, MemoryError):
        return FileUnavailable(damage.where, os_message(OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))))
    if isinstance(error, OSError) and error.errno in _REFUSALS:
        return FileUnavailable(damage.where, os_message(error))
    return IndexDamaged(damage, command=command)


class BuildUnreadable(IndexDamaged):
    """A build that an earlier or later version of the product has made."""

    code = "build_unreadable"

    def __init__(self, path: Path, version: str, *, newer: bool) -> None:
        kind = DamageKind.MADE_BY_NEWER if newer else DamageKind.MADE_BY_EARLIER
        super().__init__(Damage(path, kind, found=version))


class UnknownIndexBackend(LibraryError):
    """An index back end that is not installed: a build was made by it, or the settings name it."""

    code = "unknown_index_backend"
    users_mistake = True

    def __init__(self, name: str, known: Sequence[str]) -> None:
        self.name, self.known = name, tuple(known)
        super().__init__(
            message(
                "There is no index back end {name}; there are: {known}. Install the package that it comes with, or "
                "make the index with another one: XUNTU_INDEX__BACKEND=faiss xuntu index rebuild",
                name=name,
                known=known,
            )
        )


class BrokenIndexBackend(LibraryError):
    """An index back end that is installed and cannot be loaded."""

    code = "broken_index_backend"

    def __init__(self, name: str, why: Readable) -> None:
        self.name = name
        super().__init__(
            message(
                "The index back end {name} cannot be loaded ({why}). Install the package that it comes with anew.",
                name=name,
                why=why,
            )
        )


class NothingToRollBack(LibraryError):
    """There is no earlier good build."""

    code = "nothing_to_roll_back"
    users_mistake = True

    def __init__(self) -> None:
        super().__init__(message("There is no earlier build to go back to; the one in use stays."))
