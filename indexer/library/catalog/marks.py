"""Pictures by what tells them in any catalog, so that they are found again in one that gives them other ids."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from indexer.library.catalog.paths import encode_path
from indexer.library.catalog.roots import RootDatabase

_QUERIED_ROWS = 500
_FROM = "FROM images JOIN contents ON contents.id = images.content_id JOIN roots ON roots.id = images.root_id"


@dataclass(frozen=True, slots=True)
class PictureMark:
    """The checksum of a picture's file, hex, the name of the folder or file that it belongs to, its path there."""

    sha256: str
    root: str
    path: str


class MarkDatabase(RootDatabase):
    """Questions about pictures that have been known for long."""

    def get_marks(self, image_ids: Sequence[int]) -> dict[int, PictureMark]:
        """Return id -> mark for those of `image_ids` that are indexed."""
        rows = self._query(
            f"SELECT images.id, sha256, roots.path, images.path {_FROM} WHERE status = 'indexed' "
            "AND images.id IN (SELECT value FROM json_each(?))",
            (json.dumps([*map(int, image_ids)]),),
        )
        return {row[0]: PictureMark(row[1], PurePath(row[2]).name, row[3]) for row in rows}

    def find_marked(self, marks: Iterable[PictureMark]) -> dict[PictureMark, int]:
        """Return mark -> id for those that an indexed picture has.

        One whose file holds the same comes first, and of several that which lies where the mark says; then one that
        lies there, whatever its file holds by now.
        """
        sought = list(dict.fromkeys(marks))
        found = self._find_by_content(sought)
        return found | self._find_by_path([mark for mark in sought if mark not in found])

    def find_at(self, places: Iterable[tuple[int, str]]) -> list[int]:
        """Return the ids of the indexed pictures that lie at any of these places: ids of roots, and paths there."""
        return [
            int(image_id)
            for root_id, path in dict.fromkeys(places)
            for (image_id,) in self._query(
                "SELECT id FROM images WHERE status = 'indexed' AND root_id = ? AND path = CAST(? AS TEXT)",
                (root_id, encode_path(path)),
            )
        ]

    def _find_by_content(self, marks: Sequence[PictureMark]) -> dict[PictureMark, int]:
        rows = self._query(
            f"SELECT images.id, sha256, roots.path, images.path {_FROM} WHERE status = 'indexed' "
            "AND sha256 IN (SELECT value FROM json_each(?)) ORDER BY images.id",
            (json.dumps([mark.sha256 for mark in marks]),),
        )
        known: dict[str, list[tuple[int, PictureMark]]] = {}
        for image_id, sha256, root, path in rows:
            known.setdefault(sha256, []).append((image_id, PictureMark(sha256, PurePath(root).name, path)))
        return {mark: _nearest(mark, known[mark.sha256]) for mark in marks if mark.sha256 in known}

    def _find_by_path(self, marks: Sequence[PictureMark]) -> dict[PictureMark, int]:
        roots: dict[str, list[int]] = {}
        for root in self.list_roots():
            roots.setdefault(root.path.name, []).append(root.id)
        by_root: dict[int, dict[str, PictureMark]] = {}
        for mark in marks:
            for root_id in roots.get(mark.root, ()):
                by_root.setdefault(root_id, {})[mark.path] = mark
        found: dict[PictureMark, int] = {}
        for root_id, by_path in by_root.items():
            found = self._list_at(root_id, by_path) | found
        return found

    def _list_at(self, root_id: int, by_path: Mapping[str, PictureMark]) -> dict[PictureMark, int]:
        found: dict[PictureMark, int] = {}
        paths = list(by_path)
        for start in range(0, len(paths), _QUERIED_ROWS):
            chunk = paths[start : start + _QUERIED_ROWS]
            rows = self._query(
                "SELECT path, id FROM images WHERE status = 'indexed' AND root_id = ? "
                f"AND path IN ({', '.join(['CAST(? AS TEXT)'] * len(chunk))})",
                (root_id, *map(encode_path, chunk)),
            )
            found.update((by_path[path], image_id) for path, image_id in rows)
        return found


def _nearest(mark: PictureMark, known: Sequence[tuple[int, PictureMark]]) -> int:
    """Return the id of the one that lies nearest to where a mark says."""

    def distance(one: tuple[int, PictureMark]) -> tuple[bool, bool, int]:
        image_id, there = one
        return there.path != mark.path, there.root != mark.root, image_id

    return min(known, key=distance)[0]
