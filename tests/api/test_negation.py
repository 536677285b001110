"""Negation in words, against a table: what is read of a text, and that nothing is read where nothing is negated."""

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from api.search.negation.parser import parse_negation

TABLE = [
    tuple(line.split("\t"))
    for line in Path(__file__).with_name("negation.tsv").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
]

PIECES = [*"的猫，。、 “”'-無İﬁ", '"', "没有", "不要", "无人", "别有", "除了", "以外", "狗和", "沒有", '-"red car"']
PIECES += ["no ", "not ", "without ", "a ", "cat", ", ", " and ", " or ", "only ", "red ", "looking ", "at "]
PIECES += ["一个", "都没有", "看不到", "既", "(", ")", "nobody ", "neither ", "non-red", "text-free ", "please "]


def read(text: str) -> tuple[str, str]:
    reading = parse_negation(text)
    return (reading.positive if reading.negatives else "", "|".join(negative.text for negative in reading.negatives))


@pytest.mark.parametrize(("text", "positive", "negatives"), TABLE)
def test_a_text_is_read_as_the_table_says(text, positive, negatives):
    assert read(text) == (positive.strip(), negatives)


def test_false_positives_and_misses_are_counted():
    wrong = [(text, negatives) for text, positive, negatives in TABLE if read(text) != (positive.strip(), negatives)]
    false_positives = [text for text, negatives in wrong if not negatives]
    misses = [text for text, negatives in wrong if negatives and not parse_negation(text).negatives]
    others = len(wrong) - len(false_positives) - len(misses)
    traps = sum(not negatives for *_, negatives in TABLE)
    print(
        f"{len(false_positives)} of {traps} traps read, {len(misses)} of {len(TABLE) - traps} negations missed, ",
        end="",
    )
    print(f"{others} read otherwise than the table says")
    assert (false_positives, misses, others) == ([], [], 0)


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
@example("我" * 500)
@example("不要的、" * 125)
@example("no a, " * 80)
@example("without a and " * 35)
@example("没有红色的" + "请千万" * 160)
@example("「" * 500)
def test_any_text_can_be_read(text):
    reading = parse_negation(text)
    if not reading.negatives:
        assert reading.positive == text
    for negative in reading.negatives:
        assert text[negative.start : negative.end] == negative.words
        assert negative.text
        assert negative.text in negative.words or negative.text == "people"
    places = sorted({(negative.start, negative.end) for negative in reading.negatives})
    assert places == list(dict.fromkeys((negative.start, negative.end) for negative in reading.negatives))
    assert all(end <= start for (_, end), (start, _) in pairwise(places))


@pytest.mark.parametrize("quoted", ["“{}”", "「{}」", '"{}"', "《{}》", "'{}'"])
def test_what_stands_in_quotation_marks_is_not_read(quoted):
    for text in ("没有人", "no people", "without people", "不要水印"):
        for sentence in ("{}", "写着{}的牌子", "a sign with {} on it"):
            assert parse_negation(sentence.format(quoted.format(text))).negatives == ()


def test_what_is_too_long_for_a_thing_is_a_sentence_about_something_else():
    assert parse_negation("没有" + "红" * 20).negatives[0].text == "红" * 20
    assert parse_negation("没有" + "红" * 21).negatives == ()


def test_the_table_is_large_and_half_of_it_are_traps():
    traps = [text for text, _, negatives in TABLE if not negatives]
    assert len(TABLE) == len({text for text, *_ in TABLE}) >= 250
    assert 0.4 < len(traps) / len(TABLE) < 0.6
    for chinese in (True, False):
        assert sum((text[0] > "\u2e80") == chinese for text in traps) >= 60
