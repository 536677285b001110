"""What the built-in encoders say of names and of ordinary words.

The tables were written before the word list was made, and nothing was tuned on them.
"""

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.encoders.encoder import TextReading
from models.encoders.registry import load_text_encoder
from models.foundation.errors import UnknownWords
from models.language.templates import list_sentences
from models.language.text import normalize_text

HERE = Path(__file__).parent
UNKNOWN = {"starter": 0.12, "starter-v3": 0.1}  # the share of ordinary phrases with an unknown word, at most


@pytest.fixture(scope="module", params=["starter", "starter-v3"])
def encoder(request):
    return load_text_encoder(request.param)


def readings(encoder, table: str, language: str) -> Iterator[TextReading]:
    with (HERE / table).open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            if row["language"] == language:
                yield encoder.read_text(normalize_text(row["text"]))


@pytest.mark.parametrize("language", ["zh", "en"])
def test_proper_nouns_are_named(encoder, language):
    found = list(readings(encoder, "proper_nouns.tsv", language))
    assert len(found) == 150
    assert sum(bool(reading.names) for reading in found) >= 0.85 * len(found)
    assert sum(bool(reading.names or reading.unknown_words) for reading in found) >= 0.9 * len(found)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_ordinary_words_are_no_names_and_few_are_unknown(encoder, language):
    found = list(readings(encoder, "ordinary_phrases.tsv", language))
    assert len(found) == 150
    assert sum(bool(reading.names) for reading in found) <= 0.02 * len(found)
    assert sum(bool(reading.unknown_words) for reading in found) <= UNKNOWN[encoder.spec.name] * len(found)


@pytest.mark.parametrize(
    ("text", "known", "unknown", "names"),
    [
        ("张伟", False, (), ("张伟",)),
        ("特斯拉", False, (), ("特斯拉",)),
        ("张伟在海滩", True, (), ("张伟",)),
        ("Taylor Swift with a dog", True, (), ("Taylor Swift",)),
        ("海滩", True, (), ()),
        ("红色的裙子", True, (), ()),
        ("穿红衣服的女孩", True, (), ()),
        ("一只猫在睡觉", True, (), ()),
        ("golden retriever", True, (), ()),
        ("金毛", True, (), ()),
    ],
)
def test_a_word_is_known_by_itself_and_not_by_its_characters(encoder, text, known, unknown, names):
    reading = encoder.read_text(text)
    assert (reading.known, reading.unknown_words, reading.names) == (known, unknown, names)


@pytest.mark.parametrize(("text", "known"), [("二维码", False), ("身份证", False), ("狗和二维码", True)])
def test_a_compound_that_no_picture_showed_is_known_where_the_encoder_places_it(encoder, text, known):
    """The second encoder knows its characters alone; the sentence encoder of the third knows what it means."""
    reading = encoder.read_text(text)
    if encoder.spec.name == "starter-v3":
        assert (reading.known, reading.unknown_words) == (True, ())
    else:
        assert (reading.known, reading.unknown_words) == (known, (text.removeprefix("狗和"),))


def test_what_is_left_of_a_text_is_encoded(encoder):
    whole, left = encoder.encode_text(["张伟在海滩", "在海滩"])
    assert float(whole @ left) > 0.9999


def test_sentences_around_a_known_name_are_read_whole(encoder):
    for name in ("狗", "dog"):
        for sentence in list_sentences(name):
            assert encoder.read_text(sentence).unknown_words == ()


def test_a_text_of_names_alone_says_so_with_what_to_do(encoder):
    with pytest.raises(UnknownWords) as failure:
        encoder.encode_text(["张伟"])
    assert (failure.value.words, failure.value.names) == ((), ("张伟",))
    for language, where in (("en", "captions, tags and file names"), ("zh", "说明、标签和文件名")):
        assert "张伟" in failure.value.text(language)
        assert where in failure.value.text(language)


def test_names_and_unknown_words_are_both_said():
    error = UnknownWords(["二维码"], "starter", names=["张伟"])
    assert error.en.index("二维码") < error.en.index("张伟")
    assert "captions" not in UnknownWords(["二维码"], "starter").en
