"""Which words the built-in encoder is taken to place: those of training pictures, and those near to their English."""

import numpy as np
import pytest

from models.training.starter.names import class_names
from models.training.starter.pack import PackedPicture
from models.training.starter.placed_words import list_near, list_shown, translations

CEDICT = """\
身份證 身份证 [shen1 fen4 zheng4] /identity card/
火鍋 火锅 [huo3 guo1] /hot pot/
鍋 锅 [guo1] /pot/
特斯拉 特斯拉 [te4 si1 la1] /tesla/
長城 长城 [Chang2 cheng2] /the Great Wall/
幸福 幸福 [xing4 fu2] /happiness/well-being/
"""


def picture(**known) -> PackedPicture:
    return PackedPicture(file="a.jpg", shard="a.tar", source="test", training=known.pop("training", True), **known)


def test_words_of_captions_and_all_names_are_shown():
    pictures = [
        picture(captions_zh=("海滩上的狗", "海滩"), captions_en=("a dog in Boston",)),
        picture(captions_zh=("海滩和二维码",), names_en=("Boston bull",), names_zh=("波士顿梗",)),
        picture(captions_zh=("二维码",), training=False),
    ]
    shown = set(list_shown(pictures, class_names()))
    assert {"海滩", "boston bull", "波士顿梗", "金毛"} <= shown
    assert not {"二维码", "boston"} & shown
    assert "boston" in set(list_shown(pictures[:1] * 15, []))


def test_ordinary_words_have_their_english(tmp_path):
    path = tmp_path / "cedict_ts.u8"
    path.write_text(CEDICT, encoding="utf-8")
    found = translations(path)
    assert found["身份证"] == ["identity card"]
    assert found["幸福"] == ["happiness", "well-being"]
    assert not {"锅", "长城"} & found.keys()  # one character, and a name


@pytest.mark.parametrize(("nearest", "placed"), [(1, ["火锅"]), (2, ["身份证", "火锅", "幸福"])])
def test_a_word_is_placed_where_its_own_english_is_among_the_nearest(nearest, placed):
    english = {"身份证": ["identity card"], "火锅": ["hot pot"], "幸福": ["happiness", "well-being"], "码": ["code"]}
    degrees = {"identity card": 0, "hot pot": 30, "happiness": 90, "well-being": 60, "code": 200}
    degrees |= {"身份证": 20, "火锅": 31, "幸福": 42, "码": 10}

    def encode(texts):
        angles = np.radians([degrees[text] for text in texts])
        return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)

    assert list(list_near(english, encode, nearest=nearest)) == placed
