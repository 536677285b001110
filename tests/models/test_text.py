import pytest

from models.text import normalize_text


@pytest.mark.parametrize(
    ("typed", "seen"),
    [
        ("一隻貓", "一只猫"),
        ("  红色\u3000 dress\n", "红色 dress"),
        ("ＡＢＣ１２３", "ABC123"),
        ("臺灣的咖啡館", "台湾的咖啡馆"),
        ("a\u200bcat\x00", "acat"),
        ("man\u2019s best friend", "man's best friend"),
        ("ねこ", "ねこ"),
        ("\u200b \t", ""),
        ("", ""),
    ],
)
def test_text_has_one_form(typed, seen):
    assert normalize_text(typed) == seen


def test_normalising_twice_changes_nothing():
    for text in ("一隻貓 ＡＢＣ", "火箭發射！", "№ ½ ﬁ"):
        assert normalize_text(normalize_text(text)) == normalize_text(text)
