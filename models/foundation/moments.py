"""Moments as cameras, editors and people write them."""

import re
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

_MORNING: Final = "上午|凌晨|早上|清晨|午前|am|a\\.m\\."
_LATER: Final = "下午|傍晚|晚上|午後|午后|中午|pm|p\\.m\\."
_DATE: Final = r"(?P<year>\d{4})(?:\s*[:/.\-年]\s*|\s+)(?P<month>\d{1,2})(?:\s*[:/.\-月]\s*|\s+)(?P<day>\d{1,2})\s*日?"
_TIME: Final = r"(?P<hour>\d{1,2})\s*[:.時时h]\s*(?P<minute>\d{1,2})\s*[:.分m]?\s*(?:(?P<second>\d{1,2})\s*秒?)?"
_WRITTEN: Final = re.compile(
    rf"\s*{_DATE}(?:[\sT,]*(?P<before>{_MORNING}|{_LATER})?\s*{_TIME}(?:[.,]\d+)?\s*(?P<after>{_MORNING}|{_LATER})?)?",
    re.IGNORECASE,
)
# Without anything between them, numbers have all their digits.
_COMPACT: Final = re.compile(r"\s*(\d{4})(\d\d)(\d\d)(?:[\sT_-]*(\d\d)(\d\d)(\d\d)?)?(?!\d)")
_UNIX: Final = "%a %b %d %H:%M:%S %Y"
_FIRST_YEAR: Final = 1800


def read_moment(text: str) -> datetime | None:
    """Return the moment that a text begins with, by the clock of who wrote it, None for none.

    The forms of EXIF and of those who write it otherwise: slashes, hyphens and full stops, Chinese signs, blanks for
    zeros, no seconds, no time; 24 hours and 60 seconds, which are the beginning of the next; hours of half a day; ISO
    8601, RFC 2822 and that of asctime. Fractions of seconds and offsets are left out.
    """
    if compact := _COMPACT.match(text):
        return _moment(*(int(part or 0) for part in compact.groups()))
    if written := _WRITTEN.match(text):
        part = written.groupdict()
        hour = int(part["hour"] or 0)
        half = (part["before"] or part["after"] or "").lower()
        if half and hour <= 12:
            is_later = re.fullmatch(_LATER, half) is not None
            hour = (hour % 12 + 12 if half != "中午" or hour < 6 else hour) if is_later else hour % 12
        year, month, day = (int(part[name]) for name in ("year", "month", "day"))
        return _moment(year, month, day, hour, int(part["minute"] or 0), int(part["second"] or 0))
    return _read_words(text)


def _moment(year: int, month: int, day: int, hour: int, minute: int, second: int) -> datetime | None:
    """Return a moment of numbers, of which 24 hours and 60 seconds carry over."""
    if hour > 24 or minute > 60 or second > 60 or year <= _FIRST_YEAR:
        return None
    try:
        return datetime(year, month, day) + timedelta(hours=hour, minutes=minute, seconds=second)
    except (ValueError, OverflowError):
        return None


def _read_words(text: str) -> datetime | None:
    try:
        found = datetime.strptime(text.strip(), _UNIX)
    except ValueError:
        try:
            found = parsedate_to_datetime(text).replace(tzinfo=None)
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
    return found if found.year > _FIRST_YEAR else None


_IN_NAME: Final = re.compile(
    r"(?<!\d)(?P<year>19[89]\d|20\d\d)(?P<sign>[-_.]?)(?P<month>0[1-9]|1[0-2])(?P=sign)(?P<day>0[1-9]|[12]\d|3[01])"
    rf"(?:(?:[-_ T,.]|at|kl\.?|\s)*(?P<before>{_MORNING}|{_LATER})?\s*"
    r"(?P<hour>[01]\d|2[0-3]|\d(?=[.:]))[-_.:h ]?(?P<minute>[0-5]\d)[-_.:m ]?(?P<second>[0-5]\d)(?:\d{3}|[-_.]\d{1,3})?"
    rf"(?:\s*(?P<after>{_MORNING}|{_LATER}))?)?(?!\d)",
    re.IGNORECASE,
)
_MILLISECONDS: Final = re.compile(r"(?:mmexport|wx_camera_|FB_IMG_|microMsg\.|WeChat_)(1\d{12})(?!\d)", re.IGNORECASE)


def read_moment_in_name(name: str, *, now: datetime) -> datetime | None:
    """Return the moment that the name of a file says, None for none, or for one after `now`.

    As phones, cameras, chat programs and programs for screenshots name files: "IMG-20230813-WA0001",
    "PXL_20230813_123456789", "Screenshot 2023-08-13 at 3.34.56 PM", "微信图片_20230813123456", and milliseconds since
    1970 ("mmexport1691900000000"), which are told by the clock of this machine.
    """
    if counted := _MILLISECONDS.search(name):
        found = datetime.fromtimestamp(int(counted[1]) // 1000)
        return found if found <= now else None
    for written in _IN_NAME.finditer(name):
        moment = _of_name(written)
        if moment is not None and moment <= now:
            return moment
    return None


def _of_name(written: re.Match[str]) -> datetime | None:
    part = written.groupdict()
    hour, half = int(part["hour"] or 0), (part["before"] or part["after"] or "").lower()
    if half and hour <= 12:
        hour = hour % 12 + 12 * (re.fullmatch(_LATER, half) is not None)
    year, month, day = (int(part[name]) for name in ("year", "month", "day"))
    return _moment(year, month, day, hour, int(part["minute"] or 0), int(part["second"] or 0))
