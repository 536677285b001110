"""A Filter -> the SQL that finds its pictures in a catalog."""

import json
from dataclasses import dataclass
from datetime import datetime

from indexer.library.annotations.fields import CatalogField, FieldSet, FieldType
from indexer.library.annotations.points import BITS, MASK, to_east, to_north
from indexer.library.catalog.paths import NORMAL_PATH, encode_path, normal_path
from indexer.library.errors import InvalidFilter
from indexer.library.filters import (
    AllOf,
    AnyOf,
    Begins,
    Filter,
    Listed,
    MapBox,
    OfField,
    Period,
    Range,
    Within,
)
from indexer.library.sources.items import MAX_INT64
from models.foundation.messages import message

# Words are kept one a line. Of letters beyond ASCII, SQLite knows no lower case.
_HAS_WORD = "instr(lower(char(10) || {} || char(10)), lower(char(10) || ? || char(10))) > 0"
_HAS_PART = "instr(lower({}), lower(?)) > 0"


@dataclass(frozen=True, slots=True)
class SqlCondition:
    """A condition on `images` joined with `contents`; `joins` are the further tables that it reads."""

    joins: str
    condition: str
    values: tuple[object, ...]


def to_sql(where: Filter, fields: FieldSet) -> SqlCondition:
    """Return a filter as SQL. Raises InvalidFilter for a field that the catalog does not have."""
    terms: list[str] = []
    values: list[object] = []
    tables: dict[str, None] = {}
    for name, condition in where.conditions:
        if isinstance(condition, Listed):
            terms.append("images.id IN (SELECT value FROM json_each(?))")
            values.append(json.dumps(condition.list_ids().tolist()))
            continue
        found = fields.find(name)
        if found is None:
            raise InvalidFilter(name, 0, message("unknown field {name}", name=name))
        if found.table:
            tables[found.table] = None
        own_terms, own_values = _terms(found, condition)
        terms += own_terms
        values += own_values
    return SqlCondition(join_tables(tables), " AND ".join(terms) or "1", tuple(values))


def join_tables(tables: "dict[str, None]") -> str:
    """Return the joins of annotators' tables. Rows without a value are kept, and fit no condition."""
    return " ".join(f"LEFT JOIN {table} ON {table}.content_id = contents.id" for table in tables)


def _terms(found: CatalogField, condition: OfField) -> tuple[list[str], list[object]]:
    column, kind = found.expression, found.field.type
    match condition:
        case Range(low, high):
            return _bounds(column, (low, ">="), (high, "<="))
        case Period(start, end):
            as_kept = _nanoseconds if kind is FieldType.TIME else datetime.isoformat
            return _bounds(column, (start and as_kept(start), ">="), (end and as_kept(end), "<"))
        case AnyOf(names):
            return _choice_terms(found, names)
        case Begins(prefixes):
            wanted = [(int(folded), normal_path(encode_path(prefix), folded=folded)) for prefix, folded in prefixes]
            terms = [f"substr({NORMAL_PATH}(CAST({column} AS BLOB), ?), 1, ?) = ?"] * len(wanted)
            return terms, [value for folded, prefix in wanted for value in (folded, len(prefix), prefix)]
        case Within(boxes):
            return _box_terms(column, boxes)
        case AllOf(texts):
            return _text_terms(column, kind, texts)


def _choice_terms(found: CatalogField, names: tuple[str, ...]) -> tuple[list[str], list[object]]:
    if found.field.type is FieldType.CHOICES:
        return [f"{found.expression} & ? != 0"], [choices_mask(found, names)]
    return [f"{found.expression} IN ({', '.join('?' * len(names))})"], [*names]


def _box_terms(column: str, boxes: tuple[MapBox, ...]) -> tuple[list[str], list[object]]:
    terms: list[str] = []
    values: list[object] = []
    east = f"({column} & {MASK})"
    for box in boxes:
        joint = "AND" if box.west <= box.east else "OR"  # the latter over the date line
        terms.append(f"(({column} >> {BITS}) BETWEEN ? AND ? AND ({east} >= ? {joint} {east} <= ?))")
        values += [to_north(box.south), to_north(box.north), to_east(box.west), to_east(box.east)]
    return terms, values


def _text_terms(column: str, kind: FieldType, texts: tuple[tuple[str, ...], ...]) -> tuple[list[str], list[object]]:
    if kind is FieldType.FLAG:
        return [f"{column} = ?"] * len(texts), [int(alternatives[0] == "yes") for alternatives in texts]
    term = (_HAS_WORD if kind is FieldType.WORDS else _HAS_PART).format(column)
    return (
        [f"({' OR '.join([term] * len(alternatives))})" for alternatives in texts],
        [text for alternatives in texts for text in alternatives],
    )


def choices_mask(found: CatalogField, names: tuple[str, ...]) -> int:
    """Return the bits of some choices of a field."""
    order = [choice.name for choice in found.field.choices]
    return sum({1 << order.index(name) for name in names})


def _bounds(column: str, *bounds: tuple[object, str]) -> tuple[list[str], list[object]]:
    given = [(value, operator) for value, operator in bounds if value is not None]
    return [f"{column} {operator} ?" for _, operator in given], [value for value, _ in given]


def _nanoseconds(moment: datetime) -> int:
    try:
        return max(-MAX_INT64, min(int(moment.timestamp()) * 10**9, MAX_INT64))
    except (ValueError, OverflowError):  # beyond what the machine's clock can count
        return MAX_INT64 if moment.year > 1970 else -MAX_INT64
