"""The sources of a library in its catalog."""

import json
import os
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

from indexer.library.catalog.database import Database
from indexer.library.sources.items import Root, Stamp

ROOT_COLUMNS = (
    "roots.id, roots.path, roots.kind, roots.include, roots.exclude, roots.hidden, roots.mounts, roots.columns, "
    "roots.package, roots.stamp, roots.defaults"
)
ROOT_WIDTH = ROOT_COLUMNS.count(",") + 1


class RootDatabase(Database):
    """Questions about the sources of a library."""

    def list_roots(self) -> list[Root]:
        """Return the roots of the library in the order they were added."""
        return [root_of(row) for row in self._query(f"SELECT {ROOT_COLUMNS} FROM roots WHERE NOT removed ORDER BY id")]

    def count_by_root(self) -> dict[int, dict[str, int]]:
        """Return the id of a root -> status -> number of its pictures."""
        found: dict[int, dict[str, int]] = {}
        for root_id, status, count in self._query("SELECT root_id, status, count(*) FROM images GROUP BY 1, 2"):
            found.setdefault(root_id, {})[status] = count
        return found

    def sum_sizes(self) -> int:
        """Return the bytes of the files of all pictures, wherever they lie."""
        return int(self._query("SELECT coalesce(sum(size), 0) FROM images WHERE status = 'indexed'")[0][0])


@lru_cache(maxsize=4096)  # every picture of a page has one, and they are few
def root_of(values: tuple[Any, ...]) -> Root:
    """Return a source by the values of ROOT_COLUMNS."""
    number, path, kind, include, exclude, hidden, mounts, columns, package, stamp, defaults = values
    return Root(
        id=number,
        path=Path(path),
        kind=kind,
        include=tuple(json.loads(include)),
        exclude=tuple(json.loads(exclude)),
        hidden=bool(hidden),
        defaults=bool(defaults),
        mounts=tuple(os.fsdecode(unquote_to_bytes(name)) for name in json.loads(mounts)),
        columns=json.loads(columns),
        package=package,
        stamp=Stamp(*json.loads(stamp)) if stamp else Stamp(),
    )
