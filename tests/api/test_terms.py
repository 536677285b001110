"""One grammar of what is typed, for the box of a page, the REST API and the command: read, and written again."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.schemas import QueryTerm, read_query_text, write_query_text
from api.search.errors import InvalidQuery
from api.search.options import MAX_QUERY_CHARS
from api.search.query import parse_query_text
from api.search.terms import read_terms

STAYS = [
    "16:9 wallpaper",
    "at 12:30 noon",
    "007:skyfall",
    "2001: A Space Odyssey",
    "9: the film",
    "100:猫",
    "2:",
    "2:!",
    "2:　雪山",
    "a:b",
    "sci-fi e-mail t-shirt",
    "a - b",
    "-",
    "--",
    "--verbose",
    "+-cat",
    "a -> b",
    "3 -2",
    "-5°C",
    "-20℃ 冰",
    "-3.5%",
    '"No. 2044" 发票',
    'say "red -car" loud',
    '写着"出口 -左"的牌子',
    '-"red car',
    '-""',
    "-「」",
    "雪山-人",
    "一 ー 一",
]


def read(text: str) -> list[tuple[str, float]]:
    return [(one.text, one.weight) for one in read_query_text(text)]


@pytest.mark.parametrize("text", STAYS)
def test_what_is_no_sign_and_no_weight_stays(text):
    assert read_query_text(text) == [QueryTerm(text, 1.0, 0, len(text))]


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("", []),
        (" \n　", []),
        ("雪山", [("雪山", 1)]),
        ('雪山 2:湖 -人 -0.5:"red car"', [("雪山", 1), ("湖", 2), ("人", -0.5), ("red car", -0.5)]),
        ("雪山　－人", [("雪山", 1), ("人", -0.5)]),
        ("雪山 −人 –车 ﹣狗", [("雪山", 1), ("人", -0.5), ("车", -0.5), ("狗", -0.5)]),
        ("２：雪山 －０．５：人", [("雪山", 2), ("人", -0.5)]),
        ("2:“雪 山” -「红色 汽车」 -『a b』", [("雪 山", 2), ("红色 汽车", -0.5), ("a b", -0.5)]),
        ("-“red car” ＋猫", [("red car", -0.5), ("猫", 1)]),
        ("-“红色 汽车”雪山", [("雪山", 1), ("红色 汽车", -0.5)]),
        ("雪山-“红色 汽车”", [("雪山-“红色 汽车”", 1)]),
        ('-写着"出口 左"的牌子 墙', [("墙", 1), ('写着"出口 左"的牌子', -0.5)]),
        ("a  cup -dog of  coffee 2:hot in a mug", [("a  cup of  coffee in a mug", 1), ("dog", -0.5), ("hot", 2)]),
        ("2:雪山下的湖 边", [("边", 1), ("雪山下的湖", 2)]),
        ("-people -cars", [("people", -0.5), ("cars", -0.5)]),
        ('-"2024" -16:9 -3d', [("2024", -0.5), ("16:9", -0.5), ("3d", -0.5)]),
        ('-"?"', [("?", -0.5)]),
        ("-1:猫 -2:狗", [("猫", -1), ("狗", -2)]),
        ("10:猫 0.25:狗", [("猫", 10), ("狗", 0.25)]),
        ("11:猫", [("猫", 11)]),  # which a clause refuses
        ('-"a"-b', [("-b", 1), ("a", -0.5)]),
    ],
)
def test_signs_and_weights_of_words_and_phrases(text, terms):
    assert read(text) == terms


def test_a_weight_beyond_the_limit_and_too_much_text_are_said():
    for text, sentence in (("16:猫", "weight 16"), ("0:猫", "weight 0"), ("猫" * (MAX_QUERY_CHARS + 1), "too long")):
        with pytest.raises(InvalidQuery, match=sentence):
            parse_query_text(text)


def test_a_term_says_where_it_stands():
    text = '  雪山 😀  -人 2:"red car" 下 '
    found = read_query_text(text)
    assert [text[one.start : one.end] for one in found] == ['雪山 😀  -人 2:"red car" 下', "-人", '2:"red car"']
    assert [one.at for one in parse_query_text(text)] == [(one.start, one.end) for one in found]
    whole = read_query_text(' a  "b c" d ')
    assert whole == [QueryTerm('a  "b c" d', 1.0, 1, 11)]  # so that what is read in it has its place in all of it


TEXTS = st.text(st.sampled_from('ab1雪:：-+－ 　"“”「」『』.°%/'), max_size=12)
MARKS = {'"': 0, "“": 0, "”": 0, "「": 1, "」": 1, "『": 2, "』": 2}
WEIGHTS = st.sampled_from([1.0, -1.0, 2.0, -0.5, 0.25, 10.0, -0.123456])


@given(TEXTS)
@settings(max_examples=50)
def test_anything_is_read_and_what_stands_there_is_what_was_read(text):
    taken = [False] * len(text)
    for term in read_query_text(text):
        assert term.text.strip() == term.text != ""
        assert term.text in text[term.start : term.end] or term.weight == 1
        if term is not read_query_text(text)[0]:
            assert not any(taken[term.start : term.end])
            taken[term.start : term.end] = [True] * (term.end - term.start)


@given(st.lists(st.tuples(TEXTS.map(str.strip).filter(bool), WEIGHTS), max_size=3))
@settings(max_examples=50)
def test_what_is_written_is_read_again(terms):
    written = write_query_text(QueryTerm(text, weight) for text, weight in terms)
    if all(len({MARKS[char] for char in text if char in MARKS}) < 3 for text, _ in terms):
        assert read(written) == terms


def test_people_would_write_it_so():
    text = '雪山 下 2:湖 -人 -1:"red car" -"2024" 1:猫'
    assert write_query_text(read_query_text(text)) == text
    assert write_query_text([QueryTerm("-5 apples"), QueryTerm('5" disk', -0.5), QueryTerm("dog")]) == (
        '-5 apples -「5" disk」 1:dog'
    )
    everything = QueryTerm('a "b" 「c」 『d』', -1)  # cannot be quoted in any way
    assert read(write_query_text([everything])) == [("a  b   c   d", -1)]


@given(st.lists(st.text(st.sampled_from("ab1雪:：-+－.°%/"), min_size=1, max_size=8), max_size=3))
@settings(max_examples=50)
def test_a_command_line_of_words_is_read_as_the_same_typed_into_a_box(words):
    assert read_terms(words) == read(" ".join(words))


def test_a_word_of_a_command_line_is_a_term_as_a_whole():
    assert read_terms(["-red car", "2:雪山 -人", "snow -people"]) == [
        ("snow -people", 1),
        ("red car", -0.5),
        ("雪山 -人", 2),
    ]
    assert read_terms(['-0.5:"red car"', '发票 "No. 2044"']) == [('发票 "No. 2044"', 1), ("red car", -0.5)]
