"""Numbers, sizes and dates as words of a language."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ui.strings import Strings, labels

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def number(value: int) -> str:
    """12480 -> "12,480"."""
    return f"{value:,}"


def picture_count(count: int, *, lang: str) -> str:
    """1 -> "1 picture", 12480 -> "12,480 pictures"."""
    if lang == "en" and count == 1:
        return "1 picture"
    return labels(lang).picture_count.format(n=number(count))


def file_size(size_bytes: int) -> str:
    """12_400_000 -> "12 MB", in decimal units."""
    size = float(size_bytes)
    for unit in ("B", "kB", "MB"):
        if size < 999.5:
            return f"{size:.0f} {unit}" if size >= 10 or unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def moment(iso: str, *, lang: str, timezone: str | None = None) -> str:
    """Return an ISO 8601 moment or day: "2024年5月3日 14:02", "3 May 2024, 14:02". Other text stays as it is.

    A moment with a time zone is told in `timezone`, or in UTC; one without is a camera's clock and stays.
    """
    try:
        at = datetime.fromisoformat(iso)
    except ValueError:
        return iso
    if at.tzinfo is not None:
        at = at.astimezone(_zone(timezone))
    has_time = len(iso) > 10
    if lang == "zh":
        return f"{at.year}年{at.month}月{at.day}日" + (f" {at:%H:%M}" if has_time else "")
    return f"{at.day} {MONTHS[at.month - 1]} {at.year}" + (f", {at:%H:%M}" if has_time else "")


def _zone(name: str | None) -> tzinfo:
    try:
        return ZoneInfo(name) if name else UTC
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


def ago(iso: str, *, lang: str, now: datetime | None = None) -> str:
    """How long ago a UTC moment was, in words; a day after a month."""
    try:
        then = datetime.fromisoformat(iso)
    except ValueError:
        return iso
    if then.tzinfo is None:
        then = then.replace(tzinfo=UTC)
    words: Strings = labels(lang)
    minutes = int(((now or datetime.now(UTC)) - then).total_seconds() // 60)
    if minutes < 1:
        return words.just_now
    if minutes < 60:
        return words.minutes_ago.format(n=minutes)
    if minutes < 60 * 24:
        return words.hours_ago.format(n=minutes // 60)
    if minutes < 60 * 24 * 30:
        return words.days_ago.format(n=minutes // (60 * 24))
    gap = " " if lang == "zh" else ""
    return moment(then.date().isoformat(), lang=lang) + gap


def clock(seconds: float) -> str:
    """83.4 -> "1:23", 3723 -> "1:02:03"."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def pixels(width: int, height: int) -> str:
    """8192, 5464 -> "8192 × 5464"."""
    return f"{width} × {height}"
