"""Pictures that satisfy some conditions, in the order of a field: nothing is searched for."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from api.search.engine import SearchEngine
from indexer.library.addresses.shown import shown_address
from indexer.library.annotations.fields import Field, FieldType
from indexer.library.catalog.records import ImageRow
from indexer.library.catalog.sorting import read_sort
from indexer.library.filters import Filter


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One page of a list: its pictures and, for each, what it is sorted by, None where it has no such value.

    `total` counts all of the list; the next page begins at `next_offset`, None after the last.
    """

    field: Field
    pictures: Sequence[tuple[ImageRow, Any]]
    total: int
    next_offset: int | None


def _shown(value: Any, field: Field) -> Any:
    """Return a value as a person reads it: the time of a file as ISO 8601 in UTC, an address as it is shown."""
    if field.type is FieldType.PATH and value is not None:
        return shown_address(value)
    if value is None or field.type is not FieldType.TIME:
        return value
    return datetime.fromtimestamp(value / 1e9, UTC).isoformat(timespec="seconds")


def list_pictures(engine: SearchEngine, where: Filter, sort: str, *, k: int, offset: int) -> Listing:
    """Return `k` pictures of a build that satisfy `where`, from place `offset`. Raises InvalidSort or InvalidFilter."""
    catalog = engine.opened.catalog
    order = read_sort(sort, engine.fields())
    ids = catalog.sort_ids(where, order)
    ids = ids[engine.holds(ids)]  # what a run is adding just now is not in this build yet
    total, end = len(ids), min(offset + k, len(ids))
    page = ids[offset:end].tolist()
    rows, values = catalog.get_images(page), catalog.sort_values(page, order)
    return Listing(
        field=order.field.field,
        pictures=[
            (rows[image_id], _shown(values[image_id], order.field.field)) for image_id in page if image_id in rows
        ],
        total=total,
        next_offset=end if page and end < total else None,
    )
