"""What a build is made of; `manifest.json` in its folder."""

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from indexer.library.damage import Damage, DamageKind
from indexer.library.errors import BuildUnreadable, IndexDamaged, unreadable
from indexer.library.index.records import IndexEntry, IndexFile
from models.foundation.files import JSON_ERRORS

FORMAT = 5
_READABLE = (2, 3, 4, 5)
_OLDER = {"bank": "", "backend": "faiss"}  # indexes of format 2 have no offsets, those of format 3 name no back end


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A build: its name, when and by which version it was made, and of which state of the catalog.

    `indexes` has one for each encoder; `parts` those of the parts of long pictures, where there are any, which go by
    the name that `parts_of` gives.
    """

    build: str
    created_at: str  # ISO 8601, UTC
    version: str
    generation: int
    previous: str | None  # the build that was in use before; what `rollback` returns to
    indexes: tuple[IndexEntry, ...]
    parts: tuple[IndexEntry, ...] = ()

    @property
    def all_indexes(self) -> tuple[IndexEntry, ...]:
        """The indexes of pictures and those of parts."""
        return self.indexes + self.parts

    def find(self, name: str) -> IndexEntry | None:
        """Return the index of an encoder, or of parts, by its name."""
        return next((one for one in self.all_indexes if one.encoder == name), None)

    def to_json(self) -> bytes:
        """Return the manifest as it lies on disk."""
        content = {"format": FORMAT, **asdict(self)}
        return json.dumps({**content, "sha256": _checksum(content)}, indent=2, ensure_ascii=False).encode()

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """Read the manifest of the build in `folder`. Raises IndexDamaged or BuildUnreadable."""
        path = folder / "manifest.json"
        try:
            values = json.loads(path.read_bytes())
            if values["format"] not in _READABLE:
                raise BuildUnreadable(path, str(values.get("version")), newer=values["format"] > FORMAT)
            checksum = values.pop("sha256")
            if checksum != _checksum(values):
                raise IndexDamaged(Damage(path, DamageKind.CHANGED))
            del values["format"]
            indexes = tuple(_read_entry({**_OLDER, **index}) for index in values.pop("indexes"))
            parts = tuple(map(_read_entry, values.pop("parts", ())))  # builds before format 5 have none
            manifest = cls(**_checked(cls, {**values, "indexes": indexes, "parts": parts}))
        except JSON_ERRORS as error:
            raise unreadable(error, Damage(path, DamageKind.UNREADABLE)) from error
        if not indexes:
            raise IndexDamaged(Damage(path, DamageKind.NAMES_NO_INDEX))
        return manifest


def parts_of(encoder: str) -> str:
    """Return the name of the index of parts of an encoder."""
    return f"{encoder}.parts"


def _checksum(content: dict[str, Any]) -> str:
    """Return the SHA-256 of a manifest's content, hex."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _read_entry(values: dict[str, Any]) -> IndexEntry:
    files = tuple(IndexFile.from_dict(file) for file in values.pop("files"))
    return IndexEntry(**_checked(IndexEntry, {**values, "files": files}))


def _checked(kind: type[IndexEntry] | type[Manifest], values: dict[str, Any]) -> dict[str, Any]:
    """Return `values` if each field of `kind` is there and of its type. Raises KeyError or TypeError."""
    containers = {"indexes": tuple, "parts": tuple, "files": tuple, "tuning": dict}
    for one in fields(kind):
        if not isinstance(values[one.name], containers.get(one.name, one.type)):  # type: ignore[arg-type]
            raise TypeError(f"{one.name} is {values[one.name]!r}")
    return values
