"""models/encoders/wordings.py: names in sentences, and texts longer than an encoder reads."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.config import EncoderSettings, load_settings
from models.encoders.encoder import TextEncoder
from models.encoders.hash import HashEncoder
from models.encoders.registry import get_spec, load_text_encoder
from models.encoders.runtime import Runtime
from models.encoders.wordings import encode_wordings, list_wordings, pool_vectors, split_text
from models.foundation.errors import InvalidSetting
from models.foundation.vectors import check_vectors, l2_normalize
from models.language.text import normalize_text

CHINESE = (
    "清晨的阳光洒在湖面上，远处的雪山倒映在水中，一只小船静静地停在岸边。湖边的草地上有几个孩子在放风筝，"
    "一位老人坐在长椅上看报纸，他的狗趴在脚边睡觉。不远处的小路上，骑自行车的人戴着头盔慢慢经过；路旁的树"
    "叶已经变黄，落在地上像一层地毯。中午时分，游客越来越多，他们拿着相机拍照，有的在湖边野餐，有的沿着台"
    "阶走向山上的寺庙。寺庙的屋顶是红色的，门口摆着两只石狮子，院子里种满了花。傍晚，太阳落到山的后面，天"
    "空变成橙色和紫色，渔民划着船回到码头，把一筐筐的鱼搬上岸，厨房里飘出饭菜的香味。夜里，街上的灯亮了，"
    "小店门口挂着灯笼，年轻人围坐在桌旁喝茶聊天，远处传来音乐声，舞台上的歌手穿着白色的裙子，观众举起手机"
    "为她录像。第二天早上下起了雨，街上的人撑着各种颜色的伞，一辆公交车停在路口，司机隔着玻璃向外看，窗外"
    "的猫躲在屋檐下面，看着雨水流过石板路。雨停以后，孩子们又跑了出来，在水坑里跳来跳去，鞋子和裤子都湿了"
    "，妈妈站在门口笑着叫他们回家吃早饭，桌上放着一碗热面和几个鸡蛋。饭后，一家人坐火车去海边，沙滩上有很"
    "多帐篷，海浪拍打着礁石，海鸥在天上飞，远处的灯塔一闪一闪，照着夜里回来的船，直到天亮。"
)[:500]
ENGLISH = (
    "Two dogs run along the beach at sunrise, one of them with a red ball in its mouth. A man in a blue "
    "jacket throws a stick into the water; children build a castle of sand near the rocks. Behind them, snowy "
    "mountains stand under a clear sky, and a white boat sails slowly past the lighthouse. Later the street "
    "fills with people, bicycles and cars. A woman in a long dress buys flowers at the market, while an old "
    "man plays the guitar on the corner. At night it snows."
)
RN50 = "chinese-clip-rn50"


@cache
def starter() -> TextEncoder:
    return load_text_encoder("starter")


@pytest.fixture(params=["starter", RN50])
def encoder(request) -> TextEncoder:
    if request.param == "starter":
        return starter()
    at, rn50 = (request.getfixturevalue(name) for name in ("at", "rn50"))
    return load_text_encoder(RN50, at(rn50))


def letters(text: str) -> str:
    return "".join(text.split())


@pytest.mark.parametrize("paragraph", [CHINESE, ENGLISH], ids=["zh", "en"])
def test_a_paragraph_is_read_to_its_end(encoder, paragraph, heavy, torch):
    text = normalize_text(paragraph)
    assert len(paragraph) >= 450
    assert encoder.read_text(text).truncated
    wordings = list_wordings(text, encoder)
    assert len(wordings) > 1
    assert letters("".join(wordings)) == letters(text)
    assert not any(encoder.read_text(wording).truncated for wording in wordings)
    assert sum(wording[-1] in "。;.,；，" for wording in wordings) >= len(wordings) // 2 + 1
    vector = check_vectors(encode_wordings(encoder, [wordings]), encoder.spec.dim)
    mean = l2_normalize(encoder.encode_text(wordings).mean(axis=0, keepdims=True))
    assert np.abs(vector - mean).max() < 1e-5
    other_end = list_wordings(normalize_text(paragraph[:-60]), encoder)
    assert float(vector[0] @ encode_wordings(encoder, [other_end])[0]) < 0.99999


def test_a_paragraph_ranks_by_all_it_says(encoder):
    """Random weights understand nothing, but each half of a text is still nearer to it than a text of other words."""
    first, second = "一只猫坐在窗边看着外面的雪。" * 6, "红色的汽车停在城市的街道上。" * 6
    other = "蓝色海洋里有许多鱼和珊瑚礁。" * 6
    whole, *parts, apart = (
        encode_wordings(encoder, [list_wordings(text, encoder)])[0] for text in (first + second, first, second, other)
    )
    assert all(float(whole @ part) > float(whole @ apart) for part in parts)


@pytest.mark.parametrize("text", ["雪" * 120, "山水" * 90, "snow " * 100, "雪山湖泊森林草原" * 20 + " a cat"])
def test_a_text_without_any_border_is_parted_too(encoder, text):
    pieces = split_text(text, encoder)
    assert letters("".join(pieces)) == letters(text)
    assert not any(encoder.read_text(piece).truncated for piece in pieces)


@given(st.text(alphabet="猫狗雪山的a cat。，, .", max_size=300))
def test_no_character_is_lost_or_read_twice(text):
    pieces = split_text(text, starter())
    assert letters("".join(pieces)) == letters(text)
    assert not any(starter().read_text(piece).truncated for piece in pieces)


def test_a_piece_of_unknown_words_is_left_out():
    text = "一只猫坐在窗边看着外面的雪。" * 4 + "ねこねこねこ。"
    wordings = list_wordings(text, starter())
    assert encode_wordings(starter(), [wordings]).shape == (1, starter().spec.dim)
    assert all(starter().read_text(wording).known for wording in wordings)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("猫", "一张猫的照片"),
        ("大熊猫", "一张大熊猫的照片"),
        ("红色dress", "一张红色dress的照片"),
        ("cat", "a photo of a cat"),
        ("a cat", "a photo of a cat"),
        ("The Eiffel Tower", "a photo of an Eiffel Tower"),
        ("apple", "a photo of an apple"),
        ("dogs", "a photo of dogs"),
        ("t-shirt", "a photo of a t-shirt"),
    ],
)
def test_a_name_is_put_into_sentences_of_its_language(name, sentence):
    wordings = list_wordings(name, HashEncoder(), templates=True)
    assert wordings[0] == name
    assert sentence in wordings
    assert len(wordings) == len(set(wordings)) >= 4
    assert list_wordings(name, HashEncoder(), templates=False) == (name,)


@pytest.mark.parametrize(
    "text",
    [
        *("狗在跑", "红色的车", "雪山和湖", "一只坐着的猫", "雪山下面有一片湖", "猫，狗", "红色 dress"),
        *("a cat on a mat", "dogs and cats", "a man riding a brown horse", "this is a cat", "cat, dog"),
        *("ねこ", "кот", "2024"),
    ],
)
def test_a_phrase_or_sentence_stays_as_it_is(text):
    assert list_wordings(text, HashEncoder(), templates=True) == (text,)


def test_wordings_are_encoded_together_and_their_mean_has_length_one():
    encoder = HashEncoder()
    texts = [("猫",), ("狗", "一张狗的照片", "狗的图片"), ("a cat", "a photo of a cat")]
    vectors = check_vectors(encode_wordings(encoder, texts), encoder.spec.dim)
    expected = [encoder.encode_text(one).mean(axis=0) for one in texts]
    assert np.allclose(vectors, [one / np.linalg.norm(one) for one in expected], atol=1e-6)
    assert encode_wordings(encoder, []).shape == (0, encoder.spec.dim)
    single = encoder.encode_text(["猫", "狗"])
    assert pool_vectors(single, [1, 1]) is single


def test_chinese_and_english_in_one_text_are_both_read(encoder):
    reading = encoder.read_text("红色 dress")
    assert (reading.known, reading.unknown_words, reading.truncated) == (True, (), False)
    mixed, chinese, english = encoder.encode_text(["红色 dress", "红色", "dress"])
    assert float(mixed @ chinese) < 0.9999
    assert float(mixed @ english) < 0.9999


def test_a_mixed_text_means_what_each_language_says():
    mixed, chinese, english, other = starter().encode_text(["红色 dress", "红色裙子", "a red dress", "蓝色 car"])
    assert min(float(mixed @ chinese), float(mixed @ english)) > float(mixed @ other)


def test_a_setting_switches_the_sentences_on_and_off(monkeypatch):
    spec = get_spec(RN50)
    assert (get_spec("starter").templates, spec.templates) == (False, True)
    for value, expected in (("on", True), ("off", False), ("auto", True)):
        monkeypatch.setenv("XUNTU_TEMPLATES", value)
        runtime = load_settings(EncoderSettings).runtime
        assert runtime.uses_templates(spec) is expected
    assert not Runtime().uses_templates(get_spec("starter"))
    monkeypatch.setenv("XUNTU_TEMPLATES", "sometimes")
    with pytest.raises(InvalidSetting, match="XUNTU_TEMPLATES"):
        load_settings(EncoderSettings)
