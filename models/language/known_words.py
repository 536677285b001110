"""Which words of a text an encoder knows: what stands before the tokenizer of an encoder that knows no names.

Tokens alone do not tell. Every compound of characters that are in a vocabulary has tokens, 张伟 and 二维码 as well, but
a vector of them means nothing unless the encoder has learned what the compound is.
"""

import gzip
from collections.abc import Collection, Iterable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from models.language.tokenizer import TokenizedText, Tokenizer
from models.language.word_list import ListedWord, WordKind, load_word_list

_NAMES: frozenset[WordKind] = frozenset({"name", "either"})
_KEPT = 4096  # texts that were read last: more than the query bank has (indexer/pipeline/query_bank.py)


class KnownWordsTokenizer:
    """Leaves names, and words that the encoder does not know, out of a text before its tokenizer reads the rest.

    `placed` are the words that the encoder has learned a place for (see `load_placed_words`), in either language, with
    the names among them; every other name is left out, and of Chinese every other word of two characters or more that
    is in a dictionary, or made of characters that are hardly words. Without `placed` every ordinary word of a
    dictionary is known. Other words are for the tokenizer to judge, by its vocabulary; with `is_open`, for tokenizers
    that have tokens for all letters, English words in no dictionary are left out.
    """

    def __init__(self, tokenizer: Tokenizer, placed: Collection[str] | None = None, *, is_open: bool = False) -> None:
        self.context_length = tokenizer.context_length
        self._tokenizer = tokenizer
        self._placed = placed
        self._is_open = is_open
        self._read = lru_cache(_KEPT)(self._tokenize)  # who looks what is known of a text has it encoded next

    def tokenize(self, text: str) -> TokenizedText:
        """Return the ids of what is known of a text, none where nothing is, and the names and unknown words in it."""
        return self._read(text)

    def _tokenize(self, text: str) -> TokenizedText:
        words = load_word_list().read(text, self._placed or ())
        names = [word for word in words if word.kind in _NAMES and not self._is_placed(word)]
        unknown = [word for word in words if word not in names and self._is_unknown(word)]
        tokens = self._tokenizer.tokenize(_without(text, sorted([*names, *unknown], key=lambda word: word.start)))
        not_read = [*(text[word.start : word.end] for word in unknown), *tokens.unknown_words]
        return replace(
            tokens,
            ids=tokens.ids if tokens.meaningful or not (names or not_read) else (),
            unknown_words=tuple(dict.fromkeys(not_read)),
            names=tuple(dict.fromkeys(text[word.start : word.end] for word in names)),
        )

    def _is_placed(self, word: ListedWord) -> bool:
        return self._placed is not None and word.form in self._placed

    def _is_unknown(self, word: ListedWord) -> bool:
        if word.form.isascii():
            return self._is_open and word.kind == "unlisted" and word.form.isalpha()
        if len(word.form) == 1:
            return False
        return word.kind == "unlisted" or (self._placed is not None and not self._is_placed(word))


def load_placed_words(path: Path) -> frozenset[str]:
    """Return the words of a file that lies beside an encoder's weights: compressed, one a line."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return frozenset(file.read().split("\n"))


def write_placed_words(path: Path, words: Iterable[str]) -> None:
    """Write the file that `load_placed_words` reads; the same words give the same bytes."""
    path.write_bytes(gzip.compress("\n".join(sorted(words)).encode(), mtime=0))


def _without(text: str, words: Iterable[ListedWord]) -> str:
    """Return a text with a space for each of the words, which stand in order; as it is where there are none."""
    parts: list[str] = []
    end = 0
    for word in words:
        parts.append(text[end : word.start])
        end = word.end
    return " ".join([*parts, text[end:]])
