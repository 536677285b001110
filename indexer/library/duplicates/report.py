"""The duplicates of a library: groups of pictures, the one worth keeping first. Nothing is written or deleted."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import numpy as np

from indexer.library.catalog.records import ImageRow
from indexer.library.duplicates.grouping import Grouping, OnStep, calibrate_build, group
from indexer.library.errors import UnknownSource
from indexer.library.looks import Looks
from indexer.library.opened import OpenBuild, open_build
from indexer.library.sources.kinds import open_source

Why = Literal["kept", "copy", "near"]
COLUMNS = ("group", "why", "bits", "cosine", "id", "file", "width", "height", "bytes", "taken_at", "modified_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicate:
    """A picture of a group: the one worth keeping, an exact copy of it, or a near-duplicate of it.

    `bits` and `cosine` say how far the hash and the vector of a near-duplicate are from those of the one kept.
    """

    why: Why
    picture: ImageRow
    taken_at: str | None
    bits: int | None = None
    cosine: float | None = None

    @property
    def modified_at(self) -> str:
        """The time of the file, ISO 8601 in UTC."""
        return datetime.fromtimestamp((self.picture.stamp.mtime_ns or 0) // 10**9, UTC).isoformat()

    def to_dict(self) -> dict[str, object]:
        """Return the picture as it is printed for programs."""
        picture = self.picture
        values = (self.why, self.bits, self.cosine, picture.id, picture.place, picture.width, picture.height)
        return dict(zip(COLUMNS[1:], (*values, picture.stamp.size or 0, self.taken_at, self.modified_at), strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicateReport:
    """Groups, those first whose other pictures take most room.

    `compared` counts the pictures of the library; `unhashed` the contents that were indexed by a version that made no
    hashes, and that no update could hash yet: only their exact copies are known.
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
        looks = looks[opened.index.holds(looks.ids)]
        rule = None if exact else calibrate_build(opened)
        grouping = group(looks, opened.index.fetch, rule, on_step=on_step)
        unhashed = 0 if exact else len(np.unique(looks.contents[~looks.hashed]))
        return _report(opened, looks, grouping, unhashed=unhashed)
    finally:
        opened.catalog.close()


def _report(opened: OpenBuild, looks: Looks, grouping: Grouping, *, unhashed: int) -> DuplicateReport:
    sizes = np.bincount(grouping.leaders, minlength=len(looks))[grouping.leaders]
    wanted = np.flatnonzero(sizes > 1)
    rows = opened.catalog.get_images(looks.ids[wanted].tolist())
    facts = opened.catalog.get_annotations(list({row.content_id for row in rows.values()}))
    found: dict[int, list[Duplicate]] = {}
    for place in wanted.tolist():
        leader = int(grouping.leaders[place])
        picture = rows[int(looks.ids[place])]
        taken_at = facts[picture.content_id].get("taken")
        if leader == place:
            one = Duplicate(why="kept", picture=picture, taken_at=taken_at)
        elif looks.contents[leader] == looks.contents[place]:
            one = Duplicate(why="copy", picture=picture, taken_at=taken_at)
        else:
            bits, cosine = int(grouping.bits[place]), round(float(grouping.cosines[place]), 4)
            one = Duplicate(why="near", picture=picture, taken_at=taken_at, bits=bits, cosine=cosine)
        found.setdefault(leader, []).append(one)
    apart = [several for one in found.values() if len(several := _without_other_names(one)) > 1]
    groups = sorted(apart, key=lambda one: (-_spare_bytes(one), one[0].picture.id))
    return DuplicateReport(groups=groups, compared=len(looks), unhashed=unhashed, build=opened.manifest.build)


def _without_other_names(found: list[Duplicate]) -> list[Duplicate]:
    """Leave out what is the same file under another name, a copy that nobody could delete and keep the picture.

    So are links, and what is both in a folder and in a list. A link stands back behind the file itself.
    """
    files: dict[tuple[object, ...], Duplicate] = {}
    for one in found:
        place = _place_on_disk(one.picture)
        first = files.setdefault(place, one)
        if first is not one and _is_link(first.picture) and not _is_link(one.picture):
            files[place] = replace(first, picture=one.picture)
    return list(files.values())


def _place_on_disk(picture: ImageRow) -> tuple[object, ...]:
    file = _file_of(picture)
    if file is None:
        return (picture.place if picture.locator.key == picture.shown_path else picture.locator.key,)
    try:
        info = file.stat()
    except OSError:
        return str(file), picture.locator.part
    return info.st_dev, info.st_ino, picture.locator.part


def _is_link(picture: ImageRow) -> bool:
    file = _file_of(picture)
    return file is not None and file.is_symlink()


def _file_of(picture: ImageRow) -> Path | None:
    """Return the file that holds a picture; None where it is at an address, or nobody can read its source."""
    try:
        source = open_source(picture.source)
    except UnknownSource:
        return None
    return None if source.address(picture.path) else source.file(picture.path)


def _spare_bytes(found: list[Duplicate]) -> int:
    return sum(one.picture.stamp.size or 0 for one in found[1:])
