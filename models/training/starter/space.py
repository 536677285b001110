"""The joint space of the built-in encoder: the text tower, and a head over what the teachers say of a picture.

Captions, names and soft classes draw texts and pictures together; the head then gives every view its target vector,
which the image tower learns from pixels.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from models.training.loop import Losses
from models.training.starter.names import ClassNames
from models.training.starter.pack import PackedPicture
from models.training.starter.texts import TEMPLATES_EN, TEMPLATES_ZH, TextReader, TokenIds, trimmed
from models.training.starter.towers import DIM, StarterTextTower

COMPONENTS = 512  # of a teacher's features that are kept
_CAPTIONS, _NAMES, _LIKELY, _PAIRS, _KINDS = 384, 160, 320, 384, 96  # of each in a batch
_SEEN = 0.6  # of a kind, summed over a batch, for the kind to count

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Components:
    """Principal components of a teacher's features (square roots, unit length), of unit mean square."""

    mean: Floats  # (1280,)
    axes: Floats  # (1280, COMPONENTS)
    scale: float

    @classmethod
    def of(cls, features: NDArray[np.float16]) -> "Components":
        """Fit to features (n, 1280)."""
        unit = _unit(features)
        mean = unit.mean(0)
        spread = (unit - mean).T @ (unit - mean) / len(unit)
        values, vectors = np.linalg.eigh(spread)
        axes = np.ascontiguousarray(vectors[:, ::-1][:, :COMPONENTS], np.float32)
        return cls(mean, axes, float(np.sqrt(values[::-1][:COMPONENTS].mean())))

    def __call__(self, features: NDArray[np.float16]) -> Floats:
        """Return the components (n, COMPONENTS) of features (n, 1280)."""
        projected = (_unit(features) - self.mean) @ self.axes / self.scale
        return projected.astype(np.float32)


def _unit(features: NDArray[np.float16]) -> Floats:
    root = np.sqrt(np.maximum(features.astype(np.float32), 0))
    unit: Floats = root / (np.linalg.norm(root, axis=1, keepdims=True).astype(np.float32) + np.float32(1e-6))
    return unit


class Head(nn.Module):
    """Components of both teachers (n, 2, COMPONENTS) -> unit vectors (n, DIM); either teacher may be missing."""

    def __init__(self, hidden: int = 512) -> None:
        super().__init__()
        self.inner = nn.Linear(2 * COMPONENTS, hidden)
        self.outer = nn.Linear(hidden, DIM)
        self.straight = nn.Linear(2 * COMPONENTS, DIM)

    def forward(self, components: Tensor, present: Tensor) -> Tensor:
        """`present` (n, 2) bool: whether a teacher was asked; what is missing counts as zero."""
        if self.training:  # learn to do with one teacher
            drawn = torch.rand(len(components), 1)
            kept = torch.cat([drawn > 0.15, (drawn < 0.15) | (drawn > 0.4)], dim=1)
            kept = kept & present
            present = torch.where(kept.any(1, keepdim=True), kept, present)
        whole = components * present[..., None] * (2 / present.sum(1).clamp(min=1)).sqrt()[:, None, None]
        x = functional.dropout(whole.flatten(1), 0.25, self.training)
        inner = functional.dropout(functional.gelu(self.inner(x)), 0.35, self.training)
        return functional.normalize(self.straight(x) + self.outer(inner), dim=-1)


@dataclass(frozen=True, slots=True)
class Teaching:
    """What the teachers said, a view at a time.

    `components[view][teacher]` is (n, COMPONENTS) float16, or None where that teacher was not asked.
    """

    components: Sequence[Sequence[NDArray[np.float16] | None]]

    def batch(self, rows: NDArray[np.int64], views: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Return components (n, 2, COMPONENTS) and which of them are there (n, 2)."""
        components = np.zeros((len(rows), 2, COMPONENTS), np.float32)
        present = np.zeros((len(rows), 2), bool)
        for place, (row, view) in enumerate(zip(rows, views, strict=True)):
            for teacher, known in enumerate(self.components[view]):
                if known is not None:
                    components[place, teacher] = known[row]
                    present[place, teacher] = True
        return torch.from_numpy(components), torch.from_numpy(present)


class JointSpace(nn.Module):
    """The text tower and the head, with the temperature of their comparison."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.text = StarterTextTower(vocabulary)
        self.head = Head()
        self.log_scale = nn.Parameter(torch.tensor(3.0))

    def see(self, teaching: Teaching) -> "See":
        """Return what turns pictures into vectors: the head, over a view drawn at random."""

        def see(rows: NDArray[np.int64], random: np.random.Generator) -> Tensor:
            views = random.integers(len(teaching.components), size=len(rows))
            pictures: Tensor = self.head(*teaching.batch(rows, views))
            return pictures

        return see


class Texts:
    """Everything that is said of pictures, as token ids, drawn at random."""

    def __init__(
        self,
        pictures: Sequence[PackedPicture],
        classes: Sequence[ClassNames],
        pairs: Iterable[tuple[str, str]],
        reader: TextReader,
    ) -> None:
        self._reader = reader
        self.captioned = np.array(
            [row for row, picture in enumerate(pictures) if picture.training and picture.captions_en]
        )
        chosen = [pictures[row] for row in self.captioned]
        self._english = [reader.read(picture.captions_en) for picture in chosen]
        self._chinese = [reader.read(picture.captions_zh * 2 + picture.translations_zh) for picture in chosen]
        self._by_name: dict[str, list[int]] = {}
        for row, picture in enumerate(pictures):
            if picture.training and picture.names_en:
                self._by_name.setdefault(picture.names_en[0], []).append(row)
        self._names = sorted(self._by_name)
        self._pictures = pictures
        self._classes = classes
        self.kinds = _kinds(classes)
        both = [(en, zh) for zh, en in pairs]
        self._pairs = reader.read([en for en, _ in both]), reader.read([zh for _, zh in both])

    def captions(self, random: np.random.Generator, count: int) -> tuple[NDArray[np.int64], TokenIds, TokenIds]:
        """Return rows of different pictures, and an English and a Chinese caption of each."""
        drawn = random.choice(len(self.captioned), min(count, len(self.captioned)), replace=False)
        english, chinese = (
            np.stack([texts[each][random.integers(len(texts[each]))] for each in drawn])
            for texts in (self._english, self._chinese)
        )
        return self.captioned[drawn], english, chinese

    def names(self, random: np.random.Generator, count: int) -> tuple[NDArray[np.int64], TokenIds, TokenIds]:
        """Return rows of pictures of different things, and an English and a Chinese name of each."""
        drawn = random.choice(len(self._names), min(count, len(self._names)), replace=False)
        rows = [
            self._by_name[self._names[each]][random.integers(len(self._by_name[self._names[each]]))] for each in drawn
        ]
        english, chinese = [], []
        for row in rows:
            picture = self._pictures[row]
            english.append(_phrase(random, _usual(random, picture.names_en), TEMPLATES_EN))
            chinese.append(_phrase(random, _usual(random, picture.names_zh), TEMPLATES_ZH))
            if picture.style and random.random() < 0.7:
                english[-1] = f"a {picture.style[0]} of a {picture.names_en[0]}"
                chinese[-1] = f"{picture.names_zh[0]}的{picture.style[1]}"
        return np.array(rows), self._reader.read(english), self._reader.read(chinese)

    def classes(self, random: np.random.Generator) -> TokenIds:
        """Return one text for every class, all in one language."""
        english = random.random() < 0.5
        templates = TEMPLATES_EN if english else TEMPLATES_ZH
        return self._reader.read(
            [_phrase(random, _usual(random, each.en if english else each.zh), templates) for each in self._classes]
        )

    def some_kinds(self, random: np.random.Generator, count: int) -> tuple[list["Kind"], TokenIds]:
        """Return kinds of things, larger ones more often, and a text for each."""
        share = np.sqrt([min(len(kind.classes), 60) for kind in self.kinds])
        drawn = [
            self.kinds[each] for each in random.choice(len(self.kinds), count, replace=False, p=share / share.sum())
        ]
        return drawn, self._reader.read(
            [_phrase(random, kind.name, TEMPLATES_EN if kind.name.isascii() else TEMPLATES_ZH) for kind in drawn]
        )

    def some_pairs(self, random: np.random.Generator, count: int) -> tuple[TokenIds, TokenIds]:
        """Return English words and their Chinese."""
        english, chinese = self._pairs
        drawn = random.integers(len(english), size=count)
        return english[drawn], chinese[drawn]


@dataclass(frozen=True, slots=True)
class Kind:
    """A broader name, and the classes that it covers."""

    name: str
    classes: tuple[int, ...]


def _kinds(classes: Sequence[ClassNames]) -> list[Kind]:
    covered: dict[str, list[int]] = {}
    for number, names in enumerate(classes):
        for name in dict.fromkeys((*names.kinds_en, *names.kinds_zh)):
            covered.setdefault(name, []).append(number)
    return [Kind(name, tuple(numbers)) for name, numbers in sorted(covered.items()) if len(numbers) > 1]


def _usual(random: np.random.Generator, names: Sequence[str]) -> str:
    return names[0] if random.random() < 0.6 else names[int(random.integers(len(names)))]


def _phrase(random: np.random.Generator, name: str, templates: Sequence[str]) -> str:
    return templates[int(random.integers(len(templates)))].format(name)


See = Callable[[NDArray[np.int64], np.random.Generator], Tensor]  # rows of pictures -> their vectors, with gradients


class SpaceTask:
    """Draws texts and pictures together, whatever it is that turns a picture into a vector."""

    def __init__(
        self,
        module: nn.Module,
        text: StarterTextTower,
        log_scale: nn.Parameter,
        see: See,
        texts: Texts,
        classes: Floats,
        trained_rows: NDArray[np.int64],
        *,
        seed: int,
    ) -> None:
        """`classes` (n, 1000): how likely each class is on each picture; `module` holds everything that learns."""
        self.module = module
        self._text_tower, self._log_scale, self._see = text, log_scale, see
        self._texts, self._classes, self._rows, self._seed = texts, classes, trained_rows, seed
        self._members = torch.zeros(len(texts.kinds), classes.shape[1])
        for place, kind in enumerate(texts.kinds):
            self._members[place, list(kind.classes)] = 1
        self._place = {kind.name: place for place, kind in enumerate(texts.kinds)}

    def losses(self, step: int) -> Losses:
        """See `Task`: captions and names by contrast, classes and kinds by how likely they are."""
        random = np.random.default_rng((self._seed, step))
        scale = self._log_scale.exp().clamp(1, 60)
        rows, english, chinese = self._texts.captions(random, _CAPTIONS)
        named, name_en, name_zh = self._texts.names(random, _NAMES)
        likely = random.choice(self._rows, _LIKELY)
        pictures = self._see(np.concatenate([rows, named, likely]), random)
        captioned, named_pictures, likely_pictures = torch.split(pictures, [len(rows), len(named), len(likely)])
        said_en, said_zh = self._text(english), self._text(chinese)
        called = [self._text(name) for name in (name_en, name_zh)]
        word_en, word_zh = (self._text(words) for words in self._texts.some_pairs(random, _PAIRS))
        kinds, kind_ids = self._texts.some_kinds(random, _KINDS)
        classes = self._text(self._texts.classes(random))
        probabilities = torch.from_numpy(self._classes[likely])
        return {
            "en": contrast(captioned, said_en, scale),
            "zh": contrast(captioned, said_zh, scale),
            "languages": 0.3 * contrast(said_en, said_zh, scale),
            "names": 0.4 * (contrast(named_pictures, called[0], scale) + contrast(named_pictures, called[1], scale)),
            "words": 0.15 * contrast(word_en, word_zh, scale),
            "classes": 0.35 * cross_entropy(likely_pictures @ classes.T * scale, probabilities),
            "kinds": 0.25 * self._kinds(kinds, self._text(kind_ids), likely_pictures, probabilities, scale),
        }

    def _text(self, ids: TokenIds) -> Tensor:
        texts: Tensor = self._text_tower(torch.from_numpy(trimmed(ids)))
        return texts

    def _kinds(
        self, kinds: list[Kind], texts: Tensor, pictures: Tensor, probabilities: Tensor, scale: Tensor
    ) -> Tensor:
        holds = probabilities @ self._members[[self._place[kind.name] for kind in kinds]].T  # (pictures, kinds)
        seen = holds.sum(0) > _SEEN
        return cross_entropy(texts[seen] @ pictures.T * scale, (holds / holds.sum(0).clamp(min=1e-6)).T[seen])


def contrast(left: Tensor, right: Tensor, scale: Tensor) -> Tensor:
    """Return the symmetric contrastive loss of unit vectors whose rows belong together."""
    scores = left @ right.T * scale
    matching = torch.arange(len(left), device=left.device)
    return (functional.cross_entropy(scores, matching) + functional.cross_entropy(scores.T, matching)) / 2


def cross_entropy(scores: Tensor, probabilities: Tensor) -> Tensor:
    """Return the mean cross entropy of rows of scores against rows of probabilities."""
    return -(probabilities * functional.log_softmax(scores, 1)).sum(1).mean()
