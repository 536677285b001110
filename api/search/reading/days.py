"""What a date says, as the patterns of dates.py captured it -> the days that it means.

A reader gets what each group captured, "" where it captured nothing, and today. It returns None, or raises ValueError
or OverflowError, for what is no date.
"""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Final

Days = tuple[date, date]  # the first day, and the first after the last
_FIRST_YEAR, _YEARS_AHEAD = 1900, 1

_DIGITS: Final = {char: number for number, char in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
NUMBERS: Final = {
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
HOLIDAYS: Final[Mapping[str, tuple[int, int, int]]] = {
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
    "双11": (11, 11, 1),
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


def _number(said: str) -> int:
    """Return a number in digits, or in Chinese or English words. Raises ValueError."""
    if said.isdecimal():
        return int(said)
    if said in NUMBERS:
        return NUMBERS[said]
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


def _month_days(year: int, month: int, count: int = 1) -> Days:
    """Return `count` months; a month beyond the twelfth is one of the next year, and so on."""
    first, after = divmod(month - 1, 12), divmod(month - 1 + count, 12)
    return date(year + first[0], first[1] + 1, 1), date(year + after[0], after[1] + 1, 1)


def _years(year: int, count: int = 1) -> Days:
    return date(year, 1, 1), date(year + count, 1, 1)


def _last(make: Callable[[int], Days], today: date) -> Days:
    """Return the last of what is once a year that has begun."""
    days = make(today.year)
    return days if days[0] <= today else make(today.year - 1)


def read_day(said: Mapping[str, str], today: date) -> Days:
    """Read a month, and a day or a third of it where one is said."""
    number = _month_of(said["m"])

    def of(year: int) -> Days:
        if not said.get("d"):
            return _third(_month_days(year, number), said.get("third", ""))
        day = date(year, number, _number(said["d"]))
        return day, day + timedelta(days=1)

    year = _year(said, today)
    return _last(of, today) if year is None else of(year)


def _third(month: Days, said: str) -> Days:
    """Return the beginning, the middle or the end of a month; all of it where none is said."""
    tenth, twentieth = (month[0] + timedelta(days=days) for days in (10, 20))
    if not said:
        return month
    return (
        (month[0], tenth) if said in ("初", "上旬") else (tenth, twentieth) if said == "中旬" else (twentieth, month[1])
    )


def read_part(said: Mapping[str, str], today: date) -> Days:
    """Read some days of a month, or some months, with or without a year."""
    first, last = (_month_of(said[name]) if said.get(name) else 0 for name in ("m", "m2"))

    def of(year: int) -> Days:
        if last:
            return _month_days(year, first, (last - first) % 12 + 1)
        return date(year, first, int(said["d"])), date(year, first, int(said["d2"])) + timedelta(days=1)

    year = _year(said, today)
    return _last(of, today) if year is None else of(year)


def _month_of(said: str) -> int:
    return _MONTHS.index(said[:3]) + 1 if said.isascii() and said.isalpha() else _number(said)


def read_season(said: Mapping[str, str], today: date) -> Days:
    """Read a season, the last one that is over where no year is said."""
    season = said["season"]
    month = _SEASONS.get(season) or _SEASONS_ZH[season[0]]
    year = _year(said, today)
    if year is not None:
        return _month_days(year, month, 3)
    days = _last(lambda one: _month_days(one, month, 3), today)
    return days if days[1] <= today or said.get("which") == "this" else _month_days(days[0].year - 1, month, 3)


def read_holiday(said: Mapping[str, str], today: date) -> Days | None:
    """Read a holiday, the last one where no year is said."""
    name, year = said["holiday"], _year(said, today)
    if year is not None and name in ("new year", "new year's"):
        year -= 1  # it begins in the evening before

    def of(one: int) -> Days:
        if name in HOLIDAYS:
            month, day, count = HOLIDAYS[name]
            first = date(one, month, day)
            return first, first + timedelta(days=count)
        written = int(_SPRING_FESTIVALS.split()[one - 2000]) if 0 <= one - 2000 <= 40 else 0
        first = date(one, *divmod(written, 100))
        if name == "除夕":
            return first - timedelta(days=1), first
        return first - timedelta(days=1), first + timedelta(days=7)

    return _last(of, today) if year is None else of(year)


def read_year(said: Mapping[str, str], today: date) -> Days | None:
    """Read a year, or its first or second half, its beginning or its end."""
    year = _year(said, today)
    if year is None:
        return None
    if half := said.get("half", "").removeprefix("年"):
        return {
            "上半年": _month_days(year, 1, 6),
            "下半年": _month_days(year, 7, 6),
            "初": _month_days(year, 1, 2),
            "底": _month_days(year, 11, 2),
            "末": _month_days(year, 11, 2),
        }[half]
    return _years(year)


def read_years(said: Mapping[str, str], today: date) -> Days | None:
    """Read the time from one year to another."""
    first, last = _year({"y": said["y"]}, today), _year({"y": said["z"]}, today)
    return None if first is None or last is None else (date(first, 1, 1), date(last + 1, 1, 1))


def read_decade(said: Mapping[str, str], today: date) -> Days:
    """Read ten years."""
    decade = _number(said["decade"])
    if decade < 100:
        decade += 1900 if decade > today.year % 100 else 2000
    return _years(decade, 10)


def read_numbers(said: Mapping[str, str], today: date) -> Days | None:
    """Read a date in digits."""
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


def read_past(said: Mapping[str, str], today: date) -> Days:
    """Read the time up to now: the last three months."""
    unit = _UNITS.get(said["unit"], said["unit"])
    return _back(today, _number(said["n"]) if said.get("n") else 1, unit), today + timedelta(days=1)


def _of_unit(day: date, unit: str) -> Days:
    """Return the day, the week, the month or the year that a day is in."""
    if unit == "year":
        return _years(day.year)
    if unit == "month":
        return _month_days(day.year, day.month)
    first = day - timedelta(days=day.weekday()) if unit == "week" else day
    return first, first + timedelta(days=7 if unit == "week" else 1)


def read_ago(said: Mapping[str, str], today: date) -> Days:
    """Read the day, week, month or year that is so long ago."""
    unit = _UNITS.get(said["unit"], said["unit"])
    if said["n"] in ("几", "few", "a few", "several"):
        return _of_unit(_back(today, 9, unit), unit)[0], _of_unit(_back(today, 2, unit), unit)[1]
    return _of_unit(_back(today, _number(said["n"]), unit), unit)


def read_same_day(said: Mapping[str, str], today: date) -> Days:
    """Read today in an earlier year."""
    year = today.year - _number(said["n"]) if said.get("n") else _year(said, today) or today.year
    day = today.replace(year=year, day=28 if (today.month, today.day) == (2, 29) else today.day)
    return day, day + timedelta(days=1)


def read_unit(said: Mapping[str, str], today: date) -> Days:
    """Read this and the last day, week, month or year; of a week maybe a day, or its end."""
    which, unit = said["which"], _UNITS.get(said["unit"], said["unit"])
    back = 0 if which in ("本", "这", "这个", "this") else which.count("上") or 1
    first, after = _of_unit(_back(today, back, unit), unit)
    if said.get("d"):
        day_of = first.replace(day=_number(said["d"]))
        return day_of, day_of + timedelta(days=1)
    if said.get("third"):
        return _third((first, after), said["third"])
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


def read_weekday(said: Mapping[str, str], today: date) -> Days:
    """Read the last day of that name before today."""
    day = today - timedelta(days=(today.weekday() - _WEEKDAYS.index(said["weekday"][:3])) % 7 or 7)
    return day, day + timedelta(days=1)


def days_back(count: int) -> Callable[[Mapping[str, str], date], Days]:
    """Return what reads the day that is so many days ago."""
    return lambda _said, today: (today - timedelta(days=count), today - timedelta(days=count - 1))
