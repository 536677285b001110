"""Where an English text negates something. All functions take folded text (see `fold_text`)."""

import re
from collections.abc import Iterator

from api.search.negation import english_words as words
from api.search.negation.cuts import Cut


def find_cuts(text: str) -> Iterator[Cut]:
    """Yield what a text negates: first what words negate, from left to right, then what others do, and a minus."""
    place = head = 0
    while match := words.NEGATOR.search(text, place):
        leads = not text[head : match.start()].strip(" ,.;(")
        cut = _cut(text, match, leads=leads)
        if cut:
            yield cut
        place = cut.end if cut else match.end()
        head = place if leads else head
    for pattern in (words.NOBODY, words.LESS):
        for match in pattern.finditer(text):
            yield Cut(match.start(), _skip_place(text, match.end()), (match.span(match.lastgroup or 0),))
    for match in words.MINUS.finditer(text):
        if match["quoted"]:
            start, end = match.span("quoted")
            yield Cut(match.start(), end, ((start + 1, end - 1),))
        else:
            yield Cut(match.start(), match.end(), (match.span("word"),))


def _cut(text: str, match: re.Match[str], *, leads: bool) -> Cut | None:
    """Return what a negation takes out of the text; None where nothing follows that it could negate."""
    things = list(_things(text, match, leads=leads))
    return Cut(match.start(), _skip_place(text, things[-1][1]), tuple(things)) if things else None


def _skip_place(text: str, end: int) -> int:
    seen = words.SEEN.match(text, end)
    return seen.end() if seen else end


def _things(text: str, match: re.Match[str], *, leads: bool) -> Iterator[tuple[int, int]]:
    """Yield the places of the things that a negation reaches: "without a hat or glasses" are two.

    `leads`: nothing to look for stands before it, so "no text poster" is a poster.
    """
    start, has_article = _skip_determiner(text, match.end())
    may_do = not match["no"]  # "not looking at the camera" has a preposition of its own, "no building in" has not
    if leads and match["no"] and (end := _end_of_part(text, start)):
        yield start, end
        return
    while (end := _end_of_thing(text, start, may_do=may_do)) > start:
        yield start, end
        joined = words.AND.match(text, end)
        if not joined or not _goes_on(text, end, joined, has_article=has_article):
            return
        start, _ = _skip_determiner(text, joined.end())


def _skip_determiner(text: str, place: int) -> tuple[int, bool]:
    match = words.DETERMINER.match(text, place)
    return (match.end(), match["article"] is not None) if match else (place, False)


def _end_of_part(text: str, start: int) -> int | None:
    """Return where the first word ends, if it is a part of pictures and the next is another thing."""
    first = words.WORD.match(text, start)
    if not first or not words.PART.match(first[1]):
        return None
    second = words.WORD.match(text, first.end())
    goes_on = second and not _ends_thing(text, first, second, doing=False) and not words.DONE.match(second[1])
    return first.end() if goes_on else None


def _end_of_thing(text: str, start: int, *, may_do: bool) -> int:
    """Return where the thing ends that begins at `start`: before a preposition, a comma, or another clause."""
    last = words.WORD.match(text, start)
    if not last:
        return start
    doing = may_do and words.DOING.match(last[1]) is not None
    while (word := words.WORD.match(text, last.end())) and not _ends_thing(text, last, word, doing=doing):
        doing, last = False, word
    return last.end()


def _ends_thing(text: str, last: re.Match[str], word: re.Match[str], *, doing: bool) -> bool:
    """Say whether a word is no part of the thing that `last` ends; `doing`: that is only a word like "looking"."""
    if word[1] in ("and", "or", "nor") or _negates(text, word):
        return True
    if word[1] in words.STOPS:
        return not doing
    return words.DOING.match(word[1]) is not None and not words.DOERS.match(last[1])


def _negates(text: str, word: re.Match[str]) -> bool:
    return any(pattern.match(text, word.start(1)) for pattern in (words.NEGATOR, words.MINUS))


def _goes_on(text: str, end: int, joined: re.Match[str], *, has_article: bool) -> bool:
    """Say whether what follows is negated too: after "or"; after a comma if the list ends so; after "and" if alike."""
    if "and" not in joined[0].split():
        return words.LIST.match(text, end) is not None
    first = words.WORD.match(text, joined.end())
    if not first or first[1] in words.STOPS or words.DOING.match(first[1]) or _negates(text, first):
        return False
    alone = " " not in text[joined.end() : _end_of_thing(text, joined.end(), may_do=False)]
    return has_article or (alone and first[1] not in words.ARTICLES)
