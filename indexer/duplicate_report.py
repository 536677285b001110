"""The duplicates of a library: groups of pictures, the one worth keeping first. Nothing is written or deleted."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from indexer.duplicates import Grouping, OnStep, calibrate_build, group
from indexer.library import OpenBuild, open_build
from indexer.perceptual import NO_HASH, Looks, perceptual_hash
from indexer.store.records import ImageRow
from models.devices import count_cpus

Why = Literal["kept", "copy", "near"]
COLUMNS = ("group", "why", "bits", "cosine", "id", "file", "width", "height", "bytes", "taken_at", "modified_at")

_AT_ONCE = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicate:
    """A picture of a group: the one worth keeping, an exact copy of it, or a near-duplicate of it.

    `bits` and `cosine` say how far the hash and the vector of a near-duplicate are from those of the one kept.
    """

    why: Why
    picture: ImageRow
    bits: int | None = None
    cosine: float | None = None

    @property
    def modified_at(self) -> str:
        """The time of the file, ISO 8601 in UTC."""
        return datetime.fromtimestamp(self.picture.mtime_ns // 10**9, UTC).isoformat()

    def to_dict(self) -> dict[str, object]:
        """Return the picture as it is printed for programs."""
        picture = self.picture
        values = (self.why, self.bits, self.cosine, picture.id, picture.place, picture.width, picture.height)
        return dict(zip(COLUMNS[1:], (*values, picture.size, picture.taken_at, self.modified_at), strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicateReport:
    """Groups, those first whose other pictures take most room.

    `compared` counts the pictures of the library; `unhashed` the contents that were indexed by a version that made no
    hashes and have no thumbnail either: only their exact copies are known.
    """

    groups: list[list[Duplicate]]
    compared: int
    unhashed: int
    build: str

    @property
    def others(self) -> list[Duplicate]:
        """All pictures but the one worth keeping of each group."""
        return [one for found in self.groups for one in found[1:]]

    def to_dict(self) -> dict[str, object]:
        """Return the report as `--json` prints it."""
        return {
            "build": self.build,
            "pictures": self.compared,
            "unhashed": self.unhashed,
            "groups": [[one.to_dict() for one in found] for found in self.groups],
        }


def find_duplicates(data: Path, *, exact: bool = False, on_step: OnStep = lambda *_: None) -> DuplicateReport:
    """Group the pictures of the build in use, without its encoder; `exact`: only copies.

    Raises NoIndex, IndexDamaged and what the catalog raises.
    """
    opened = open_build(data)
    try:
        looks = opened.catalog.list_looks()
        looks = looks[np.isin(looks.ids, opened.index.list_ids())]
        if exact:
            return _report(opened, looks, group(looks, opened.index.fetch, None), unhashed=0)
        looks, unhashed = _with_hashes(opened, looks, on_step)
        grouping = group(looks, opened.index.fetch, calibrate_build(opened), on_step=on_step)
        return _report(opened, looks, grouping, unhashed=unhashed)
    finally:
        opened.catalog.close()


def _report(opened: OpenBuild, looks: Looks, grouping: Grouping, *, unhashed: int) -> DuplicateReport:
    sizes = np.bincount(grouping.leaders, minlength=len(looks))[grouping.leaders]
    wanted = np.flatnonzero(sizes > 1)
    rows = opened.catalog.get_images(looks.ids[wanted].tolist())
    found: dict[int, list[Duplicate]] = {}
    for place in wanted.tolist():
        leader = int(grouping.leaders[place])
        picture = rows[int(looks.ids[place])]
        if leader == place:
            one = Duplicate(why="kept", picture=picture)
        elif looks.contents[leader] == looks.contents[place]:
            one = Duplicate(why="copy", picture=picture)
        else:
            bits, cosine = int(grouping.bits[place]), round(float(grouping.cosines[place]), 4)
            one = Duplicate(why="near", picture=picture, bits=bits, cosine=cosine)
        found.setdefault(leader, []).append(one)
    groups = sorted(found.values(), key=lambda one: (-_spare_bytes(one), one[0].picture.id))
    return DuplicateReport(groups=groups, compared=len(looks), unhashed=unhashed, build=opened.manifest.build)


def _spare_bytes(found: list[Duplicate]) -> int:
    return sum(one.picture.size for one in found[1:])


def _with_hashes(opened: OpenBuild, looks: Looks, on_step: OnStep) -> tuple[Looks, int]:
    """Make the hashes that are not in the catalog, of thumbnails; return how many cannot be made.

    Only in memory, and only for the first picture of each content, which is the one that is compared.
    """
    _, first = np.unique(looks.contents, return_index=True)
    todo = first[~looks.hashed[first]]
    hashes, missing = looks.hashes.copy(), 0
    for place, value in _hash_thumbnails(opened, looks.ids, todo, on_step):
        hashes[place] = NO_HASH if value is None else value
        missing += value is None
    return replace(looks, hashes=hashes), missing


def _hash_thumbnails(
    opened: OpenBuild, ids: npt.NDArray[np.int64], todo: npt.NDArray[np.intp], on_step: OnStep
) -> Iterator[tuple[int, int | None]]:
    with ThreadPoolExecutor(count_cpus()) as pool:
        for start in range(0, len(todo), _AT_ONCE):
            on_step("Reading thumbnails", start, len(todo))
            part = todo[start : start + _AT_ONCE].tolist()
            rows = opened.catalog.get_images(ids[part].tolist())
            paths = [opened.layout.thumbnail(rows[int(ids[place])].sha256) for place in part]
            yield from zip(part, pool.map(_hash_file, paths), strict=True)


def _hash_file(path: Path) -> int | None:
    """Return the hash of a thumbnail, None if there is none that can be read."""
    try:
        with Image.open(path, formats=["WEBP"]) as image:
            return perceptual_hash(image.convert("RGB"))
    except (OSError, ValueError):
        return None
