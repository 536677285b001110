"""Text -> token ids, without torch."""

import json
import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

_RUN = re.compile(r"[a-z0-9']+|[\u4e00-\u9fff]+")
_PLURAL = re.compile(r"(?<=..)(?:s|es)$")


@dataclass(frozen=True, slots=True)
class TokenizedText:
    """Token ids without padding, at most the context length; and the words that gave no token."""

    ids: tuple[int, ...]
    unknown_words: tuple[str, ...]
    truncated: bool


class NgramTokenizer:
    """Splits a text into an unordered bag of n-grams.

    An English word gives itself, without its plural ending, and a pair with the next English word; a run of
    Chinese characters gives each character and each pair of neighbours. Id 0 is padding. Tokens outside the
    vocabulary are dropped.
    """

    def __init__(self, path: Path) -> None:
        description = json.loads(path.read_text(encoding="utf-8"))
        self.context_length: int = description["max_len"]
        self._ids = {token: number for number, token in enumerate(description["vocab"], start=1)}

    def tokenize(self, text: str) -> TokenizedText:
        """Return the ids in the order: runs from left to right, then English word pairs."""
        text = text.lower()
        tokens: list[str] = []
        english: list[str] = []
        unknown = _words_outside_runs(text)
        for run in _RUN.findall(text):
            grams = _chinese_grams(run) if run[0] >= "\u4e00" else [_singular(run)]
            if run[0] < "\u4e00":
                english += grams
            if not any(gram in self._ids for gram in grams):
                unknown.append(run)
            tokens += grams
        tokens += [f"{left}_{right}" for left, right in pairwise(english)]
        ids = [self._ids[token] for token in tokens if token in self._ids]
        return TokenizedText(
            ids=tuple(ids[: self.context_length]),
            unknown_words=tuple(dict.fromkeys(unknown)),
            truncated=len(ids) > self.context_length,
        )


def _singular(word: str) -> str:
    return _PLURAL.sub("", word) if len(word) > 3 and not word.endswith("ss") else word


def _chinese_grams(run: str) -> list[str]:
    return [*run, *(run[i : i + 2] for i in range(len(run) - 1))]


def _words_outside_runs(text: str) -> list[str]:
    """Return the words in other scripts, and symbols such as emoji; punctuation is no word."""
    rest = _RUN.sub(" ", text)
    return [word for word in rest.split() if any(char.isalnum() or ord(char) > 0x2FFF for char in word)]
