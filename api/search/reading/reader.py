"""A text -> what it says, piece by piece. Nothing of it is lost: together the pieces are the text."""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import date
from itertools import pairwise

from api.search.reading.dates import find_dates
from api.search.reading.places import PlaceNames
from api.search.reading.spans import Span
from api.search.reading.words import find_literals
from models.language.text import fold_text, is_han

# What joins a date or a place to the rest, and says nothing by itself.
# 照片, 时装 and 下午 are not what joins: such a word ends where 的, a sign or the next span stands.
_BEHIND = re.compile(
    r"\s*(?:'s(?![a-z]))?(?:的时候|[里时](?=[的拍照录,，、\s]|$))?(?:我们?(?=所?[拍照录]|的?(?:[,，、\s]|$)))?"
    r"(?:所?(?:拍摄|拍|照|录)[下到]?(?=[的,，、\s]|$))?的?[,，、\s]*"
)
_BEFORE = re.compile(
    r"(?:(?:^|(?<=\s))我们?|(?:拍摄|拍|照)(?:于|自)|(?:我们?)?在|(?<![a-z])(?:taken|shot|photographed|made|from) )\s*$"
)
_PICTURES = r"的?(?:照片|图片|相片|图像|图)|(?:the )?(?:photos?|pictures?|images?|pics?)"
_SIGNS = r"[\s!-/:-@\[-`{-~，、。；：？！…·—～“”‘’（）《》【】]*"
_NOTHING = re.compile(rf"{_SIGNS}(?:{_PICTURES})?{_SIGNS}")


# "视频里的狗", "a video of a dog", "dog video": in the middle of a text they are a word like others.
_VIDEO = re.compile(
    r"(?P<zh>视频|录像|影片|短片)(?:里|中|当中)的?"
    r"|(?P<first>^(?:a |the )?(?:videos?|clips?|footage)) (?:of|with|showing) |^(?P<begin>视频|录像)[:：\s]"
    r"|(?<![a-z])(?:in |on )?(?:a |the )?(?P<last>videos?|clips?|footage)\s*$|的?(?P<end>视频|录像)\s*$"
)


def read_text(
    text: str, places: PlaceNames, today: date, plain: Collection[str] = (), *, videos: bool = False
) -> tuple[Span, ...]:
    """Return the spans of a text, from its beginning to its end.

    What is in `plain`, as a span says it, is read as nothing but what a picture shows. `videos`: there are some, so
    that it is read where one is asked for.
    """
    folded = fold_text(text)
    unread = {fold_text(one) for one in plain}
    found: list[Span] = []
    literals = list(_literals(text, folded))
    codes = [span for span in literals if span.kind == "code"]
    surer = [span for span in literals if span.kind != "code"]
    asked = _videos(text, folded) if videos else ()
    for span in (*surer, *_dates(text, folded, today), *codes, *_places(text, folded, places), *asked):
        apart = all(span.end <= other.start or other.end <= span.start for other in found)
        if apart and fold_text(span.said) not in unread:
            found.append(span)
    joined = _join(folded, sorted(found, key=lambda span: span.start))
    return tuple(_with_scenes(text, joined))


def scene_of(spans: Sequence[Span]) -> str:
    """Return what a picture may show of what a text says, "" where that is nothing."""
    shown, end = "", 0
    for span in spans:
        if said := span.said if span.kind == "scene" else span.shown:
            joins = shown and span.start == end and is_han(shown[-1]) and is_han(said[0])
            shown, end = f"{shown}{'' if joins else ' '}{said}".strip(), span.end
    return "" if _NOTHING.fullmatch(fold_text(shown)) else shown


def _literals(text: str, folded: str) -> Iterator[Span]:
    for one in find_literals(text, folded):
        yield Span(kind=one.kind, start=one.start, end=one.end, said=one.said)


def _dates(text: str, folded: str, today: date) -> Iterator[Span]:
    for one in find_dates(folded, today):
        said = text[one.start : one.end].strip()
        yield Span(kind="date", start=one.start, end=one.end, said=said, shown=one.shown, period=one.period)


def _places(text: str, folded: str, places: PlaceNames) -> Iterator[Span]:
    for one in places.find(text, folded):
        yield Span(kind="place", start=one.start, end=one.end, said=one.said, shown="" if one.cued else one.said)


def _videos(text: str, folded: str) -> Iterator[Span]:
    for match in _VIDEO.finditer(folded):
        said = text[slice(*match.span(match.lastgroup or 0))]
        yield Span(kind="video", start=match.start(), end=match.end(), said=said)


def _join(folded: str, spans: Sequence[Span]) -> list[Span]:
    """Return dates and places with what joins them to the rest, as far as no other span has it."""
    joined: list[Span] = []
    limits = [*(span.start for span in spans), len(folded)][1:]
    for span, limit in zip(spans, limits, strict=True):
        start, end = span.start, span.end
        if span.kind in ("date", "place") and not span.shown:
            before = _BEFORE.search(folded, joined[-1].end if joined else 0, start)
            behind = _BEHIND.match(folded, end, limit)
            start, end = before.start() if before else start, behind.end() if behind else end
        joined.append(replace(span, start=start, end=end))
    return joined


def _with_scenes(text: str, spans: Sequence[Span]) -> Iterator[Span]:
    """Yield spans and what lies between them, all of the text."""
    edges = [Span(kind="scene", start=0, end=0, said=""), *spans, Span(kind="scene", start=len(text), end=0, said="")]
    for one, following in pairwise(edges):
        if one.end < following.start:
            piece = text[one.end : following.start]
            yield Span(kind="scene", start=one.end, end=following.start, said=piece.strip())
        if following in spans:
            yield following
