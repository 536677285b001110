"""Whether the files of an index are what was written."""

from collections.abc import Sequence
from pathlib import Path

from indexer.library.damage import Damage, DamageKind
from indexer.library.index.records import IndexFile
from models.foundation.files import sha256_of


def find_file_damage(folder: Path, files: Sequence[IndexFile]) -> list[Damage]:
    """Return each file in the folder of a build that is missing or has changed; all are read in full."""
    found = []
    for file in files:
        path = folder / file.file
        if not path.is_file():
            found.append(Damage(path, DamageKind.MISSING, build=folder.name))
        elif sha256_of(path) != file.sha256:
            found.append(Damage(path, DamageKind.CHANGED, build=folder.name))
    return found
