"""A text -> what to look for, and what to stay away from."""

import re
from dataclasses import dataclass

from api.search.negation import chinese, chinese_words, english, english_words
from api.search.negation.cuts import QUOTED, Cut, mask, without_overlaps
from models.language.text import fold_text

_MARKED = (
    ('(?<![a-z0-9])"', '"'),
    ("(?<![a-z0-9])'", "'(?![a-z0-9])"),
    ("「", "」"),
    ("『", "』"),
    ("《", "》"),
    ("【", "】"),
)
_QUOTATION = re.compile("|".join(rf"{left}\s*+[^{right[0]}]+{right}" for left, right in _MARKED))

# What is left at the ends of a text when a negation is gone from there, and asks for nothing.
_MARKS = r"[\s,，。.;；、!！?？:：…|/–—-]"
_JOINTS = r"(?:and|but|or|yet|with|that|which|who|is|are|there|has|have|please)"
_ASKING = r"""
    我?(?:想要|想找|想看|只?要(?![塞点闻素])|找(?!茬))(?=.) | 请?给我 | 请?帮我(?=找) | 有没有(?=.) | 我(?=\s*$)"""
_ASKS = re.compile(f"(?:{_ASKING})+", re.VERBOSE)
_BEFORE = re.compile(
    rf"""
    (?: {_MARKS} | 的(?!士) | 而是? | 但是?(?!丁) | 可是 | 和(?![服平尚牛风室谐田面果弦纸]) | 与(?!众) | {_JOINTS}\b
      | {_ASKING} )+
    """,
    re.VERBOSE,
)
_AFTER = re.compile(rf"(?:{_MARKS}|但是?|可是|而|并且|且|和|与|的|\b{_JOINTS})+$")
_NOTHING = re.compile(
    r"""
    (?: [一这那几些张幅个的] | 任何|所有|其[他它]|什么 | 照片|图片|相片|图像|画面|素材|图 | 东西|内容
      | 都?可以|[都就也]行|即可|就好 | \s )+
  | (?: (?: an? | the | any | some | all | of | show | me | find | i | want | please | photos? | pictures? | images?
          | pics? | something | anything | everything | others? | can | be | seen )\b \s* )+
    """,
    re.VERBOSE,
)
_EMPTIED = re.compile(r"[(（\[]\s*[)）\]]")
_COMMAS = re.compile(r"\s*([,，;；、])(?:\s*[,，;；、])*")
_NOBODY = re.compile(r"(?:any|no)body|(?:any|no[\s-])one")
_HAN = re.compile(r"[\u3400-\u9fff]")
# 戴帽子没戴眼镜的男人 keeps its 的, 一只没戴眼镜的猫 does not.
_KEEPS_PARTICLE = re.compile(r"[^\s,，。.;；、个只辆张条片些位名群种匹头棵朵座把件对双在是有到和与拍找看要的]$")


@dataclass(frozen=True, slots=True)
class Negative:
    """What a text says to stay away from, and the words that say so: those from `start` to `end`.

    `text` is one of these words, but "people" for nobody.
    """

    text: str
    words: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class ParsedNegation:
    """`positive` is what is left to look for, and empty where nothing is, as in "a photo without people"."""

    positive: str
    negatives: tuple[Negative, ...]


def parse_negation(text: str) -> ParsedNegation:
    """Tell what a text asks for from what it negates, in Chinese, English or both.

    "没戴眼镜的猫" is a cat (猫) away from 戴眼镜. What stands in quotation marks is not read, except after a minus. A
    text that negates nothing comes back as it is.
    """
    folded = mask(fold_text(text), _QUOTATION, QUOTED)
    for literal in (chinese_words.LITERAL, english_words.LITERAL):
        folded = mask(folded, literal)
    cuts = without_overlaps([*chinese.find_cuts(folded), *english.find_cuts(folded)])
    negatives = tuple(
        Negative(_name(folded, text, start, end), text[cut.start : cut.end], cut.start, cut.end)
        for cut in cuts
        for start, end in cut.things
    )
    return ParsedNegation(_without(text, cuts) if cuts else text, negatives)


def _name(folded: str, text: str, start: int, end: int) -> str:
    """Return the name of what stands there."""
    return "people" if _NOBODY.fullmatch(folded, start, end) else text[start:end]


def _without(text: str, cuts: list[Cut]) -> str:
    """Return what is left of a text, without words that now join nothing; empty where nothing is left to look for."""
    leads = _BEFORE.fullmatch(fold_text(text[: cuts[0].start]) + " ") is not None
    trails = _AFTER.fullmatch(" " + fold_text(text[cuts[-1].end :])) is not None
    rest = text[: cuts[0].start]
    for cut, after in zip(cuts, [*(cut.start for cut in cuts[1:]), len(text)], strict=True):
        rest = _join(rest, text[cut.end : after])
    rest = " ".join(_COMMAS.sub(r"\1", _EMPTIED.sub(" ", rest)).split())
    if trails and (match := _AFTER.search(fold_text(rest))):
        rest = rest[: match.start()]
    if match := (_BEFORE if leads else _ASKS).match(fold_text(rest)):
        rest = rest[match.end() :]
    return "" if _NOTHING.fullmatch(fold_text(rest)) else rest


def _join(before: str, after: str) -> str:
    """Return two pieces of a text in one, that stood on both sides of a negation."""
    if after.startswith("的") and not _KEEPS_PARTICLE.search(fold_text(before)):
        after = after[1:]
    in_chinese = _HAN.match(before[-1:]) and _HAN.match(after)
    return before + ("" if in_chinese else " ") + after
