"""Dates as people say them, in Chinese and English -> periods.

All patterns are of folded text (see `fold_text`). What is said without a year is the last that has been.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final

from indexer.library.filters import Period

_Days = tuple[date, date]  # the first day, and the first after the last
_FIRST_YEAR, _YEARS_AHEAD = 1900, 1

_DIGITS: Final = {char: number for number, char in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_WORDS: Final = {
    word: number
    for number, word in enumerate(
        ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"],
    )
} | {"a": 1, "an": 1, "few": 3, "a few": 3, "several": 3, "couple of": 2, "a couple of": 2}
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SEASONS: Final = {"spring": 3, "summer": 6, "autumn": 9, "fall": 9, "winter": 12}
_SEASONS_ZH: Final = {"春": 3, "夏": 6, "秋": 9, "冬": 12}
# Month and day of the first, and how many days.
_HOLIDAYS: Final[Mapping[str, tuple[int, int, int]]] = {
    "元旦": (1, 1, 1),
    "情人节": (2, 14, 1),
    "妇女节": (3, 8, 1),
    "清明": (4, 4, 3),
    "五一": (5, 1, 5),
    "劳动节": (5, 1, 5),
    "六一": (6, 1, 1),
    "儿童节": (6, 1, 1),
    "暑假": (7, 1, 62),
    "教师节": (9, 10, 1),
    "国庆": (10, 1, 7),
    "十一": (10, 1, 7),
    "双十一": (11, 11, 1),
    "万圣节": (10, 31, 1),
    "圣诞": (12, 24, 2),
    "平安夜": (12, 24, 1),
    "跨年": (12, 31, 2),
    "new year's eve": (12, 31, 1),
    "new years eve": (12, 31, 1),
    "new year's day": (1, 1, 1),
    "new year's": (12, 31, 2),
    "new year": (12, 31, 2),
    "valentine's day": (2, 14, 1),
    "independence day": (7, 4, 1),
    "halloween": (10, 31, 1),
    "thanksgiving": (11, 22, 7),
    "christmas eve": (12, 24, 1),
    "christmas day": (12, 25, 1),
    "christmas": (12, 24, 3),
    "xmas": (12, 24, 3),
}
# The first day of the lunar year, as month and day, from 2000 on.
_SPRING_FESTIVALS: Final = (
    "205 124 212 201 122 209 129 218 207 126 214 203 123 210 131 219 208 128 216 205 125 212 201 122 210 129 217 206 "
    "126 213 203 123 211 131 219 208 128 215 204 124 212"
)

_LONG_Y = r"(?P<y>(?<!\d)(?:19|20)\d\d|[一二][零〇一二三四五六七八九]{3})"
_Y = r"(?P<y>(?<!\d)(?:19|20)\d\d|[一二][零〇一二三四五六七八九]{3}|(?<!\d)\d\d(?=年))"
_ZH_REL = r"(?P<rel>大前年|前年|去年|今年)"
_ZH_YEAR = rf"(?:{_Y}年|{_ZH_REL})的?"
_ZH_YEAR_OF = rf"(?:{_Y}年?|{_ZH_REL})的?\s*"  # before a season or a holiday, which leave no doubt that it is a year
_ZH_TO = "[-~到至–—]"
# Neither 春晚 nor 冬奥会 is a season.
_ZH_SEASON = r"(?P<season>[春夏秋冬](?:[天季]|(?=[的在拍里,，、\s]|$)))"
_ZH_END = r"(?=[的拍照在我到至,，、\s]|$)"  # of a word of one character that others begin with as well
_ZH_N = r"(?P<n>\d{1,3}|[一二两三四五六七八九十]{1,3}|几)"
_ZH_NUMBERED_MONTH = "1[0-2]|0?[1-9]"
_ZH_MONTH = r"(?P<m>1[0-2]|0?[1-9]|十[一二]?|[一二三四五六七八九])月"
_ZH_DAY = (
    r"(?P<d>3[01]|[12]\d|0?[1-9]|三十一?|二十[一二三四五六七八九]?|十[一二三四五六七八九]?|[一二三四五六七八九])[日号]"
)
_ZH_HOLIDAY = rf"(?P<holiday>{'|'.join(re.escape(one) for one in _HOLIDAYS if not one.isascii())}|春节|过年|除夕)"
_EN_MONTH = (
    r"(?P<m>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
_EN_DAY = r"(?P<d>3[01]|[12]\d|0?[1-9])(?:st|nd|rd|th)?"
_EN_YEAR = r"(?P<y>(?:19|20)\d\d)"
_EN_SEASON = r"(?P<season>spring|summer|autumn|fall|winter)"
_EN_HOLIDAYS = "|".join(re.escape(one) for one in _HOLIDAYS if one.isascii())
_EN_HOLIDAY = rf"(?P<holiday>{_EN_HOLIDAYS}|(?:chinese|lunar) new year|spring festival)"
_EN_N = rf"(?P<n>\d{{1,3}}|{'|'.join(sorted(_WORDS, key=len, reverse=True))})"


@dataclass(frozen=True, slots=True)
class Date:
    """A date in a text: where it stands, what it means, and what of its words a picture may show ("Christmas")."""

    start: int
    end: int
    period: Period
    shown: str = ""


def find_dates(folded: str, today: date) -> Iterator[Date]:
    """Yield the dates of a folded text, none within another, from left to right; one to another one is a date."""
    before: Date | None = None
    for one in _find_each(folded, today):
        if before is not None and (both := _join(folded, before, one)):
            before = both
            continue
        if before is not None:
            yield before
        before = one
    if before is not None:
        yield before


_TO = re.compile(r"\s*(?:[-~到至–—]|to|until|through)\s*")
_SAYS_YEAR = re.compile(r"\d{4}|[年今昨前上本这]|last|this|ago|today|yesterday")


def _join(folded: str, first: Date, last: Date) -> Date | None:
    """Return the time from one date to another, if the text says so; where one has no year, it is that of the other."""
    start, end = first.period.start, last.period.end
    if start is None or end is None or last.period.start is None or not _TO.fullmatch(folded, first.end, last.start):
        return None
    said = [_SAYS_YEAR.search(folded, one.start, one.end) is not None for one in (first, last)]
    try:
        if not said[1]:
            end = end.replace(year=end.year + start.year - last.period.start.year)
            end = end if start < end else end.replace(year=end.year + 1)
        elif not said[0]:
            start = start.replace(year=last.period.start.year)
            start = start if start < end else start.replace(year=start.year - 1)
    except ValueError:  # from or to a 29 February
        return None
    return Date(first.start, last.end, Period(start, end)) if start < end else None


def _find_each(folded: str, today: date) -> Iterator[Date]:
    place = 0
    while place < len(folded):
        found = [one for rule in _RULES if (one := rule.find(folded, place, today)) is not None]
        if not found:
            return
        best = min(found, key=lambda one: (one.start, -one.end))
        yield best
        place = best.end


@dataclass(frozen=True, slots=True)
class _DateRule:
    """A pattern, and what days it means. `read` gets what it captured; None where that is no date.

    `shown` is the group of the pattern that a picture may show, 0 for all of it.
    """

    pattern: re.Pattern[str]
    read: Callable[[Mapping[str, str], date], _Days | None]
    shown: str | int | None = None

    def find(self, text: str, place: int, today: date) -> Date | None:
        for match in self.pattern.finditer(text, place):
            try:
                days = self.read({name: said or "" for name, said in match.groupdict().items()}, today)
            except (ValueError, OverflowError):
                continue
            if days is not None and days[0] < days[1]:
                start, end, period = _open_ended(text, *match.span(), days)
                alone = (start, end) == match.span()  # before 2019 is a date for certain
                return Date(start, end, period, match[self.shown] if self.shown is not None and alone else "")
        return None


_SINCE = re.compile(f"以后|之后|以来|[起后]{_ZH_END}")
_BEFORE = re.compile(f"以前|之前|前{_ZH_END}")
_EN_SINCE, _EN_BEFORE = re.compile(r"(?<![a-z])(?:since|after) $"), re.compile(r"(?<![a-z])(?:before|until) $")


def _open_ended(text: str, start: int, end: int, days: _Days) -> tuple[int, int, Period]:
    """Return what a date means with a word such as since before it, or behind it: its place, and the period."""
    first, after = _moment(days[0]), _moment(days[1])
    if match := _SINCE.match(text, end):
        return start, match.end(), Period(first, None)
    if match := _BEFORE.match(text, end):
        return start, match.end(), Period(None, first)
    if match := _EN_SINCE.search(text, 0, start):
        return match.start(), end, Period(after if match[0] == "after " else first, None)
    if match := _EN_BEFORE.search(text, 0, start):
        return match.start(), end, Period(None, first)
    return start, end, Period(first, after)


def _moment(day: date) -> datetime:
    return datetime.combine(day, time())


def _number(said: str) -> int:
    """Return a number in digits, or in Chinese or English words. Raises ValueError."""
    if said.isdecimal():
        return int(said)
    if said in _WORDS:
        return _WORDS[said]
    if said == "几":
        return 3
    if "十" in said:
        tens, _, ones = said.partition("十")
        return 10 * (_DIGITS[tens] if tens else 1) + (_DIGITS[ones] if ones else 0)
    return int("".join(str(_DIGITS[char]) for char in said))


def _year(said: Mapping[str, str], today: date) -> int | None:
    """Return the year that is said; None where none is. Raises ValueError for one that no picture is of."""
    relative = {"大前年": 3, "前年": 2, "去年": 1, "今年": 0}
    if rel := said.get("rel"):
        return today.year - relative[rel]
    if not (written := said.get("y")):
        return None
    year = _number(written)
    if len(written) == 2:
        year += 2000 if year <= today.year % 100 + _YEARS_AHEAD else 1900
    if not _FIRST_YEAR <= year <= today.year + _YEARS_AHEAD:
        raise ValueError(written)
    return year


def _month_days(year: int, month: int, count: int = 1) -> _Days:
    """Return `count` months; a month beyond the twelfth is one of the next year, and so on."""
    first, after = divmod(month - 1, 12), divmod(month - 1 + count, 12)
    return date(year + first[0], first[1] + 1, 1), date(year + after[0], after[1] + 1, 1)


def _years(year: int, count: int = 1) -> _Days:
    return date(year, 1, 1), date(year + count, 1, 1)


def _last(make: Callable[[int], _Days], today: date) -> _Days:
    """Return the last of what is once a year that has begun."""
    days = make(today.year)
    return days if days[0] <= today else make(today.year - 1)


def _read_day(said: Mapping[str, str], today: date) -> _Days:
    """Read a month, and a day of it where one is said."""
    number = _month_of(said["m"])

    def of(year: int) -> _Days:
        if not said.get("d"):
            return _month_days(year, number)
        day = date(year, number, _number(said["d"]))
        return day, day + timedelta(days=1)

    year = _year(said, today)
    return _last(of, today) if year is None else of(year)


def _read_part(said: Mapping[str, str], today: date) -> _Days:
    """Read some days of a month, or some months, with or without a year."""
    first, last = (_month_of(said[name]) if said.get(name) else 0 for name in ("m", "m2"))

    def of(year: int) -> _Days:
        if last:
            return _month_days(year, first, (last - first) % 12 + 1)
        return date(year, first, int(said["d"])), date(year, first, int(said["d2"])) + timedelta(days=1)

    year = _year(said, today)
    return _last(of, today) if year is None else of(year)


def _month_of(said: str) -> int:
    return _MONTHS.index(said[:3]) + 1 if said.isascii() and said.isalpha() else _number(said)


def _read_season(said: Mapping[str, str], today: date) -> _Days:
    season = said["season"]
    month = _SEASONS.get(season) or _SEASONS_ZH[season[0]]
    year = _year(said, today)
    if year is not None:
        return _month_days(year, month, 3)
    days = _last(lambda one: _month_days(one, month, 3), today)
    return days if days[1] <= today or said.get("which") == "this" else _month_days(days[0].year - 1, month, 3)


def _read_holiday(said: Mapping[str, str], today: date) -> _Days | None:
    name, year = said["holiday"], _year(said, today)
    if year is not None and name in ("new year", "new year's"):
        year -= 1  # it begins in the evening before

    def of(one: int) -> _Days:
        if name in _HOLIDAYS:
            month, day, count = _HOLIDAYS[name]
            first = date(one, month, day)
            return first, first + timedelta(days=count)
        written = int(_SPRING_FESTIVALS.split()[one - 2000]) if 0 <= one - 2000 <= 40 else 0
        first = date(one, *divmod(written, 100))
        if name == "除夕":
            return first - timedelta(days=1), first
        return first - timedelta(days=1), first + timedelta(days=7)

    return _last(of, today) if year is None else of(year)


def _read_year(said: Mapping[str, str], today: date) -> _Days | None:
    year = _year(said, today)
    if year is None:
        return None
    if half := said.get("half"):
        return {
            "上半年": _month_days(year, 1, 6),
            "下半年": _month_days(year, 7, 6),
            "年初": _month_days(year, 1, 2),
            "年底": _month_days(year, 11, 2),
            "年末": _month_days(year, 11, 2),
        }[half]
    return _years(year)


def _read_years(said: Mapping[str, str], today: date) -> _Days | None:
    first, last = _year({"y": said["y"]}, today), _year({"y": said["z"]}, today)
    return None if first is None or last is None else (date(first, 1, 1), date(last + 1, 1, 1))


def _read_decade(said: Mapping[str, str], today: date) -> _Days:
    decade = _number(said["decade"])
    if decade < 100:
        decade += 1900 if decade > today.year % 100 else 2000
    return _years(decade, 10)


def _read_numbers(said: Mapping[str, str], today: date) -> _Days | None:
    year = _year(said, today)
    if year is None:
        return None
    month = int(said["m"])
    if not said.get("d"):
        return _month_days(year, month)
    day = int(said["d"])
    if said.get("sign") == ".":  # 3.5.2023, where the day stands first
        month, day = day, month
    if month > 12:
        month, day = day, month
    return date(year, month, day), date(year, month, day) + timedelta(days=1)


_UNITS: Final = {"天": "day", "日": "day", "周": "week", "星期": "week", "礼拜": "week", "月": "month", "年": "year"}


def _back(day: date, count: int, unit: str) -> date:
    """Return the day so many days, weeks, months or years before."""
    if unit in ("day", "week"):
        return day - timedelta(days=count * (7 if unit == "week" else 1))
    month = 12 * day.year + day.month - 1 - count * (12 if unit == "year" else 1)
    year, month = divmod(month, 12)
    return _month_days(year, month + 1)[0].replace(day=min(day.day, 28))


def _read_past(said: Mapping[str, str], today: date) -> _Days:
    """Read the time up to now: the last three months."""
    unit = _UNITS.get(said["unit"], said["unit"])
    return _back(today, _number(said["n"]) if said.get("n") else 1, unit), today + timedelta(days=1)


def _of_unit(day: date, unit: str) -> _Days:
    """Return the day, the week, the month or the year that a day is in."""
    if unit == "year":
        return _years(day.year)
    if unit == "month":
        return _month_days(day.year, day.month)
    first = day - timedelta(days=day.weekday()) if unit == "week" else day
    return first, first + timedelta(days=7 if unit == "week" else 1)


def _read_ago(said: Mapping[str, str], today: date) -> _Days:
    unit = _UNITS.get(said["unit"], said["unit"])
    if said["n"] in ("几", "few", "a few", "several"):
        return _of_unit(_back(today, 9, unit), unit)[0], _of_unit(_back(today, 2, unit), unit)[1]
    return _of_unit(_back(today, _number(said["n"]), unit), unit)


def _read_same_day(said: Mapping[str, str], today: date) -> _Days:
    """Read today in an earlier year."""
    year = today.year - _number(said["n"]) if said.get("n") else _year(said, today) or today.year
    day = today.replace(year=year, day=28 if (today.month, today.day) == (2, 29) else today.day)
    return day, day + timedelta(days=1)


def _read_unit(said: Mapping[str, str], today: date) -> _Days:
    """Read this and the last day, week, month or year; of a week maybe a day, or its end."""
    which, unit = said["which"], _UNITS.get(said["unit"], said["unit"])
    back = 0 if which in ("本", "这", "这个", "this") else which.count("上") or 1
    first, after = _of_unit(_back(today, back, unit), unit)
    day = said.get("day")
    if not day:
        return first, after
    if day in ("末", "end"):
        first += timedelta(days=5)
    else:
        first += timedelta(days="一二三四五六".find(day) if day in "一二三四五六" else 6)
        after = first + timedelta(days=1)
    ahead = timedelta(days=7 if first > today else 0)  # there are no pictures of it yet
    return first - ahead, after - ahead


def _read_weekday(said: Mapping[str, str], today: date) -> _Days:
    day = today - timedelta(days=(today.weekday() - _WEEKDAYS.index(said["weekday"][:3])) % 7 or 7)
    return day, day + timedelta(days=1)


def _days_back(count: int) -> Callable[[Mapping[str, str], date], _Days]:
    return lambda _said, today: (today - timedelta(days=count), today - timedelta(days=count - 1))


def _rule(
    pattern: str,
    read: Callable[[Mapping[str, str], date], _Days | None],
    *,
    shown: str | int | None = None,
    latin: bool = False,
) -> _DateRule:
    """Return a rule. `latin`: no letter or digit of the Latin script stands before or behind."""
    if latin:
        pattern = rf"(?<![a-z0-9._\-/]){pattern}(?![a-z0-9_\-/]|\.\d)"
    return _DateRule(re.compile(pattern), read, shown)


_RULES: Final = (
    _rule(rf"(?:{_LONG_Y}年|{_ZH_REL}|{_ZH_N}年前)的?(?:今[天日]|这一?天)", _read_same_day),
    _rule(rf"(?:{_ZH_YEAR})?(?P<m>{_ZH_NUMBERED_MONTH})月?{_ZH_TO}(?P<m2>{_ZH_NUMBERED_MONTH})月份?(?!\d)", _read_part),
    _rule(rf"(?:{_ZH_YEAR})?{_ZH_MONTH}(?P<d>\d{{1,2}})[日号]?{_ZH_TO}(?P<d2>\d{{1,2}})[日号]", _read_part),
    _rule(rf"{_Y}年?\s*[-~至到–—]\s*(?P<z>(?:19|20)\d\d)年?(?!\d|[-/.]\d)", _read_years),
    _rule(rf"{_ZH_YEAR}{_ZH_MONTH}份?(?:{_ZH_DAY})?", _read_day),
    _rule(rf"(?<!\d){_ZH_MONTH}(?:{_ZH_DAY}|份)", _read_day),
    _rule(r"(?<![\d个])(?P<m>1[0-2]|0?[1-9])月(?![亮龄嫂子饼\d]|大的)", _read_day),
    _rule(rf"{_ZH_YEAR_OF}{_ZH_SEASON}", _read_season),
    _rule(rf"{_ZH_YEAR_OF}{_ZH_HOLIDAY}节?", _read_holiday, shown="holiday"),
    _rule(rf"(?:{_Y}(?=年)|{_ZH_REL})(?P<half>年初|年底|年末)", _read_year),
    _rule(rf"(?:{_LONG_Y}年(?!代)|{_ZH_REL})(?:左右|前后|的?(?P<half>上半年|下半年))?", _read_year),
    _rule(r"(?<!\d)(?P<y>\d\d)年(?!代)", _read_year, shown=0),  # it may be how long something is
    _rule(r"今[天日晚](?!头条)", _days_back(0)),
    _rule(r"昨[天日晚]", _days_back(1)),
    _rule(r"(?<!大)前天", _days_back(2)),
    _rule(r"大前天", _days_back(3)),
    _rule(
        r"(?<![早晚日记马路])(?P<which>本|这个?|上+个?)(?P<unit>周(?![围边年岁刊庄])|星期|礼拜)"
        r"(?P<day>[一二三四五六末]|日(?!本)|天(?!安门|津|空|坛))?",
        _read_unit,
    ),
    _rule(
        r"(?<![早晚日海天湖山水江河头树楼身登马])(?P<which>本|这个?|上+个?)(?P<unit>月)(?![亮球台饼色光牙])", _read_unit
    ),
    _rule(r"[前这]几天", lambda _said, today: (today - timedelta(days=7), today + timedelta(days=1))),
    _rule(rf"(?:最近|近|过去)的?这?{_ZH_N}个?(?P<unit>天|日|周|星期|礼拜|月|年)(?:里|内|以来)?", _read_past),
    _rule(rf"{_ZH_N}个?(?P<unit>天|日|周|星期|礼拜|月|年)前", _read_ago),
    _rule(
        r"最近(?=[拍照]|的?(?:照片|图片|相片|截图))|(?<![a-z])(?:most )?recent(?= (?:photo|picture|image|screenshot))",
        lambda _said, today: (today - timedelta(days=30), today + timedelta(days=1)),
    ),
    _rule(r"最近(?!的一)", lambda _said, today: (today - timedelta(days=30), today + timedelta(days=1)), shown=0),
    _rule(r"(?:(?:上个?|20)世纪)?(?<!\d)(?P<decade>[5-9]0|[五六七八九]十)年代", _read_decade),
    _rule(r"(?<!\d)(?P<decade>(?:19|20)\d0)年代", _read_decade),
    _rule(
        r"(?<![\d./])(?P<y>(?:19|20)\d\d)([-/.])(?P<m>1[0-2]|0?[1-9])\2(?P<d>3[01]|[12]\d|0?[1-9])"
        r"(?!\d|-(?!(?:19|20)\d\d[-/.]))",
        _read_numbers,
    ),
    _rule(
        r"(?<![\d.\-/])(?P<m>\d\d?)(?P<sign>[-/.])(?P<d>\d\d?)(?P=sign)(?P<y>(?:19|20)\d\d)(?![\d\-/]|\.\d)",
        _read_numbers,
    ),
    _rule(r"(?<![\d.\-/])(?P<y>(?:19|20)\d\d)[/.](?P<m>[1-9])(?![\d\-/.])", _read_numbers, shown=0),
    _rule(r"(?<![\d.\-/])(?P<y>(?:19|20)\d\d)[-/.](?P<m>1[0-2]|0[1-9])(?![\d\-/.])", _read_numbers),
    _rule(r"(?P<y>(?:19|20)\d\d)(?P<m>1[0-2]|0[1-9])(?P<d>3[01]|[12]\d|0[1-9])", _read_numbers, latin=True),
    _rule(rf"(?:in |on |from |during |since |the )*{_EN_DAY}(?: of)? {_EN_MONTH},? {_EN_YEAR}", _read_day, latin=True),
    _rule(rf"(?:in |on |from |during )*{_EN_MONTH} {_EN_DAY},? {_EN_YEAR}", _read_day, latin=True),
    _rule(rf"(?:in |from |during )*{_EN_MONTH}(?: of)?,? {_EN_YEAR}", _read_day, latin=True),
    _rule(
        rf"(?:in |from |between )*{_EN_MONTH}(?: ?[-–—] ?| (?:to|and|until|through) )"
        rf"{_EN_MONTH.replace('?P<m>', '?P<m2>')}(?:,? {_EN_YEAR})?",
        _read_part,
        latin=True,
    ),
    _rule(
        rf"(?:in |on |from )*{_EN_MONTH} {_EN_DAY} ?[-–—] ?{_EN_DAY.replace('?P<d>', '?P<d2>')}(?:,? {_EN_YEAR})?",
        _read_part,
        latin=True,
    ),
    _rule(rf"(?:in|last|this(?! may (?:be|not|have))) {_EN_MONTH}", _read_day, latin=True),
    _rule(rf"(?:on |from |the )*{_EN_DAY}(?:(?<=[a-z])(?: of)?| of) {_EN_MONTH}", _read_day, latin=True),
    _rule(rf"(?:on |from )*{_EN_DAY} (?!mar|may){_EN_MONTH}", _read_day, latin=True),
    _rule(rf"(?:on )?{_EN_MONTH} {_EN_DAY}", _read_day, latin=True),
    _rule(rf"(?:in |from |during |the )*{_EN_SEASON}(?: of|,)? {_EN_YEAR}", _read_season, latin=True),
    _rule(rf"(?:in |from |during |the )*{_EN_YEAR} {_EN_SEASON}", _read_season, latin=True),
    _rule(rf"(?:from |during )?(?P<which>last|this) {_EN_SEASON}", _read_season, latin=True),
    _rule(
        rf"(?:in |at |on |from |during |last |the )*{_EN_HOLIDAY}(?: of|,)? {_EN_YEAR}",
        _read_holiday,
        latin=True,
        shown="holiday",
    ),
    _rule(rf"(?:from |on |at )?last {_EN_HOLIDAY}", _read_holiday, latin=True, shown="holiday"),
    _rule(r"(?:from )?(?P<which>last|this) (?P<unit>week|month|year)", _read_unit, latin=True),
    _rule(r"(?:from )?(?P<which>last|this) (?P<unit>week)(?P<day>end)", _read_unit, latin=True),
    _rule(
        r"(?:from |on )?last (?P<weekday>monday|tuesday|wednesday|thursday|friday|saturday|sunday)",
        _read_weekday,
        latin=True,
    ),
    _rule(
        rf"(?:from |in |during )*(?:the )?(?:(?:last|past) {_EN_N}|past) (?P<unit>day|week|month|year)s?",
        _read_past,
        latin=True,
    ),
    _rule(rf"(?:from )?{_EN_N} (?P<unit>day|week|month|year)s? ago", _read_ago, latin=True),
    _rule(rf"{_EN_N} years? ago today", _read_same_day, latin=True),
    _rule(r"(?:from )?(?:today|tonight)", _days_back(0), latin=True),
    _rule(r"(?:from )?(?:yesterday|last night)", _days_back(1), latin=True),
    _rule(r"(?:in |from |during )*(?:the )?(?P<decade>(?:19|20)\d0|[5-9]0)'?s", _read_decade, latin=True, shown=0),
    _rule(rf"(?:in|from|during|taken in|shot in) {_EN_YEAR}", _read_year, latin=True),
    _rule(rf"(?:from |between )?{_EN_YEAR} (?:to|and|until) (?P<z>(?:19|20)\d\d)", _read_years, latin=True),
    _rule(rf"{_EN_YEAR}(?!\s*[元块米步个张万人字页克])", _read_year, latin=True, shown=0),
)
