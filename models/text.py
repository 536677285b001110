"""Query text as people type it -> query text as encoders expect it."""

import re
import unicodedata
from functools import cache
from typing import Protocol

_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_QUOTES = str.maketrans({"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"'})


class _Converter(Protocol):
    def convert(self, text: str) -> str: ...


def normalize_text(text: str) -> str:
    """Return `text` in the one form encoders see.

    Unicode NFKC (full-width letters and digits become ordinary ones), straight quotes, no control or format
    characters, single spaces, and Traditional Chinese characters replaced by Simplified ones (OpenCC, t2s).
    """
    text = unicodedata.normalize("NFKC", text).translate(_QUOTES)
    text = "".join(" " if char.isspace() else char for char in text if char.isspace() or _is_visible(char))
    text = " ".join(text.split())
    return _simplifier().convert(text) if _HAN.search(text) else text


def _is_visible(char: str) -> bool:
    return unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Co", "Cn")


@cache
def _simplifier() -> _Converter:
    import opencc

    converter: _Converter = opencc.OpenCC("t2s")
    return converter
