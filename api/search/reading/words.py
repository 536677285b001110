"""What only words can match: what stands in quotation marks, names of files, plates, models and other numbers.

All patterns are of folded text (see `fold_text`), in which a plate's letters are small.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from api.search.options import SpanKind
from models.pictures.formats import SUFFIXES

_QUOTED: Final = re.compile(r'"(?P<d>[^"]+)"|「(?P<c>[^」]+)」|『(?P<w>[^』]+)』|《(?P<t>[^》]+)》|【(?P<b>[^】]+)】')
_ENDINGS: Final = "|".join(sorted((re.escape(one) for one in SUFFIXES), key=len, reverse=True))
_FILE: Final = re.compile(
    rf"""(?<![a-z0-9])(?:
        [\w\-()~@+.]+(?:{_ENDINGS})(?![\w])  # it ends like a picture's
        |_?(?:img|dsc[nf]?|pxl|mvimg|wx_camera|mmexport|vid|scan|screenshot|gopr|dji)[_-]?\d{{3,}}[\w\-()]*
         (?:\.[a-z0-9]{{2,4}}(?![\w]))?  # a camera's
    )""",
    re.VERBOSE,
)
_PLATE: Final = re.compile(
    r"[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼港澳使领][a-z]"
    # What follows the letter, or that nothing does: 新T恤 and 新A4纸 have no plates.
    r"(?:[·.\s-]?(?=[a-z]*\d)[a-z0-9]{2,6}(?![a-z0-9])|(?=[的车牌开,，、。\s]|$))"
)
# How many or how much of something a number is.
_MEASURE: Final = re.compile(r"\s*(?:[元块米步个张万人字页克斤年天次瓶岁]|公里|毫升|小时|分钟)")
# A word of letters and digits, or with three digits and more, parts of it joined by - / . or _.
_CODE: Final = re.compile(r"(?<![a-z0-9])[a-z0-9]+(?:[-/._#][a-z0-9]+)*(?![a-z0-9])")
_COMMON: Final = re.compile(
    r"\d{1,2}d|\d+(?:st|nd|rd|th|s|k|p|x|px|mm|cm|m|km|kg|g)|[a-z]\d?|mp[34]|[2-6]g|\d{3,4}p|\d+x\d+|\d+/\d+"
)
_LEAST_DIGITS: Final = 4  # of a word of digits alone


@dataclass(frozen=True, slots=True)
class Literal:
    """Something that is to be found as it stands; `said` is without its quotation marks."""

    kind: SpanKind
    start: int
    end: int
    said: str


def find_literals(text: str, folded: str) -> Iterator[Literal]:
    """Yield what of a text only words can match, none within another, from left to right."""
    taken = [False] * len(text)
    for kind, start, end, said in _find(text, folded):
        if not any(taken[start:end]):
            taken[start:end] = [True] * (end - start)
            yield Literal(kind, start, end, said)


def _find(text: str, folded: str) -> Iterator[tuple[SpanKind, int, int, str]]:
    for match in _QUOTED.finditer(folded):
        start, end = match.span(match.lastgroup or 0)
        if text[start:end].strip():
            yield "quoted", *match.span(), text[start:end].strip()
    for match in _FILE.finditer(folded):
        yield "file", *match.span(), text[slice(*match.span())]
    for match in _PLATE.finditer(folded):
        yield "code", *match.span(), text[slice(*match.span())]
    for match in _CODE.finditer(folded):
        counts = match[0].isdigit() and _MEASURE.match(folded, match.end())
        if _is_code(match[0]) and not counts:
            yield "code", *match.span(), text[slice(*match.span())]


def _is_code(word: str) -> bool:
    """Say whether a word is a model, a plate or a number, and no measure, year or ordinal."""
    if _COMMON.fullmatch(word):
        return False
    letters, digits = sum(char.isalpha() for char in word), sum(char.isdigit() for char in word)
    if not letters:
        return digits >= _LEAST_DIGITS and not re.fullmatch(r"(?:19|20)\d\d", word)
    return digits > 0
