"""models/foundation/moments.py: every form in which cameras, editors and programs write a moment."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.foundation.moments import read_moment, read_moment_in_name

NOW = datetime(2026, 1, 1)
NOON, AFTERNOON, NIGHT = datetime(2023, 8, 13, 12, 34, 56), datetime(2023, 8, 13, 15, 34, 56), datetime(2023, 8, 13)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2023:08:13 12:34:56", NOON),
        ("2023/08/13 12:34:56", NOON),
        ("2023-08-13T12:34:56.789+08:00", NOON),
        ("2023-08-13T12:34:56Z", NOON),
        ("2023.08.13 12.34.56", NOON),
        ("2023:08:13 12:34:56.50", NOON),
        ("20230813 123456", NOON),
        ("20230813T123456Z", NOON),
        ("Sun Aug 13 12:34:56 2023", NOON),
        ("Sun, 13 Aug 2023 12:34:56 GMT", NOON),
        ("13 Aug 2023 12:34:56 +0800", NOON),
        ("2023:08:13 12:34:56 PM", NOON),
        ("2023:08:13 03:34:56下午", AFTERNOON),
        ("2023:08:13 下午 3:34:56", AFTERNOON),
        ("2023:08:13 3:34:56 p.m.", AFTERNOON),
        ("2023:08:13 15:34:56 下午", AFTERNOON),
        ("2023年8月13日 15时34分56秒", AFTERNOON),
        ("2023:08:13", NIGHT),
        ("2023:08:13 12:00:00 上午", NIGHT),
        ("2023:08:12 24:00:00", NIGHT),
        ("2019:01:01 24:04:20", datetime(2019, 1, 2, 0, 4, 20)),
        ("2023:12:31 23:59:60", datetime(2024, 1, 1)),
        ("2023:08:13 12:34", datetime(2023, 8, 13, 12, 34)),
        ("2023: 8:13 12: 4: 6", datetime(2023, 8, 13, 12, 4, 6)),
        ("0000:00:00 00:00:00", None),
        ("    :  :     :  :  ", None),
        ("2023:13:41 00:00:00", None),
        ("2023:02:30 10:00:00", None),
        ("2023:08:13 25:00:00", None),
        ("1601:01:01 00:00:00", None),
        ("1234", None),
        ("2023-12", None),
        ("2023-08-13 12", NIGHT),
        ("2023-08-13T12+08:00", NIGHT),
        ("yesterday", None),
        ("", None),
    ],
)
def test_moments_that_are_written(text: str, expected: datetime | None) -> None:
    assert read_moment(text) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("PXL_20230813_123456789.jpg", NOON),
        ("VID_20230813_123456.mp4", NOON),
        ("微信图片_20230813123456.jpg", NOON),
        ("Screenshot_2023-08-13-12-34-56-99_abc.png", NOON),
        ("photo_2023-08-13_12-34-56 (2).jpg", NOON),
        ("WhatsApp Image 2023-08-13 at 12.34.56.jpeg", NOON),
        ("signal-2023-08-13-123456.jpg", NOON),
        ("20230813_123456_HDR.jpg", NOON),
        ("Screen Shot 2023-08-13 at 3.34.56 PM.png", AFTERNOON),
        ("截屏2023-08-13 下午3.34.56.png", AFTERNOON),
        ("IMG-20230813-WA0001.jpg", NIGHT),
        ("2023_08_13.jpg", NIGHT),
        ("mmexport1691900000000.jpg", datetime.fromtimestamp(1_691_900_000)),
        ("wx_camera_1691900000000.jpg", datetime.fromtimestamp(1_691_900_000)),
        ("2023-08-13 10000.jpg", NIGHT),
        ("20230813-12034567.jpg", NIGHT),
        ("DSC_1234.jpg", None),
        ("12345678.jpg", None),
        ("20231301.jpg", None),
        ("20990101.jpg", None),
        ("wallpaper-1920x1080.jpg", None),
        ("8613812345678.jpg", None),
        ("order 202308131234567890.jpg", None),
    ],
)
def test_moments_that_names_say(name: str, expected: datetime | None) -> None:
    assert read_moment_in_name(name, now=NOW) == expected


@given(st.text(max_size=60))
def test_no_text_is_an_error(text: str) -> None:
    read_moment(text)
    read_moment_in_name(text, now=NOW)


@given(st.datetimes(datetime(1990, 1, 1), datetime(2025, 12, 31)))
def test_what_is_written_is_read(moment: datetime) -> None:
    moment = moment.replace(microsecond=0)
    assert read_moment(moment.strftime("%Y:%m:%d %H:%M:%S")) == moment
    assert read_moment(moment.isoformat()) == moment
    assert read_moment_in_name(moment.strftime("IMG_%Y%m%d_%H%M%S.jpg"), now=NOW) == moment
