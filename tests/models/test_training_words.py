"""models/training: the names of the classes, and words from lists in the formats of CC-CEDICT and WordNet."""

import re
from collections import Counter
from pathlib import Path

import pytest

from models.training.errors import WordListUnreadable
from models.training.starter.names import class_names
from models.training.starter.wordnet import Noun, SeenWords, nouns
from models.training.starter.words import Sense, pairs, seen_pairs, senses

CEDICT = """\
# A list in the form of CC-CEDICT
#! version=1
貓頭鷹 猫头鹰 [mao1 tou2 ying1] /an owl (CL:隻|只[zhi1])/CL:隻|只[zhi1]/
圓桌 圆桌 [yuan2 zhuo1] /(furniture) round table; round desk (as used at banquets (esp. weddings))/
爬 爬 [pa2] /to climb (a wall); to crawl/to be slow/
送花 送花 [song4 hua1] /to give sb a flower/to bring one's roses etc/
種 种 [zhong3] /classifier for kinds/a kind of plant/(bound form) seed/
張 张 [Zhang1] /surname Zhang/
張三 张三 [Zhang1 San1] /Zhang San (1606-1647), merchant/
水縣 水县 [Shui3 xian4] /Shui county in the north/
河城 河城 [He2 cheng2] /Rivertown, port at the mouth of a river/
海州 海州 [Hai3 zhou1] /Haizhou municipality, on the coast/
守株 守株 [shou3 zhu1] /(idiom) to wait at the stump/to trust in luck (idiom)/
犬子 犬子 [quan3 zi3] /(literary) dog/
貓腰 猫腰 [mao1 yao1] /see 貓|猫[mao1]/variant of 貓腰|猫腰[mao1 yao1]/Taiwan pr. [mao2 yao1]/
米粉 米粉 [mi3 fen3] /noodles made of rice that are eaten in soup/rice noodles/rice noodles/
T恤衫 T恤衫 [T xu4 shan1] /T-shirt/tee shirt/
3D 3D [san1 D] /three dimensions/
希望 希望 [xi1 wang4] /hope/to hope/
紅 红 [hong2] /red/
鴨湯 鸭汤 [ya1 tang1] /pot of hope/bowls with ducks/
爬樹 爬树 [pa2 shu4] /to climb a tree/to climb in hope/
"""

# Offsets here are names of the lines, as the reader takes them; nothing depends on where a line begins.
NOUNS = """\
  1 A net in the form of WordNet's files.
00000001 03 n 01 entity 0 000 | whatever is
00000002 03 n 02 animal 0 beast 0 001 @ 00000001 n 0000 | a living thing that moves
00000003 05 n 03 duck 0 quacker 1 Anas_anas 0 002 @ 00000002 n 0000 #m 00000004 n 0000 | a bird (wet); it swims; "ducks"
00000004 05 n 02 Anas 0 genus_Anas 0 001 @ 00000005 n 0000 | a genus of ducks
00000005 14 n 01 taxonomic_group 0 001 @ 00000001 n 0000 | a group in a classification
00000006 06 n 02 bowl 0 dish 0 001 @ 00000007 n 0000 | a round dish
00000007 06 n 01 container 0 001 @ 00000008 n 0000 | what holds something
00000008 03 n 01 artifact 0 001 @ 00000001 n 0000 | what people have made
00000009 12 n 01 hope 0 001 @ 00000001 n 0000 | a feeling
00000010 07 n 01 color 0 001 @ 00000001 n 0000 | what light does to eyes
00000011 07 n 01 honesty 0 001 @ 00000001 n 0000 | being honest
00000012 18 n 01 Rembrandt 0 001 @i 00000013 n 0000 | a painter
00000013 18 n 01 painter 0 001 @ 00000001 n 0000 | one who paints
00000014 20 n 01 tree 0 002 @ 00000015 n 0000 @ 00000001 n 0000 | a tall plant with a trunk
00000015 20 n 01 woody_plant 0 001 @ 00000001 n 0000 | a plant of wood
00000016 07 n 01 scarlet 0 001 @ 00000010 n 0000 | a bright red
00000017 06 n 01 bowl 1 001 @ 00000008 n 0000 | a ball of wood
00000018 06 n 01 idea 0 001 @ 00000008 n 0000 | a thing of little use
00000019 09 n 01 idea 0 001 @ 00000001 n 0000 | a thought
"""
VERBS = """\
00000101 38 v 01 climb 0 000 01 + 02 00 | go up
00000102 40 v 01 lend 0 000 00 | give for a time
"""
ADJECTIVES = """\
00000201 00 a 01 chromatic 0 002 = 00000010 n 0000 & 00000202 a 0000 | having a colour
00000202 00 s 02 red 0 ruddy(p) 0 001 & 00000201 a 0000 | of the colour of blood
00000203 00 a 01 honest 0 002 = 00000011 n 0000 & 00000204 a 0000 | not lying
00000204 00 s 01 red 0 001 & 00000203 a 0000 | of one who blushes at a lie
"""
COUNTS = """\
duck%1:05:00:: 1 3
quacker%1:05:01:: 1 8
bowl%1:06:00:: 1 5
idea%1:09:00:: 1 90
red%5:00:00:chromatic:00 1 20
red%5:00:00:honest:00 2 1
"""


@pytest.fixture
def cedict(tmp_path) -> Path:
    path = tmp_path / "cedict_ts.u8"
    path.write_text(CEDICT, encoding="utf-8")
    return path


@pytest.fixture
def wordnet(tmp_path) -> Path:
    folder = tmp_path / "wordnet"
    folder.mkdir()
    for name, content in {
        "data.noun": NOUNS,
        "data.verb": VERBS,
        "data.adj": ADJECTIVES,
        "cntlist.rev": COUNTS,
    }.items():
        (folder / name).write_text(content, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("zh", "told"),
    [
        ("猫头鹰", [("owl", False)]),
        ("圆桌", [("round table", False), ("round desk", False)]),
        ("爬", [("climb", True), ("crawl", True), ("slow", False)]),
        ("送花", [("give a flower", True), ("bring roses", True)]),
        ("种", [("seed", False)]),
        ("张", []),
        ("张三", []),
        ("水县", []),
        ("河城", [("Rivertown", False)]),
        ("海州", [("Haizhou", False)]),
        ("守株", []),
        ("犬子", []),
        ("猫腰", []),
        ("米粉", [("rice noodles", False)]),
        ("T恤衫", [("T-shirt", False), ("tee shirt", False)]),
        ("3D", []),
        ("希望", [("hope", False), ("hope", True)]),
    ],
)
def test_senses_are_words_and_short_phrases(cedict, zh, told):
    assert [(sense.en, sense.is_action) for sense in senses(cedict) if sense.zh == zh] == told


def test_pairs_are_the_senses_in_order(cedict):
    assert list(pairs(cedict)) == [(sense.zh, sense.en) for sense in senses(cedict)]
    assert next(senses(cedict)) == Sense("猫头鹰", "owl", is_action=False)


def test_nouns_come_with_what_is_broader_and_how_often_they_are_meant(wordnet):
    found = {noun.words[-1]: noun for noun in nouns(wordnet)}
    assert found["duck"] == Noun(
        words=("quacker", "duck"),
        gloss="a bird",
        hypernyms=("animal",),
        frequency=11,
        domain="animal",
    )
    assert found["dish"].hypernyms == ("container",)
    assert found["tree"].hypernyms == ("woody plant",)


def test_nouns_are_of_what_can_be_seen(wordnet):
    assert [noun.words[0] for noun in nouns(wordnet)] == [
        *(
            "animal",
            "quacker",
            "bowl",
            "container",
            "color",
            "painter",
            "tree",
            "woody plant",
            "scarlet",
            "bowl",
            "idea",
        )
    ]


def test_counts_may_come_from_the_index_of_senses(wordnet):
    (wordnet / "index.sense").write_text("duck%1:05:00:: 00000003 1 40\nquacker%1:05:01:: 00000003 1 0\n")
    (wordnet / "cntlist.rev").unlink()
    assert next(noun for noun in nouns(wordnet) if "duck" in noun.words).words == ("duck", "quacker")


@pytest.mark.parametrize(
    ("phrase", "seen"),
    [
        ("duck", True),
        ("Ducks", True),
        ("roast duck", True),
        ("bowl of hope", True),
        ("hope of a bowl", False),
        ("in a bowl", False),
        ("hope", False),
        ("idea", False),
        ("red", True),
        ("ruddy", True),
        ("honest", False),
        ("unheard of", False),
    ],
)
def test_a_phrase_is_seen_by_its_head(wordnet, phrase, seen):
    assert SeenWords(wordnet).is_name(phrase) is seen


def test_pairs_that_are_seen(cedict, wordnet):
    assert list(seen_pairs(cedict, wordnet)) == [
        ("爬", "climb"),
        ("红", "red"),
        ("鸭汤", "bowls with ducks"),
        ("爬树", "climb a tree"),
    ]


def test_a_file_that_is_no_dictionary_is_named(tmp_path):
    path = tmp_path / "cedict.txt"
    for content in (None, b"", b"cat,\xe7\x8c\xab\n", b"\xff\xfe\x00"):
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(WordListUnreadable) as failure:
            list(pairs(path))
        assert str(path) in failure.value.text("en")
        assert str(path) in failure.value.text("zh")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("data.noun", None),
        ("data.noun", "not a synset\n"),
        ("data.noun", NOUNS.replace("00000002 03 n 02 animal", "00000099 03 n 02 animal")),
        ("data.noun", NOUNS[: NOUNS.index(" n 0000 | a thought")]),
        ("cntlist.rev", None),
        ("cntlist.rev", "duck%1:05:00:: 1 often\n"),
    ],
)
def test_a_folder_that_is_no_word_net_is_named(wordnet, name, content):
    if content is None:
        (wordnet / name).unlink()
    else:
        (wordnet / name).write_text(content, encoding="utf-8")
    with pytest.raises(WordListUnreadable, match=re.escape(str(wordnet / name))):
        list(nouns(wordnet))


def test_every_class_has_names_and_kinds_in_both_languages():
    classes = class_names()
    assert len(classes) == 1000
    for names in classes:
        for words, most in ((names.en, 3), (names.zh, 3), (names.kinds_en, 4), (names.kinds_zh, 4)):
            assert 1 <= len(words) <= most
            assert len(set(words)) == len(words)
            assert all(word == word.strip() != "" for word in words)
        assert all(re.fullmatch(r"[A-Za-z0-9 .'-]+", word) for word in (*names.en, *names.kinds_en))
        assert all(re.fullmatch(r"(?:T(?=恤))?[\u3400-\u9fff]+", word) for word in (*names.zh, *names.kinds_zh))


def test_no_two_classes_have_the_same_first_name():
    classes = class_names()
    for first in (Counter(names.en[0] for names in classes), Counter(names.zh[0] for names in classes)):
        assert [name for name, count in first.items() if count > 1] == []


@pytest.mark.parametrize(
    ("number", "en", "zh", "kind_en", "kind_zh"),
    [
        (0, "tench", "丁鱥", "fish", "鱼"),
        (134, "crane bird", "鹤", "bird", "鸟"),
        (207, "golden retriever", "金毛", "dog", "狗"),
        (281, "tabby cat", "狸花猫", "cat", "猫"),
        (388, "giant panda", "大熊猫", "bear", "熊"),
        (517, "crane", "起重机", "machine", "机器"),
        (673, "mouse", "鼠标", "electronics", "电子产品"),
        (817, "sports car", "跑车", "car", "汽车"),
        (985, "daisy", "雏菊", "flower", "花"),
        (999, "toilet paper", "卫生纸", "paper", "纸"),
    ],
)
def test_classes_are_in_the_order_of_the_classifier(number, en, zh, kind_en, kind_zh):
    names = class_names()[number]
    assert en in names.en
    assert zh in names.zh
    assert kind_en in names.kinds_en
    assert kind_zh in names.kinds_zh
