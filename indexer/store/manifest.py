"""What a build is made of; `manifest.json` in its folder."""

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from indexer.errors import BuildUnreadable, IndexDamaged
from indexer.index.files import SegmentFile

FORMAT = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexEntry:
    """One vector index: the encoder it belongs to, how it was made, and what its files must be.

    `recipe` names the structure of its main part ("flat": exact inner product; "ivf": inverted file, compressed codes,
    exact re-ranking); `self_recall` is the share of sampled pictures that the index finds first when searched for with
    their own vector; `tuning` what measuring against exact search found, where the recipe needs it.
    """

    encoder: str
    fingerprint: str
    space: str
    dim: int
    metric: str
    recipe: str
    count: int
    files: tuple[SegmentFile, ...]
    self_recall: float
    tuning: dict[str, Any] = field(default_factory=dict)

    @property
    def bytes(self) -> int:
        """The bytes of all its files."""
        return sum(file.bytes for file in self.files)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A build: its name, when and by which version it was made, and of which state of the catalog."""

    build: str
    created_at: str  # ISO 8601, UTC
    version: str
    generation: int
    previous: str | None  # the build that was in use before; what `rollback` returns to
    indexes: tuple[IndexEntry, ...]

    def to_json(self) -> bytes:
        """Return the manifest as it lies on disk."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=2, ensure_ascii=False).encode()

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """Read the manifest of the build in `folder`. Raises IndexDamaged or BuildUnreadable."""
        path = folder / "manifest.json"
        try:
            values = json.loads(path.read_bytes())
            written = values.pop("format")
            if written != FORMAT:
                raise BuildUnreadable(path, str(values.get("version")), newer=written > FORMAT)
            indexes = tuple(_read_entry(index) for index in values.pop("indexes"))
            manifest = cls(**_checked(cls, {**values, "indexes": indexes}))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise IndexDamaged(path, "it cannot be read") from error
        if not indexes:
            raise IndexDamaged(path, "it names no index")
        return manifest


def _read_entry(values: dict[str, Any]) -> IndexEntry:
    files = tuple(SegmentFile.from_dict(file) for file in values.pop("files"))
    return IndexEntry(**_checked(IndexEntry, {**values, "files": files}))


def _checked(kind: type[IndexEntry] | type[Manifest], values: dict[str, Any]) -> dict[str, Any]:
    """Return `values` if each field of `kind` is there and of its type. Raises KeyError or TypeError."""
    containers = {"indexes": tuple, "files": tuple, "tuning": dict}
    for one in fields(kind):
        if not isinstance(values[one.name], containers.get(one.name, one.type)):  # type: ignore[arg-type]
            raise TypeError(f"{one.name} is {values[one.name]!r}")
    return values
