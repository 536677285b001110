"""Chinese texts -> how they sound, so that beijing and bj find 北京."""

import re
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from importlib.util import find_spec
from itertools import islice, pairwise

from models.foundation.errors import BackendNotInstalled
from models.language.text import normalize_text

_HAN = re.compile(r"[\u3007\u3400-\u9fff]+")
_SOUND, _INITIAL = "1", "0"  # stand before syllables and initials; no word of a text is such a token
_MOST_READINGS, _MOST_WAYS = 8, 64  # of what can be parted in several ways: xian is 先, and 西安
_LONGEST_SYLLABLE = 6  # letters: zhuang
_NO_SYLLABLES = {"m", "n", "ng", "hm", "hng", "ê"}
_LEAST_INITIALS, _MOST_INITIALS = 2, 8


def is_installed() -> bool:
    """Say whether it can be told how Chinese sounds."""
    return find_spec("pypinyin") is not None


def sounds_of(text: str) -> str:
    """Return how the Chinese in a text sounds, as tokens of the index: syllables in pairs, and initials in pairs.

    北京人 is "1beijing 1jingren 1ren 0bj 0jr 0r". Raises BackendNotInstalled.
    """
    spoken = [_syllables(run) for run in _HAN.findall(text if text.isascii() else normalize_text(text))]
    return " ".join(token for syllables in spoken for token in (*_sounds(syllables), *_initials(syllables)))


def spell(text: str) -> tuple[str, ...]:
    """Return the syllables of the Chinese in a text, without tones: hang, zhou. Raises BackendNotInstalled."""
    return tuple(syllable for run in _HAN.findall(text) for syllable in _syllables(run))


def list_sounds(word: str) -> list[list[str]]:
    """Return what a word of Latin letters may be pinyin of, in whole syllables, as tokens. Raises BackendNotInstalled.

    Of a syllable alone the token is the beginning of those that the index has.
    """
    if not (word.isascii() and word.isalpha()):
        return []
    return [_without_end(_sounds(syllables)) for syllables in _part(word.lower())]


def list_initials(word: str) -> list[str]:
    """Return the tokens of a word of which each letter may be the beginning of a syllable; none of another word."""
    usable = word.isascii() and word.isalpha() and not set(word.lower()) & set("iuv")
    if not usable or not _LEAST_INITIALS <= len(word) <= _MOST_INITIALS:
        return []
    return _without_end(_initials(word.lower()))


def _without_end(tokens: list[str]) -> list[str]:
    """Return tokens without the last, which in the index may be one with what follows."""
    return tokens[:-1] or tokens


def _pairs(syllables: Sequence[str]) -> list[str]:
    return [*(first + second for first, second in pairwise(syllables)), *syllables[-1:]]


def _sounds(syllables: Sequence[str]) -> list[str]:
    return [_SOUND + pair for pair in _pairs(syllables)]


def _initials(syllables: Sequence[str]) -> list[str]:
    return [_INITIAL + pair for pair in _pairs([syllable[0] for syllable in syllables])]


@lru_cache(maxsize=65_536)
def _syllables(run: str) -> tuple[str, ...]:
    try:
        from pypinyin import Style, lazy_pinyin
    except ImportError as error:
        raise BackendNotInstalled("pypinyin", "pinyin") from error
    spoken = lazy_pinyin(run, style=Style.NORMAL, errors="ignore", v_to_u=False)
    return tuple(syllable for syllable in spoken if syllable.isascii() and syllable.isalpha())


@cache
def _all_syllables() -> frozenset[str]:
    try:
        from pypinyin import Style
        from pypinyin.constants import PINYIN_DICT
        from pypinyin.style import convert
    except ImportError as error:
        raise BackendNotInstalled("pypinyin", "pinyin") from error
    said = {one for readings in PINYIN_DICT.values() for one in readings.split(",")}
    return frozenset(convert(one, Style.NORMAL, strict=True) for one in said) - _NO_SYLLABLES


def _part(word: str) -> list[tuple[str, ...]]:
    """Return the ways to part a word into syllables, those of few syllables first."""
    return sorted(islice(_ways(word), _MOST_WAYS), key=len)[:_MOST_READINGS]


def _ways(word: str) -> Iterator[tuple[str, ...]]:
    """Yield the ways to part a word into syllables; no way is gone that does not lead to its end."""
    leads = [*(False for _ in word), True]  # by place: what follows can be parted
    for start in reversed(range(len(word))):
        leads[start] = any(leads[end] for end in _ends(word, start))
    return _ways_from(word, 0, leads)


def _ways_from(word: str, start: int, leads: Sequence[bool]) -> Iterator[tuple[str, ...]]:
    if start == len(word):
        yield ()
        return
    for end in _ends(word, start):
        if leads[end]:
            for rest in _ways_from(word, end, leads):
                yield (word[start:end], *rest)


def _ends(word: str, start: int) -> list[int]:
    """Return where syllables that begin at a place of a word end, the longest first."""
    ends = range(min(start + _LONGEST_SYLLABLE, len(word)), start, -1)
    return [end for end in ends if word[start:end] in _all_syllables()]
