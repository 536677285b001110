"""The `where` of a query: its grammar, and its SQL against the same conditions in plain Python."""

import operator
import re
import sqlite3
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from PIL import Image

from indexer.annotators.colours import CHOICES, NAMES
from indexer.annotators.registry import list_annotators
from indexer.library.annotations.fields import AnnotatorRecord, Field, FieldSet, FieldType
from indexer.library.annotations.values import to_annotation
from indexer.library.catalog import filter_parser
from indexer.library.catalog.records import Content
from indexer.library.catalog.sql import to_sql
from indexer.library.catalog.writer import Catalog
from indexer.library.errors import InvalidFilter
from indexer.library.filters import AllOf, AnyOf, Begins, Filter, Listed, Period, Range
from indexer.library.sources.items import Item, Locator, Stamp
from indexer.pipeline.annotate import record_of
from models.pictures.formats import FORMATS

RECORDS = {record.name: record for record in map(record_of, list_annotators())}
FIELDS = FieldSet.of(RECORDS.values())
NAMES_ZH = tuple(choice.zh for choice in CHOICES)
MAY = Period(datetime(2024, 5, 1), datetime(2024, 6, 1))


def where(**conditions: object) -> Filter:
    """Return a filter: of names for fields of choices, of ranges and periods, of alternatives for texts."""
    of_choices = ("format", "colour")
    if "path" in conditions:
        conditions["path"] = Begins(tuple((text, False) for (text,) in conditions["path"]))
    return Filter.of(
        {
            name: one if isinstance(one, (Range, Period, Begins)) else (AnyOf if name in of_choices else AllOf)(one)
            for name, one in conditions.items()
        }
    )


def parse_filter(expression: str) -> Filter:
    return filter_parser.parse_filter(expression, FIELDS)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("format=jpeg", where(format=("jpeg",))),
        ("format=JPG", where(format=("jpeg",))),
        ("format=png|heic|tif", where(format=("png", "heif", "tiff"))),
        ("formats=webp", where(format=("webp",))),
        ("colour=blue", where(colour=("blue",))),
        ("color=gray|violet|teal", where(colour=("grey", "purple", "cyan"))),
        ("colour=蓝|红色|橘", where(colour=("blue", "red", "orange"))),
        ("colour=藍|紅色|綠", where(colour=("blue", "red", "green"))),
        ("format=ＪＰＧ", where(format=("jpeg",))),
        ("tag=beach", where(tag=(("beach",),))),
        ("tags=海滩|大海", where(tag=(("海滩", "大海"),))),
        ('tag="two  words" and tag=b', where(tag=(("two words",), ("b",)))),
        ("width>=1000", where(width=Range(low=1000))),
        ("width<=1000", where(width=Range(high=1000))),
        ("width>1000", where(width=Range(low=1001))),
        ("height<1000", where(height=Range(high=999))),
        ("height=480", where(height=Range(480, 480))),
        ("width>=100 and width<=200 and width>=150", where(width=Range(150, 200))),
        ("width<=100 and width<=50", where(width=Range(high=50))),
        ("width>=5 and width>=9", where(width=Range(low=9))),
        ("taken>=2024 and taken>=2024-05", where(taken=Period(start=MAY.start))),
        ("taken<2025 and taken<2024-06", where(taken=Period(end=MAY.end))),
        ("aspect>=16:9", where(aspect=Range(low=16 / 9))),
        ("aspect<=1.5", where(aspect=Range(high=1.5))),
        ("aspect>1.5", where(aspect=Range(low=1.5 + 1e-9))),
        ("aspect<1.5", where(aspect=Range(high=1.5 - 1e-9))),
        ("aspect=1.5", where(aspect=Range(1.5 - 0.005, 1.5 + 0.005))),
        ("width>=0", where(width=Range(low=0))),
        ("width>=0.5", where(width=Range(low=0.5))),
        ("width>0.5", where(width=Range(low=1))),
        ("width<0.5", where(width=Range(high=0))),
        ("taken=2024", where(taken=Period(datetime(2024, 1, 1), datetime(2025, 1, 1)))),
        ("taken=2024-05", where(taken=MAY)),
        ("taken=2024-5", where(taken=MAY)),
        ("taken=2024-12", where(taken=Period(datetime(2024, 12, 1), datetime(2025, 1, 1)))),
        ("taken=2024-02-29", where(taken=Period(datetime(2024, 2, 29), datetime(2024, 3, 1)))),
        ("taken=2024-05-03T14:30", where(taken=Period(datetime(2024, 5, 3, 14, 30), datetime(2024, 5, 3, 14, 31)))),
        (
            'taken="2024-05-03 14:30:05"',
            where(taken=Period(datetime(2024, 5, 3, 14, 30, 5), datetime(2024, 5, 3, 14, 30, 6))),
        ),
        ("taken>=2024-05", where(taken=Period(start=MAY.start))),
        ("taken>2024-05", where(taken=Period(start=MAY.end))),
        ("taken<2024-05", where(taken=Period(end=MAY.start))),
        ("taken<=2024-05", where(taken=Period(end=MAY.end))),
        ("modified>=2024-05 and modified<=2024-05", where(modified=MAY)),
        ("path=2024/", where(path=(("2024/",),))),
        ("path^=2024/", where(path=(("2024/",),))),
        ("path=./2024/", where(path=(("2024/",),))),
        ('path="two words/and, a comma"', where(path=(("two words/and, a comma",),))),
        ("path=相册/雪山", where(path=(("相册/雪山",),))),
        ("path=a=b", where(path=(("a=b",),))),
        ('path=""', Filter()),
        ('path^=""', Filter()),
        ("FORMAT=png AND Width>=10", where(format=("png",), width=Range(low=10))),
        ("format=png,width>=10 , height>=20", where(format=("png",), width=Range(low=10), height=Range(low=20))),
        ("  format =  png  and  width >= 10  ", where(format=("png",), width=Range(low=10))),
        ("path=android and width>=1", where(path=(("android",),), width=Range(low=1))),
    ],
)
def test_the_grammar(expression, expected):
    assert parse_filter(expression) == expected


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_can_be_asked_for(name):
    assert parse_filter(f"format={name}") == where(format=(name,))


@pytest.mark.parametrize(("english", "chinese"), list(zip(NAMES, NAMES_ZH, strict=True)))
def test_every_colour_can_be_asked_for_in_both_languages(english, chinese):
    for word in (english, english.upper(), chinese, f"{chinese}色"):
        assert parse_filter(f"colour={word}") == where(colour=(english,))


@pytest.mark.parametrize("expression", ["colour=red|red", "colour=red|红", "colour=red and colour=red"])
def test_a_colour_named_twice_is_one_colour(full_album, expression):
    Image.new("RGB", (9, 9), "red").save(full_album.pictures / "red.png")
    Image.new("RGB", (9, 9), "orange").save(full_album.pictures / "orange.png")
    full_album.update()
    opened = full_album.open()
    red = opened.catalog.ids_where(parse_filter("colour=red"))
    assert opened.catalog.ids_where(parse_filter(expression)).tolist() == red.tolist()
    opened.catalog.close()


@pytest.mark.parametrize(
    ("expression", "position"),
    [
        ("", 0),
        ("   ", 0),
        ("width", 0),
        ("width>=", 0),
        ("width>=1000 and", 15),
        ("width>=1000 height>=5", 12),
        ("width>=1000 or height>=5", 12),
        ("width>=10 and weight>5", 14),
        ("width>=10 and  colour=mauve", 15),
        ("format=jpeg and format=xcf", 16),
        ("width=wide", 0),
        ("width>=-5", 0),
        ("width>=nan", 0),
        ("width>=inf", 0),
        ("width>=1e99", 0),
        ("width>=1e9", 0),
        ("width^=5", 0),
        ("aspect=16:0", 0),
        ("aspect=1:2:3", 0),
        ("path>a", 0),
        ("format>=png", 0),
        ("tag>a", 0),
        ("tag=a|", 0),
        ('tag=""', 0),
        ('format=""', 0),
        ("format=png|", 0),
        ('colour=" "', 0),
        ("tag=\ud800", 0),
        ("tag=sea\udfff", 0),
        ("taken^=2024", 0),
        ("taken=May", 0),
        ("taken=2024-13", 0),
        ("taken=2024-02-30", 0),
        ("taken=2024-00", 0),
        ("taken=2024-05-00", 0),
        ("taken=0000", 0),
        ("taken=2024-05-03T25:00", 0),
        ('path="never closed', 0),
        ("format=png; DROP TABLE images", 0),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(expression, position):
    with pytest.raises(InvalidFilter) as caught:
        parse_filter(expression)
    error = caught.value
    assert error.position in (position, len(expression) - len(expression[position:].lstrip()))
    assert f"character {error.position + 1} " in error.en
    assert f"第 {error.position + 1} 个字符" in error.zh


@pytest.mark.parametrize(
    ("expression", "en", "zh"),
    [
        ("width", "expected FIELD OPERATOR VALUE, with one of = >= <= > <", "应为“字段 运算符 值”，运算符为"),
        (
            "width>=1 height>=5",
            "expected `and` between conditions; put a value",
            "条件之间应写 and；含空格的值请加双引号",
        ),
        ("weight>5", "unknown field weight; known are ", "未知字段 weight；可用字段为 "),
        ("path>a", "path cannot be compared with >", "path 不能使用运算符 >"),
        ("path=/a", "a path starts below the folder that was indexed, as ", "路径应从所索引的文件夹之下写起，如 "),
        ('path="\ud800"', "the path is not text", "路径不是有效的文字"),
        ("colour=mauve", f"unknown colour mauve; known are {', '.join(NAMES)}.", f"；可用：{'、'.join(NAMES_ZH)}。"),
        ("format=png|", 'unknown format ""; known are ', '未知格式 ""；可用：'),
        ('tag=""', "nothing is named; say tag=beach or tag=beach|sea", "没有写明内容；示例：tag=海滩、tag=海滩|大海"),
        ("width=wide", "wide is not a number that can be used here", "wide 不是可用的数字"),
        ("taken=May", "May is not a date such as 2024, 2024-05, ", "May 不是日期；示例：2024、2024-05、"),
    ],
)
def test_what_is_refused_is_explained_in_both_languages(expression, en, zh):
    with pytest.raises(InvalidFilter) as caught:
        parse_filter(expression)
    assert en in caught.value.en
    assert zh in caught.value.zh


def test_conditions_in_fields_are_refused_in_both_languages_too():
    with pytest.raises(InvalidFilter) as caught:
        filter_parser.narrow(Filter(), FIELDS, [("width", ">=", "1"), ("weight", ">", "5")])
    known = FIELDS.list_filterable()
    assert caught.value.position == 0
    assert f"unknown field weight; known are {', '.join(known)}" in caught.value.en
    assert f"未知字段 weight；可用字段为 {'、'.join(known)}" in caught.value.zh


def test_a_field_that_the_catalog_does_not_have_is_refused_by_name():
    with pytest.raises(InvalidFilter) as caught:
        to_sql(Filter.of({"weight": Range(low=5)}), FIELDS)
    assert (caught.value.expression, caught.value.position) == ("weight", 0)
    assert "unknown field weight" in caught.value.en
    assert "未知字段 weight" in caught.value.zh


LENSES = FieldSet.of(
    [
        AnnotatorRecord(
            "lens",
            1,
            (
                Field(name="sharp", type=FieldType.FLAG, label="Sharp", filterable=True),
                Field(name="lens", type=FieldType.TEXT, label="Lens", filterable=True),
                Field(name="makers", type=FieldType.WORDS, label="Makers", filterable=True),
            ),
        )
    ]
)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("sharp=yes", {"a"}),
        ("sharp=是", {"a"}),
        ("sharp=TRUE", {"a"}),
        ("sharp=0", {"b"}),
        ("sharp=否", {"b"}),
        ("lens=50mm", {"a", "b"}),
        ('lens="ef 50"', {"a"}),
        ("lens=nikkor|ef", {"a", "b"}),
        ("lens=nikkor and lens=85", set()),
        ("makers=canon", {"a"}),
        ("makers=can", set()),
        ("makers=nikon|canon", {"a", "b"}),
    ],
)
def test_flags_texts_and_words_of_an_annotator(expression, expected):
    catalog = sqlite3.connect(":memory:")
    catalog.execute("CREATE TABLE annotation_lens (name, sharp, lens, makers)")
    values = [("a", 1, "EF 50mm f/1.8", "Canon"), ("b", 0, "Nikkor 50MM", "Nikon\nSigma"), ("c", None, None, None)]
    catalog.executemany("INSERT INTO annotation_lens VALUES (?, ?, ?, ?)", values)
    found = to_sql(filter_parser.parse_filter(expression, LENSES), LENSES)
    rows = catalog.execute(f"SELECT name FROM annotation_lens WHERE {found.condition}", found.values)  # noqa: S608
    assert {name for (name,) in rows} == expected
    catalog.close()


def test_a_flag_is_yes_or_no():
    with pytest.raises(InvalidFilter) as caught:
        filter_parser.parse_filter("sharp=maybe", LENSES)
    assert "maybe is neither yes nor no" in caught.value.en
    assert "maybe 既不是 yes（是）也不是 no（否）" in caught.value.zh


@given(st.text(max_size=40))
@settings(max_examples=100, deadline=None, derandomize=True, database=None)
def test_any_text_is_read_or_refused(heavy, expression):
    try:
        to_sql(parse_filter(expression), FIELDS)
    except InvalidFilter as caught:
        refusal = caught
    else:
        return
    assert 0 <= refusal.position <= len(expression)


def test_conditions_may_come_as_triples():
    narrowed = filter_parser.narrow(where(format=("png",)), FIELDS, [("width", ">=", "10"), ("colour", "=", "红")])
    assert narrowed == parse_filter("format=png and width>=10 and colour=red")
    with pytest.raises(InvalidFilter, match="unknown field weight"):
        filter_parser.narrow(Filter(), FIELDS, [("weight", ">", "1")])


# SQL against plain Python

FOLDERS = (
    "",
    "2024/",
    "2024/05/",
    "相册/",
    "相册/雪山/",
    "100%/",
    "100x/",
    "a_b/",
    "aXb/",
    "it's/",
    "🏔️/",
    "caf\udce9/",
)
TAGS = ("cat", "Cat", "cat sat", "at", "熊猫", "猫", "a_b", "axb", "100%", "it's")
DATES = ("2023", "2024", "2024-05", "2024-05-03", "2024-05-03T14:30")
COMPARE = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt, "=": operator.eq}


@dataclass(frozen=True)
class Picture:
    path: str
    format: str
    colours: tuple[str, ...]
    width: int
    height: int
    taken: datetime | None
    modified: datetime
    tags: tuple[str, ...] = ()


moments = st.sampled_from(
    [
        *(datetime(2024, 5, 3, 14, 30), datetime(2024, 5, 3, 14, 30, 59), datetime(2024, 5, 3, 14, 31)),
        *(datetime(2024, 5, 1), datetime(2024, 5, 31, 23, 59, 59), datetime(2024, 6, 1), datetime(2023, 12, 31, 12)),
    ]
)
pictures = st.builds(
    Picture,
    path=st.builds("{}{}.png".format, st.sampled_from(FOLDERS), st.sampled_from(["a", "b", "雪", "%", "_"])),
    format=st.sampled_from(FORMATS),
    colours=st.lists(st.sampled_from(NAMES), max_size=3, unique=True).map(tuple),
    width=st.integers(1, 20),
    height=st.integers(1, 20),
    taken=st.none() | moments,
    modified=moments,
    tags=st.lists(st.sampled_from(TAGS), max_size=3, unique=True).map(tuple),
)


def either(names):
    return st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True)


def lower(tags) -> set[str]:
    return {tag.lower() for tag in tags}


def in_period(moment: datetime | None, sign: str, date: str) -> bool:
    """Compare by the text of the moment, cut to what the date says."""
    return moment is not None and COMPARE[sign](moment.isoformat()[: len(date)], date)


conditions = st.one_of(
    st.sampled_from(FOLDERS[1:]).map(lambda p: (f'path="{p}"', lambda x: x.path.startswith(p))),
    either(FORMATS).map(lambda names: (f"format={'|'.join(names)}", lambda x: x.format in names)),
    either(NAMES).map(lambda names: (f"colour={'|'.join(names)}", lambda x: bool(set(names) & set(x.colours)))),
    either(TAGS).map(lambda tags: (f'tag="{"|".join(tags)}"', lambda x: bool(lower(tags) & lower(x.tags)))),
    st.builds(
        lambda field, sign, n: (f"{field}{sign}{n}", lambda x: COMPARE[sign](getattr(x, field), n)),
        st.sampled_from(["width", "height"]),
        st.sampled_from(list(COMPARE)),
        st.integers(1, 20),
    ),
    st.builds(
        lambda sign, n: (f"width{sign}{n + 0.5}", lambda x: COMPARE[sign](x.width, n + 0.5)),
        st.sampled_from([">=", "<="]),
        st.integers(1, 20),
    ),
    st.builds(
        lambda sign, w, h: (f"aspect{sign}{w}:{h}", lambda x: COMPARE[sign](x.width / x.height, w / h)),
        st.sampled_from([">=", "<=", ">", "<"]),
        st.integers(1, 20),
        st.integers(1, 20),
    ),
    st.builds(
        lambda field, sign, date: (
            f"{field}{sign}{date}",
            lambda x: in_period(getattr(x, field) or x.modified, sign, date),
        ),
        st.sampled_from(["taken", "modified"]),
        st.sampled_from(list(COMPARE)),
        st.sampled_from(DATES),
    ),
)


# Two conditions on one field have rules of their own.
all_of = st.lists(conditions, min_size=1, max_size=2, unique_by=lambda term: re.split("[=<>]", term[0])[0])


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    catalog = Catalog(tmp_path_factory.mktemp("catalog") / "catalog.sqlite3", create=True)
    yield catalog
    catalog.close()


def enter(catalog: Catalog, wanted: list[Picture]) -> dict[int, Picture]:
    """Make the catalog hold these pictures in a folder of their own; return them by id."""
    number = len(catalog.list_roots())
    entered = {}
    with catalog.writing():
        catalog.put_annotators(RECORDS.values())
        catalog.put_root(catalog.path.parent / str(number), include=(), exclude=(), hidden=False)
        root = catalog.list_roots()[-1]
        for picture in wanted:
            mtime_ns = int(picture.modified.timestamp() * 10**9)
            item = Item(Locator(root.id, picture.path), Stamp(1, mtime_ns), tags="\n".join(picture.tags))
            content_id = catalog.put_content(
                Content(
                    sha256=f"{number} {len(entered)}",
                    format=picture.format,
                    width=picture.width,
                    height=picture.height,
                )
            )
            found = {
                "exif": {"taken": picture.taken and picture.taken.isoformat()},
                "colours": {"colour": picture.colours},
            }
            for name, values in found.items():
                catalog.put_annotations(RECORDS[name], [(content_id, to_annotation(RECORDS[name], values))])
            entered[catalog.put_image(item, content_id)] = picture
    return entered


@given(
    st.lists(pictures, min_size=10, max_size=40, unique_by=lambda x: x.path),
    st.lists(all_of, min_size=10, max_size=10),
)
@settings(max_examples=25, deadline=None, derandomize=True, database=None, phases=[Phase.generate])
def test_sql_finds_what_plain_python_finds(heavy, catalog, wanted, filters):
    entered = enter(catalog, wanted)
    for terms in filters:
        asked = parse_filter(" and ".join(text for text, _ in terms))
        found = [image_id for image_id in catalog.ids_where(asked).tolist() if image_id in entered]
        assert found == [image_id for image_id, x in entered.items() if all(holds(x) for _, holds in terms)]


def test_an_empty_filter_finds_every_picture(full_album):
    opened = full_album.open()
    assert opened.catalog.ids_where(Filter()).tolist() == sorted(full_album.ids().values())
    opened.catalog.close()


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("aspect=3:2", ["3:2"]),
        ("aspect=1.5", ["3:2"]),
        ("aspect=1", ["1:1"]),
        ("width>29.5", ["1:1", "3:2", "3:2.1"]),
        ("width<30.5", ["1:1", "3:2", "3:2.1"]),
        ("width>=29.5 and width<=30.5", ["1:1", "3:2", "3:2.1"]),
    ],
)
def test_sizes_between_whole_numbers(catalog, expression, expected):
    sizes = {"3:2": (30, 20), "3:2.1": (30, 21), "1:1": (30, 30)}
    entered = enter(
        catalog, [Picture(name, "png", (), *size, None, datetime(2024, 1, 1)) for name, size in sizes.items()]
    )
    found = catalog.ids_where(parse_filter(expression)).tolist()
    assert sorted(entered[n].path for n in found if n in entered) == expected


@pytest.mark.parametrize(
    ("expression", "all_of_them"),
    [
        ("modified>=0001", True),
        ("modified<=0001", False),
        ("modified>=1600", True),
        ("modified<1600", False),
        ("modified<2263", True),
        ("modified<3000", True),
        ("modified>=3000", False),
        ("modified<=9998", True),
        ("taken>=0001", True),  # by the time of the file
        ("taken<=9998-12-31", True),
        ("taken>=9998", False),
    ],
)
def test_dates_far_from_now_are_dates_too(full_album, expression, all_of_them):
    opened = full_album.open()
    found = opened.catalog.ids_where(parse_filter(expression))
    opened.catalog.close()
    assert len(found) == (5 if all_of_them else 0)


def test_all_conditions_on_the_path_must_hold(full_album):
    opened = full_album.open()
    names = {row.id: row.path for row in full_album.rows().values()}
    found = opened.catalog.ids_where(parse_filter("path=trip/ and path=a"))
    opened.catalog.close()
    assert [names[n] for n in found.tolist()] == []


def test_the_pictures_of_lists_are_a_condition_too(full_album):
    catalog = full_album.open().catalog
    ids = catalog.ids_where(Filter())
    listed = Listed.of(["a"], np.array([ids[2], ids[0], ids[2], 999]))
    wanted = Filter.of({"board": listed})
    assert catalog.ids_where(wanted).tolist() == sorted([int(ids[0]), int(ids[2])])
    both = wanted.narrowed("board", Listed.of(["b"], ids[1:3]))
    assert catalog.ids_where(both).tolist() == [ids[2]]
    assert both.get("board") == Listed.of(["a", "b"], ids[2:3])
    assert repr(both.get("board")) == "Listed(names=('a', 'b'))"
    assert catalog.ids_where(Filter.of({"board": Listed.of(["a"], ids[:0])})).tolist() == []
    with pytest.raises(TypeError):
        wanted.narrowed("board", AnyOf(("a",)))
    catalog.close()
