import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.schemas import FilterIn, SearchRequest
from ui.address import (
    MATCHES,
    PAGE_SIZE,
    SHAPES,
    Address,
    Crop,
    Filters,
    Term,
    away_from,
    clauses,
    crop_base,
    join_terms,
    link,
    parse_link,
    split_text,
    toward,
    where,
)
from ui.bar import with_form

FULL = Address(
    text='雪山 下 -人 -"red car"',
    like=(12, 3),
    crops=(Crop(12, 120, 80, 300, 200),),
    less=(7,),
    uploads=("a1b2",),
    filters=Filters(
        path="2024/旅行 & more/",
        formats=("jpeg", "png"),
        colours=("blue",),
        shape="landscape",
        min_width=1920,
        taken_from="2024-01-01",
        taken_to="2024-12-31",
        place="杭州",
        kind="video",
    ),
    hide_duplicates=True,
    literal=True,
    lang="zh",
    page=3,
    detail=99,
)


def test_an_address_survives_its_link():
    assert parse_link(link(FULL)) == FULL
    assert link(Address()) == "?"
    assert parse_link("?") == Address()


words = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=30).map(str.strip)
crops = st.builds(Crop, st.integers(0, 2**53), *[st.integers(0, 10**6)] * 2, *[st.integers(1, 10**6)] * 2)
ids = st.lists(st.integers(0, 2**53), unique=True, max_size=4).map(tuple)


@given(
    st.builds(
        Address,
        text=words,
        like=ids,
        crops=st.lists(crops, unique=True, max_size=2).map(tuple),
        less=ids,
        uploads=st.lists(st.from_regex("[0-9a-f]{10}", fullmatch=True), unique=True, max_size=2).map(tuple),
        filters=st.builds(
            Filters,
            path=words,
            formats=st.lists(words.filter(bool), unique=True, max_size=3).map(tuple),
            shape=st.sampled_from(["", *SHAPES]),
            min_width=st.integers(0, 10_000),
        ),
        match=st.sampled_from(MATCHES),
        min_relevance=st.none() | st.integers(1, 100).map(lambda share: share / 100),
        hide_duplicates=st.booleans(),
        literal=st.booleans(),
        lang=st.sampled_from(["", "zh", "en"]),
        page=st.integers(1, 10_000),
        detail=st.none() | st.integers(0, 2**53),
    )
)
def test_any_address_survives_its_link(address):
    assert parse_link(link(address)) == address


@given(words)
def test_typed_text_keeps_its_meaning_when_it_is_put_together_again(text):
    terms = split_text(text)
    again = split_text(join_terms(terms))
    if '"' not in text and "“" not in text:
        assert again == terms


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("", ()),
        ("雪山", (Term(text="雪山"),)),
        ("雪山 -人", (Term(text="雪山"), Term(text="人", away=True))),
        ("雪山　－人", (Term(text="雪山"), Term(text="人", away=True))),
        ("-people snow -cars", (Term(text="snow"), Term(text="people", away=True), Term(text="cars", away=True))),
        ('street -"red car"', (Term(text="street"), Term(text="red car", away=True))),
        ("街道 -“红色 汽车”", (Term(text="街道"), Term(text="红色 汽车", away=True))),
        ("black-and-white t-shirt", (Term(text="black-and-white t-shirt"),)),
        ("a - b", (Term(text="a - b"),)),
        ("-人", (Term(text="人", away=True),)),
    ],
)
def test_a_minus_before_a_word_steers_away(text, terms):
    assert split_text(text) == terms


def test_what_is_asked_reaches_the_service_as_signed_clauses():
    asked = clauses(FULL, {"a1b2": "aGVsbG8="})
    assert [(one.text or one.image or one.image_id, one.weight) for one in asked] == [
        ("雪山 下", 1.0),
        ("人", -0.5),
        ("red car", -0.5),
        ("aGVsbG8=", 1.0),
        (12, 1.0),
        (3, 1.0),
        (12, 1.0),
        (7, -0.5),
    ]
    assert [one.crop and one.crop.model_dump() for one in asked][-2:] == [
        {"x": 120, "y": 80, "width": 300, "height": 200},
        None,
    ]
    SearchRequest(clauses=asked, where=FilterIn(**where(FULL.filters)), k=PAGE_SIZE)


def test_a_picture_of_another_session_is_left_out():
    assert clauses(Address(uploads=("gone",)), {}) == []
    assert Address(uploads=("gone",)).asks


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_is_a_filter(shape):
    assert FilterIn(**where(Filters(shape=shape)))
    assert where(Filters()) is None


def test_more_and_less_of_a_picture_undo_each_other():
    more = toward(Address(text="x", page=4, detail=5), 5)
    assert (more.like, more.less, more.page, more.detail) == ((5,), (), 1, None)
    less = away_from(more, 5)
    assert (less.like, less.less) == ((), (5,))
    assert toward(less, 5) == more
    assert toward(more, 5) == more


def test_no_way_leads_beyond_the_clauses_that_the_service_takes():
    full = Address(text="x", like=tuple(range(14)), crops=(Crop(1, 0, 0, 9, 9),))
    assert toward(full, 99) is None
    assert away_from(full, 99) is None
    assert toward(full, 3) is not None


def test_rubbish_in_a_link_is_left_out():
    address = parse_link("?q=a&like=x&like=-3&like=4&page=0&id=%F0%9F%98%80&width=wide&shape=odd&other=1")
    assert address == Address(text="a", like=(4,))


@pytest.mark.parametrize(
    "said", ["12@", "12@1,2,3", "12@1,2,3,4,5", "12@1,2,0,4", "12@1,2,3,0", "12@-1,2,3,4", "12@1.5,2,3,4", "@1,2,3,4"]
)
def test_a_part_that_is_none_is_left_out(said):
    assert parse_link(f"?like={said}&like=7") == Address(like=(7,))


def test_a_part_is_asked_with_alone_and_under_the_same_conditions():
    base = crop_base(FULL)
    assert not base.asks
    assert (base.filters, base.hide_duplicates, base.lang) == (FULL.filters, True, "zh")
    assert (base.page, base.detail) == (1, None)
    assert link(Address(crops=(Crop(12, 120, 80, 300, 200),))) == "?like=12@120,80,300,200"
    assert Address(match="text", crops=(Crop(12, 120, 80, 300, 200),)).looks_at == "vector"


def test_a_form_changes_only_its_field():
    here = link(FULL)
    asked = with_form(here, {"text": " 湖 "})
    assert (asked.text, asked.like, asked.page, asked.detail) == ("湖", FULL.like, 1, None)
    assert not asked.literal  # other words are read anew
    assert with_form(here, {"path": "a/"}).filters.path == "a/"
    assert with_form(here, {"taken_from": ""}).filters.taken_from == ""
    assert with_form(here, {"shape": "odd", "min_width": "x"}) == FULL
