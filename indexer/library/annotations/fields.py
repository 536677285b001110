"""Fields: what a picture can be filtered by, searched by, counted by and shown with.

A few are the catalog's own (`BASE_FIELDS`). The others are declared by annotators and written down in the catalog, so
that a service knows the fields of a library without the code that found their values.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Any

from models.foundation.messages import is_chinese, mark, translate
from models.language.text import fold_text
from models.pictures.formats import FORMATS


class FieldType(StrEnum):
    """What the values of a field are, how the catalog keeps them, and which conditions there are on them.

    text      str; a condition asks for a part of it, whatever the case
    path      str; a condition asks for its beginning (only the catalog's own)
    words     a sequence of str, kept one a line; a condition asks for one of them as a whole, whatever the case, or
              for what else the field's choices say is meant by one
    choice    one of the field's choices by name
    choices   some of the field's choices by name, kept as bits in their order: later versions only append choices
    whole     int
    number    float
    ratio     float; 16:9 may be written for it, and equality is approximate (only the catalog's own)
    moment    str, ISO 8601 without a zone, to the second
    time      int, nanoseconds since 1970 (only the catalog's own)
    flag      bool
    point     (latitude, longitude) in degrees, kept to a thousandth as one whole number (points.py); a condition asks
              for what lies in a box
    data      what JSON holds; there are no conditions on it
    """

    TEXT = "text"
    PATH = "path"
    WORDS = "words"
    CHOICE = "choice"
    CHOICES = "choices"
    WHOLE = "whole"
    NUMBER = "number"
    RATIO = "ratio"
    MOMENT = "moment"
    TIME = "time"
    FLAG = "flag"
    POINT = "point"
    DATA = "data"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A value that a field may have: its name, its name in Chinese, and what else may be written for it."""

    name: str
    zh: str = ""
    aliases: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All that may be written for it."""
        return (self.name, self.zh, *self.aliases)


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A fact that is known of pictures.

    `label` is what people call it; its Chinese is `label_zh`, or what a catalogue has. `searchable`: searching words
    looks into it; `filterable`: there are conditions on it; `faceted`: its values are counted; `shown`: a person who
    looks at a picture sees it.
    """

    name: str
    type: FieldType
    label: str
    label_zh: str = ""
    searchable: bool = False
    filterable: bool = False
    faceted: bool = False
    shown: bool = True
    choices: tuple[Choice, ...] = ()
    aliases: tuple[str, ...] = ()

    def title(self, language: str) -> str:
        """Return what people call it in `language`."""
        return self.label_zh if self.label_zh and is_chinese(language) else translate(self.label, language)

    def find_choice(self, text: str) -> str | None:
        """Return the name of the choice that a text means, in any case, width or script; None if it means none."""
        word = fold_text(text).strip()
        known = ((choice.name, fold_text(name)) for choice in self.choices for name in choice.names)
        return next((name for name, folded in known if word and word == folded), None)

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON takes."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Field":
        """Read what `to_dict` returned."""
        choices = tuple(Choice(**{**choice, "aliases": tuple(choice["aliases"])}) for choice in values["choices"])
        read = {"type": FieldType(values["type"]), "choices": choices, "aliases": tuple(values["aliases"])}
        return cls(**{**values, **read})


@dataclass(frozen=True, slots=True)
class AnnotatorRecord:
    """An annotator as a catalog knows it: which version has been at work, and the fields it finds values for."""

    name: str
    version: int
    fields: tuple[Field, ...]

    @property
    def table(self) -> str:
        """The table of its values."""
        return f"annotation_{self.name}"

    @property
    def searchable(self) -> bool:
        """Whether what it finds can be searched by words."""
        return any(one.searchable for one in self.fields)

    def fields_json(self) -> str:
        """Return the fields as the catalog keeps them."""
        return json.dumps([one.to_dict() for one in self.fields], ensure_ascii=False)

    @classmethod
    @lru_cache(maxsize=256)  # a catalog says the same for every search
    def read(cls, name: str, version: int, fields_json: str) -> "AnnotatorRecord":
        """Return what a catalog says of an annotator."""
        return cls(name, version, tuple(Field.from_dict(values) for values in json.loads(fields_json)))


@dataclass(frozen=True, slots=True)
class CatalogField:
    """A field, and the SQL expression of its value; `table` is joined by content, "" where images and contents do."""

    field: Field
    expression: str
    table: str = ""


@dataclass(frozen=True, slots=True)
class FieldSet:
    """The fields of one catalog, by name and by what else they are called."""

    fields: tuple[CatalogField, ...]
    _by_name: Mapping[str, CatalogField] = field(init=False, repr=False, compare=False, hash=False)

    def __post_init__(self) -> None:
        names = {name: one for one in self.fields for name in (*one.field.aliases, one.field.name)}
        object.__setattr__(self, "_by_name", names)

    @classmethod
    def of(cls, annotators: Iterable[AnnotatorRecord]) -> "FieldSet":
        """Return the catalog's own fields and those of annotators."""
        found = [
            CatalogField(
                one, _FALLBACKS.get((record.name, one.name), "{}").format(f'{record.table}."{one.name}"'), record.table
            )
            for record in annotators
            for one in record.fields
        ]
        has_keywords = any((one.table, one.field.name) == ("annotation_words", "keyword") for one in found)
        return cls((*(_WITH_KEYWORDS if has_keywords else _BASE), *found))

    def __iter__(self) -> Iterator[CatalogField]:
        return iter(self.fields)

    def find(self, name: str) -> CatalogField | None:
        """Return a field by its name, or by what else it is called; None if there is none."""
        return self._by_name.get(name)

    def list_filterable(self) -> Sequence[str]:
        """Return the names of the fields on which there are conditions."""
        return [one.field.name for one in self.fields if one.field.filterable]


_FORMAT_ALIASES = {"jpeg": ("jpg",), "tiff": ("tif",), "heif": ("heic",), "png": ("apng",)}

BASE_FIELDS = (
    Field(name="path", type=FieldType.PATH, label=mark("Path"), filterable=True),
    Field(name="name", type=FieldType.TEXT, label=mark("File name"), filterable=True),
    Field(name="size", type=FieldType.WHOLE, label=mark("Size, bytes"), filterable=True, aliases=("bytes",)),
    Field(
        name="format",
        type=FieldType.CHOICE,
        label=mark("Format"),
        filterable=True,
        faceted=True,
        choices=tuple(Choice(name=name, aliases=_FORMAT_ALIASES.get(name, ())) for name in FORMATS),
        aliases=("formats",),
    ),
    Field(
        name="kind",
        type=FieldType.CHOICE,
        label=mark("Kind"),
        filterable=True,
        faceted=True,
        choices=(
            Choice(name="picture", zh="图片", aliases=("pictures", "image", "photo", "照片")),
            Choice(name="video", zh="视频", aliases=("videos", "film", "影片")),
        ),
    ),
    Field(name="duration", type=FieldType.NUMBER, label=mark("Duration, seconds"), filterable=True),
    Field(
        name="tag",
        type=FieldType.WORDS,
        label=mark("Tags"),
        filterable=True,
        faceted=True,
        aliases=("tags",),
    ),
    Field(name="width", type=FieldType.WHOLE, label=mark("Width"), filterable=True),
    Field(name="height", type=FieldType.WHOLE, label=mark("Height"), filterable=True),
    Field(name="aspect", type=FieldType.RATIO, label=mark("Aspect"), filterable=True),
    Field(
        name="dated",
        type=FieldType.CHOICE,
        label=mark("Date from"),
        filterable=True,
        choices=(
            Choice(name="camera", zh="相机"),
            Choice(name="beside", zh="旁边的文件"),
            Choice(name="name", zh="文件名"),
            Choice(name="file", zh="文件时间"),
        ),
    ),
    Field(name="modified", type=FieldType.TIME, label=mark("Modified"), filterable=True),
)
# Where a camera has not said when, a file beside the picture may, or its name; its time is the last resort.
_WRITTEN_AT = "strftime('%Y-%m-%dT%H:%M:%S', images.mtime_ns / 1000000000, 'unixepoch', 'localtime')"
_BESIDE_AT = "nullif(images.beside_at, '')"
_FALLBACKS = {
    ("exif", "taken"): f"coalesce({{}}, {_BESIDE_AT}, nullif(images.named_at, ''), {_WRITTEN_AT})",
    ("words", "rating"): "coalesce(images.beside_rating, {})",  # which is given last
}
_DATED = (
    "CASE WHEN annotation_exif.taken IS NOT NULL THEN 'camera' WHEN images.beside_at <> '' THEN 'beside' "
    "WHEN images.named_at <> '' THEN 'name' ELSE 'file' END"
)
_TABLES = {"dated": "annotation_exif"}
_EXPRESSIONS = {
    "dated": _DATED,
    "path": "images.path",
    "name": (
        "iif(images.path GLOB '*://*', NULL, "  # an address, which may say more than people may see
        "substr(images.path, length(rtrim(images.path, replace(images.path, '/', ''))) + 1))"
    ),
    "size": "images.size",
    "tag": "images.tags",
    "aspect": "CAST(contents.width AS REAL) / contents.height",
    "modified": "images.mtime_ns",
    "kind": "iif(contents.duration_ms IS NULL, 'picture', 'video')",
    "duration": "contents.duration_ms / 1000.0",
}
_BASE = tuple(
    CatalogField(one, _EXPRESSIONS.get(one.name, f"contents.{one.name}"), _TABLES.get(one.name, ""))
    for one in BASE_FIELDS
)
# What was written into the file counts beside what a list or a file beside the picture says.
_TAGS_AND_KEYWORDS = "trim(images.tags || char(10) || coalesce(annotation_words.keyword, ''), char(10))"
_WITH_KEYWORDS = tuple(
    CatalogField(one.field, _TAGS_AND_KEYWORDS, "annotation_words") if one.field.name == "tag" else one for one in _BASE
)
