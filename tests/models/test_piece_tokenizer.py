"""models/language/piece_tokenizer.py: the pieces are SentencePiece's, and what a person is told of a text."""

import io

import numpy as np
import pytest

from models.language.piece_tokenizer import BEGIN, END, UNKNOWN, PieceTokenizer, open_pieces
from models.training.starter.pieces import Pieces, cut_pieces, write_tokenizer

sentencepiece = pytest.importorskip("sentencepiece")

CONTEXT = 32
GRAMS = ("猫", "狗", "黑猫", "的", "a", "dog", "black_dog", "cat")
SUBJECTS = (
    "a black dog",
    "two cats",
    "the old man",
    "an elephant",
    "一只黑猫",
    "两条狗",
    "一位老人",
    "大象",
    "鹦鹉和鹦鹉",
)
PLACES = (
    "in the snow",
    "on a wooden table",
    "at the beach",
    "near the house",
    "在雪地里",
    "在木桌上",
    "在海滩上",
    "在房子旁边",
)
VERBS = ("sleeps", "is running", "jumps", "looks at the camera", "睡觉", "奔跑", "跳起来", "看着镜头")
CAPTIONS = [f"{subject} {verb} {place}" for subject in SUBJECTS for verb in VERBS for place in PLACES]


@pytest.fixture(scope="module")
def model() -> bytes:
    """A SentencePiece model of captions, trained here."""
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CAPTIONS),
        model_writer=written,
        vocab_size=84,
        normalization_rule_name="identity",
        num_threads=1,
        minloglevel=2,
    )
    return written.getvalue()


@pytest.fixture(scope="module")
def processor(model):
    return sentencepiece.SentencePieceProcessor(model_proto=model)


@pytest.fixture(scope="module")
def tokenizer(processor, tmp_path_factory) -> PieceTokenizer:
    path = tmp_path_factory.mktemp("pieces") / "tokenizer.json"
    rows = range(processor.get_piece_size())
    scores = [(processor.id_to_piece(row), processor.get_score(row)) for row in rows]
    write_tokenizer(path, Pieces(scores, np.array(rows)), GRAMS, CONTEXT)
    return PieceTokenizer(path)


def pieces_of(tokenizer: PieceTokenizer, text: str) -> list[int]:
    """Return the pieces of a text without its beginning and its end."""
    first, *inner, last = [number - 1 for number in tokenizer.tokenize(text).ids if number <= len(tokenizer.pieces)]
    assert (first, last) == (BEGIN, END)
    return inner


def bag_of(tokenizer: PieceTokenizer, text: str) -> list[str]:
    """Return the words, characters and pairs of a text that have ids, after checking that they follow the pieces."""
    places = [number - len(tokenizer.pieces) - 1 for number in tokenizer.tokenize(text).ids]
    bag = [place for place in places if place >= 0]
    assert places[len(places) - len(bag) :] == bag
    return [tokenizer.grams[place] for place in bag]


@pytest.mark.parametrize(
    "text",
    [
        *CAPTIONS[::29],
        "dogs",
        "elephantine snowman",
        "一只狗",
        "黑狗 in the house",
        "木头桌子",
        "犇骉",
        "犇 dog 骉",
        "кошка",
        "🐈 cat",
        "a, b. c!",
        "x",
        "猫",
        "",
    ],
)
def test_pieces_are_those_of_sentencepiece(tokenizer, processor, text):
    assert pieces_of(tokenizer, text) == processor.encode(text)[: CONTEXT // 2 - 2]


@pytest.mark.parametrize("special", ["<s>", "</s>", "<unk>"])
@pytest.mark.parametrize("form", ["{}", "a {} dog", "{0}{0}"])
def test_special_pieces_that_a_person_types_are_words(tokenizer, processor, special, form):
    text = form.format(special)
    assert pieces_of(tokenizer, text) == processor.encode(text)[: CONTEXT // 2 - 2]
    assert not {BEGIN, END} & set(pieces_of(tokenizer, text))


def test_more_spaces_than_one_are_one(tokenizer):
    assert tokenizer.tokenize("  a  black \u3000 dog ") == tokenizer.tokenize("a black dog")


def test_the_bag_follows_the_pieces(tokenizer):
    assert bag_of(tokenizer, "a black dog") == ["a", "dog", "black_dog"]
    assert bag_of(tokenizer, "黑猫和狗") == ["猫", "狗", "黑猫"]
    assert bag_of(tokenizer, "an elephant") == []
    assert min(tokenizer.tokenize("黑猫").ids) > 0  # which is padding


@pytest.mark.parametrize(
    ("text", "pieces", "bag", "truncated"),
    [
        ("x " * 7, 14, 0, False),
        ("x " * 8, 14, 0, True),
        ("猫狗" * 6 + "猫", 14, 13, False),
        ("猫狗" * 7, 14, 14, True),
        ("的黑猫" * 6, 14, 16, True),
    ],
)
def test_each_reading_has_half_of_the_context(tokenizer, text, pieces, bag, truncated):
    tokens = tokenizer.tokenize(text)
    assert len(pieces_of(tokenizer, text)) == pieces
    assert len(bag_of(tokenizer, text)) == bag
    assert tokens.truncated == truncated
    assert len(tokens.ids) == pieces + 2 + bag


def test_a_bag_of_more_than_half_of_the_context_is_cut(tmp_path):
    tokenizer = make(tmp_path, [("\u2581", -2.0), ("黑猫", -3.0)], ("黑", "猫", "黑猫", "猫黑"), context=8)
    assert not tokenizer.tokenize("黑猫").truncated
    tokens = tokenizer.tokenize("黑猫黑")
    assert (len(tokens.ids), tokens.truncated) == (8, True)


def make(folder, pieces: list[tuple[str, float]], grams: tuple[str, ...], *, context: int = CONTEXT) -> PieceTokenizer:
    """Return a tokenizer of these pieces after the three special ones."""
    scores = [("<unk>", 0.0), ("<s>", 0.0), ("</s>", 0.0), *pieces]
    write_tokenizer(folder / "tokenizer.json", Pieces(scores, np.arange(len(scores))), grams, context)
    return PieceTokenizer(folder / "tokenizer.json")


@pytest.mark.parametrize(
    ("text", "meaningful", "unknown"),
    [
        ("一只猫", True, ()),
        ("a black dog", True, ()),
        ("犇", False, ("犇",)),
        ("犇骉", False, ("犇", "骉")),
        ("猫犇狗犇", True, ("犇",)),
        ("犇的", False, ("犇",)),
        ("кошка", False, ("кошка",)),
        ("🐈 and a dog", True, ("🐈",)),
        ("the", False, ()),
        ("一只", False, ()),
        ("...!?", False, ()),
        ("。，", False, ()),
        ("", False, ()),
        ("   ", False, ()),
    ],
)
def test_what_is_not_read_is_named(tokenizer, text, meaningful, unknown):
    tokens = tokenizer.tokenize(text)
    assert (tokens.meaningful, tokens.unknown_words) == (meaningful, unknown)
    assert not tokens.truncated


def test_a_character_is_read_by_itself_in_the_bag_or_within_a_piece(tmp_path):
    tokenizer = make(tmp_path, [("\u2581", -2.0), ("鹦鹉", -3.0)], ("犇",))
    assert tokenizer.tokenize("鹦鹉和犇").unknown_words == ("和",)
    assert tokenizer.tokenize("鹦和鹉").unknown_words == ("鹦", "和", "鹉")


def test_letters_lose_case_and_accents(tokenizer):
    assert tokenizer.tokenize("A Blàck DÓG") == tokenizer.tokenize("a black dog")
    assert tokenizer.tokenize("й").unknown_words == ("й",)  # other letters do not


def test_pieces_are_cut_to_those_in_use_and_stand_for_traditional_ones(tmp_path, model):
    (path := tmp_path / "pieces.model").write_bytes(model)
    whole = sentencepiece.SentencePieceProcessor(model_proto=model)
    cut = cut_pieces(path, ["a black dog", "黑狗"])
    kept = [piece for piece, _ in cut.scores]
    assert kept[:3] == ["<unk>", "<s>", "</s>"]
    assert kept == [whole.id_to_piece(int(row)) for row in cut.rows]
    assert {"鹦鹉", "j"} <= set(kept)  # all that are Chinese, and every ASCII character
    assert "\u2581ca" not in kept
    splitter = open_pieces(cut.scores)
    for text in ("a black dog", "黑狗", "大象"):
        found = splitter.encode(text, add_special_tokens=False)
        assert found.tokens == whole.encode(text, out_type=str)
        assert UNKNOWN not in found.ids
