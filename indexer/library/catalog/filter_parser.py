"""Conditions as people and programs write them -> a Filter on the fields of a catalog."""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

from indexer.library.annotations.fields import Field, FieldSet, FieldType
from indexer.library.errors import InvalidFilter
from indexer.library.filters import AllOf, AnyOf, Begins, Condition, Filter, MapBox, Period, Range, Within
from models.foundation.messages import Message, Quoted, message, verbatim

_CONDITION = re.compile(
    r"""\s*(?P<field>[a-z_]+)\s*(?P<operator>>=|<=|\^=|~=|=|>|<)\s*(?:"(?P<quoted>(?:[^"]|"")*)"|(?P<bare>[^\s,"]+))\s*""",
    re.IGNORECASE,
)
_JOINT = re.compile(r"and\b|,", re.IGNORECASE)
_DATE = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2})(?:[T ](\d{1,2}):(\d{2})(?::(\d{2}))?)?)?)?$")
_YES, _NO = ("yes", "true", "1", "是", "有"), ("no", "false", "0", "否", "无")
_NUMBERS = (FieldType.WHOLE, FieldType.NUMBER, FieldType.RATIO)
_TIMES = (FieldType.MOMENT, FieldType.TIME)
_OF_TEXTS = ("^=", "~=")
_BEGINS = ("=", *_OF_TEXTS)  # the last of them in any case
_RATIO_SLACK = 0.005  # aspect=1.5 means about 3:2


def parse_filter(expression: str, fields: FieldSet) -> Filter:
    """Read conditions joined by `and` or commas: `format=jpeg|png and width>=1000 and taken=2024-05`.

    A date may stop at the year, the month or the day, and then means all of it. A value may stand in double quotes, in
    which two of them mean one. Raises InvalidFilter with the position.
    """
    result = Filter()
    position = 0
    while True:
        match = _CONDITION.match(expression, position)
        if not match:
            raise InvalidFilter(expression, position, message("expected FIELD OPERATOR VALUE, with one of = >= <= > <"))
        value = match["bare"] if match["quoted"] is None else match["quoted"].replace('""', '"')
        try:
            result = _add_condition(result, fields, match["field"].lower(), match["operator"], value)
        except _Unusable as error:
            raise InvalidFilter(expression, match.start("field"), error.why) from None
        if match.end() == len(expression):
            return result
        joint = _JOINT.match(expression, match.end())
        if not joint:
            raise InvalidFilter(
                expression,
                match.end(),
                message("expected `and` between conditions; put a value with spaces in double quotes"),
            )
        position = joint.end()


def parse_box(written: str) -> MapBox:
    """Read a part of a map: `west,south,east,north` in degrees. Raises InvalidFilter."""
    try:
        return _box(written)
    except _Unusable as error:
        raise InvalidFilter(written, 0, error.why) from None


def narrow(result: Filter, fields: FieldSet, conditions: Iterable[tuple[str, str, str]]) -> Filter:
    """Return `result` with (field, operator, value) triples added. Raises InvalidFilter naming the first bad one."""
    for field, operator, value in conditions:
        try:
            result = _add_condition(result, fields, field, operator, value)
        except _Unusable as error:
            raise InvalidFilter(f"{field}{operator}{value}", 0, error.why) from None
    return result


class _Unusable(Exception):
    """A condition that means nothing; its position is known further up."""

    def __init__(self, why: Message) -> None:
        super().__init__(str(why))
        self.why = why


def _add_condition(result: Filter, fields: FieldSet, name: str, operator: str, value: str) -> Filter:
    """Return `result` narrowed by one condition."""
    found = fields.find(name)
    if found is None or not found.field.filterable:
        known = list(fields.list_filterable())
        raise _Unusable(message("unknown field {name}; known are {known}", name=name, known=known))
    field = found.field
    if field.type is FieldType.PATH and not value and operator in _BEGINS:
        return result  # every path begins with nothing
    return result.narrowed(field.name, _condition(field, operator, value))


def _condition(field: Field, operator: str, value: str) -> Condition:
    if field.type in _NUMBERS and operator not in _OF_TEXTS:
        slack = _RATIO_SLACK if field.type is FieldType.RATIO else 0.0
        signed = field.name not in ("width", "height", "aspect")
        return _range(operator, _number(value, signed=signed), whole=field.type is FieldType.WHOLE, slack=slack)
    if field.type in _TIMES and operator not in _OF_TEXTS:
        return _period(operator, value)
    if operator == "=" and field.type in _EQUAL:
        return _EQUAL[field.type](field, value)
    if field.type is FieldType.PATH and operator in _BEGINS:
        return Begins(((_path(value), operator == "~="),))
    raise _Unusable(message("{name} cannot be compared with {operator}", name=field.name, operator=operator))


def _path(value: str) -> str:
    try:
        value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise _Unusable(message("the path is not text")) from None
    if value.startswith("/"):
        raise _Unusable(message("a path starts below the folder that was indexed, as 2024/spring/"))
    return value.removeprefix("./")


def _choices(field: Field, value: str) -> AnyOf:
    return AnyOf(tuple(dict.fromkeys(_choice(field, one) for one in value.split("|"))))


def _choice(field: Field, value: str) -> str:
    name = field.find_choice(value)
    if name is None:
        raise _Unusable(
            message(
                "unknown {field} {value}; known are {choices}",
                field=Quoted(field.name, verbatim(field.title("zh"))),
                value=value.strip() or '""',
                choices=[Quoted(choice.name, verbatim(choice.zh or choice.name)) for choice in field.choices],
            )
        )
    return name


def _words(field: Field, value: str) -> tuple[str, ...]:
    """Return the texts of which a picture must have one, as the catalog keeps them."""
    words = tuple(" ".join(word.split()) for word in value.split("|"))
    if not all(words) or any("\ud800" <= char <= "\udfff" for char in value):
        raise _Unusable(message("nothing is named; say {name}=beach or {name}=beach|sea", name=field.name))
    return tuple(dict.fromkeys(field.find_choice(word) or word for word in words))


def _flag(value: str) -> str:
    word = value.strip().lower()
    if word not in (*_YES, *_NO):
        raise _Unusable(message("{value} is neither yes nor no", value=value))
    return "yes" if word in _YES else "no"


def _box(value: str) -> MapBox:
    try:
        west, south, east, north = map(float, value.split(","))
    except ValueError:
        west = south = east = north = math.nan
    if not (-180 <= west <= 180 and -180 <= east <= 180 and -90 <= south <= north <= 90):
        raise _Unusable(
            message(
                '{value} is no part of a map; say its edges in degrees, in quotation marks: "west,south,east,north"',
                value=value,
            )
        )
    return MapBox(west, south, east, north)


def _number(value: str, *, signed: bool) -> float:
    try:
        if ":" in value:  # an aspect ratio, as 16:9
            wide, high = value.split(":")
            return float(wide) / float(high)
        number = float(value)
    except (ValueError, ZeroDivisionError):
        number = float("nan")
    if not (-1e9 if signed else 0) <= number < 1e9:
        raise _Unusable(message("{value} is not a number that can be used here", value=value))
    return number


_EQUAL: Mapping[FieldType, Callable[[Field, str], Condition]] = {
    FieldType.CHOICE: _choices,
    FieldType.CHOICES: _choices,
    FieldType.WORDS: lambda field, value: AllOf((_words(field, value),)),
    FieldType.TEXT: lambda field, value: AllOf((_words(field, value),)),
    FieldType.FLAG: lambda _, value: AllOf(((_flag(value),),)),
    FieldType.POINT: lambda _, value: Within((_box(value),)),
}


def _range(operator: str, number: float, *, whole: bool, slack: float) -> Range:
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
            message("{value} is not a date such as 2024, 2024-05, 2024-05-03 or 2024-05-03T14:30", value=value)
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
