"""Text -> ids of word pieces, and of whole words and characters beside them, without torch."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from models.foundation.errors import BackendNotInstalled
from models.language.tokenizer import (
    TokenizedText,
    ngrams,
    says_something,
    without_accents,
    words_outside_runs,
)

if TYPE_CHECKING:
    from tokenizers import Tokenizer

FORMAT = "pieces-and-grams"
SPACE = "\u2581"  # how SentencePiece writes a space
UNKNOWN, BEGIN, END = 0, 1, 2  # the first pieces

_HAN = re.compile(r"[\u4e00-\u9fff]")


def open_pieces(scores: Sequence[tuple[str, float]]) -> "Tokenizer":
    """Return a tokenizer that splits as SentencePiece does by pieces and their log probabilities (unigram model)."""
    try:
        from tokenizers import Tokenizer, models, pre_tokenizers
    except ImportError as error:
        raise BackendNotInstalled("tokenizers", "cpu") from error
    # Spaces are replaced before pieces are looked for, so nothing that a person types is one of these.
    own = [(f" {piece}", score) for piece, score in scores[: END + 1]]
    tokenizer = Tokenizer(models.Unigram([*own, *scores[END + 1 :]], unk_id=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=False)
    return tokenizer


class PieceTokenizer:
    """Reads a text twice: as the pieces of a sentence encoder, in order, and as a bag of words, characters and pairs.

    Ids from 1 are pieces, the bag's follow; 0 is padding. A text begins and ends with a piece of its own, and each
    reading has half of the context. The bag holds what was often seen in training: it says what the pieces do not, such
    as characters that are in none of them. There are pieces for all words of letters, so which of those are words of a
    language is for others to judge (see KnownWordsTokenizer).
    """

    def __init__(self, path: Path) -> None:
        description = json.loads(path.read_text(encoding="utf-8"))
        self.context_length: int = description["max_len"]
        self.pieces = [piece for piece, _ in description["pieces"]]
        self.grams: list[str] = description["grams"]
        self._splitter = open_pieces([(piece, score) for piece, score in description["pieces"]])
        self._gram_ids = {gram: number for number, gram in enumerate(self.grams, start=1 + len(self.pieces))}

    def tokenize(self, text: str) -> TokenizedText:
        """Return the ids: pieces from left to right, then the bag."""
        text = " ".join(without_accents(text.lower()).split())  # what was left out of it leaves spaces
        half = self.context_length // 2
        split = self._splitter.encode(text, add_special_tokens=False)
        pieces, grams = split.ids, ngrams(text)
        bag = [self._gram_ids[gram] for gram in grams if gram in self._gram_ids]
        outside = "".join(piece for piece, number in zip(split.tokens, pieces, strict=True) if number == UNKNOWN)
        unread = [char for char in _HAN.findall(outside) if char not in self._gram_ids]
        ids = [1 + piece for piece in (BEGIN, *pieces[: half - 2], END)]
        return TokenizedText(
            ids=(*ids, *bag[:half]),
            unknown_words=tuple(dict.fromkeys([*words_outside_runs(text), *unread])),
            truncated=len(pieces) > half - 2 or len(bag) > half,
            meaningful=any(says_something(gram) for gram in grams if not set(unread).intersection(gram)),
        )
