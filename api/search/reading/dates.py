"""Dates as people say them, in Chinese and English -> periods.

All patterns are of folded text (see `fold_text`). What is said without a year is the last that has been.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final

from api.search.reading.days import (
    HOLIDAYS,
    NUMBERS,
    Days,
    days_back,
    read_ago,
    read_day,
    read_decade,
    read_holiday,
    read_numbers,
    read_part,
    read_past,
    read_same_day,
    read_season,
    read_unit,
    read_weekday,
    read_year,
    read_years,
)
from indexer.library.filters import Period

_LONG_Y = r"(?P<y>(?<!\d)(?:19|20)\d\d|[一二][零〇一二三四五六七八九]{3})"
_Y = r"(?P<y>(?<!\d)(?:19|20)\d\d|[一二][零〇一二三四五六七八九]{3}|(?<!\d)\d\d(?=\s?年))"
_ZH_REL = r"(?P<rel>大前年|前年|去年|今年)"
_ZH_YEAR = rf"(?:{_Y}\s?年|{_ZH_REL})的?\s?"
_ZH_YEAR_OF = rf"(?:{_Y}\s?年?|{_ZH_REL})的?\s*"  # before a season or a holiday, which leave no doubt that it is a year
_ZH_THIRD = "(?P<third>[初底末]|[上中下]旬)"
_ZH_TO = "[-~到至–—]"
# Neither 春晚 nor 冬奥会 is a season.
_ZH_SEASON = r"(?P<season>[春夏秋冬](?:[天季]|(?=[的在拍里,，、\s]|$)))"
_ZH_END = r"(?=[的拍照在我到至,，、\s]|$)"  # of a word of one character that others begin with as well
_ZH_N = (
    r"(?<![一二两三四五六七八九十几])"
    r"(?P<n>\d{1,3}|[一二两三四五六七八九]?十[一二三四五六七八九]?|[一二两三四五六七八九几])"
)
_ZH_NUMBERED_MONTH = "1[0-2]|0?[1-9]"
_ZH_MONTH = r"(?P<m>1[0-2]|0?[1-9]|十[一二]?|[一二三四五六七八九])\s?月"
_ZH_DAY = (
    r"\s?(?P<d>3[01]|[12]\d|0?[1-9]|三十一?|二十[一二三四五六七八九]?|十[一二三四五六七八九]?|[一二三四五六七八九])"
    r"\s?[日号]"
)
_ZH_HOLIDAY = rf"(?P<holiday>{'|'.join(re.escape(one) for one in HOLIDAYS if not one.isascii())}|春节|过年|除夕)"
_EN_MONTH = (
    r"(?P<m>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
_EN_DAY = r"(?P<d>3[01]|[12]\d|0?[1-9])(?:st|nd|rd|th)?"
_EN_YEAR = r"(?P<y>(?:19|20)\d\d)"
_EN_SEASON = r"(?P<season>spring|summer|autumn|fall|winter)"
_EN_HOLIDAYS = "|".join(re.escape(one) for one in HOLIDAYS if one.isascii())
_EN_HOLIDAY = rf"(?P<holiday>{_EN_HOLIDAYS}|(?:chinese|lunar) new year|spring festival)"
_EN_N = rf"(?P<n>\d{{1,3}}|{'|'.join(sorted(NUMBERS, key=len, reverse=True))})"


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
    read: Callable[[Mapping[str, str], date], Days | None]
    shown: str | int | None = None

    def find(self, text: str, place: int, today: date) -> Date | None:
        for match in self.pattern.finditer(text, place):
            try:
                days = self.read({name: said or "" for name, said in match.groupdict().items()}, today)
            except (ValueError, OverflowError, KeyError):
                continue
            if days is not None and days[0] < days[1]:
                start, end, period = _open_ended(text, *match.span(), days)
                alone = (start, end) == match.span()  # before 2019 is a date for certain
                return Date(start, end, period, match[self.shown] if self.shown is not None and alone else "")
        return None


_SINCE = re.compile(f"以后|之后|以来|[起后]{_ZH_END}")
_BEFORE = re.compile(f"以前|之前|前{_ZH_END}")
_EN_SINCE, _EN_BEFORE = re.compile(r"(?<![a-z])(?:since|after) $"), re.compile(r"(?<![a-z])(?:before|until) $")


def _open_ended(text: str, start: int, end: int, days: Days) -> tuple[int, int, Period]:
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


def _rule(
    pattern: str,
    read: Callable[[Mapping[str, str], date], Days | None],
    *,
    shown: str | int | None = None,
    latin: bool = False,
) -> _DateRule:
    """Return a rule. `latin`: no letter or digit of the Latin script stands before or behind."""
    if latin:
        pattern = rf"(?<![a-z0-9._\-/]){pattern}(?![a-z0-9_\-/]|\.\d)"
    return _DateRule(re.compile(pattern), read, shown)


_RULES: Final = (
    _rule(rf"(?:{_LONG_Y}年|{_ZH_REL}|{_ZH_N}年前)的?(?:今[天日]|这一?天)", read_same_day),
    _rule(rf"(?:{_ZH_YEAR})?(?P<m>{_ZH_NUMBERED_MONTH})月?{_ZH_TO}(?P<m2>{_ZH_NUMBERED_MONTH})月份?(?!\d)", read_part),
    _rule(rf"(?:{_ZH_YEAR})?{_ZH_MONTH}(?P<d>\d{{1,2}})[日号]?{_ZH_TO}(?P<d2>\d{{1,2}})[日号]", read_part),
    _rule(rf"{_Y}年?\s*[-~至到–—]\s*(?P<z>(?:19|20)\d\d)年?(?!\d|[-/.]\d)", read_years),
    _rule(rf"{_ZH_YEAR}{_ZH_MONTH}份?(?:{_ZH_DAY}|{_ZH_THIRD})?", read_day),
    _rule(rf"(?<!\d){_ZH_MONTH}(?:{_ZH_DAY}|{_ZH_THIRD}|份)", read_day),
    _rule(r"(?<![\d个])(?P<m>1[0-2]|0?[1-9])\s?月(?![亮龄嫂子饼\d]|大的)", read_day),
    _rule(rf"{_ZH_YEAR_OF}{_ZH_SEASON}", read_season),
    _rule(rf"{_ZH_YEAR_OF}{_ZH_HOLIDAY}节?", read_holiday, shown="holiday"),
    _rule(rf"(?:{_Y}(?=年)|{_ZH_REL})(?P<half>年?[初底末])", read_year),
    _rule(rf"(?:{_LONG_Y}\s?年(?!代)|{_ZH_REL})(?:左右|前后|的?(?P<half>上半年|下半年))?", read_year),
    _rule(r"(?<!\d)(?P<y>\d\d)年(?![代前后])", read_year, shown=0),  # it may be how long something is
    _rule(r"今[天日晚早](?!头条)", days_back(0)),
    _rule(r"昨[天日晚]", days_back(1)),
    _rule(r"(?<!大)前天", days_back(2)),
    _rule(r"大前天", days_back(3)),
    _rule(
        r"(?<![早晚日记马路])(?P<which>本|这个?|上+个?)(?P<unit>周(?![围边年岁刊庄])|星期|礼拜)"
        r"(?P<day>[一二三四五六末]|日(?!本)|天(?!安门|津|空|坛))?",
        read_unit,
    ),
    _rule(
        r"(?<![早晚日海天湖山水江河头树楼身登马])(?P<which>本|这个?|上+个?)(?P<unit>月)(?![亮球台饼色光牙])", read_unit
    ),
    _rule(rf"(?<!晚)(?P<which>本|这个?|上+个?)(?P<unit>月)(?:{_ZH_DAY}|{_ZH_THIRD})", read_unit),
    _rule(r"[前这]几天", lambda _said, today: (today - timedelta(days=7), today + timedelta(days=1))),
    _rule(rf"(?:最近|近|过去)的?这?{_ZH_N}个?(?P<unit>天|日|周|星期|礼拜|月|年)(?:里|内|以来)?", read_past),
    _rule(rf"{_ZH_N}个?(?P<unit>天|日|周|星期|礼拜|月|年)前", read_ago),
    _rule(
        r"最近(?=[拍照]|的?(?:照片|图片|相片|截图))|(?<![a-z])(?:most )?recent(?= (?:photo|picture|image|screenshot))",
        lambda _said, today: (today - timedelta(days=30), today + timedelta(days=1)),
    ),
    _rule(r"最近(?!的一)", lambda _said, today: (today - timedelta(days=30), today + timedelta(days=1)), shown=0),
    _rule(r"(?:(?:上个?|20)世纪)?(?<!\d)(?P<decade>[5-9]0|[五六七八九]十)年代", read_decade),
    _rule(r"(?<!\d)(?P<decade>(?:19|20)\d0)年代", read_decade),
    _rule(
        r"(?<![\d./])(?P<y>(?:19|20)\d\d)([-/.])(?P<m>1[0-2]|0?[1-9])\2(?P<d>3[01]|[12]\d|0?[1-9])"
        r"(?!\d|-(?!(?:19|20)\d\d[-/.]))",
        read_numbers,
    ),
    _rule(
        r"(?<![\d.\-/])(?P<m>\d\d?)(?P<sign>[-/.])(?P<d>\d\d?)(?P=sign)(?P<y>(?:19|20)\d\d)(?![\d\-/]|\.\d)",
        read_numbers,
    ),
    _rule(r"(?<![\d.\-/])(?P<y>(?:19|20)\d\d)[/.](?P<m>[1-9])(?![\d\-/.])", read_numbers, shown=0),
    _rule(r"(?<![\d.\-/])(?P<y>(?:19|20)\d\d)[-/.](?P<m>1[0-2]|0[1-9])(?![\d\-/.])", read_numbers),
    _rule(r"(?P<y>(?:19|20)\d\d)(?P<m>1[0-2]|0[1-9])(?P<d>3[01]|[12]\d|0[1-9])", read_numbers, latin=True),
    _rule(rf"(?:in |on |from |during |since |the )*{_EN_DAY}(?: of)? {_EN_MONTH},? {_EN_YEAR}", read_day, latin=True),
    _rule(rf"(?:in |on |from |during )*{_EN_MONTH} {_EN_DAY},? {_EN_YEAR}", read_day, latin=True),
    _rule(rf"(?:in |from |during )*{_EN_MONTH}(?: of)?,? {_EN_YEAR}", read_day, latin=True),
    _rule(
        rf"(?:in |from |between )*{_EN_MONTH}(?: ?[-–—] ?| (?:to|and|until|through) )"
        rf"{_EN_MONTH.replace('?P<m>', '?P<m2>')}(?:,? {_EN_YEAR})?",
        read_part,
        latin=True,
    ),
    _rule(
        rf"(?:in |on |from )*{_EN_MONTH} {_EN_DAY} ?[-–—] ?{_EN_DAY.replace('?P<d>', '?P<d2>')}(?:,? {_EN_YEAR})?",
        read_part,
        latin=True,
    ),
    _rule(rf"(?:in|last|this(?! may (?:be|not|have))) {_EN_MONTH}", read_day, latin=True),
    _rule(rf"(?:on |from |the )*{_EN_DAY}(?:(?<=[a-z])(?: of)?| of) {_EN_MONTH}", read_day, latin=True),
    _rule(rf"(?:on |from )*{_EN_DAY} (?!mar|may){_EN_MONTH}", read_day, latin=True),
    _rule(rf"(?:on )?{_EN_MONTH} {_EN_DAY}", read_day, latin=True),
    _rule(rf"(?:in |from |during |the )*{_EN_SEASON}(?: of|,)? {_EN_YEAR}", read_season, latin=True),
    _rule(rf"(?:in |from |during |the )*{_EN_YEAR} {_EN_SEASON}", read_season, latin=True),
    _rule(rf"(?:from |during )?(?P<which>last|this) {_EN_SEASON}", read_season, latin=True),
    _rule(
        rf"(?:in |at |on |from |during |last |the )*{_EN_HOLIDAY}(?: of|,)? {_EN_YEAR}",
        read_holiday,
        latin=True,
        shown="holiday",
    ),
    _rule(rf"(?:from |on |at )?last {_EN_HOLIDAY}", read_holiday, latin=True, shown="holiday"),
    _rule(r"(?:from )?(?P<which>last|this) (?P<unit>week|month|year)", read_unit, latin=True),
    _rule(r"(?:from )?(?P<which>last|this) (?P<unit>week)(?P<day>end)", read_unit, latin=True),
    _rule(
        r"(?:from |on )?last (?P<weekday>monday|tuesday|wednesday|thursday|friday|saturday|sunday)",
        read_weekday,
        latin=True,
    ),
    _rule(
        rf"(?:from |in |during )*(?:the )?(?:(?:last|past) {_EN_N}|past) (?P<unit>day|week|month|year)s?",
        read_past,
        latin=True,
    ),
    _rule(rf"(?:from )?{_EN_N} (?P<unit>day|week|month|year)s? ago", read_ago, latin=True),
    _rule(rf"{_EN_N} years? ago today", read_same_day, latin=True),
    _rule(r"(?:from )?(?:today|tonight)", days_back(0), latin=True),
    _rule(r"(?:from )?(?:yesterday|last night)", days_back(1), latin=True),
    _rule(r"(?:in |from |during )*(?:the )?(?P<decade>(?:19|20)\d0|[5-9]0)'?s", read_decade, latin=True, shown=0),
    _rule(rf"(?:in|from|during|taken in|shot in) {_EN_YEAR}", read_year, latin=True),
    _rule(rf"(?:from |between )?{_EN_YEAR} (?:to|and|until) (?P<z>(?:19|20)\d\d)", read_years, latin=True),
    _rule(rf"{_EN_YEAR}(?!\s*[元块米步个张万人字页克])", read_year, latin=True, shown=0),
)
