"""Numbers, sizes, moments and durations as people of a language write them, by the data of Unicode (CLDR)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel.dates import format_datetime, format_timedelta
from babel.numbers import format_decimal, format_percent
from babel.units import format_unit

_LOCALES = {"zh": "zh_CN", "en": "en_GB"}
_UNITS = ("byte", "kilobyte", "megabyte", "gigabyte", "terabyte")
_MARKUP = re.compile(r"([!-/:-@\[-`{-~])")


def locale_of(lang: str) -> str:
    """Return the locale of a language of the page."""
    return _LOCALES.get(lang, "en_GB")


def number(value: float, lang: str) -> str:
    """12480 -> "12,480"."""
    return format_decimal(value, locale=locale_of(lang))


def rate(value: float, lang: str) -> str:
    """Return how many in a second, as exactly as a person needs it: "38", "0.4"."""
    return format_decimal(value, "#,##0" if value >= 10 else "#,##0.#", locale=locale_of(lang))


def percent(share: float, lang: str) -> str:
    """0.931 -> "93%"."""
    return format_percent(share, locale=locale_of(lang))


def size(size_bytes: int, lang: str) -> str:
    """12_400_000 -> "12 MB", in decimal units."""
    value, place = float(size_bytes), 0
    while value >= 999.5 and place + 1 < len(_UNITS):
        value, place = value / 1000, place + 1
    figure = format_decimal(value, "#,##0" if place == 0 or value >= 10 else "#,##0.#", locale=locale_of(lang))
    return format_unit(figure, f"digital-{_UNITS[place]}", "short", locale=locale_of(lang))


def duration(seconds: float, lang: str) -> str:
    """75.0 -> "75 seconds", 4000 -> "67 minutes": in one unit, of which there are two at least."""
    return format_timedelta(timedelta(seconds=max(1, round(seconds))), threshold=2, locale=locale_of(lang))


def moment(iso: str, lang: str, timezone: str | None) -> str:
    """Return a moment in ISO 8601 where the person is: "3 May 2024, 14:02"; other text as it is."""
    at = read_moment(iso)
    if at is None:
        return iso
    return format_datetime(at.astimezone(_zone(timezone)), "medium", locale=locale_of(lang)).rpartition(":")[0]


def ago(iso: str, lang: str, *, now: datetime | None = None) -> str:
    """Return how long ago a moment was: "3 hours ago"; other text as it is."""
    at = read_moment(iso)
    if at is None:
        return iso
    passed = at - (now or datetime.now(UTC))
    return format_timedelta(min(passed, timedelta(seconds=-1)), add_direction=True, locale=locale_of(lang))


def seconds_between(start: str | None, end: str | None) -> float | None:
    """Return the seconds from one moment to another; None where one is missing."""
    first, last = read_moment(start or ""), read_moment(end or "")
    return None if first is None or last is None else (last - first).total_seconds()


def read_moment(iso: str) -> datetime | None:
    """Return a moment in ISO 8601; one without a zone is UTC."""
    try:
        at = datetime.fromisoformat(iso)
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def plain(text: str) -> str:
    """Return a text, such as the name of a file, so that Streamlit shows it as it is and not as Markdown."""
    return _MARKUP.sub(r"\\\1", " ".join(text.split()))


def _zone(name: str | None) -> tzinfo:
    try:
        return ZoneInfo(name) if name else UTC
    except (ZoneInfoNotFoundError, ValueError):
        return UTC
