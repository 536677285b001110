"""Which words the built-in encoder is taken to place: those of training pictures, and those near to them."""

import pytest

from models.training.starter.pack import PackedPicture
from models.training.starter.placed_words import NearWords, list_shown

CEDICT = """\
身份證 身份证 [shen1 fen4 zheng4] /identity card/
平底鍋 平底锅 [ping2 di3 guo1] /pan/
鍋 锅 [guo1] /pot/
火鍋 火锅 [huo3 guo1] /hot pot/
特斯拉 特斯拉 [te4 si1 la1] /tesla/
幸福 幸福 [xing4 fu2] /happiness/
"""
NOUNS = """\
00000001 03 n 01 entity 0 000 | whatever is
00000002 06 n 03 pan 0 pot 0 card 0 001 @ 00000001 n 0000 | a thing
00000003 06 n 01 tesla 0 001 @ 00000001 n 0000 | a thing
00000004 12 n 01 happiness 0 001 @ 00000001 n 0000 | a feeling
"""


def picture(**known) -> PackedPicture:
    return PackedPicture(file="a.jpg", shard="a.tar", source="test", training=known.pop("training", True), **known)


def test_words_of_captions_and_all_names_are_shown():
    pictures = [
        picture(captions_zh=("海滩上的狗", "海滩"), captions_en=("a dog in Boston",)),
        picture(captions_zh=("海滩和二维码",), names_en=("Boston bull",), names_zh=("波士顿梗",)),
        picture(captions_zh=("二维码",), training=False),
    ]
    shown = set(list_shown(pictures, least=2))
    assert {"海滩", "boston bull", "波士顿梗", "金毛"} <= shown
    assert not {"二维码", "boston"} & shown
    often = set(list_shown(pictures[:1] * 15, least=2))
    assert "boston" in often


@pytest.fixture
def sources(tmp_path):
    (tmp_path / "cedict_ts.u8").write_text(CEDICT, encoding="utf-8")
    (tmp_path / "wordnet").mkdir()
    for name, content in {"noun": NOUNS, "verb": "", "adj": ""}.items():
        (tmp_path / "wordnet" / f"data.{name}").write_text(content, encoding="utf-8")
    (tmp_path / "wordnet" / "cntlist.rev").write_text("", encoding="utf-8")
    return tmp_path


def test_a_word_is_placed_near_to_what_pictures_show_and_to_its_english(sources):
    words = ["身份证", "火锅", "特斯拉", "幸福", "锅"]
    assert list(NearWords(sources).find({"锅", "平底锅"}, words)) == ["火锅", "幸福"]
