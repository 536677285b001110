import pytest

from models.language.text import detect_language, fold_text, normalize_text


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


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("一只猫", "zh"),
        ("一隻貓", "zh"),
        ("a cat", "en"),
        ("Ａ ＣＡＴ", "en"),
        ("café", "en"),
        ("红色 dress", "mixed"),
        ("iPhone手机", "mixed"),
        ("一只 cat", "mixed"),
        ("T恤", "zh"),
        ("KTV包厢", "zh"),
        ("3D眼镜", "zh"),
        ("猫 2024", "zh"),
        ("哈利・波特", "zh"),
        ("猫の写真", "other"),
        ("고양이", "other"),
        ("кот", "other"),
        ("123", "other"),
        ("🐈", "other"),
        ("", "other"),
    ],
)
def test_the_language_of_a_text(text, language):
    assert detect_language(text) == language


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("沒戴眼鏡的貓", "没戴眼镜的猫"),
        ("Ａ　ＣＡＴ，No", "a cat,no"),
        ("man\u2019s", "man's"),
        ("ﬁne ½ 猫", "ﬁne ½ 猫"),
        ("İstanbul 沒", "İstanbul 没"),
        ("", ""),
    ],
)
def test_folding_keeps_every_character_in_its_place(text, folded):
    assert fold_text(text) == folded
    assert len(folded) == len(text)
