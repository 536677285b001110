"""The order of pictures by the values of a field, as a person writes it: taken, -rating."""

from dataclasses import dataclass

from indexer.library.annotations.fields import CatalogField, Field, FieldSet, FieldType
from indexer.library.catalog.sql import join_tables
from indexer.library.errors import InvalidSort
from models.foundation.messages import mark

_WITHOUT_ORDER = {
    FieldType.WORDS,
    FieldType.CHOICES,
    FieldType.POINT,
    FieldType.DATA,
}  # have several values, or none to compare
_TEXTS = {FieldType.TEXT, FieldType.PATH, FieldType.CHOICE}
# A catalog gives each picture a higher id than all that came before it, and none ever again.
_ADDED = CatalogField(Field(name="added", type=FieldType.WHOLE, label=mark("Added, as the id says")), "images.id")


@dataclass(frozen=True, slots=True)
class Sort:
    """A field that pictures are sorted by, the lowest first; pictures without a value are last either way."""

    field: CatalogField
    descending: bool = False

    @property
    def joins(self) -> str:
        """The joins of the table that the values lie in."""
        return join_tables({self.field.table: None}) if self.field.table else ""

    @property
    def value(self) -> str:
        """The SQL expression of the values; NULL where there is none."""
        return f"nullif({self.field.expression}, '')" if self.field.field.type in _TEXTS else self.field.expression

    @property
    def compared(self) -> str:
        """The SQL expression of what of the values decides."""
        return f"lower({self.value})" if self.field.field.type in _TEXTS else self.value

    @property
    def order(self) -> str:
        """What follows ORDER BY; equal pictures are in ascending order of their ids."""
        if self.field is _ADDED:
            return f"images.id {'DESC' if self.descending else 'ASC'}"
        return f"{self.compared} {'DESC' if self.descending else 'ASC'} NULLS LAST, images.id"

    @property
    def written(self) -> str:
        """What `read_sort` reads as this."""
        return f"{'-' if self.descending else ''}{self.field.field.name}"


def is_sortable(one: CatalogField) -> bool:
    """Say whether pictures can be sorted by a field."""
    return one.field.filterable and one.field.type not in _WITHOUT_ORDER


def read_sort(written: str, fields: FieldSet) -> Sort:
    """Read a field's name; a minus before it puts the highest first. Raises InvalidSort."""
    name = written.strip().replace("\u2212", "-").removeprefix("+")
    plain = name.removeprefix("-").strip()
    found = _ADDED if plain == _ADDED.field.name else fields.find(plain)
    if found is None or not (found is _ADDED or is_sortable(found)):
        raise InvalidSort(written, list_sorts(fields))
    return Sort(found, name.startswith("-"))


def list_sorts(fields: FieldSet) -> list[str]:
    """Return the names that `read_sort` takes."""
    return [*(one.field.name for one in fields if is_sortable(one)), _ADDED.field.name]
