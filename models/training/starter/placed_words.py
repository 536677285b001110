"""The words that the built-in encoder places: what it may be asked for without being told names of strangers.

A sentence encoder has a vector for every text, right or wrong. It is taken to place

- the words of training captions and of the names of training pictures; names of places and persons only where many
  pictures are captioned with them,
- of the other Chinese words of a dictionary those whose vector lies nearer to that of their own English than nearly all
  the English of the dictionary does.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from models.foundation.vectors import Vectors
from models.language.word_list import WordKind, load_word_list, word_form
from models.training.starter.names import ClassNames
from models.training.starter.pack import PackedPicture
from models.training.starter.words import senses

_PICTURES_OF_A_WORD = 2
_PICTURES_OF_A_NAME = 15
_NEAREST = 100  # English phrases among which a word's own is to be
_ROWS = 256

Encode = Callable[[Sequence[str]], Vectors]


def list_shown(
    pictures: Iterable[PackedPicture], classes: Iterable[ClassNames], *, least: int = _PICTURES_OF_A_WORD
) -> Iterator[str]:
    """Yield the words that at least so many training pictures are captioned with, as forms, and all of their names."""
    counts: Counter[tuple[str, WordKind]] = Counter()
    for picture in pictures:
        if picture.training:
            captions = (*picture.captions_en, *picture.captions_zh, *picture.translations_zh)
            counts.update({(word.form, word.kind) for caption in captions for word in load_word_list().read(caption)})
            names = (*picture.names_en, *picture.names_zh, *picture.kinds_en, *picture.kinds_zh)
            yield from (word_form(name) for name in names if name)
    for each in classes:
        yield from map(word_form, (*each.en, *each.zh, *each.kinds_en, *each.kinds_zh))
    for (form, kind), count in counts.items():
        enough = least if kind == "ordinary" else _PICTURES_OF_A_NAME
        if count >= enough and kind != "unlisted" and (kind != "ordinary" or not form.isascii()):
            yield form


def translations(cedict: Path) -> dict[str, list[str]]:
    """Return the English of the ordinary Chinese words of two characters or more. Raises WordListUnreadable."""
    ordinary = set(load_word_list().list_chinese("ordinary"))
    english: defaultdict[str, list[str]] = defaultdict(list)
    for sense in senses(cedict):
        if len(sense.zh) > 1 and sense.zh in ordinary:
            english[sense.zh].append(sense.en)
    return dict(english)


def list_near(english: Mapping[str, Sequence[str]], encode: Encode, *, nearest: int = _NEAREST) -> Iterator[str]:
    """Yield the Chinese words, each with its English, one of whose own is among the `nearest` of all the English."""
    phrases = list(dict.fromkeys(phrase for own in english.values() for phrase in own))
    places = {phrase: place for place, phrase in enumerate(phrases)}
    vectors = _encode_all(phrases, encode)
    words = list(english)
    for start in range(0, len(words), _ROWS):
        block = words[start : start + _ROWS]
        scores = encode(block) @ vectors.T
        for word, row in zip(block, scores, strict=True):
            best = row[[places[phrase] for phrase in english[word]]].max()
            if np.count_nonzero(row > best) < nearest:
                yield word


def _encode_all(texts: Sequence[str], encode: Encode) -> Vectors:
    """Return the vectors of texts, encoded with others of like length, in the order of the texts."""
    order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
    parts = [encode([texts[place] for place in order[start : start + _ROWS]]) for start in range(0, len(order), _ROWS)]
    vectors = np.empty((len(texts), parts[0].shape[1]), np.float32)
    vectors[order] = np.concatenate(parts)
    return vectors
