"""models/language/subword_tokenizers.py: the ids of each encoder's own code, and what a person is told of a text."""

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.foundation.errors import WeightsUnsuitable
from models.language import subword_tokenizers as subword

tokenizers = pytest.importorskip("tokenizers")

CONTEXT = 52
SPECIAL = ("[MASK]", "[SEP]", "[CLS]", "[PAD]", "[UNK]", "[unused1]", "##ing", "##", "[ MASK ]", "[mask]")
PADDING, UNKNOWN, BEGIN, END = 0, 100, 101, 102
LATIN = [*"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"]
ACCENTED = [*"éèüñçøßæœåÅÉÜŁłđĐİıŞşăẞﬁﬀǅÿ", "e\u0301", "n\u0303", "a\u0323\u0307", "\u0301", "Ạ̈"]
SPACES = [*" \t\n\r\u00a0\u2002\u2003\u2009\u200a\u202f\u205f\u3000\u1680", "\u2028", "\u2029", "  "]
CONTROLS = [*"\x01\x07\x0b\x0c\x1b\x1c\x1f\x7f\x85\u200b\u200c\u200d\u200e\u2060\ufeff\u00ad\ufffd\u061c", "\x00"]
PUNCTUATION = [*"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~。，、；：？！…—「」『』《》（）·¿¡‰§¶†•«»", "——", "..."]
SYMBOLS = [*"¥€£©®™°±×÷←↑→↓■□▲△◆◇○●★☆♀♂♥❤☀☎✓✔№℃㎡①②Ⅷ½¼²³∞√≈"]
EMOJI = [
    *"😀🐈🐕🍕🚀🏳🌈🫠🫨🪿🫩🩷🇨🇳🏽",
    "👩‍👩‍👧‍👦",
    "🐈‍⬛",
    "❤️",
    "🏳️‍🌈",
    "👍🏽",
    "🇨🇳",
    "1️⃣",
    "🏴\U000e0067\U000e0062\U000e007f",
]
ASIAN = [*"ねこネコカタカナーガぱ々〆ヶ한국어가각값ㄱㅏไทยกำनमस्तेमראשעربي", "が", "\u1112\u1161\u11ab", "ｶﾞ"]
OTHER = [*"жЖщЁёΑΩςσπάΆаԱՀԵა", "ΑΣ", "ὈΔΥΣΣΕΎΣ", "ǰ"]
FULL_WIDTH = [*"ＡＢＣａｂｃ０１２！？（）［］～", "［ＭＡＳＫ］"]
RARE = ["\u0378", "\u0380", "\U000e0fff", "\U0003fffe", "\ue000", "\uf8ff", "\U000f0000", "\U0010fffd", "\ufdd0"]
RARE += ["\u9fff", "\u9ffc", "\u4db5", "\u3400", "\U00020000", "\U0002a6df", "\U0002a6e0", "\U0002b81f", "\U0002ceaf"]
RARE += ["\U0002ceb0", "\U00030000", "\uf900", "\ufaff", "\U0002f800", "\U0002fa1f", "\u2e80", "\u31c0", "\U0001b000"]
RARE += ["\u0488", "\u20e3", "\u093e", "\U0001d165", "\u302e", "\u1fef", "\u037e", "\u2126", "\u212b"]
LONG = ["a" * 199, "a" * 200, "a" * 201, "猫" * 60, "word " * 60, "x" * 300, "é" * 200, "e\u0301" * 201, "1" * 201]


@pytest.fixture(scope="module")
def wordpiece(cn_clip) -> subword.SubwordTokenizer:
    return subword.load_wordpiece(Path(cn_clip.__file__).with_name("vocab.txt"), context_length=CONTEXT)


def ids_of_cn_clip(cn_clip, text: str, context_length: int = CONTEXT) -> list[int]:
    ids = cn_clip.tokenize(text, context_length=context_length)[0].tolist()
    return ids[: ids.index(END) + 1]


def texts_of_every_kind(count: int) -> list[str]:
    rng = random.Random(20)  # noqa: S311
    chinese = [chr(rng.randrange(0x4E00, 0x9FFF)) for _ in range(1500)] + [*"一只猫在雪地里奔跑红色的花臺灣貓"]
    words = ["cat", "dogs", "playing", "snow", "electroencephalography", "iPhone", "COVID-19", "don't", "naïve", "café"]
    kinds = [chinese, chinese, LATIN, LATIN, words, ACCENTED, SPACES, CONTROLS, PUNCTUATION, SYMBOLS, EMOJI, ASIAN]
    kinds += [OTHER, FULL_WIDTH, RARE, SPECIAL, [chr(n) for n in range(0x20, 0x3000)], [" "]]
    texts = []
    for _ in range(count):
        few = rng.sample(kinds, rng.randint(1, 6))
        texts.append("".join(rng.choice(rng.choice(few)) for _ in range(rng.randint(1, 40))))
    return texts


def differing(cn_clip, wordpiece, texts: list[str]) -> list[str]:
    return [ascii(text) for text in texts if list(wordpiece.tokenize(text).ids) != ids_of_cn_clip(cn_clip, text)]


def test_ids_are_those_of_cn_clip_for_thousands_of_strings(cn_clip, wordpiece):
    assert differing(cn_clip, wordpiece, texts_of_every_kind(6000)) == []


def test_ids_are_those_of_cn_clip_for_characters_of_every_block(cn_clip, wordpiece):
    some = [chr(n) for n in (*range(0xD800), *range(0xE000, 0x3_2000)) if n % 31 == 0 or n < 0x3400]
    texts = [f"a{char}b" for char in some]
    assert differing(cn_clip, wordpiece, texts) == []


@pytest.mark.parametrize("text", LONG + [long + "猫" + long for long in LONG])
def test_ids_of_long_texts_are_those_of_cn_clip(cn_clip, wordpiece, text):
    assert list(wordpiece.tokenize(text).ids) == ids_of_cn_clip(cn_clip, text)


@settings(deadline=None, max_examples=500)
@given(st.text())
def test_ids_are_those_of_cn_clip_for_any_text(cn_clip, wordpiece, text):
    assert list(wordpiece.tokenize(text).ids) == ids_of_cn_clip(cn_clip, text)


@pytest.mark.parametrize("between", ["\x00", "\x07", "\ufffd", "\u200b"])
def test_a_removed_character_does_not_end_a_greek_word(cn_clip, wordpiece, between):
    # A capital sigma becomes another letter at the end of a word, so what is removed has to go first.
    text = f"ΑΣ{between}Α"
    assert list(wordpiece.tokenize(text).ids) == ids_of_cn_clip(cn_clip, text)


def test_half_a_surrogate_is_no_failure(wordpiece):
    tokens = wordpiece.tokenize("猫\ud83d\udc08 a\udcff")
    assert tokens.meaningful
    assert tokens.ids[0] == BEGIN


@pytest.mark.parametrize("special", ["[MASK]", "[SEP]", "[CLS]", "[PAD]", "[UNK]", "[unused1]", "［ＭＡＳＫ］"])
@pytest.mark.parametrize("form", ["{}", "猫{}狗", "a {} b", "{0}{0}", "{}]", "[{}]"])
def test_special_tokens_that_a_person_types_are_words(cn_clip, wordpiece, special, form):
    text = form.format(special)
    inner = wordpiece.tokenize(text).ids[1:-1]
    assert not set(inner) & {PADDING, BEGIN, END, 103}
    assert list(wordpiece.tokenize(text).ids) == ids_of_cn_clip(cn_clip, text)


@pytest.mark.parametrize(
    ("text", "meaningful", "unknown"),
    [
        ("一只猫", True, ()),
        ("Two dogs", True, ()),
        ("猫 🐈", True, ("🐈",)),
        ("🐈🐕", False, ("🐈🐕",)),
        ("🐈 🐕 🐈", False, ("🐈", "🐕")),
        ("🫩", False, ("🫩",)),
        ("🐈‍⬛", False, ("🐈⬛",)),
        ("🐈，🐕！", False, ("🐈", "🐕")),
        ("...!?", False, ()),
        ("。，、！？《》", False, ()),
        ("——", False, ()),
        ("", False, ()),
        (" \u3000\t\n", False, ()),
        ("\u200b\x00", False, ()),
        ("ⲀⲂⲄ", False, ("ⲁⲃⲅ",)),
        ("кошка", True, ()),
        ("한국어", True, ()),
        ("café 🐈!", True, ("🐈",)),
        ("𐎀 and 𐎀", True, ("𐎀",)),
        ("[UNK]", True, ()),
        ("¥99", True, ()),
    ],
)
def test_words_that_are_not_known_are_named(wordpiece, text, meaningful, unknown):
    tokens = wordpiece.tokenize(text)
    assert (tokens.meaningful, tokens.unknown_words) == (meaningful, unknown)
    assert not tokens.truncated


def test_an_unknown_word_is_named_in_one_piece(wordpiece):
    assert wordpiece.tokenize("🐈한").unknown_words == ("🐈한",)  # reading it takes the Korean letter apart


@pytest.mark.parametrize(
    ("text", "truncated"),
    [
        ("猫" * 49, False),
        ("猫" * 50, False),
        ("猫" * 51, True),
        ("猫" * 500, True),
        ("cat " * 50, False),
        ("cat " * 51, True),
        ("cat " * 49 + "dogs", True),  # dog ##s
        ("cat " * 48 + "dogs", False),
        ("🐈 " * 50, False),
        ("🐈 " * 51, True),
        ("猫" * 50 + " \n\u200b", False),
    ],
)
def test_a_cut_text_says_so_from_the_first_piece_that_is_lost(cn_clip, wordpiece, text, truncated):
    tokens = wordpiece.tokenize(text)
    assert tokens.truncated == truncated
    assert len(tokens.ids) <= CONTEXT
    assert (tokens.ids[0], tokens.ids[-1]) == (BEGIN, END)
    assert truncated == (len(ids_of_cn_clip(cn_clip, text, 1000)) > CONTEXT)


# Gemma's tokenizer, in small: the same parts and the same settings in the file as Google's.

GEMMA_SPECIAL = ("<pad>", "<eos>", "<bos>", "<unk>", "<mask>")
GEMMA_MERGES = ("c a", "ca t", "▁ cat", "d o", "do g", "▁ dog", "▁ ▁")


@pytest.fixture(scope="module")
def gemma_file(tmp_path_factory) -> Path:
    letters = [*"abcdefghijklmnopqrstuvwxyz<>/.!一只猫", "▁"]
    merged = [merge.replace(" ", "") for merge in GEMMA_MERGES]
    vocabulary = {piece: number for number, piece in enumerate([*GEMMA_SPECIAL, *letters, *merged])}
    merges = [tuple(merge.split(" ")) for merge in GEMMA_MERGES]
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(vocabulary, merges, unk_token="<unk>"))
    tokenizer.normalizer = tokenizers.normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Split(" ", "merged_with_previous")
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing("$A <eos>", special_tokens=[("<eos>", 1)])
    tokenizer.add_special_tokens(list(GEMMA_SPECIAL))
    tokenizer.enable_padding(length=64, pad_id=0, pad_token="<pad>")
    tokenizer.enable_truncation(max_length=10)
    path = tmp_path_factory.mktemp("gemma") / "tokenizer.json"
    tokenizer.save(str(path))
    return path


@pytest.fixture(scope="module")
def gemma(gemma_file) -> subword.SubwordTokenizer:
    return subword.load_gemma(gemma_file, context_length=64)


def gemma_ids(gemma_file, *pieces: str) -> list[int]:
    tokenizer = tokenizers.Tokenizer.from_file(str(gemma_file))
    return [tokenizer.token_to_id(piece) for piece in pieces]


def test_gemma_ends_a_text_and_fills_it_up(gemma, gemma_file):
    ids = gemma.tokenize("a cat dog").ids
    assert list(ids) == gemma_ids(gemma_file, "a", "▁cat", "▁dog") + [1] + [0] * 60


@pytest.mark.parametrize("text", ["", "cat", "A CAT", "x" * 62, "x" * 63, "x" * 64, "x" * 500, "🐈", "   "])
def test_gemma_always_gives_as_many_ids_as_were_trained(gemma, text):
    ids = gemma.tokenize(text).ids
    assert len(ids) == 64
    end = ids.index(1)
    assert set(ids[end + 1 :]) <= {0}
    assert 0 not in ids[:end]
    assert ids.count(1) == 1


def test_gemma_reads_capitals_as_small_letters(gemma):
    assert gemma.tokenize("A CAT, Dog").ids == gemma.tokenize("a cat, dog").ids


@pytest.mark.parametrize(("length", "truncated"), [(62, False), (63, False), (64, True), (200, True)])
def test_gemma_says_what_is_cut_and_still_ends_the_text(gemma, length, truncated):
    tokens = gemma.tokenize("x" * length)
    assert tokens.truncated == truncated
    assert tokens.ids.index(1) == min(length, 63)


@pytest.mark.parametrize("special", [*GEMMA_SPECIAL, "<EOS>"])
@pytest.mark.parametrize("form", ["{}", "a{}b", "cat {} dog", "{0}{0}"])
def test_gemma_reads_special_tokens_that_a_person_types_as_words(gemma, special, form):
    tokens = gemma.tokenize(form.format(special))
    end = tokens.ids.index(1)
    assert tokens.ids.count(1) == 1
    assert end > len(special) - 1
    assert not set(tokens.ids[:end]) & set(range(len(GEMMA_SPECIAL)))
    assert tokens.meaningful


@pytest.mark.parametrize(
    ("text", "meaningful", "unknown"),
    [
        ("cat", True, ()),
        ("一只猫", True, ()),
        ("cat 🐈", True, ("🐈",)),
        ("🐈", False, ("🐈",)),
        ("...!", False, ()),
        ("", False, ()),
        ("   ", False, ()),
    ],
)
def test_gemma_names_what_it_does_not_know(gemma, text, meaningful, unknown):
    tokens = gemma.tokenize(text)
    assert (tokens.meaningful, tokens.unknown_words) == (meaningful, unknown)


# Texts in a prompt.


def save_with(gemma_file, path: Path, template: str) -> Path:
    tokenizer = tokenizers.Tokenizer.from_file(str(gemma_file))
    specials = [("<bos>", 2), ("<eos>", 1)]
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(template, special_tokens=specials)
    tokenizer.save(str(path))
    return path


@pytest.mark.parametrize(
    ("template", "begin", "end"), [("<bos> $A <eos>", (2,), (1,)), ("$A <eos>", (), (1,)), ("$A", (), ())]
)
def test_a_prompt_stands_within_what_the_file_puts_around_a_text(gemma_file, tmp_path, template, begin, end):
    path = save_with(gemma_file, tmp_path / "tokenizer.json", template)
    tokenizer = subword.load_prompted(path, context_length=20, before="<mask>", prompt="a ", after="<pad>")
    asked = tokenizer.tokenize("cat dog").ids
    assert asked == (*begin, *gemma_ids(gemma_file, "<mask>", "a", "▁cat", "▁dog", "<pad>"), *end)
    ids, special = subword.read_prompt(path, "<mask>a", ["<mask>"])
    assert ids == (*begin, *gemma_ids(gemma_file, "<mask>", "a"), *end)
    assert special == {"<mask>": GEMMA_SPECIAL.index("<mask>")}


@pytest.mark.parametrize(("length", "truncated"), [(7, False), (8, True), (50, True)])
def test_a_text_in_a_prompt_is_cut_at_its_own_end(gemma_file, length, truncated):
    tokenizer = subword.load_prompted(gemma_file, context_length=10, prompt="a/", after="<mask>")  # ends with <eos>
    tokens = tokenizer.tokenize("x" * (length - 1))
    assert tokens.truncated == truncated
    assert len(tokens.ids) == min(length + 3, 10)
    assert list(tokens.ids[-2:]) == gemma_ids(gemma_file, "<mask>", "<eos>")


@pytest.mark.parametrize(
    ("text", "meaningful"), [("cat", True), ("一只猫", True), ("...!", False), ("", False), ("<mask>", True)]
)
def test_a_prompt_says_nothing_of_a_picture(gemma_file, text, meaningful):
    tokenizer = subword.load_prompted(gemma_file, context_length=40, prompt="dog/ ")
    tokens = tokenizer.tokenize(text)
    assert tokens.meaningful == meaningful
    assert not tokens.unknown_words
    assert GEMMA_SPECIAL.index("<mask>") not in tokens.ids


def test_a_prompt_needs_its_tokens(gemma_file):
    with pytest.raises(WeightsUnsuitable, match=r"no token <\|image>"):
        subword.read_prompt(gemma_file, "<|image>", ["<eos>", "<|image>"])
