"""Everything that is said of pictures, read once by the sentence encoder: training draws from what it made of it."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.language.piece_tokenizer import PieceTokenizer
from models.language.text import normalize_text
from models.language.tokenizer import ngrams
from models.training.starter.names import ClassNames
from models.training.starter.pack import PackedPicture, Tell
from models.training.starter.sentence_encoder import WIDTH, SentenceEncoder
from models.training.starter.towers import TEXT_FEATURES, named_shares

LENGTH = 128  # tokens of a text at most: pieces, and the bag
TEMPLATES_EN = ("{}", "a photo of a {}", "a {} in the picture", "the {}", "a {}")
TEMPLATES_ZH = ("{}", "一张{}的照片", "图中有{}", "一个{}", "{}")
_BAG = LENGTH // 2
_SEEN_OFTEN = 9  # captions that hold a gram, for the gram to be worth a row
_BLOCK = 256

Floats = NDArray[np.float32]


def frequent_grams(pictures: Sequence[PackedPicture], names: Iterable[str], size: int) -> list[str]:
    """Return the words, characters and pairs that training captions hold often, then those of names."""
    seen = Counter(
        gram
        for picture in pictures
        if picture.training
        for caption in (*picture.captions_en, *picture.captions_zh, *picture.translations_zh)
        for gram in set(ngrams(normalize_text(caption)))
    )
    often = [gram for gram, count in sorted(seen.items(), key=lambda item: (-item[1], item[0])) if count >= _SEEN_OFTEN]
    return list(dict.fromkeys([*often, *(gram for name in names for gram in ngrams(normalize_text(name)))]))[:size]


@dataclass(frozen=True, slots=True, eq=False)
class ReadTexts:
    """Features (n, TEXT_FEATURES) float16 and bags of grams (n, _BAG) of texts, which know their rows.

    `classes` (n, CLASSES) float16: how much each names each class.
    """

    rows: dict[str, int]
    features: NDArray[np.float16]
    grams: NDArray[np.int32]
    classes: NDArray[np.float16]

    def batch(self, texts: Sequence[str]) -> tuple[Tensor, Tensor, Tensor]:
        """Return the features, the grams and the classes of texts that were read."""
        return self.at(np.array([self.rows[text] for text in texts]))

    def at(self, rows: NDArray[np.int64]) -> tuple[Tensor, Tensor, Tensor]:
        """Return the features, the grams and the classes of texts by their rows."""
        grams = self.grams[rows]
        longest = max(1, int((grams > 0).sum(1).max()))
        features, classes = (torch.from_numpy(each[rows].astype(np.float32)) for each in (self.features, self.classes))
        return features, torch.from_numpy(grams[:, :longest]).long(), classes


def read_texts(
    texts: Iterable[str],
    anchors: tuple[Sequence[str], Floats],
    tokenizer: PieceTokenizer,
    encoder: SentenceEncoder,
    tell: Tell,
) -> ReadTexts:
    """Read every different text once; `anchors`: see `anchors_of`."""
    different = list(dict.fromkeys((*anchors[0], *texts)))
    order = sorted(range(len(different)), key=lambda number: len(different[number]))
    features = np.zeros((len(different), TEXT_FEATURES), np.float16)
    grams = np.zeros((len(different), _BAG), np.int32)
    pieces = len(tokenizer.pieces)
    for start in range(0, len(order), _BLOCK):
        block = order[start : start + _BLOCK]
        ids = [np.array(tokenizer.tokenize(normalize_text(different[number])).ids) for number in block]
        longest = max(int((row <= pieces).sum()) for row in ids)
        padded = np.full((len(block), longest), -1)
        for place, (number, row) in enumerate(zip(block, ids, strict=True)):
            own, bag = row[row <= pieces] - 1, row[row > pieces] - pieces
            padded[place, : len(own)] = own
            grams[number, : len(bag)] = bag
        with torch.inference_mode():
            features[block] = torch.cat(encoder(torch.from_numpy(padded)), dim=1).numpy()
        tell("texts", min(start + _BLOCK, len(order)), len(order))
    outputs = torch.from_numpy(features[:, WIDTH:].astype(np.float32))
    names, members = outputs[: len(anchors[0])], torch.from_numpy(anchors[1])
    classes = [(named_shares(block, names) @ members).half().numpy() for block in torch.split(outputs, _BLOCK)]
    rows = {text: row for row, text in enumerate(different)}
    return ReadTexts(rows, features, grams, np.concatenate(classes))


def save_texts(path: Path, texts: ReadTexts) -> None:
    """Keep what was read."""
    unfinished = path.with_suffix(".unfinished")
    with unfinished.open("wb") as file:
        np.savez(
            file, texts=np.array(list(texts.rows)), features=texts.features, grams=texts.grams, classes=texts.classes
        )
    unfinished.replace(path)


def load_texts(path: Path) -> ReadTexts:
    """Read what `save_texts` kept."""
    with np.load(path) as stored:
        rows = {str(text): row for row, text in enumerate(stored["texts"])}
        return ReadTexts(rows, stored["features"], stored["grams"], stored["classes"])


@dataclass(frozen=True, slots=True)
class Kind:
    """A broader name, and the classes that it covers."""

    name: str
    classes: tuple[int, ...]


def kinds_of(classes: Sequence[ClassNames]) -> list[Kind]:
    """Return the kinds that cover more than one class, in both languages."""
    covered: dict[str, list[int]] = {}
    for number, names in enumerate(classes):
        for name in dict.fromkeys((*names.kinds_en, *names.kinds_zh)):
            covered.setdefault(name, []).append(number)
    return [Kind(name, tuple(numbers)) for name, numbers in sorted(covered.items()) if len(numbers) > 1]


def anchors_of(classes: Sequence[ClassNames], kinds: Sequence[Kind]) -> tuple[list[str], Floats]:
    """Return every name of a class or a kind, and of which classes each is the name (m, classes), rows adding to 1."""
    members: dict[str, set[int]] = {kind.name: set(kind.classes) for kind in kinds}
    for number, names in enumerate(classes):
        for name in (*names.en, *names.zh):
            members.setdefault(name, set()).add(number)
    texts = sorted(name for name in members if name)
    table = np.zeros((len(texts), len(classes)), np.float32)
    for row, text in enumerate(texts):
        table[row, sorted(members[text])] = 1 / len(members[text])
    return texts, table


def in_template(random: np.random.Generator, name: str) -> str:
    """Return a name in one of the templates of its language."""
    templates = TEMPLATES_EN if name.isascii() else TEMPLATES_ZH
    return templates[int(random.integers(len(templates)))].format(name)


def all_templates(name: str) -> list[str]:
    """Return a name in every template of its language."""
    return [template.format(name) for template in (TEMPLATES_EN if name.isascii() else TEMPLATES_ZH)]
