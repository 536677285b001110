"""What a library has by name -> what a person may mean who has typed the beginning of it.

Tags, places, cameras, persons and other texts that are counted, folders, and the words of file names: counted once, and
kept in memory. A name is found by its beginning, by that of one of its words, or by any part of it, whatever the case,
the width or the script, and by how its Chinese sounds.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from indexer.library.annotations.fields import Choice, Field
from indexer.library.catalog.words.pinyin import is_installed, spell
from models.language.text import fold_text

MAX_VALUES = 50_000  # of all fields together
MAX_TYPED = 100  # characters; nothing is suggested for more
_MOST_LOOKED_AT = 20_000  # places where something stands that begins no name

# Before a name, before a further form of it that begins no name, and in neither what people type.
_NAME, _FORM = "\n", "\r"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownValue:
    """A value of a field: as it is shown, what else it is called, how many pictures have it.

    `where` is the condition that leaves these alone; `choice` is the one of the field's choices that it is, if any.
    `names` are what it is found by first; without any, `text` is.
    """

    field: Field
    text: str
    count: int
    where: str
    names: tuple[str, ...] = ()
    choice: Choice | None = None


class SuggestionTable:
    """Values that are found by what a person has typed of them. Safe to use from several threads."""

    def __init__(self, values: Sequence[KnownValue]) -> None:
        """Take the values; of too many those that most pictures have."""
        self._values = sorted(values, key=lambda one: (-one.count, one.text))[:MAX_VALUES]
        self._texts = _FormText(list(map(_forms, self._values)))
        self._sounds = _FormText(list(map(_sounds, self._values)) if is_installed() else [])

    def __len__(self) -> int:
        return len(self._values)

    def find(self, typed: str, most: int) -> list[KnownValue]:
        """Return at most so many values: that begin so, then of which a word does, then others; most pictures first."""
        asked = fold_text(" ".join(typed.split()))
        if not asked or len(typed) > MAX_TYPED:
            return []
        spoken = re.sub(r"[\s'’]", "", asked)
        spoken = spoken if spoken.isascii() and spoken.isalpha() else ""
        found: dict[int, None] = {}
        for ways in (
            [self._texts.begin(_NAME + asked), self._sounds.begin(_NAME + spoken) if spoken else ()],
            [self._texts.words(asked), self._sounds.begin(_FORM + spoken) if spoken else ()],
            [self._texts.inside(asked)] if len(asked) > 1 or not asked.isascii() else [],
        ):
            further = {place for way in ways for place in islice((one for one in way if one not in found), most)}
            found |= dict.fromkeys(sorted(further))
            if len(found) >= most:
                break
        return [self._values[place] for place in list(found)[:most]]


class _FormText:
    """The forms of values in one text, in which they are looked for at once; what is found are places of values."""

    def __init__(self, forms: Sequence[str]) -> None:
        self._text = "".join(forms) + _NAME
        self._starts = [0]
        for one in forms:
            self._starts.append(self._starts[-1] + len(one))

    def begin(self, beginning: str) -> Iterator[int]:
        """Yield the values of which a form begins so, each once, in their order; the mark of the form stands before."""
        return self._once(self._find(beginning))

    def words(self, asked: str) -> Iterator[int]:
        """Yield the values of which a word begins so."""
        return self._once(at for at in self._find(asked) if not self._text[at - 1].isalnum())

    def inside(self, asked: str) -> Iterator[int]:
        """Yield the values that have it in any place."""
        return self._once(self._find(asked))

    def _find(self, asked: str) -> Iterator[int]:
        at = self._text.find(asked)
        for _ in range(_MOST_LOOKED_AT):
            if at < 0:
                return
            yield at
            at = self._text.find(asked, at + 1)

    def _once(self, found: Iterator[int]) -> Iterator[int]:
        last = -1
        for at in found:
            place = bisect_right(self._starts, at) - 1
            if place != last:
                yield place
            last = place


def _forms(value: KnownValue) -> str:
    names = value.names or (value.text,)
    further = [value.text] if value.text not in names else []
    return "".join(_NAME + fold_text(one) for one in names) + "".join(_FORM + fold_text(one) for one in further)


def _sounds(value: KnownValue) -> str:
    """Return how the Chinese of a value sounds, from each syllable on, and its initials."""
    forms = ""
    for name in value.names or (value.text,):
        syllables = spell(fold_text(name))
        forms += "".join((_FORM if start else _NAME) + "".join(syllables[start:]) for start in range(len(syllables)))
        if len(syllables) > 1:
            forms += _NAME + "".join(one[0] for one in syllables)
    return forms
