"""Texts for training: the vocabulary, captions and names as token ids, drawn at random a batch at a time."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.language.tokenizer import NgramTokenizer, ngrams
from models.training.starter.pack import PackedPicture

LENGTH = 48  # tokens of a text at most
_SEEN_OFTEN = 9  # captions that hold a token, for the token to be worth its vector

TokenIds = NDArray[np.int64]  # (n, LENGTH), 0 is padding

TEMPLATES_EN = ("{}", "a photo of a {}", "a {} in the picture", "the {}", "a {}")
TEMPLATES_ZH = ("{}", "一张{}的照片", "图中有{}", "一个{}", "{}")


def vocabulary(pictures: Sequence[PackedPicture], names: Iterable[str], words: Iterable[str], size: int) -> list[str]:
    """Return the tokens worth knowing: those that training captions hold often, of every name, then of `words`."""
    seen = Counter(
        token
        for picture in pictures
        if picture.training
        for caption in (*picture.captions_en, *picture.captions_zh, *picture.translations_zh)
        for token in set(ngrams(caption))
    )
    tokens = [
        token for token, count in sorted(seen.items(), key=lambda item: (-item[1], item[0])) if count >= _SEEN_OFTEN
    ]
    known = dict.fromkeys(tokens)
    for text in (*names, *words):
        if len(known) >= size:
            break
        known.update(dict.fromkeys(ngrams(text)))
    return list(known)


def translations(pairs: Iterable[tuple[str, str]], tokens: Iterable[str]) -> dict[str, str]:
    """Return the Chinese of English words that `tokens` lack, from pairs of Chinese and English, the common ones first.

    Words are as the tokenizer looks them up, and their Chinese is made of characters that it knows.
    """
    known = set(tokens)
    found: dict[str, str] = {}
    for zh, en in pairs:
        words = ngrams(en)
        if len(words) == 1 and words[0].isascii() and words[0] not in known and known.issuperset(zh):
            found.setdefault(words[0], zh)
    return found


def write_tokenizer(path: Path, tokens: Sequence[str], dictionary: Mapping[str, str]) -> None:
    """Write the file that the tokenizer of the encoder reads."""
    description = {"type": "ngram-bag", "max_len": LENGTH, "vocab": list(tokens), "translations": dict(dictionary)}
    path.write_text(json.dumps(description, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")


def read_tokens(path: Path) -> list[str]:
    """Return the vocabulary of a tokenizer's file."""
    tokens: list[str] = json.loads(path.read_text(encoding="utf-8"))["vocab"]
    return tokens


class TextReader:
    """Reads texts as token ids."""

    def __init__(self, tokenizer: Path) -> None:
        self._tokenizer = NgramTokenizer(tokenizer)

    def read(self, texts: Sequence[str]) -> TokenIds:
        """Return the ids of texts, padded to LENGTH."""
        ids = np.zeros((len(texts), LENGTH), np.int64)
        for row, text in enumerate(texts):
            found = self._tokenizer.tokenize(text).ids
            ids[row, : len(found)] = found
        return ids


def trimmed(ids: TokenIds) -> TokenIds:
    """Cut padding that every row has."""
    return ids[:, : max(1, int((ids > 0).sum(1).max()))]
