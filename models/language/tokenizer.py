"""Text -> token ids, without torch."""

import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path
from typing import Protocol

_RUN = re.compile(r"[a-z0-9']+|[\u4e00-\u9fff]+")
_ACCENTS = re.compile(r"(?<=[a-z])[\u0300-\u036f]+")
_PLURAL = re.compile(r"(?<=..)(?:s|es)$")
_BRITISH_OUR = re.compile(r"(?<=[a-z]{2})our(?=$|s$|ful|ite|ed$|ing$)")
_BRITISH_TRE = re.compile(r"(?<=[a-z]{2})tre(?=s?$)")


# Words that say nothing of a picture on their own: a text of nothing else gives no meaningful vector.
_ENGLISH_FUNCTION_WORDS = (
    "a an the of in on at by to for from with without and or no not is are was be it its this that some any "
    "photo picture image ' 's"
)
_CHINESE_FUNCTION_WORDS = "的了着在和与或是有没不个只张条一二两几这那里上下中图片照"
_FUNCTION_WORDS = frozenset(_ENGLISH_FUNCTION_WORDS.split()) | frozenset(_CHINESE_FUNCTION_WORDS)


@dataclass(frozen=True, slots=True)
class TokenizedText:
    """Token ids without padding, at most the context length; and the words that gave no token.

    `meaningful`: at least one token says something of a picture. `names` are words left out as names of persons,
    brands, places or works, which the encoder does not know.
    """

    ids: tuple[int, ...]
    unknown_words: tuple[str, ...]
    truncated: bool
    meaningful: bool
    names: tuple[str, ...] = ()


class Tokenizer(Protocol):
    """What a text tower reads through."""

    context_length: int

    def tokenize(self, text: str) -> TokenizedText:
        """Return the ids of a text, and what is not understood of it."""
        ...


class NgramTokenizer:
    """Splits a text into an unordered bag of n-grams.

    An English word gives itself, without its plural ending, and a pair with the next English word; a run of
    Chinese characters gives each character and each pair of neighbours. Id 0 is padding. Letters lose their accents.
    An English word outside the vocabulary is read without its apostrophes ("cat's"), or as its Chinese translation,
    where the tokenizer's dictionary has one; other tokens outside it are dropped.
    """

    def __init__(self, path: Path) -> None:
        description = json.loads(path.read_text(encoding="utf-8"))
        self.context_length: int = description["max_len"]
        self._ids = {token: number for number, token in enumerate(description["vocab"], start=1)}
        self._translations: dict[str, str] = description.get("translations", {})

    def tokenize(self, text: str) -> TokenizedText:
        """Return the ids in the order: runs from left to right, then English word pairs."""
        text = without_accents(text.lower())
        unknown = words_outside_runs(text)
        tokens: list[str] = []
        english: list[str] = []
        for run in _RUN.findall(text):
            if run[0] < "\u4e00":
                english.append(next((form for form in _forms(run) if form in self._ids), _singular(run)))
                found = [english[-1]] if english[-1] in self._ids else self._translate(run)
                unknown += [] if found else [run]
            else:
                found = [gram for gram in _chinese(run) if gram in self._ids]
                understood = {char for gram in found for char in gram}
                parts = groupby(run, key=understood.__contains__)
                unknown += ["".join(part) for is_understood, part in parts if not is_understood]
            tokens += found
        known = tokens + [pair for pair in _pairs(english) if pair in self._ids]
        return TokenizedText(
            ids=tuple(self._ids[token] for token in known[: self.context_length]),
            unknown_words=tuple(dict.fromkeys(unknown)),
            truncated=len(known) > self.context_length,
            meaningful=any(says_something(token) for token in known),
        )

    def _translate(self, word: str) -> list[str]:
        """Return the known tokens of an English word's Chinese."""
        chinese = next((self._translations[form] for form in _forms(word) if form in self._translations), "")
        return [gram for gram in _chinese(chinese) if gram in self._ids]


def ngrams(text: str) -> list[str]:
    """Split a text into tokens: runs from left to right, then the pairs of English words."""
    tokens: list[str] = []
    english: list[str] = []
    for run in _RUN.findall(text.lower()):
        if run[0] < "\u4e00":
            english.append(_singular(run))
            tokens.append(english[-1])
        else:
            tokens += _chinese(run)
    return tokens + _pairs(english)


def _pairs(english: list[str]) -> list[str]:
    return [f"{left}_{right}" for left, right in pairwise(english)]


def _chinese(run: str) -> list[str]:
    return [*run, *(left + right for left, right in pairwise(run))]


def says_something(token: str) -> bool:
    """Say whether a token, or a pair of English ones, says anything of a picture on its own."""
    parts = token.split("_") if token.isascii() else token
    return not _FUNCTION_WORDS.issuperset(parts)


def _singular(word: str) -> str:
    return _PLURAL.sub("", word) if len(word) > 3 and not word.endswith("ss") else word


def without_accents(text: str) -> str:
    """Return a text with "cafe" for "café"; other scripts keep their marks."""
    if text.isascii():
        return text
    return unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFD", text)))


def _forms(word: str) -> Iterator[str]:
    """Yield how an English word may stand in a vocabulary: without its plural ending, in American spelling, bare."""
    for spelling in dict.fromkeys((word, _BRITISH_OUR.sub("or", word), _BRITISH_TRE.sub("ter", word))):
        yield _singular(spelling)
        if len(spelling) > 3 and spelling.endswith("s"):
            yield spelling[:-1]
            if spelling.endswith("ies"):
                yield f"{spelling[:-3]}y"
        yield _singular(f"{spelling}s")  # "noodles" may have become "noodl"
    bare = word.strip("'").removesuffix("'s")
    if bare and bare != word:
        yield from _forms(bare)


def words_outside_runs(text: str) -> list[str]:
    """Return the words in other scripts, and symbols such as emoji; punctuation is no word."""
    return [word for word in _RUN.sub(" ", text).split() if any(map(is_sign, word))]


def is_sign(char: str) -> bool:
    """Say whether a character is a letter, a number or a symbol such as an emoji: something that may mean a thing."""
    category = unicodedata.category(char)
    return category[0] in "LN" or category in ("So", "Cn")  # emoji newer than Python's tables are in the latter
