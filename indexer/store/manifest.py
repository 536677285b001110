"""What a build is made of; `manifest.json` in its folder."""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from indexer.errors import IndexDamaged

FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexFile:
    """One vector index: the encoder it belongs to, how it was made, and what its file must be.

    `recipe` names the structure ("flat": exact inner product); `self_recall` is the share of sampled pictures
    that the index finds first when searched for with their own vector.
    """

    encoder: str
    fingerprint: str
    space: str
    dim: int
    metric: str
    recipe: str
    count: int
    file: str
    bytes: int
    sha256: str
    self_recall: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A build: its name, when and by which version it was made, and of which state of the catalog."""

    build: str
    created_at: str  # ISO 8601, UTC
    version: str
    generation: int
    previous: str | None  # the build that was in use before; what `rollback` returns to
    indexes: tuple[IndexFile, ...]

    def to_json(self) -> bytes:
        """Return the manifest as it lies on disk."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=2, ensure_ascii=False).encode()

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """Read the manifest of the build in `folder`. Raises IndexDamaged."""
        path = folder / "manifest.json"
        try:
            values = json.loads(path.read_bytes())
            if values.pop("format") != FORMAT:
                raise IndexDamaged(path, "its format is not known to this version")
            indexes = tuple(IndexFile(**_checked(IndexFile, index)) for index in values.pop("indexes"))
            manifest = cls(**_checked(cls, {**values, "indexes": indexes}))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise IndexDamaged(path, "it cannot be read") from error
        if not indexes:
            raise IndexDamaged(path, "it names no index")
        return manifest


def _checked(kind: type[IndexFile] | type[Manifest], values: dict[str, Any]) -> dict[str, Any]:
    """Return `values` if each field of `kind` is there and of its type. Raises KeyError or TypeError."""
    for field in fields(kind):
        expected = tuple if field.name == "indexes" else field.type
        if not isinstance(values[field.name], expected):  # type: ignore[arg-type]
            raise TypeError(f"{field.name} is {values[field.name]!r}")
    return values
