"""What both built-in encoders say of the words of a text."""

import pytest

from models.encoders.registry import load_text_encoder


@pytest.fixture(scope="module", params=["starter", "starter-v3"])
def text_encoder(request):
    return load_text_encoder(request.param)


@pytest.mark.parametrize(
    ("text", "known", "unknown"),
    [
        ("zorp", False, ("zorp",)),
        ("blick zorp", False, ("blick", "zorp")),
        ("a cat on the zorp", True, ("zorp",)),
        ("moon, astronaut and noodles", True, ()),
        ("families, a store, two colours of theatre", True, ()),
        ("猫", True, ()),
        ("the zorp", False, ("zorp",)),
        ("a photo of a zorp", False, ("zorp",)),
        ("of the", False, ()),
        ("一只", False, ()),
        ("一只猫。", True, ()),
        ("《猫》、狗！", True, ()),
        ("❤", False, ("❤",)),
        ("кошка", False, ("кошка",)),
        ("🐈", False, ("🐈",)),
        ("...!?", False, ()),
        ("the cat's eye", True, ()),
        ("'cat'", True, ()),
        ("й", False, ("й",)),
    ],
)
def test_unknown_words_are_named(text_encoder, text, known, unknown):
    reading = text_encoder.read_text(text)
    assert (reading.known, set(reading.unknown_words)) == (known, set(unknown))
