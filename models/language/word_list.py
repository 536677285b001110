"""The words of Chinese and English: where they stand in a text, and which of them are names.

`words.txt.gz` beside this file holds them: NOTICE.md says where they are from, models/training/word_list.py makes it.
"""

import gzip
import math
import re
from collections.abc import Container, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import groupby, pairwise
from pathlib import Path
from typing import Literal, TypeAlias

from models.language.tokenizer import without_accents

PATH = Path(__file__).with_name("words.txt.gz")

# What a word is: an ordinary one; the name of a person, a brand, a place or a work; both; or in no list.
WordKind: TypeAlias = Literal["ordinary", "name", "either", "unlisted"]
_KINDS: dict[str, WordKind] = {"k": "ordinary", "n": "name", "b": "either"}

HAN = "\u3400-\u9fff"
_TEXT_RUN = re.compile(rf"[A-Za-z0-9]*[{HAN}][{HAN}A-Za-z0-9·]*|[^\W_{HAN}]+(?:'[^\W_{HAN}]+)*")
_LATIN = re.compile(r"[A-Za-z0-9]+")
_DOTTED_NAME = re.compile(rf"[{HAN}]+(?:·[{HAN}A-Za-z0-9]+)+")
_GAPS = re.compile(r"[\s.-]+")
_SMALL_WORDS = "of the and de da do del la von van bin al in with to"  # within names
_LINKS = frozenset(_SMALL_WORDS.split())
_ENGLISH_GAP = re.compile(r"(?:[ -]|\. ?)")  # between two words of one name

_LONGEST_ZH, _LONGEST_EN = 16, 6  # characters, words
_COST_OF_LATIN = 300.0  # costs are -100 log10 of a frequency
_COST_OF_UNLISTED = 1000.0
_COST_OF_ADDED = 650.0
_COST_OF_PERSON = 300.0
_COST_OF_WORD_AS_SURNAME = 200.0  # more, where a surname is a usual word as well
_SURNAMES_AND_WORDS = frozenset("白黄高马牛花江水石金温安方平和时任于从向成全关常万老都连明双叶田车沙海")
_MEASURES = frozenset("张双支顿令管")  # surnames that count things after a numeral
_NUMERALS = frozenset("一二两三四五六七八九十百千几这那每半整0123456789")
_WEAK = 540.0  # a single character that costs more is hardly ever a word by itself


@dataclass(frozen=True, slots=True)
class ListedWord:
    """A word at `text[start:end]`; `form` is how it stands in lists: English in lower case, without accents."""

    start: int
    end: int
    form: str
    kind: WordKind


class WordList:
    """Finds the words of a text. `load_word_list` gives the one of the product."""

    def __init__(self, path: Path) -> None:
        self._chinese: dict[str, tuple[WordKind, float]] = {}
        self._english: dict[str, WordKind] = {}
        self._surnames: dict[str, float] = {}
        self._given: dict[str, float] = {}
        self._first_names: set[str] = set()
        self._last_names: set[str] = set()
        with gzip.open(path, "rt", encoding="utf-8") as file:
            for line in file:
                group, value, words = line.rstrip("\n").split("\t")
                self._take(group, value, words.split(" "))

    def _take(self, group: str, value: str, words: list[str]) -> None:
        if group == "zh":
            kind, _, cost = value.partition(" ")
            self._chinese.update(dict.fromkeys(words, (_KINDS[kind], float(cost))))
        elif group == "en":
            self._english.update(dict.fromkeys((word.replace("_", " ") for word in words), _KINDS[value]))
        elif group in ("surname", "given"):
            costs = self._surnames if group == "surname" else self._given
            costs.update(dict.fromkeys(words, float(value)))
        else:
            (self._first_names if group == "first" else self._last_names).update(words)

    def list_chinese(self, kind: WordKind) -> list[str]:
        """Return the Chinese words of a kind, those of one character among them."""
        return [word for word, (each, _) in self._chinese.items() if each == kind]

    def read(self, text: str, added: Container[str] = ()) -> list[ListedWord]:
        """Return the words of a normalised text from left to right; `added` are further ordinary words, as forms."""
        runs = [(match.start(), match[0]) for match in _TEXT_RUN.finditer(text)]
        words: list[ListedWord] = []
        for is_chinese, group in groupby(runs, key=lambda run: _has_han(run[1])):
            if is_chinese:
                words += [word for start, run in group for word in self._read_chinese(text, run, start, added)]
            else:
                words += self._read_english(text, list(group), added)
        return words

    def _read_chinese(self, text: str, run: str, start: int, added: Container[str]) -> Iterator[ListedWord]:
        """Yield the words of a run without gaps; characters that are hardly words stand together as unlisted ones."""
        if _DOTTED_NAME.fullmatch(run) and run not in added:
            yield ListedWord(start, start + len(run), run, "name")
            return
        parts = self._segment(run, added)
        for is_weak, group in groupby(parts, key=lambda part: self._is_weak(part[0], added)):
            found = list(group)
            if is_weak and len(found) > 1:
                found = [("".join(word for word, _ in found), "unlisted")]
            for word, kind in found:
                if _LATIN.fullmatch(word):
                    yield from self._read_english(text, [(start, word)], added)
                else:
                    yield ListedWord(start, start + len(word), word, kind)
                start += len(word)

    def _is_weak(self, word: str, added: Container[str]) -> bool:
        if len(word) > 1 or not _has_han(word) or word in added:
            return False
        return self._chinese.get(word, ("ordinary", _COST_OF_UNLISTED))[1] > _WEAK

    def _segment(self, run: str, added: Container[str]) -> list[tuple[str, WordKind]]:
        """Return the words of least cost that a run is made of (Viterbi's algorithm over frequencies of words)."""
        best: list[tuple[float, int, WordKind]] = [(math.inf, 0, "ordinary")] * (len(run) + 1)
        best[0] = (0.0, 0, "ordinary")
        for start in range(len(run)):
            before = best[start][0]
            for end, cost, kind in self._candidates(run, start, added):
                if before + cost < best[end][0]:
                    best[end] = (before + cost, start, kind)
        parts: list[tuple[str, WordKind]] = []
        end = len(run)
        while end:
            _, start, kind = best[end]
            parts.append((run[start:end], kind))
            end = start
        return parts[::-1]

    def _candidates(self, run: str, start: int, added: Container[str]) -> Iterator[tuple[int, float, WordKind]]:
        """Yield where words that begin at `start` end, what they cost, and what they are."""
        latin = _LATIN.match(run, start)
        if latin:
            yield latin.end(), _COST_OF_LATIN, "unlisted"
        else:
            yield start + 1, _COST_OF_UNLISTED, "unlisted"
        for end in range(start + 1, min(len(run), start + _LONGEST_ZH) + 1):
            word = run[start:end]
            if word in self._chinese:
                kind, cost = self._chinese[word]
                yield end, cost, "ordinary" if word in added else kind
            elif word in added:
                yield end, _COST_OF_ADDED, "ordinary"
        yield from self._persons(run, start)

    def _persons(self, run: str, start: int) -> Iterator[tuple[int, float, WordKind]]:
        """Yield names of persons: a surname, and one or two characters that given names have."""
        for middle in (start + 1, start + 2):
            surname = run[start:middle]
            if surname not in self._surnames or len(surname) < middle - start:
                continue
            if surname in _MEASURES and start and run[start - 1] in _NUMERALS:
                continue
            cost = _COST_OF_PERSON + self._surnames[surname]
            cost += _COST_OF_WORD_AS_SURNAME if surname in _SURNAMES_AND_WORDS else 0.0
            for end in range(middle + 1, min(len(run), middle + 2) + 1):
                if run[end - 1] not in self._given:
                    break
                cost += self._given[run[end - 1]]
                yield end, cost, "name"

    def _read_english(self, text: str, runs: list[tuple[int, str]], added: Container[str]) -> Iterator[ListedWord]:
        """Yield the words of runs that stand between Chinese; names of several words are one."""
        place, forms = 0, [word_form(run) for _, run in runs]
        while place < len(runs):
            count, form, kind = self._longest(text, runs[place:], forms[place:], added)
            persons = self._count_person(text, runs[place:])
            if persons > count:
                count, kind = persons, "name"
            start, last = runs[place][0], runs[place + count - 1]
            end = last[0] + len(last[1])
            yield ListedWord(start, end, form if count == 1 else word_form(text[start:end]), kind)
            place += count

    def _longest(
        self, text: str, runs: list[tuple[int, str]], forms: list[str], added: Container[str]
    ) -> tuple[int, str, WordKind]:
        """Return how many words the first name or phrase has, its form, and what it is; `forms` are those of `runs`."""
        most = 1
        while most < min(len(runs), _LONGEST_EN):
            (start, run), (following, _) = runs[most - 1], runs[most]
            if not _ENGLISH_GAP.fullmatch(text[start + len(run) : following]):
                break
            most += 1
        for count in range(most, 0, -1):
            for form in english_forms(" ".join(forms[:count])):
                kind: WordKind | None = "ordinary" if form in added else self._english.get(form)
                if kind is None and count == 1 and form == forms[0] and form in self._first_names:
                    kind = "name"
                if kind == "either":
                    is_capital = all(run[0].isupper() for _, run in runs[:count] if run not in _LINKS)
                    kind = "name" if is_capital else "ordinary" if count == 1 else None
                if kind is not None:
                    return count, form, kind
        return 1, forms[0], "unlisted"

    def _count_person(self, text: str, runs: list[tuple[int, str]]) -> int:
        """Return how many words the name of a person has that begins here, 0 where there is none.

        It is a given name and a surname or initial, each with a capital; one of them at least is no ordinary word.
        """
        if not runs[0][1][0].isupper() or word_form(runs[0][1]) not in self._first_names:
            return 0
        is_plain = self._english.get(word_form(runs[0][1])) == "ordinary"
        for count, ((start, run), (following, word)) in enumerate(pairwise(runs[:3]), start=1):
            form = word_form(word).removesuffix("'s")
            is_word = self._is_ordinary(form)
            is_last = form in self._last_names or not is_word or len(word) == 1
            if not (word[0].isupper() and text[start + len(run) : following] in (" ", "-") and is_last):
                return count if count > 1 else 0
            if is_plain and (is_word or form not in self._last_names):
                return 0
        return min(len(runs), 3) if len(runs) > 1 else 0

    def _is_ordinary(self, form: str) -> bool:
        return any(self._english.get(each) == "ordinary" for each in english_forms(form))


@cache
def load_word_list() -> WordList:
    """Return the word list of the product, read once."""
    return WordList(PATH)


def _has_han(run: str) -> bool:
    return any("\u3400" <= char <= "\u9fff" for char in run)


def word_form(word: str) -> str:
    """Return how a word stands in lists: small letters without accents, and a space for hyphens and dots."""
    return _GAPS.sub(" ", without_accents(word.lower())).strip()


def english_forms(word: str) -> Iterator[str]:
    """Yield how an inflected English word, or the last of a phrase, may stand in a dictionary; itself first."""
    yield word
    word = word.removesuffix("'s").removesuffix("'")
    yield word
    for ending, lemmas in _ENDINGS:
        if word.endswith(ending) and len(word) > len(ending) + 1:
            stem = word.removesuffix(ending)
            yield from (stem + lemma for lemma in lemmas)
            if ending in ("ed", "ing", "er", "est", "ers") and len(stem) > 2 and stem[-1] == stem[-2]:
                yield stem[:-1]


# How endings of inflected English words are replaced.
_ENDINGS = (
    ("ies", ("y", "ie")),
    ("ied", ("y",)),
    ("ves", ("f", "fe")),
    ("men", ("man",)),
    ("es", ("", "e")),
    ("s", ("",)),
    ("ed", ("", "e")),
    ("ing", ("", "e")),
    ("est", ("", "e")),
    ("ers", ("", "e")),
    ("er", ("", "e")),
    ("iest", ("y",)),
    ("ier", ("y",)),
    ("ly", ("", "le")),
    ("y", ("", "e")),
)
