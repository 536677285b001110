from datetime import UTC, datetime

import pytest

from ui.words import ago, file_size, moment, picture_count


@pytest.mark.parametrize(
    ("iso", "zh", "en"),
    [
        ("2024-05-03T14:02:00", "2024年5月3日 14:02", "3 May 2024, 14:02"),
        ("2024-05-03T14:02:00Z", "2024年5月3日 14:02", "3 May 2024, 14:02"),
        ("2024-12-31", "2024年12月31日", "31 Dec 2024"),
        ("long ago", "long ago", "long ago"),
    ],
)
def test_a_moment_is_in_words(iso, zh, en):
    assert moment(iso, lang="zh") == zh
    assert moment(iso, lang="en") == en


@pytest.mark.parametrize(
    ("iso", "zh", "en"),
    [
        ("2026-01-02T11:59:30Z", "刚刚", "just now"),
        ("2026-01-02T12:30:00Z", "刚刚", "just now"),
        ("2026-01-02T11:58:00Z", "2 分钟前", "2 min ago"),
        ("2026-01-02T07:00:00", "5 小时前", "5 h ago"),
        ("2025-12-30T12:00:00+00:00", "3 天前", "3 d ago"),
        ("2025-06-01T12:00:00Z", "2025年6月1日 ", "1 Jun 2025"),
        ("?", "?", "?"),
    ],
)
def test_how_long_ago_is_in_words(iso, zh, en):
    now = datetime(2026, 1, 2, 12, tzinfo=UTC)
    assert ago(iso, lang="zh", now=now) == zh
    assert ago(iso, lang="en", now=now) == en


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1500, "1.5 kB"),
        (32_400, "32 kB"),
        (999_999, "1.0 MB"),
        (12_400_000, "12 MB"),
        (4_200_000_000, "4.2 GB"),
    ],
)
def test_a_file_size_has_a_unit(size, words):
    assert file_size(size) == words


def test_one_picture_is_not_pictures():
    assert [picture_count(count, lang="en") for count in (0, 1, 12480)] == [
        "0 pictures",
        "1 picture",
        "12,480 pictures",
    ]
    assert picture_count(1, lang="zh") == "1 张图片"


@pytest.mark.parametrize(
    ("iso", "timezone", "words"),
    [
        ("2024-05-03T20:02:00Z", "Asia/Shanghai", "4 May 2024, 04:02"),
        ("2024-05-03T20:02:00Z", None, "3 May 2024, 20:02"),
        ("2024-05-03T20:02:00Z", "No/Where", "3 May 2024, 20:02"),
        ("2024-05-03T20:02:00", "Asia/Shanghai", "3 May 2024, 20:02"),
    ],
)
def test_the_time_of_a_file_is_told_where_the_person_is(iso, timezone, words):
    assert moment(iso, lang="en", timezone=timezone) == words
