"""Names of the places where pictures of a library were taken, and where they stand in a text."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from models.language.text import fold_text
from models.language.word_list import load_word_list

_HAN = re.compile(r"[\u3400-\u9fff]+")
_ENDING = "(?:市(?![民区场长政中内])|省|区|县|镇|州)?"
_ZH_CUE = re.compile(r"(?:在|去|到|从|往|来自|位于|于)$")
_EN_CUE = re.compile(r"(?<![a-z])(?:in|at|near|from|around|to)(?: the)? $")
_AWAY = re.compile(r"(?:不|没|没有|(?<![a-z])not |(?<![a-z])outside (?:of )?)$")
_LEAST_LATIN = 3  # letters of a name


@dataclass(frozen=True, slots=True)
class NamedPlace:
    """A place in a text; `cued`: the text says that it is one ("in Paris", "杭州市", but not "in the bath")."""

    start: int
    end: int
    said: str
    cued: bool


class PlaceNames:
    """Names of places, each in Chinese and English."""

    def __init__(self, values: Iterable[str]) -> None:
        """Take values of the field `place`, such as "西湖 Xihu, 杭州 Hangzhou, 中国 China"."""
        names: set[str] = set()
        for value in values:
            for place in value.split(", "):
                chinese = _HAN.match(place)
                latin = place[chinese.end() if chinese else 0 :].strip()
                names |= {name for name in (chinese[0] if chinese else "", latin) if name}
        han = {fold_text(name) for name in names if _HAN.match(name) and len(name) > 1}
        latin_names = {fold_text(name) for name in names if not _HAN.match(name) and len(name) >= _LEAST_LATIN}
        self._patterns = [
            re.compile(f"(?P<name>{_any_of(han)}){_ENDING}") if han else None,
            re.compile(rf"(?<![a-z])(?P<name>{_any_of(latin_names)})(?![a-z])") if latin_names else None,
        ]

    def find(self, text: str, folded: str) -> Iterator[NamedPlace]:
        """Yield the places of a text; `folded` is the same text folded.

        None is in a longer word, as 大理 is in 大理石, nor where the text leads away from it.
        """
        if not any(self._patterns):
            return
        words = load_word_list().read(folded)
        for pattern, cue in zip(self._patterns, (_ZH_CUE, _EN_CUE), strict=True):
            for match in pattern.finditer(folded) if pattern else ():
                start, end = match.span("name")
                ordinary = [one for one in words if one.kind == "ordinary" and one.start <= start and end <= one.end]
                before = cue.search(folded, 0, start)
                if _AWAY.search(folded, 0, before.start() if before else start):
                    continue
                if any(end - start < one.end - one.start for one in ordinary) and match.end() == end:
                    continue
                other = bool(ordinary) and not text[start].isupper()  # in the bath, in orange, but in Bath
                cued = match.end() > end or (before is not None and not other)
                start = before.start() if before and cued else start
                yield NamedPlace(start, match.end(), text[slice(*match.span("name"))], cued)


def _any_of(names: Iterable[str]) -> str:
    return "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
