"""Texts are read into dates, places, names and numbers, and nothing of them is lost."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.search.reading.places import PlaceNames
from api.search.reading.reader import read_text, scene_of

TODAY = date(2026, 11, 30)  # a Monday
PLACES = PlaceNames(
    [
        "西湖 Xihu, 杭州 Hangzhou, 中国 China",
        "白云 Baiyun, 广州 Guangzhou, 中国 China",
        "巴黎 Paris, 法国 France",
        "大理 Dali",
        "Bath",
    ]
)


def read(text: str, plain: tuple[str, ...] = ()):
    return read_text(text, PLACES, TODAY, plain)


def said(text: str, plain: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    return [(span.kind, span.said) for span in read(text, plain) if span.said]


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2023年5月", "2023-05-01", "2023-05-31"),
        ("２０２３年５月３日", "2023-05-03", "2023-05-03"),
        ("二〇二三年五月", "2023-05-01", "2023-05-31"),
        ("23年5月", "2023-05-01", "2023-05-31"),
        ("2023年", "2023-01-01", "2023-12-31"),
        ("去年夏天", "2025-06-01", "2025-08-31"),
        ("去年冬天", "2025-12-01", "2026-02-28"),
        ("前年", "2024-01-01", "2024-12-31"),
        ("去年年底", "2025-11-01", "2025-12-31"),
        ("今年上半年", "2026-01-01", "2026-06-30"),
        ("5月3日", "2026-05-03", "2026-05-03"),
        ("12月25日", "2025-12-25", "2025-12-25"),
        ("十二月二十五号", "2025-12-25", "2025-12-25"),
        ("今天", "2026-11-30", "2026-11-30"),
        ("昨天", "2026-11-29", "2026-11-29"),
        ("前天", "2026-11-28", "2026-11-28"),
        ("大前天", "2026-11-27", "2026-11-27"),
        ("上周五", "2026-11-27", "2026-11-27"),
        ("上周末", "2026-11-28", "2026-11-29"),
        ("本周", "2026-11-30", "2026-12-06"),
        ("上上周", "2026-11-16", "2026-11-22"),
        ("上个月", "2026-10-01", "2026-10-31"),
        ("最近三个月", "2026-08-28", "2026-11-30"),
        ("近7天", "2026-11-23", "2026-11-30"),
        ("三年前", "2023-01-01", "2023-12-31"),
        ("十天前", "2026-11-20", "2026-11-20"),
        ("二十年前", "2006-01-01", "2006-12-31"),
        ("两个月前", "2026-09-01", "2026-09-30"),
        ("2020年以后", "2020-01-01", None),
        ("2019年之前", None, "2018-12-31"),
        ("2019-2021", "2019-01-01", "2021-12-31"),
        ("2019年到2021年", "2019-01-01", "2021-12-31"),
        ("2023-05-03", "2023-05-03", "2023-05-03"),
        ("2023/5/3", "2023-05-03", "2023-05-03"),
        ("2023.05", "2023-05-01", "2023-05-31"),
        ("20230503", "2023-05-03", "2023-05-03"),
        ("80年代", "1980-01-01", "1989-12-31"),
        ("2023年春节", "2023-01-21", "2023-01-28"),
        ("去年国庆", "2025-10-01", "2025-10-07"),
        ("2024年除夕", "2024-02-09", "2024-02-09"),
        ("May 2023", "2023-05-01", "2023-05-31"),
        ("May 3, 2023", "2023-05-03", "2023-05-03"),
        ("3rd of May 2023", "2023-05-03", "2023-05-03"),
        ("last summer", "2026-06-01", "2026-08-31"),
        ("summer of 2022", "2022-06-01", "2022-08-31"),
        ("last winter", "2025-12-01", "2026-02-28"),
        ("last month", "2026-10-01", "2026-10-31"),
        ("last weekend", "2026-11-28", "2026-11-29"),
        ("last friday", "2026-11-27", "2026-11-27"),
        ("yesterday", "2026-11-29", "2026-11-29"),
        ("two years ago", "2024-01-01", "2024-12-31"),
        ("last 3 weeks", "2026-11-09", "2026-11-30"),
        ("the past year", "2025-11-28", "2026-11-30"),
        ("since 2020", "2020-01-01", None),
        ("before 2019", None, "2018-12-31"),
        ("in 2021", "2021-01-01", "2021-12-31"),
        ("from 2019 to 2021", "2019-01-01", "2021-12-31"),
        ("the 1990s", "1990-01-01", "1999-12-31"),
        ("Christmas 2022", "2022-12-24", "2022-12-26"),
        ("2023夏天", "2023-06-01", "2023-08-31"),
        ("2023 春节", "2023-01-21", "2023-01-28"),
        ("去年暑假", "2025-07-01", "2025-08-31"),
        ("去年的今天", "2025-11-30", "2025-11-30"),
        ("三年前的今天", "2023-11-30", "2023-11-30"),
        ("a year ago today", "2025-11-30", "2025-11-30"),
        ("2020年前", None, "2019-12-31"),
        ("2020年后", "2020-01-01", None),
        ("2015年左右", "2015-01-01", "2015-12-31"),
        ("九十年代", "1990-01-01", "1999-12-31"),
        ("2000年代", "2000-01-01", "2009-12-31"),
        ("去年5月到7月", "2025-05-01", "2025-07-31"),
        ("11-12月", "2026-11-01", "2026-12-31"),
        ("12月到2月", "2025-12-01", "2026-02-28"),
        ("5月1日到5月7日", "2026-05-01", "2026-05-07"),
        ("5月1-7日", "2026-05-01", "2026-05-07"),
        ("2023.5.1-2023.5.7", "2023-05-01", "2023-05-07"),
        ("2023年5月至2024年3月", "2023-05-01", "2024-03-31"),
        ("May to July 2023", "2023-05-01", "2023-07-31"),
        ("May 1 to May 7, 2023", "2023-05-01", "2023-05-07"),
        ("May 1-7 2023", "2023-05-01", "2023-05-07"),
        ("05/03/2019", "2019-05-03", "2019-05-03"),
        ("13/5/2019", "2019-05-13", "2019-05-13"),
        ("3.5.2019", "2019-05-03", "2019-05-03"),
        ("the 4th of July", "2026-07-04", "2026-07-04"),
        ("4 July 2019", "2019-07-04", "2019-07-04"),
        ("new year 2024", "2023-12-31", "2024-01-01"),
        ("这周末", "2026-11-28", "2026-11-29"),
        ("this weekend", "2026-11-28", "2026-11-29"),
        ("20年前", "2006-01-01", "2006-12-31"),
        ("2023 年 5 月 3 日", "2023-05-03", "2023-05-03"),
        ("2023 年元旦", "2023-01-01", "2023-01-01"),
        ("去年底", "2025-11-01", "2025-12-31"),
        ("8月底", "2026-08-21", "2026-08-31"),
        ("2023年2月中旬", "2023-02-11", "2023-02-20"),
        ("上个月15号", "2026-10-15", "2026-10-15"),
        ("上个月底", "2026-10-21", "2026-10-31"),
        ("几年前", "2017-01-01", "2024-12-31"),
        ("a few years ago", "2017-01-01", "2024-12-31"),
    ],
)
def test_a_date_is_the_days_that_people_mean(text, first, last):
    (span,) = read(text)
    assert span.kind == "date"
    assert span.days == (first and date.fromisoformat(first), last and date.fromisoformat(last))


@pytest.mark.parametrize(
    "text",
    [
        *("月亮", "这月亮", "三月的樱花", "三个人", "天上的云", "周末市集", "May flowers", "I may go", "fall leaves"),
        *("3 dogs 2 cats", "16:9", "1080p video", "iPhone 15 Pro", "5g", "2023 cm", "13月", "2月30日的花"),
        *("登上月球", "晚上月光", "本月饼", "100年校庆", "5000年文明", "20年老友", "10000步", "2000元", "今日头条"),
        *("新T恤", "新A4纸", "新U盘", "大理石桌面", "不在杭州的猫", "not in Paris", "this may be a cat", "3月大的宝宝"),
        *("3D", "100km", "一天", "summer", "夏天的海边", "a spring in the machine", "最近的一家店"),
    ],
)
def test_what_only_looks_like_a_date_or_a_number_is_a_scene(text):
    kinds = {span.kind for span in read(text) if not span.shown}
    assert kinds == {"scene"}


@pytest.mark.parametrize(
    ("text", "spans", "scene"),
    [
        ("去年夏天在杭州拍的狗", [("date", "去年夏天"), ("place", "杭州"), ("scene", "狗")], "狗"),
        ("a dog in Paris last summer", [("scene", "a dog"), ("place", "Paris"), ("date", "last summer")], "a dog"),
        ("photos from May 2023", [("scene", "photos"), ("date", "from May 2023")], ""),
        ("車牌 粵B12345", [("scene", "車牌"), ("code", "粵B12345")], "車牌"),
        ("粤B", [("code", "粤B")], ""),
        ("IMG_20230503_101112.jpg", [("file", "IMG_20230503_101112.jpg")], ""),
        ("dsc01234", [("file", "dsc01234")], ""),
        ("WH-1000XM4 耳机", [("code", "WH-1000XM4"), ("scene", "耳机")], "耳机"),
        ('"final offer" red dress', [("quoted", "final offer"), ("scene", "red dress")], "red dress"),
        ("《红楼梦》插图", [("quoted", "红楼梦"), ("scene", "插图")], "插图"),
        ("发票 No. 12345678", [("scene", "发票 No."), ("code", "12345678")], "发票 No."),
        ("蓝天白云", [("scene", "蓝天"), ("place", "白云")], "蓝天白云"),
        ("白云区的夜景", [("place", "白云"), ("scene", "夜景")], "夜景"),
        ("去年圣诞节的树", [("date", "去年圣诞节"), ("scene", "的树")], "圣诞的树"),
        ("christmas 2022 tree", [("date", "christmas 2022"), ("scene", "tree")], "christmas tree"),
        ("paris 2023", [("place", "paris"), ("date", "2023")], "paris 2023"),
        ("杭州", [("place", "杭州")], "杭州"),
        ("comparison", [("scene", "comparison")], "comparison"),
        ("大理古城", [("place", "大理"), ("scene", "古城")], "大理古城"),
        ("a cat in the bath", [("scene", "a cat in the"), ("place", "bath")], "a cat in the bath"),
        ("a cat in Bath", [("scene", "a cat"), ("place", "Bath")], "a cat"),
        ("2023年5月照片", [("date", "2023年5月"), ("scene", "照片")], ""),
        ("昨天下午的会议", [("date", "昨天"), ("scene", "下午的会议")], "下午的会议"),
        ("今年时装周", [("date", "今年"), ("scene", "时装周")], "时装周"),
        ("去年我们在杭州", [("date", "去年"), ("place", "杭州")], ""),
        ("我在杭州", [("place", "杭州")], ""),
        ("去年我家的猫", [("date", "去年"), ("scene", "我家的猫")], "我家的猫"),
        ("last year's trip", [("date", "last year"), ("scene", "trip")], "trip"),
        ("2022年冬奥会", [("date", "2022年"), ("scene", "冬奥会")], "冬奥会"),
        ("上周日本旅行", [("date", "上周"), ("scene", "日本旅行")], "日本旅行"),
        ("今天起床的猫", [("date", "今天"), ("scene", "起床的猫")], "起床的猫"),
        ("粤B12345！", [("code", "粤B12345"), ("scene", "！")], ""),
        ("_DSC1234.ARW", [("file", "_DSC1234.ARW")], ""),
    ],
)
def test_a_text_is_read_piece_by_piece(text, spans, scene):
    assert said(text) == spans
    assert scene_of(read(text)) == scene


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("去年在杭州拍的视频里的狗", [("date", "去年"), ("place", "杭州"), ("video", "视频"), ("scene", "狗")]),
        ("a video of a dog", [("video", "a video"), ("scene", "a dog")]),
        ("dog videos", [("scene", "dog"), ("video", "videos")]),
        ("狗的视频", [("scene", "狗"), ("video", "视频")]),
        ("a video game on a table", [("scene", "a video game on a table")]),
        ("视频会议", [("scene", "视频会议")]),
    ],
)
def test_videos_are_asked_for_where_there_are_some(text, spans):
    found = read_text(text, PLACES, TODAY, videos=True)
    assert [(span.kind, span.said) for span in found if span.said] == spans
    assert "video" not in {span.kind for span in read(text)}


def test_a_place_that_is_a_word_is_sure_where_it_is_written_as_a_name():
    places = PlaceNames(["Orange, France", "Paris, France"])
    for text, sure in (("a cat in orange", False), ("a cat in Orange", True), ("a cat in paris", True)):
        (place,) = [span for span in read_text(text, places, TODAY) if span.kind == "place"]
        assert (not place.shown) == sure


def test_what_is_plain_is_what_a_picture_shows():
    assert said("去年夏天在杭州拍的狗", ("去年夏天", "杭州")) == [("scene", "去年夏天在杭州拍的狗")]
    assert said('"SALE" 2023', ("sale",)) == [("scene", '"SALE"'), ("date", "2023")]


@pytest.mark.parametrize("text", ["二三十年前的老照片", "十二三年前", "三四天前的猫", "最近三四十天"])
def test_numbers_that_are_not_exact_do_no_harm(text):
    assert "".join(text[span.start : span.end] for span in read(text)) == text


PIECES = [
    *(
        "去年",
        "2023年5月",
        "夏天",
        "在",
        "杭州",
        "拍的",
        "狗",
        "\u200b",
        " ",
        "“",
        "”",
        '"',
        "SALE",
        "粵B",
        "12345",
        "。",
    ),
    *("last summer", "in Paris", "IMG_1.jpg", "a", "\n", "İ", "ﬁ", "2月30日", "，", "\ud83d\ude00", "最近", "9999年"),
]


@given(st.one_of(st.text(max_size=60), st.lists(st.sampled_from(PIECES), max_size=12).map("".join)), st.dates())
def test_every_character_is_in_one_span(heavy, text, today):
    spans = read_text(text, PLACES, today)
    assert "".join(text[span.start : span.end] for span in spans) == text
    assert all(span.start < span.end for span in spans)
    for span in spans:
        assert span.kind != "date" or span.period.start is None or span.period.end is None or span.where
