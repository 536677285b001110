"""Where a Chinese text negates something. All functions take folded text (see `fold_text`)."""

import re
from collections.abc import Iterator

from api.search.negation import chinese_words as words
from api.search.negation.cuts import Cut, trim

_MAX_THING = 20  # characters; what is longer is a sentence about something else


def find_cuts(text: str) -> Iterator[Cut]:
    """Yield what a text negates: first by 不, 没 and the like, from left to right, then by 除了 and 一个…都没有."""
    place = 0
    while match := words.NEGATOR.search(text, place):
        cut = _cut(text, match)
        if cut:
            yield cut
        place = cut.end if cut else match.end()
    yield from _exceptions(text)
    for match in words.NOT_ONE.finditer(text):
        yield Cut(*match.span(), (match.span("thing"),))


def _cut(text: str, match: re.Match[str]) -> Cut | None:
    """Return what a negation takes out of the text, without a 的 behind it; None where it negates nothing."""
    kind = next(name for name in words.KINDS if match[name])
    start = _skip(words.VERB, text, match.end()) if kind in ("want", "have") else match.end()
    stop = _stop(text, start)
    if kind == "class":
        named = start + len(match["part"] or match["thing"] or match["colour"] or match["sort"])
        stop = stop if words.AND.match(text, named) else named
    if kind == "want" and words.SIGN.search(text[start:stop]):
        return None
    end = _end_of_thing(text, start, stop, kind)
    things = tuple(_split(text, start, end))
    if not things or end - start > _MAX_THING:
        return None
    return Cut(match.start(), _skip(words.PRESENT, text, end), things)


def _skip(pattern: re.Pattern[str], text: str, place: int) -> int:
    match = pattern.match(text, place)
    return match.end() if match else place


def _stop(text: str, start: int) -> int:
    """Return where at the latest the thing ends that begins at `start`."""
    if words.MARK.match(text, start):
        return start
    match = words.STOP.search(text, start + 1)
    return match.start() if match else len(text)


def _end_of_thing(text: str, start: int, stop: int, kind: str) -> int:
    """Return where the negated thing ends: before 的, unless what 的 joins is one thing, as in 红色的车."""
    end = text.find("的", start, stop)
    if end < 0 or end + 1 == stop or kind == "be":
        return stop if end < 0 else end
    modifier = text[start:end]
    longer = text.find("的", end + 1, stop)
    if kind == "state":
        return longer if words.ADJECTIVE.fullmatch(modifier[1:]) and longer > 0 else end
    if words.ADJECTIVE.fullmatch(modifier) or (kind == "want" and words.ACTION.match(modifier)):
        return longer if longer > 0 else stop
    return end


def _split(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the places of the things that are named together: 人和车 are two."""
    for match in [*words.AND.finditer(text, start, end), None]:
        begin, stop = trim(text, start, match.start() if match else end, " 的")
        begin, stop = trim(text, _skip(words.DETERMINER, text, begin), stop, " 的")
        if begin < stop:
            yield begin, stop
        start = match.end() if match else end


def _exceptions(text: str) -> Iterator[Cut]:
    """Yield what 除了 leaves out; "除了猫还有狗" leaves out nothing."""
    for match in words.EXCEPT.finditer(text):
        group = match.lastgroup or 0
        end = _skip(words.OTHERS, text, match.end())
        things = tuple(_split(text, *match.span(group)))
        if things and not words.ALSO.search(match[group]) and not words.ALSO_AFTER.match(text, end):
            yield Cut(match.start(), end, things)
