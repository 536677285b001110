"""The words that the built-in encoder places, made anew.

`python -m models.training.starter.placed_words PACK --words SOURCES --output words.txt.gz`; SOURCES has CC-CEDICT as
`cedict_ts.u8` and WordNet 3 as `wordnet/`.

An n-gram encoder has a vector for every compound of characters that it knows, right or wrong. It is taken to place

- the words of training captions and of the names of training pictures, names of places and persons only where many
  pictures are captioned with them,
- of the other words that it has all characters of: those that lie near to a thing of the former, and near to their own
  English, or, where that is read as those characters, with all pairs of neighbouring characters; and what is no thing,
  with all such pairs.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
import typer

from models.encoders.onnx import OnnxTextEncoder, open_session
from models.encoders.starter import FOLDER, SPEC
from models.language.known_words import write_placed_words
from models.language.tokenizer import NgramTokenizer
from models.language.word_list import WordKind, load_word_list, word_form
from models.training.starter.names import class_names
from models.training.starter.pack import PackedPicture, TrainingPack
from models.training.starter.wordnet import SeenWords
from models.training.starter.words import senses

_PICTURES_OF_A_WORD = 2
_PICTURES_OF_AN_ANCHOR = 3  # what other words are compared with
_PICTURES_OF_A_NAME = 15
_NEAR = 0.7  # cosine to a word that pictures are captioned with
_NEAR_TO_ENGLISH = 0.5
_ROWS = 500


def main(
    pack: Annotated[Path, typer.Argument(help="Pictures in tar shards, and index.jsonl", exists=True, file_okay=False)],
    words: Annotated[Path, typer.Option(help="cedict_ts.u8, wordnet/", exists=True)],
    output: Annotated[Path, typer.Option(help="The words, compressed")],
) -> None:
    """Write the words that the built-in encoder places."""
    pictures = TrainingPack(pack).pictures
    shown, anchors = (set(list_shown(pictures, least=least)) for least in (_PICTURES_OF_A_WORD, _PICTURES_OF_AN_ANCHOR))
    further = NearWords(words).find(anchors, load_word_list().list_chinese("ordinary"))
    write_placed_words(output, shown.union(further))


def list_shown(pictures: Iterable[PackedPicture], *, least: int) -> Iterator[str]:
    """Yield the words that at least so many training pictures are captioned with, as forms, and all of their names."""
    counts: Counter[tuple[str, WordKind]] = Counter()
    for picture in pictures:
        if picture.training:
            captions = (*picture.captions_en, *picture.captions_zh, *picture.translations_zh)
            counts.update({(word.form, word.kind) for caption in captions for word in load_word_list().read(caption)})
            names = (*picture.names_en, *picture.names_zh, *picture.kinds_en, *picture.kinds_zh)
            yield from (word_form(name) for name in names if name)
    for each in class_names():
        yield from map(word_form, (*each.en, *each.zh, *each.kinds_en, *each.kinds_zh))
    for (form, kind), count in counts.items():
        enough = least if kind == "ordinary" else _PICTURES_OF_A_NAME
        if count >= enough and kind != "unlisted" and (kind != "ordinary" or not form.isascii()):
            yield form


class NearWords:
    """Finds Chinese words that the built-in encoder places, though no picture was captioned with them.

    `sources` has the dictionary and the word net. Making one takes some seconds. Raises WordListUnreadable.
    """

    def __init__(self, sources: Path) -> None:
        self._tokenizer = NgramTokenizer(FOLDER / "tokenizer.json")
        self._encoder = OnnxTextEncoder(SPEC, self._tokenizer, open_session(FOLDER / "text.onnx"))
        self._english: defaultdict[str, list[str]] = defaultdict(list)
        self._things: set[str] = set()
        seen = SeenWords(sources / "wordnet")
        for sense in senses(sources / "cedict_ts.u8"):
            self._english[sense.zh].append(sense.en)
            if not sense.is_action and seen.is_name(sense.en):
                self._things.add(sense.zh)

    def find(self, anchors: Collection[str], words: Iterable[str]) -> Iterator[str]:
        """Yield those of the words, of two characters or more, that are placed as near to things among `anchors`."""
        others = [word for word in words if len(word) > 1 and not self._tokenizer.tokenize(word).unknown_words]
        things = sorted(word for word in self._things.intersection(anchors) if self._has_all_pairs(word))
        for word, cosine in zip(others, self._nearest(others, things), strict=True):
            is_whole = self._has_all_pairs(word)
            if word not in self._things and is_whole:
                yield word
            elif cosine >= _NEAR:
                to_english = self._nearest_english(word)
                if is_whole if to_english is None else to_english >= _NEAR_TO_ENGLISH:
                    yield word

    def _nearest(self, words: Sequence[str], anchors: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return float32 (n,): the cosine of each of n words to the nearest of the anchors."""
        vectors = self._encoder.encode_text(anchors)
        blocks = [words[start : start + _ROWS] for start in range(0, len(words), _ROWS)]
        return np.concatenate([(self._encoder.encode_text(block) @ vectors.T).max(axis=1) for block in blocks])

    def _nearest_english(self, word: str) -> float | None:
        """Return the highest cosine of a word and what it means, None where that is read as its very characters."""
        own_ids = self._tokenizer.tokenize(word).ids
        ids = {text: self._tokenizer.tokenize(text).ids for text in self._english[word]}
        known = [text for text in ids if ids[text] and set(own_ids).isdisjoint(ids[text])]
        if not known:
            return None
        own, *others = self._encoder.encode_text([word, *known])
        return max(float(own @ other) for other in others)

    def _has_all_pairs(self, word: str) -> bool:
        """Tell whether every character of a Chinese word, and every pair of neighbours, is a token."""
        return len(self._tokenizer.tokenize(word).ids) == 2 * len(word) - 1


if __name__ == "__main__":
    typer.run(main)
