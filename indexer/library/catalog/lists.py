"""Pictures in the order of a field, and what is told of each picture of a page."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from indexer.library.annotations.fields import CatalogField, Field, FieldSet, FieldType
from indexer.library.annotations.values import read_value
from indexer.library.catalog.annotation_tables import AnnotationDatabase
from indexer.library.catalog.sorting import Sort
from indexer.library.catalog.sql import join_tables, to_sql
from indexer.library.errors import UnknownFields
from indexer.library.filters import Filter
from models.foundation.vectors import Ids

_QUERIED_ROWS = 500
# What else is known of a picture, without being a field of the library.
_FACTS = (
    CatalogField(
        Field(name="taken_at", type=FieldType.MOMENT, label=""),
        "coalesce(annotation_exif.taken, nullif(images.beside_at, ''), nullif(images.named_at, ''))",
        "annotation_exif",
    ),
    CatalogField(Field(name="modified_at", type=FieldType.TIME, label=""), "images.mtime_ns"),
    CatalogField(Field(name="caption", type=FieldType.TEXT, label=""), "nullif(images.caption, '')"),
)


def list_facts(fields: FieldSet) -> list[str]:
    """Return the names of what can be told of pictures."""
    return [*(one.field.name for one in fields if _is_useful(one.field)), *(one.field.name for one in _FACTS)]


def read_facts(names: Sequence[str], fields: FieldSet) -> dict[str, CatalogField]:
    """Return what is asked for by its names; several may stand in one, with commas. Raises UnknownFields."""
    found: dict[str, CatalogField] = {}
    for name in (part.strip() for one in names for part in one.split(",")):
        fact = next((one for one in _FACTS if one.field.name == name), None) or fields.find(name)
        if fact is None or not (fact in _FACTS or _is_useful(fact.field)):
            raise UnknownFields(name, list_facts(fields))
        found[name] = fact
    return found


def _is_useful(field: Field) -> bool:
    return field.shown or field.filterable or field.searchable


class ListDatabase(AnnotationDatabase):
    """Questions about many pictures at once: their order, and their values."""

    def sort_ids(self, where: Filter, sort: Sort) -> Ids:
        """Return the ids of the indexed pictures that satisfy `where`, sorted. Raises InvalidFilter."""
        asked = to_sql(where, self.fields())
        joins = asked.joins if sort.joins in asked.joins else f"{asked.joins} {sort.joins}"
        rows = self._query(
            f"SELECT images.id FROM images JOIN contents ON contents.id = images.content_id {joins} "
            f"WHERE status = 'indexed' AND {asked.condition} ORDER BY {sort.order}",
            asked.values,
        )
        return np.fromiter((row[0] for row in rows), np.int64, len(rows))

    def sort_values(self, image_ids: Sequence[int], sort: Sort) -> dict[int, Any]:
        """Return id -> what it is sorted by, None where there is no value."""
        return {key: values[0] for key, values in self._select(image_ids, [sort.value], sort.joins).items()}

    def sort_keys(self, image_ids: Sequence[int], sort: Sort) -> dict[int, Any]:
        """Return id -> what of its value decides where it stands, None where there is no value."""
        return {key: values[0] for key, values in self._select(image_ids, [sort.compared], sort.joins).items()}

    def get_facts(self, image_ids: Sequence[int], asked: Mapping[str, CatalogField]) -> dict[int, dict[str, Any]]:
        """Return id -> the values of `read_facts` by name, None where there is none."""
        if not asked:
            return {}
        joins = join_tables({one.table: None for one in asked.values() if one.table})
        found = self._select(image_ids, [one.expression for one in asked.values()], joins)
        return {
            image_id: {
                name: read_value(one.field, kept) for (name, one), kept in zip(asked.items(), values, strict=True)
            }
            for image_id, values in found.items()
        }

    def _select(self, image_ids: Sequence[int], expressions: Sequence[str], joins: str) -> dict[int, Sequence[Any]]:
        found: dict[int, Sequence[Any]] = {}
        for start in range(0, len(image_ids), _QUERIED_ROWS):
            chunk = [int(image_id) for image_id in image_ids[start : start + _QUERIED_ROWS]]
            rows = self._query(
                f"SELECT images.id, {', '.join(expressions)} FROM images "
                f"JOIN contents ON contents.id = images.content_id {joins} "
                f"WHERE images.id IN ({', '.join('?' * len(chunk))})",
                chunk,
            )
            found.update((row[0], row[1:]) for row in rows)
        return found
