"""Query text as people type it -> query text as encoders expect it."""

import re
import unicodedata
from functools import cache
from typing import Literal, Protocol, TypeAlias

Language: TypeAlias = Literal["zh", "en", "mixed", "other"]

_HAN = re.compile(r"[\u3007\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_KANA_OR_HANGUL = re.compile(r"[\u3041-\u309f\u30a1-\u30fa\u30fd-\u30ff\uac00-\ud7af]")  # not the dot of 哈利・波特
_LATIN = re.compile(r"[^\W\d_]+")
_ACRONYM = re.compile(r"[A-Z]{1,4}|[a-z]")  # T恤, KTV, 3D: words of Chinese
_QUOTES = str.maketrans({"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"'})


class _Converter(Protocol):
    def convert(self, text: str) -> str: ...


def normalize_text(text: str) -> str:
    """Return `text` in the one form encoders see.

    Unicode NFKC (full-width letters and digits become ordinary ones), straight quotes, no control or format
    characters, single spaces, and Traditional Chinese characters replaced by Simplified ones (OpenCC, t2s).
    """
    text = unicodedata.normalize("NFKC", text).translate(_QUOTES)
    if not text.isprintable():  # the only space that is printable is the ordinary one
        text = "".join(" " if char.isspace() else char for char in text if char.isspace() or _is_visible(char))
    text = " ".join(text.split())
    return _simplifier().convert(text) if _HAN.search(text) else text


def detect_language(text: str) -> Language:
    """Return the language of a text, or of a clause: "mixed" is Chinese and English, as in "红色 dress".

    Words in Latin letters are taken for English, ideographs for Chinese unless kana or Hangul stand beside them. What
    has no letter is "other".
    """
    text = unicodedata.normalize("NFKC", text)
    if _KANA_OR_HANGUL.search(text):
        return "other"
    words = [word for word in _LATIN.findall(_HAN.sub(" ", text)) if unicodedata.name(word[0], "").startswith("LATIN")]
    if not _HAN.search(text):
        return "en" if words else "other"
    return "mixed" if any(not _ACRONYM.fullmatch(word) for word in words) else "zh"


def is_han(char: str) -> bool:
    """Say whether a character is an ideograph."""
    return _HAN.match(char) is not None


def fold_text(text: str) -> str:
    """Return a text in lower case, half width and Simplified Chinese, with every character where it was.

    What is found in it stands at the same place in `text`.
    """
    folded = "".join(map(_fold_char, text.translate(_QUOTES)))
    if not _HAN.search(folded):
        return folded
    simplified = _simplifier().convert(folded)
    return simplified if len(simplified) == len(text) else folded


def _fold_char(char: str) -> str:
    if unicodedata.category(char) == "Cs":
        return "\ufffd"  # half of a character, which has no form outside Python
    folded = unicodedata.normalize("NFKC", char).lower()
    return folded if len(folded) == 1 else char


def _is_visible(char: str) -> bool:
    return unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Co", "Cn")


@cache
def _simplifier() -> _Converter:
    import opencc

    converter: _Converter = opencc.OpenCC("t2s")
    return converter
