"""Texts -> tokens, as SQLite's full-text index (FTS5) takes them.

SQLite's own tokenisers find no Chinese word of two characters, so texts are split here: what is written without
spaces (Chinese, Japanese, Korean, Thai) into single characters, everything else into words and numbers, without case
and accents. A single character reaches the index together with the one behind it: 西湖边 as 西湖, 湖边, 边. So any part
of a Chinese text is found, and two characters, which most words have, by looking up one token.
"""

import re
import threading
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise

import snowballstemmer

from models.foundation.text_encoding import read_name
from models.language.text import normalize_text
from models.pictures.formats import SUFFIXES

# Scripts without spaces: Thai to Burmese, Khmer, kana, ideographs, Hangul.
_SINGLE = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff"
_SINGLE += "\U00020000-\U0003ffff"
_TOKEN = re.compile(rf"[{_SINGLE}]|\d+|[^\W\d_{_SINGLE}]+")
_HUMP = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_SINGLE_CHAR = re.compile(f"[{_SINGLE}]")
_ACCENTED_BELOW = 0x530  # Latin, Greek and Cyrillic
_LEAST_STEMMED = 4  # letters; shorter words have no other form, or one that begins with them


def split_words(text: str) -> str:
    """Return the words of a text as the index takes them, spaces between them."""
    return " ".join(pair_up(list(list_tokens(text))))


def name_words(path: str) -> str:
    """Return the words of a picture's folders and name, "BeijingTrip" also as two, without the kind of file."""
    folder, _, name = path.rpartition("/")
    folder, stem = "/".join(map(read_name, folder.split("/"))), read_name(without_suffix(name))
    return " ".join(filter(None, (_folder_words(folder), " ".join(pair_up(list(list_tokens(stem, humps=True)))))))


def list_tokens(text: str, *, humps: bool = False) -> Iterator[str]:
    """Yield the tokens of a text. With `humps` a word such as BeijingTrip is followed by itself in one."""
    if not text.isascii():
        text = normalize_text(text)
    for token in _TOKEN.findall(text):
        plain = _without_accents(token)
        pieces = _HUMP.findall(plain) if humps and plain.isascii() else ()
        if len(pieces) > 1:
            yield from (piece.casefold() for piece in pieces)
        yield plain.casefold()


def pair_up(tokens: Sequence[str]) -> list[str]:
    """Return tokens as the index has them: a single character with the one behind it."""
    pairs = [first + second if is_single(first) and is_single(second) else first for first, second in pairwise(tokens)]
    return [*pairs, *tokens[-1:]]


def is_single(token: str) -> bool:
    """Say whether a token is a character of a script without spaces."""
    return _SINGLE_CHAR.match(token) is not None


def stem_of(word: str) -> str:
    """Return the stem of an English word; of what is none, the same."""
    if len(word) < _LEAST_STEMMED or not (word.isascii() and word.isalpha()):
        return word
    return _stem(word)


def without_suffix(name: str) -> str:
    """Return a name without the ending of a picture file."""
    stem, dot, suffix = name.rpartition(".")
    return stem if stem and dot + suffix.lower() in SUFFIXES else name


_lock = threading.Lock()
_stemmer = snowballstemmer.stemmer("english")


@lru_cache(maxsize=65_536)
def _stem(word: str) -> str:
    with _lock:
        stem: str = _stemmer.stemWord(word)
        return stem


def _without_accents(token: str) -> str:
    """Return a token without the accents of Latin, Greek and Cyrillic; those of other scripts make other letters."""
    if token.isascii() or ord(token[0]) >= _ACCENTED_BELOW:
        return token
    return "".join(char for char in unicodedata.normalize("NFD", token) if not unicodedata.combining(char))


@lru_cache(maxsize=4096)
def _folder_words(folder: str) -> str:
    return " ".join(pair_up(list(list_tokens(folder, humps=True))))
