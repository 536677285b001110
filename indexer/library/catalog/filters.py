"""Conditions on catalog fields: the `where` of a query, as data, as text and as SQL."""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

from indexer.library.colours import NAMES, NAMES_ZH, colour_mask, colour_name
from indexer.library.errors import InvalidFilter
from models.pictures.formats import FORMATS

_T = TypeVar("_T")
MAX_INT64 = 2**63 - 1  # SQLite holds no larger number; file times are kept within it
_FORMAT_ALIASES = {"jpg": "jpeg", "tif": "tiff", "heic": "heif", "apng": "png"}
_FIELD_ALIASES = {"color": "colour", "colours": "colour", "colors": "colour", "formats": "format", "tags": "tag"}
_CONDITION = re.compile(
    r"""\s*(?P<field>[a-z_]+)\s*(?P<operator>>=|<=|\^=|=|>|<)\s*(?:"(?P<quoted>[^"]*)"|(?P<bare>[^\s,"]+))\s*""",
    re.IGNORECASE,
)
_JOINT = re.compile(r"and\b|,", re.IGNORECASE)
# Tags are kept one a line. Of letters beyond ASCII, SQLite knows no lower case.
_HAS_TAG = "instr(lower(char(10) || tags || char(10)), lower(char(10) || ? || char(10))) > 0"
_DATE = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2})(?:[T ](\d{1,2}):(\d{2})(?::(\d{2}))?)?)?)?$")


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers from `low` to `high`, both included; None is open."""

    low: float | None = None
    high: float | None = None

    def within(self, other: "Range") -> "Range":
        """Return the numbers that are in both."""
        lows = [r.low for r in (self, other) if r.low is not None]
        highs = [r.high for r in (self, other) if r.high is not None]
        return Range(max(lows, default=None), min(highs, default=None))


@dataclass(frozen=True, slots=True)
class Period:
    """Moments from `start`, included, to `end`, excluded; None is open. Without a time zone."""

    start: datetime | None = None
    end: datetime | None = None

    def within(self, other: "Period") -> "Period":
        """Return the moments that are in both."""
        starts = [p.start for p in (self, other) if p.start is not None]
        ends = [p.end for p in (self, other) if p.end is not None]
        return Period(max(starts, default=None), min(ends, default=None))


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """All conditions must hold; an empty one always does.

    `path` holds prefixes below the root, of which all must fit; of several formats or colours one is enough; `tags`
    holds choices of which all must hold, each one by any of its tags; `taken` is the camera's clock, `modified` the
    file's time in this machine's zone.
    """

    path: tuple[str, ...] = ()
    formats: tuple[str, ...] = ()
    colours: tuple[str, ...] = ()
    tags: tuple[tuple[str, ...], ...] = ()
    width: Range = Range()
    height: Range = Range()
    aspect: Range = Range()
    taken: Period = Period()
    modified: Period = Period()

    def to_sql(self) -> tuple[str, list[object]]:
        """Return an SQL condition on table `images`, and its parameters."""
        terms: list[str] = []
        values: list[object] = []
        for prefix in self.path:
            terms.append("substr(CAST(path AS BLOB), 1, ?) = ?")
            raw = prefix.encode("utf-8", "surrogateescape")
            values += [len(raw), raw]
        if self.formats:
            terms.append(f"format IN ({', '.join('?' * len(self.formats))})")
            values += self.formats
        if self.colours:
            terms.append("colour_mask & ? != 0")
            values.append(colour_mask(self.colours))
        for choice in self.tags:
            terms.append(f"({' OR '.join([_HAS_TAG] * len(choice))})")
            values += choice
        for column, bounds in (
            ("width", self.width),
            ("height", self.height),
            ("CAST(width AS REAL) / height", self.aspect),
        ):
            _add_bounds(terms, values, column, (bounds.low, ">="), (bounds.high, "<="))
        taken = [moment and moment.isoformat() for moment in (self.taken.start, self.taken.end)]
        _add_bounds(terms, values, "taken_at", (taken[0], ">="), (taken[1], "<"))
        modified = [moment and _nanoseconds(moment) for moment in (self.modified.start, self.modified.end)]
        _add_bounds(terms, values, "mtime_ns", (modified[0], ">="), (modified[1], "<"))
        return " AND ".join(terms) or "1", values


def _add_bounds(terms: list[str], values: list[object], column: str, *bounds: tuple[object, str]) -> None:
    for value, operator in bounds:
        if value is not None:
            terms.append(f"{column} {operator} ?")
            values.append(value)


def _nanoseconds(moment: datetime) -> int:
    try:
        return max(-MAX_INT64, min(int(moment.timestamp()) * 10**9, MAX_INT64))
    except (ValueError, OverflowError):  # beyond what the machine's clock can count
        return MAX_INT64 if moment.year > 1970 else -MAX_INT64


def parse_filter(expression: str) -> Filter:
    """Read conditions joined by `and` or commas: `format=jpeg|png and width>=1000 and taken=2024-05`.

    Fields: path (a prefix), format, colour, tag, width, height, aspect, taken, modified. A date may stop at the year,
    the month or the day, and then means all of it. Raises InvalidFilter with the position.
    """
    result = Filter()
    position = 0
    while True:
        match = _CONDITION.match(expression, position)
        if not match:
            raise InvalidFilter(
                expression,
                position,
                why_en="expected FIELD OPERATOR VALUE, with one of = >= <= > <",
                why_zh="应为“字段 运算符 值”，运算符为 = >= <= > < 之一",
            )
        value = match["bare"] if match["quoted"] is None else match["quoted"]
        try:
            result = _add_condition(result, match["field"].lower(), match["operator"], value)
        except _Unusable as error:
            raise InvalidFilter(expression, match.start("field"), why_en=error.en, why_zh=error.zh) from None
        if match.end() == len(expression):
            return result
        joint = _JOINT.match(expression, match.end())
        if not joint:
            raise InvalidFilter(
                expression,
                match.end(),
                why_en="expected `and` between conditions; put a value with spaces in double quotes",
                why_zh="条件之间应写 and；含空格的值请加双引号",
            )
        position = joint.end()


def narrow(result: Filter, conditions: Iterable[tuple[str, str, str]]) -> Filter:
    """Return `result` with (field, operator, value) triples added. Raises InvalidFilter naming the first bad one."""
    for field, operator, value in conditions:
        try:
            result = _add_condition(result, field, operator, value)
        except _Unusable as error:
            raise InvalidFilter(f"{field}{operator}{value}", 0, why_en=error.en, why_zh=error.zh) from None
    return result


class _Unusable(Exception):
    """A condition that means nothing; its position is known further up."""

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(en)
        self.en, self.zh = en, zh


def _add_condition(result: Filter, field: str, operator: str, value: str) -> Filter:
    """Return `result` narrowed by one condition."""
    field = _FIELD_ALIASES.get(field, field)
    match field:
        case "path" if operator in ("=", "^="):
            return replace(result, path=_merge(result.path, [_path(value)] if value else []))
        case "format" if operator == "=":
            return replace(result, formats=_merge(result.formats, map(_format, value.split("|"))))
        case "colour" if operator == "=":
            return replace(result, colours=_merge(result.colours, map(_colour, value.split("|"))))
        case "tag" if operator == "=":
            return replace(result, tags=_merge(result.tags, [_tags(value)]))
        case "width" | "height" | "aspect" if operator != "^=":
            narrowed = getattr(result, field).within(_range(operator, _number(value), whole=field != "aspect"))
            return replace(result, **{field: narrowed})
        case "taken" | "modified" if operator != "^=":
            return replace(result, **{field: getattr(result, field).within(_period(operator, value))})
        case "path" | "format" | "colour" | "tag" | "width" | "height" | "aspect" | "taken" | "modified":
            raise _Unusable(f"{field} cannot be compared with {operator}", f"{field} 不能使用运算符 {operator}")
    raise _Unusable(
        f"unknown field {field}; known are path, format, colour, tag, width, height, aspect, taken, modified",
        f"未知字段 {field}；可用字段为 path、format、colour、tag、width、height、aspect、taken、modified",
    )


def _merge(values: tuple[_T, ...], more: Iterable[_T]) -> tuple[_T, ...]:
    return tuple(dict.fromkeys((*values, *more)))


def _path(value: str) -> str:
    try:
        value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise _Unusable("the path is not text", "路径不是有效的文字") from None
    if value.startswith("/"):
        raise _Unusable(
            "a path starts below the folder that was indexed, as 2024/spring/",
            "路径应从所索引的文件夹之下写起，如 2024/spring/",
        )
    return value.removeprefix("./")


def _format(value: str) -> str:
    name = value.strip().lower()
    name = _FORMAT_ALIASES.get(name, name)
    if name not in FORMATS:
        raise _Unusable(f"unknown format {value}; known are {', '.join(FORMATS)}", f"未知格式 {value}")
    return name


def _colour(value: str) -> str:
    name = colour_name(value)
    if name is None:
        raise _Unusable(
            f"unknown colour {value}; known are {', '.join(NAMES)}",
            f"未知颜色 {value}；可用：{'、'.join(NAMES_ZH)}",
        )
    return name


def _tags(value: str) -> tuple[str, ...]:
    """Return the tags of which a picture must have one, as the catalog keeps them."""
    tags = tuple(" ".join(tag.split()) for tag in value.split("|"))
    if not all(tags) or any("\ud800" <= char <= "\udfff" for char in value):
        raise _Unusable(
            "no tag is named; say tag=beach or tag=beach|sea", "没有写明标签；示例：tag=海滩、tag=海滩|大海"
        )
    return tags


def _number(value: str) -> float:
    try:
        if ":" in value:  # an aspect ratio, as 16:9
            wide, high = value.split(":")
            return float(wide) / float(high)
        number = float(value)
    except (ValueError, ZeroDivisionError):
        number = float("nan")
    if not 0 <= number < 1e9:
        raise _Unusable(f"{value} is not a number that can be used here", f"{value} 不是可用的数字")
    return number


def _range(operator: str, number: float, *, whole: bool) -> Range:
    slack = 0.0 if whole else 0.005  # aspect=1.5 means about 3:2
    match operator:
        case ">=":
            return Range(low=number)
        case "<=":
            return Range(high=number)
        case ">":
            return Range(low=math.floor(number) + 1 if whole else number + 1e-9)
        case "<":
            return Range(high=math.ceil(number) - 1 if whole else number - 1e-9)
    return Range(number - slack, number + slack)


def _period(operator: str, value: str) -> Period:
    start, end = _moments(value)
    match operator:
        case ">=":
            return Period(start=start)
        case "<=":
            return Period(end=end)
        case ">":
            return Period(start=end)
        case "<":
            return Period(end=start)
    return Period(start, end)


def _moments(value: str) -> tuple[datetime, datetime]:
    """Return the first moment that `value` means, and the first one after it."""
    match = _DATE.match(value.strip())
    try:
        if not match:
            raise ValueError(value)
        year, month, day, hour, minute, second = (int(part) if part else None for part in match.groups())
        date = (year or 0, 1 if month is None else month, 1 if day is None else day)
        start = datetime(*date, hour or 0, minute or 0, second or 0)
    except ValueError:
        raise _Unusable(
            f"{value} is not a date such as 2024, 2024-05, 2024-05-03 or 2024-05-03T14:30",
            f"{value} 不是日期；示例：2024、2024-05、2024-05-03、2024-05-03T14:30",
        ) from None
    try:
        if month is None:
            return start, start.replace(year=start.year + 1)
        if day is None:
            return start, (start + timedelta(days=32)).replace(day=1)
        if hour is None:
            return start, start + timedelta(days=1)
        return start, start + (timedelta(minutes=1) if second is None else timedelta(seconds=1))
    except (ValueError, OverflowError):
        return start, datetime.max
