"""What is known of pictures, for programs and for tables: rows with a column for each fact."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from api.http.mapping import displayable, shown_path
from api.search.engine import SearchEngine
from api.search.errors import ImageNotFound
from indexer.library.catalog.records import ImageRow
from models.foundation.errors import ImageSearchError

COLUMNS: Final = (
    *("id", "path", "root", "width", "height", "format", "bytes", "taken", "camera", "place", "caption", "tags"),
    *("file", "missing", "why"),
)
# What programs take for a formula when they open a table, though a file is called so, or its camera.
_FORMULAS: Final = ("=", "+", "-", "@", "\t", "\r")


@dataclass(slots=True)
class ListedPicture:
    """A picture of a download, None where the library does not have it, and what is known of it by `COLUMNS`."""

    id: int
    row: ImageRow | None
    facts: dict[str, Any] = field(default_factory=dict)

    def miss(self, error: ImageSearchError, language: str) -> None:
        """Note why its file is not there: by a code, and as a sentence."""
        self.facts["missing"] = error.code
        self.facts["why"] = error.text(language, lambda path: path.name)


def list_pictures(engine: SearchEngine, image_ids: Sequence[int], language: str) -> list[ListedPicture]:
    """Return pictures of the build of an engine by their ids, in this order, with what is known of them."""
    catalog = engine.opened.catalog
    rows = catalog.get_images(image_ids)
    found = catalog.get_annotations([row.content_id for row in rows.values()])
    listed = []
    for image_id in image_ids:
        row = rows.get(image_id)
        if row is None or row.status != "indexed":
            one = ListedPicture(image_id, None, {"id": image_id})
            one.miss(ImageNotFound(image_id), language)
        else:
            one = ListedPicture(image_id, row, _facts(row, found[row.content_id]))
        listed.append(one)
    return listed


def _facts(row: ImageRow, found: dict[str, Any]) -> dict[str, Any]:
    place, camera = found.get("place"), found.get("camera")
    return {
        "id": row.id,
        "path": shown_path(row.path),
        "root": displayable(row.root.name),
        "width": row.width,
        "height": row.height,
        "format": row.format,
        "bytes": row.stamp.size,
        "taken": found.get("taken") or row.beside_at or row.named_at,
        "camera": camera and displayable(camera),
        "place": place and displayable(place),
        "caption": displayable(row.caption),
        "tags": [displayable(one) for one in row.tags.split("\n")] if row.tags else [],
    }


class Table:
    """Rows as comma-separated values, as spreadsheets open them: UTF-8 that says so, and no cell is a formula."""

    def __init__(self, *, has_files: bool) -> None:
        """`has_files`: with the column that says which file a picture is."""
        self._columns = [one for one in COLUMNS if has_files or one != "file"]
        self._text = io.StringIO(newline="")
        self._writer = csv.writer(self._text)
        self._text.write("\ufeff")
        self._writer.writerow(self._columns)

    def add(self, picture: ListedPicture) -> None:
        """Write a row."""
        self._writer.writerow([_cell(picture.facts.get(name)) for name in self._columns])

    def take(self) -> bytes:
        """Return what was written since the last time."""
        written = self._text.getvalue().encode()
        self._text.seek(0)
        self._text.truncate()
        return written


def _cell(value: Any) -> Any:
    text = "; ".join(value) if isinstance(value, list) else value
    if not isinstance(text, str):
        return text
    text = text.replace("\0", "")
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULAS) else text
