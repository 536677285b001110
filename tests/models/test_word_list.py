"""Which words of a text are ordinary, which are names, which are in no list; and how the list is made."""

import gzip

import pytest

from models.language.known_words import KnownWordsTokenizer, load_placed_words, write_placed_words
from models.language.tokenizer import TokenizedText
from models.language.word_list import WordList, load_word_list
from models.training.errors import WordListUnreadable
from models.training.word_list import collect, main

CEDICT = """\
狗 狗 [gou3] /dog/
海灘 海滩 [hai3 tan1] /beach/
山 山 [shan1] /mountain/
河城 河城 [He2 cheng2] /Rivertown, port at the mouth of a river/
蘋果 苹果 [Ping2 guo3] /Apple (American tech company)/
蘋果 苹果 [ping2 guo3] /apple/
和平 和平 [He2 ping2] /Heping district of Tianjin/
和平 和平 [he2 ping2] /peace; a dog has peace/
燈節 灯节 [Deng1 jie2] /Lantern Festival/
張三 张三 [Zhang1 San1] /Zhang San (1606-1647), merchant/
張四 张四 [Zhang1 Si4] /Zhang Si (1706-1747), merchant/
張三四 张三四 [Zhang1 San1 si4] /Zhang Sansi (1806-1847), merchant/
張 张 [Zhang1] /surname Zhang/
萬聖節 万圣节 [Wan4 sheng4 jie2] /Halloween/
"""
JIEBA = """\
狗 9000 n
海滩 300 n
山 9000 n
的 900000 uj
蒙琪琪 5 nr
狗山的 8 nr
"""
NOUNS = """\
00000001 03 n 01 entity 0 000 | whatever is
00000002 03 n 02 apple 0 dog 0 001 @ 00000001 n 0000 | a thing
00000003 03 n 01 Halloween 0 001 @ 00000001 n 0000 | an evening
00000004 03 n 02 Rivertown 0 Apple_Hill 0 001 @i 00000001 n 0000 | a city
00000005 03 n 01 apple_dog 0 001 @ 00000001 n 0000 | a dog
00000006 03 n 01 Mary 0 001 @i 00000001 n 0000 | a queen
"""


@pytest.fixture
def sources(tmp_path):
    (tmp_path / "cedict_ts.u8").write_text(CEDICT, encoding="utf-8")
    (tmp_path / "jieba.txt").write_text(JIEBA, encoding="utf-8")
    (tmp_path / "first.txt").write_text("JOHN 1.0 1.0 1\nMARY 2.6 2.6 1\n", encoding="utf-8")
    (tmp_path / "last.txt").write_text("SMITH 1.0 1.0 1\n", encoding="utf-8")
    wordnet = tmp_path / "wordnet"
    wordnet.mkdir()
    (wordnet / "data.noun").write_text(NOUNS, encoding="utf-8")
    for name in ("verb", "adj", "adv"):
        (wordnet / f"data.{name}").write_text("", encoding="utf-8")
    for name in ("noun", "verb", "adj", "adv"):
        (wordnet / f"{name}.exc").write_text("ran run\n" if name == "verb" else "", encoding="utf-8")
    (wordnet / "cntlist.rev").write_text("apple%1:03:00:: 1 3\n", encoding="utf-8")
    return tmp_path


def kinds(words: WordList, text: str) -> dict[str, str]:
    return {text[word.start : word.end]: word.kind for word in words.read(text)}


def test_a_list_is_made_of_its_sources_and_read(sources):
    main(sources, sources / "words.txt.gz")
    words = WordList(sources / "words.txt.gz")
    assert kinds(words, "狗在海滩") == {"狗": "ordinary", "在": "unlisted", "海滩": "ordinary"}
    assert kinds(words, "河城的苹果") == {"河城": "name", "的": "unlisted", "苹果": "either"}
    assert kinds(words, "和平") == {"和平": "ordinary"}
    assert kinds(words, "灯节") == {"灯节": "ordinary"}
    assert kinds(words, "万圣节") == {"万圣节": "ordinary"}
    assert kinds(words, "蒙琪琪") == {"蒙琪琪": "name"}
    assert kinds(words, "狗山的") == {"狗": "ordinary", "山": "ordinary", "的": "unlisted"}
    assert kinds(words, "an apple in Rivertown") == {
        "an": "unlisted",
        "apple": "ordinary",
        "in": "unlisted",
        "Rivertown": "name",
    }
    assert kinds(words, "Halloween ran") == {"Halloween": "ordinary", "ran": "ordinary"}
    assert kinds(words, "Apple Hill") == {"Apple Hill": "name"}
    assert kinds(words, "John Smith") == {"John Smith": "name"}
    assert set(words.list_chinese("either")) == {"苹果"}


def test_the_same_sources_make_the_same_bytes(sources):
    for name in ("one.gz", "two.gz"):
        main(sources, sources / name)
    assert (sources / "one.gz").read_bytes() == (sources / "two.gz").read_bytes()
    assert len(gzip.decompress((sources / "one.gz").read_bytes()).splitlines()) == len(collect(sources))


@pytest.mark.parametrize("name", ["cedict_ts.u8", "jieba.txt", "first.txt", "wordnet/data.adv", "wordnet/noun.exc"])
def test_a_source_that_is_not_there_is_named(sources, name):
    (sources / name).unlink()
    with pytest.raises(WordListUnreadable, match=name.rpartition("/")[2].replace(".", r"\.")):
        collect(sources)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("刘强东在海滩", {"刘强东": "name", "在": "ordinary", "海滩": "ordinary"}),
        ("一张伟大的画", {"一": "ordinary", "张": "ordinary", "伟大": "ordinary", "的": "ordinary", "画": "ordinary"}),
        ("两张张学友", {"两": "ordinary", "张": "ordinary", "张学友": "name"}),
        ("黄狗追白猫", dict.fromkeys("黄狗追白猫", "ordinary")),
        ("安妮·海瑟薇", {"安妮·海瑟薇": "name"}),
        ("穿T恤的人", {"穿": "ordinary", "T恤": "ordinary", "的": "ordinary", "人": "ordinary"}),
        ("魑嬛", {"魑嬛": "unlisted"}),
        ("两只Zorp", {"两": "ordinary", "只": "ordinary", "Zorp": "unlisted"}),
    ],
)
def test_chinese_is_parted_into_words(text, found):
    assert kinds(load_word_list(), text) == found


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Kobe Bryant in Boston", ["Kobe Bryant", "Boston"]),
        ("Kate Middleton", ["Kate Middleton"]),
        ("J. K. Rowling", ["Rowling"]),
        ("eiffel tower at night", ["eiffel tower"]),
        ("China", ["China"]),
        ("china plates", []),
        ("Turkey", []),
        ("the Chinese flag at Christmas", []),
        ("Red Dress", []),
        ("Rose Garden", []),
        ("the sun over a grassy hill", []),
        ("a boston terrier in blue jeans", []),
        ("You and German Shepherds", []),
        ("Mr Johnson's dog", ["Johnson's"]),
        ("戴Obama面具", ["Obama"]),
    ],
)
def test_english_names(text, names):
    words = load_word_list()
    assert [text[word.start : word.end] for word in words.read(text) if word.kind == "name"] == names


class Recorder:
    """Reads every word, and keeps the texts."""

    context_length = 8

    def __init__(self) -> None:
        self.texts: list[str] = []

    def tokenize(self, text: str) -> TokenizedText:
        self.texts.append(text)
        return TokenizedText(
            ids=tuple(range(1, 1 + len(text.split()))),
            unknown_words=("?",),
            truncated=False,
            meaningful=bool(text.split()),
        )


@pytest.mark.parametrize(
    ("text", "read", "unknown", "names"),
    [
        ("一只 狗", "一只 狗", (), ()),
        ("狗", "狗", (), ()),
        ("二维码和狗", " 和狗", ("二维码",), ()),
        ("刘强东在海滩", " 在海滩", (), ("刘强东",)),
        ("苹果和海滩", " 和海滩", (), ("苹果",)),
        ("黄山", "黄山", (), ()),
        ("zorp on a beach", "zorp on a beach", (), ()),
        ("Barack Obama on a beach", "  on a beach", (), ("Barack Obama",)),
    ],
)
def test_names_and_unplaced_words_are_left_out(text, read, unknown, names):
    recorder = Recorder()
    tokens = KnownWordsTokenizer(recorder, {"海滩", "黄山"}).tokenize(text)
    assert recorder.texts[0].split() == read.split()
    assert tokens.unknown_words == (*unknown, "?")
    assert tokens.names == names


def test_without_placed_words_every_word_of_a_dictionary_is_known():
    tokens = KnownWordsTokenizer(Recorder()).tokenize("黄山的二维码 zorp")
    assert (tokens.unknown_words, tokens.names) == (("?",), ("黄山",))


def test_an_open_vocabulary_knows_the_words_of_dictionaries():
    tokens = KnownWordsTokenizer(Recorder(), is_open=True).tokenize("zorps and 2 dogs running")
    assert tokens.unknown_words == ("zorps", "?")


def test_placed_words_are_written_and_read(tmp_path):
    write_placed_words(tmp_path / "words.txt.gz", ["海滩", "beach chair"])
    assert load_placed_words(tmp_path / "words.txt.gz") == {"海滩", "beach chair"}
