"""What can go wrong with a backup.

BackupError
├─ BackupUnwritable                     no room or no permission where the backup is to lie
├─ BackupInside                         the backup would lie in the folder that it is made of
├─ BackupDamaged                        a file that is no backup, or not what was written
├─ BesideDamaged                        a database beside the catalog that SQLite cannot read
├─ BackupTooNew                         written by a later version of the product
├─ ChangedMeanwhile                     a file was written to while it was read
└─ LibraryThere                         restoring would overwrite a library
"""

from collections.abc import Sequence
from pathlib import Path

from models.foundation.errors import ImageSearchError
from models.foundation.messages import Readable, message


class BackupError(ImageSearchError):
    """Something about a backup of a library."""

    code = "backup_error"


class BackupUnwritable(BackupError):
    """A backup cannot be written: no room, or no permission."""

    code = "backup_unwritable"

    def __init__(self, path: Path, why: Readable) -> None:
        self.path, self.why = path, why
        super().__init__(
            message(
                "Cannot write {path}: {why}. Nothing of it was kept, and the library is untouched. Write it where "
                "there is room and permission, or leave out what can be had again: --without-thumbnails, "
                "--without-weights",
                path=path,
                why=why,
            )
        )


class BackupInside(BackupError):
    """A backup in the folder that it is made of would hold itself."""

    code = "backup_inside"
    users_mistake = True

    def __init__(self, path: Path, data: Path) -> None:
        super().__init__(
            message(
                "{path} lies in the library {data}, of which it is to be the backup. Name a file elsewhere, best of "
                "all on another disk.",
                path=path,
                data=data,
            )
        )


class BesideDamaged(BackupError):
    """A database that lies beside the catalog, such as that of the boards, is damaged."""

    code = "beside_damaged"

    def __init__(self, path: Path, why: Readable) -> None:
        self.path, self.why = path, why
        super().__init__(
            message(
                "{path} is damaged ({why}), and damaged files are not backed up. The library itself is whole. Put the "
                "file of an earlier backup in its place, or move it away; then try again.",
                path=path,
                why=why,
            )
        )


class BackupDamaged(BackupError):
    """A file that is no backup, or one that is not what was written."""

    code = "backup_damaged"

    def __init__(self, path: Path, why: Readable) -> None:
        self.path, self.why = path, why
        super().__init__(
            message("{path} cannot be restored: {why}. Nothing was changed. Take another backup.", path=path, why=why)
        )


class BackupTooNew(BackupError):
    """A backup that a later version of the product has made."""

    code = "backup_too_new"
    users_mistake = True

    def __init__(self, path: Path, version: str) -> None:
        self.path, self.version = path, version
        super().__init__(
            message(
                "{path} was written by a newer xuntu ({version}), which this one cannot read. Upgrade xuntu, then "
                "restore it.",
                path=path,
                version=version,
            )
        )


class LibraryThere(BackupError):
    """There is a library already where one is to be restored."""

    code = "library_there"
    users_mistake = True

    def __init__(self, data: Path, names: Sequence[str]) -> None:
        self.data = data
        super().__init__(
            message(
                "{data} holds a library already ({names}), and nothing was changed. Restore into another folder with "
                "--data, or say --replace to have this one replaced.",
                data=data,
                names=names,
            )
        )


class ChangedMeanwhile(BackupError):
    """A file of the library was written while it was read."""

    code = "changed_meanwhile"

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(
            message("{path} was written to while it was read: nothing was kept. Run the same command again.", path=path)
        )
