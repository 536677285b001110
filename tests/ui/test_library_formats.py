"""Numbers, moments and durations of the page of the library, as each language writes them."""

from datetime import UTC, datetime

import pytest

from ui.library import formats


def test_numbers_and_sizes():
    assert [formats.number(12480, lang) for lang in ("zh", "en")] == ["12,480", "12,480"]
    assert formats.percent(0.931, "en") == "93%"
    assert [formats.rate(value, "en") for value in (38.2, 0.43)] == ["38", "0.4"]
    sizes = [formats.size(value, "en") for value in (0, 999, 1_000, 12_400_000, 999_950_000, 3_210_000_000_000)]
    assert sizes == ["0 byte", "999 byte", "1 kB", "12 MB", "1 GB", "3.2 TB"]


@pytest.mark.parametrize(
    ("lang", "said"), [("zh", ["1秒钟", "75秒钟", "67分钟"]), ("en", ["1 second", "75 seconds", "67 minutes"])]
)
def test_durations(lang, said):
    assert [formats.duration(seconds, lang) for seconds in (0.2, 75, 4_000)] == said


def test_moments_are_told_where_the_person_is():
    iso = "2024-05-03T14:02:00+00:00"
    assert formats.moment(iso, "en", "Asia/Shanghai") == "3 May 2024, 22:02"
    assert formats.moment(iso, "zh", None) == "2024年5月3日 14:02"
    assert formats.moment(iso, "zh", "No/Where") == formats.moment(iso, "zh", None)
    assert formats.moment("some day", "zh", None) == "some day"
    now = datetime(2024, 5, 3, 17, 2, tzinfo=UTC)
    assert [formats.ago(iso, lang, now=now) for lang in ("zh", "en")] == ["3小时前", "3 hours ago"]
    assert formats.ago("2024-05-03T17:03:00", "en", now=now) == "1 second ago"  # a clock that is ahead
    assert formats.seconds_between(iso, "2024-05-03T14:03:30") == 90
    assert formats.seconds_between(iso, None) is None


def test_names_of_files_are_no_markup():
    assert formats.plain("a *b* [c](d) :smile:\n<x>") == r"a \*b\* \[c\]\(d\) \:smile\: \<x\>"
