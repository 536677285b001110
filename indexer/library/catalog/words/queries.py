"""What a person looks for -> expressions of the full-text index, and which texts say it.

Whatever is asked is split as texts are, and asked for as phrases. Nothing a person types is ever an operator.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from indexer.library.catalog.words.pinyin import list_initials, list_sounds, sounds_of
from indexer.library.catalog.words.tokens import (
    is_single,
    list_tokens,
    pair_up,
    split_words,
    stem_of,
    without_suffix,
)
from models.language.text import normalize_text

# Words that say nothing of a picture: left out of what is asked, where anything else is left.
_STOP = re.compile("(a|an|the|of|in|on|at|by|to|for|from|with|and|or|is|are)")
_PARTICLES = re.compile("[的了着在是和与及或之一两个只张有]")
_MIN_PREFIX = 2  # letters of the last word, from which on it may be the beginning of a longer one
_MAX_PARTS = 64


def ask_for(wanted: Sequence[str], unwanted: Sequence[str] = (), *, pinyin: bool = False) -> tuple[str, ...]:
    """Return expressions to try one after the other: first for all of the words, then for some of them.

    A word is what stands between spaces, so a Chinese sentence is one; in parts it is asked for second. The last word,
    if it is one of letters, may be the beginning of a longer one. Pictures that say all of a text of `unwanted` are
    left out. `pinyin`: words of letters may be how Chinese sounds, and if nothing else is found, its initials. Empty
    where there is nothing to ask for.
    """
    words = [phrase for text in wanted for phrase in _phrases(text)]
    if not words:
        return ()
    last = words[-1][-1]
    asked = [_in_any_form(phrase, pinyin=pinyin) for phrase in words[:_MAX_PARTS]]
    parts = list(dict.fromkeys(_in_any_form(part) for phrase in words for part in _parts_of(phrase)))[:_MAX_PARTS]
    if len(words) <= _MAX_PARTS and len(last) >= _MIN_PREFIX and last.isalpha() and not is_single(last):
        asked[-1] = f"({asked[-1]} OR {_quoted(pair_up(words[-1]))} *)"
    without = [" AND ".join(map(_phrase, phrases)) for text in unwanted if (phrases := _phrases(text))]
    less = f" NOT ({' OR '.join(f'({one})' for one in without)})" if without else ""
    ways = [" AND ".join(asked), " OR ".join(parts)]
    initials = [list_initials(phrase[0]) if len(phrase) == 1 else [] for phrase in words] if pinyin else []
    if initials and all(initials):
        ways.insert(1, " AND ".join(map(_quoted, initials)))
    return tuple(dict.fromkeys(f"({way}){less}" for way in ways))


def ask_for_phrase(text: str, *, begins: bool = False, names: bool = False) -> str:
    """Return the expression for what says all of a text, word behind word; "" where there is none.

    `begins`: a word may follow on its end, as digits on those of a plate. `names`: only names are looked at.
    """
    words = list(list_tokens(without_suffix(normalize_text(text))))
    if not words:
        return ""
    phrase = f"{_quoted(pair_up(words))} *" if begins and not is_single(words[-1]) else _phrase(words)
    return f"{'name : ' if names else ''}{phrase}"


class WordMatcher:
    """Tells which lines say the words of a question, as the index takes both."""

    def __init__(self, wanted: Sequence[str], *, pinyin: bool = False) -> None:
        words = [phrase for text in wanted for phrase in _phrases(text)]
        self._phrases = [_forms(phrase, pinyin=pinyin) for phrase in words]
        self._parts = [_forms(part, pinyin=pinyin) for phrase in words for part in _parts_of(phrase)]
        self._pinyin = pinyin

    def count(self, text: str) -> int:
        """Return how much of the question a text says: whole words count before parts of them; 0 for none."""
        words = split_words(text)
        tokens = f" {words} {stems_in([words])} {sounds_of(text) if self._pinyin else ''} "
        # The last word, and any other of letters, may be the beginning of a longer one.
        whole = sum(any(form.rstrip() in tokens for form in forms) for forms in self._phrases)
        parts = sum(any(form in tokens for form in forms) for forms in self._parts)
        return whole * (1 + len(self._parts)) + parts

    def share(self, words: str) -> float:
        """Return which share of the parts of the question is said by the words of a picture, as the index has them."""
        tokens = f" {words} "
        said = [any(form in tokens for form in forms) for forms in self._parts]
        return sum(said) / max(len(said), 1)

    def cut(self, text: str, most: int) -> str:
        """Return at most so many characters of a text, around what the question asks for."""
        if len(text) <= most:
            return text
        starts = range(0, len(text), most // 4)
        best = max(starts, key=lambda start: (self.count(text[start : start + most]), -start))
        piece = text[best : best + most].strip()
        return f"{'…' if best else ''}{piece}{'…' if best + most < len(text) else ''}"


def stems_in(columns: Sequence[str]) -> str:
    """Return the stems of the words in columns, of those that are not their own stem; each once."""
    words = {word for column in columns for word in column.split()}
    return " ".join(sorted({stem for word in words if (stem := stem_of(word)) != word}))


def _phrases(text: str) -> list[list[str]]:
    """Return the words of a question, each in tokens; those that say nothing only where there are no others."""
    words = [phrase for word in normalize_text(text).split() if (phrase := list(list_tokens(without_suffix(word))))]
    return [phrase for phrase in words if len(phrase) > 1 or not _STOP.fullmatch(phrase[0])] or words


def _parts_of(phrase: Sequence[str]) -> Iterator[list[str]]:
    """Yield what is still something of a word: its tokens; of Chinese and the like pairs, without particles."""
    text = "".join(token if is_single(token) else f" {token} " for token in phrase)
    for run in _PARTICLES.sub(" ", text).split() or text.split():
        tokens = list(run) if is_single(run[0]) else [run]
        if len(tokens) == 1:
            yield tokens
        for pair in pairwise(tokens):
            yield list(pair)


def _tokens_of(phrase: Sequence[str]) -> tuple[list[str], bool]:
    """Return a phrase as the index has it, and whether its last token may go on.

    A single character at its end may stand before another one, with which it is one token.
    """
    tokens = pair_up(phrase)
    if not is_single(phrase[-1]):
        return tokens, False
    return (tokens[:-1], False) if len(phrase) > 1 and is_single(phrase[-2]) else (tokens, True)


def _phrase(phrase: Sequence[str]) -> str:
    tokens, goes_on = _tokens_of(phrase)
    return f"{_quoted(tokens)}{' *' if goes_on else ''}"


def _forms(phrase: Sequence[str], *, pinyin: bool) -> tuple[str, ...]:
    """Return what stands in the words of what says a phrase: itself, or of a single word its stem, or how it sounds."""
    tokens, goes_on = _tokens_of(phrase)
    forms = [f" {' '.join(tokens)}{'' if goes_on else ' '}"]
    if len(phrase) == 1 and not goes_on:
        forms.append(f" {stem_of(phrase[0])} ")
        sounds = [*list_sounds(phrase[0]), list_initials(phrase[0])] if pinyin else []
        forms += [f" {' '.join(one)}" for one in sounds if one]
    return tuple(dict.fromkeys(forms))


def _in_any_form(phrase: Sequence[str], *, pinyin: bool = False) -> str:
    forms = [_phrase(phrase)]
    if len(phrase) == 1 and not is_single(phrase[0]):
        forms.append(_quoted([stem_of(phrase[0])]))
        if pinyin:
            forms += [f"{_quoted(one)}{' *' if len(one) == 1 else ''}" for one in list_sounds(phrase[0])]
    forms = list(dict.fromkeys(forms))
    return forms[0] if len(forms) == 1 else f"({' OR '.join(forms)})"


def _quoted(tokens: Sequence[str]) -> str:
    return f'"{" ".join(tokens)}"'  # no token holds a quotation mark
