"""What a build is made of; `manifest.json` in its folder."""

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter

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
            fields = json.loads(path.read_bytes())
            if fields.pop("format") != FORMAT:
                raise IndexDamaged(path, "its format is not known to this version")
            manifest = _reader().validate_python(fields)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise IndexDamaged(path, "it cannot be read") from error
        if not manifest.indexes:
            raise IndexDamaged(path, "it names no index")
        return manifest


@cache
def _reader() -> TypeAdapter[Manifest]:
    return TypeAdapter(Manifest)


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
