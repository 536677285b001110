"""Values that annotators find in pictures: what travels, how the catalog keeps it, and what comes back."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias

from indexer.library.addresses.shown import shown_address
from indexer.library.annotations.fields import AnnotatorRecord, Field, FieldType
from indexer.library.annotations.points import pack_point, unpack_point

Values: TypeAlias = Mapping[str, Any]  # by the names of fields; a field without a value is left out, or None
_Kept: TypeAlias = str | int | float | None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an annotator found nothing in a picture, in English. It is not asked again until its version changes."""

    reason: str


@dataclass(frozen=True, slots=True)
class Annotation:
    """What one version of an annotator found in one content, in the order of its fields; or why it found nothing."""

    version: int
    kept: tuple[_Kept, ...]
    problem: str | None = None


def to_annotation(record: AnnotatorRecord, found: Values | Failure) -> Annotation:
    """Return what the catalog keeps. Values that do not fit their fields are a problem, never an error."""
    nothing = (None,) * len(record.fields)
    if isinstance(found, Failure):
        return Annotation(record.version, nothing, found.reason)
    try:
        unknown = found.keys() - {field.name for field in record.fields}
        if unknown:
            raise ValueError(f"no field is called {sorted(unknown)[0]}")
        return Annotation(record.version, tuple(_keep(field, found.get(field.name)) for field in record.fields))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        return Annotation(record.version, nothing, f"{record.name}: {error}")


def from_kept(record: AnnotatorRecord, kept: tuple[_Kept, ...]) -> dict[str, Any]:
    """Return the values of a row of the catalog by the names of their fields; None where there is none."""
    return {field.name: read_value(field, value) for field, value in zip(record.fields, kept, strict=True)}


def sql_type(field: Field) -> str:
    """Return the type of the column that keeps a field."""
    if field.type in (FieldType.WHOLE, FieldType.CHOICES, FieldType.FLAG, FieldType.POINT):
        return "INTEGER"
    return "REAL" if field.type is FieldType.NUMBER else "TEXT"


def _keep(field: Field, value: Any) -> _Kept:
    if value is None:
        return None
    if field.type not in _KEEP:
        raise ValueError(f"{field.name}: no annotator can have a field of type {field.type}")
    return _KEEP[field.type](field, value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value.encode("utf-8", "replace").decode()


def _position(field: Field, name: str) -> int:
    for position, choice in enumerate(field.choices):
        if choice.name == name:
            return position
    raise ValueError(f"{name!r} is no choice of {field.name}")


def _moment(_: Field, value: Any) -> str:
    return datetime.fromisoformat(value).replace(microsecond=0, tzinfo=None).isoformat()


_KEEP: Mapping[FieldType, Callable[[Field, Any], _Kept]] = {
    FieldType.TEXT: lambda _, value: _text(value),
    FieldType.WORDS: lambda _, value: "\n".join(" ".join(_text(word).split()) for word in value),
    FieldType.CHOICE: lambda field, value: field.choices[_position(field, value)].name,
    FieldType.CHOICES: lambda field, value: sum({1 << _position(field, name) for name in value}),
    FieldType.WHOLE: lambda _, value: int(value),
    FieldType.NUMBER: lambda _, value: float(value),
    FieldType.MOMENT: _moment,
    FieldType.FLAG: lambda _, value: int(bool(value)),
    FieldType.POINT: lambda _, value: pack_point(*value),
    FieldType.DATA: lambda _, value: json.dumps(value, ensure_ascii=False, separators=(",", ":")),
}


def read_value(field: Field, kept: _Kept) -> Any:
    """Return what people may read of what the catalog keeps.

    Of files it is their time as ISO 8601 in UTC, of an address what is not secret in it.
    """
    return kept if kept is None or field.type not in _READ else _READ[field.type](field, kept)


_READ: Mapping[FieldType, Callable[[Field, Any], Any]] = {
    FieldType.WORDS: lambda _, kept: str(kept).split("\n") if kept else [],
    FieldType.CHOICES: lambda field, kept: [
        choice.name for bit, choice in enumerate(field.choices) if int(kept) >> bit & 1
    ],
    FieldType.FLAG: lambda _, kept: bool(kept),
    FieldType.POINT: lambda _, kept: list(unpack_point(int(kept))),
    FieldType.PATH: lambda _, kept: shown_address(str(kept)),
    FieldType.DATA: lambda _, kept: json.loads(str(kept)),
    FieldType.TIME: lambda _, kept: datetime.fromtimestamp(int(kept) / 1e9, UTC).isoformat(timespec="seconds"),
}
