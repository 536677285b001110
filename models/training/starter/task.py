"""What the towers learn from: captions, names, classes and kinds, and words of both languages, a batch at a time."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from models.training.loop import Losses
from models.training.starter.efficientnet import CLASSES
from models.training.starter.names import ClassNames
from models.training.starter.pack import PackedPicture
from models.training.starter.texts import Kind, ReadTexts, in_template
from models.training.starter.towers import DIM, Heads

_PEOPLE = 0.65  # of the Chinese captions in a batch were written by people, where there are some
_SEEN = 0.6  # of a kind, summed over a batch, for the kind to count
_KINDS, _PAIRS = 96, 384
_BESIDE_TEACHERS = 0.5  # weight of captions, where teachers say what else suits
_UNSAID = 3.0  # how much oftener pictures of which nothing is said are drawn among the others

_T = TypeVar("_T")
Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSizes:
    """How much of each a step draws: pictures with captions, with names, of any sort; and texts they compete with."""

    captioned: int
    named: int
    others: int
    rivals: int = 1_000  # captions of other pictures
    remembered: int = 3_000  # vectors of pictures of the steps before


@dataclass(frozen=True, slots=True, eq=False)
class Taught:
    """How teachers think that pictures and texts go together: their inner products, as logits.

    `pictures` (n, width) float16; `texts` (m, width) float16 in the rows of ReadTexts, of captions alone.
    """

    pictures: NDArray[np.float16]
    texts: NDArray[np.float16]


@dataclass(frozen=True, slots=True, eq=False)
class Said:
    """What is said of the pictures that are trained on, and of classes; everything that `texts` read.

    `likely` (n, CLASSES) float16: how likely each class is on each picture. `taught`: what teachers think, if there
    are any.
    """

    pictures: Sequence[PackedPicture]
    classes: Sequence[ClassNames]
    kinds: Sequence[Kind]
    pairs: Sequence[tuple[str, str]]  # Chinese, English
    texts: ReadTexts
    likely: NDArray[np.float16]
    taught: Taught | None = None


# What `draw` made -> features (n, PICTURE_FEATURES) and logits (n, CLASSES), with gradients if they learn.
Look = Callable[[Tensor], tuple[Tensor, Tensor]]
Draw = Callable[[Rows, np.random.Generator], Tensor]


class TowersTask:
    """Draws texts and pictures together. `draw` makes what `look` takes of rows of pictures: pixels, or features.

    Batches are drawn from the step's number alone; the vectors of pictures of the steps before, with which texts are
    compared too, are forgotten where a run is stopped.
    """

    def __init__(
        self, module: nn.Module, heads: Heads, said: Said, sizes: BatchSizes, draw: Draw, look: Look, *, seed: int
    ) -> None:
        """Take what learns, and the heads that are, or are a part of, it."""
        self.module = module
        self._heads, self._said, self._sizes, self._seed = heads, said, sizes, seed
        self._draw, self._look = draw, look
        pictures = said.pictures
        trained = [row for row, picture in enumerate(pictures) if picture.training]
        self._rows = np.array(trained)
        weights = [1.0 if pictures[row].captions_en or pictures[row].names_en else _UNSAID for row in trained]
        self._weights = np.array(weights) / sum(weights)
        self._captioned = np.array([row for row in trained if pictures[row].captions_en and pictures[row].captions_zh])
        self._captions = {"en": self._caption_rows("en"), "zh": self._caption_rows("zh")}
        self._by_name: dict[str, list[int]] = {}
        for row in trained:
            if pictures[row].names_en and pictures[row].names_zh:
                self._by_name.setdefault(pictures[row].names_en[0], []).append(row)
        self._names = sorted(self._by_name)
        self._members = torch.zeros(len(said.kinds), CLASSES)
        for place, kind in enumerate(said.kinds):
            self._members[place, list(kind.classes)] = 1
        self._memory = torch.zeros(0, DIM)
        self._memory_rows = np.zeros(0, np.int64)
        self._ahead: tuple[int, Future[_Drawn]] | None = None
        self._pool = ThreadPoolExecutor(1)

    def losses(self, step: int) -> Losses:
        """See `Task`."""
        if self._ahead is None or self._ahead[0] != step:
            self._ahead = step, self._pool.submit(self._drawn, step)
        drawn = self._ahead[1].result()
        self._ahead = step + 1, self._pool.submit(self._drawn, step + 1)
        scale = self._heads.log_scale.exp().clamp(1, 60)
        features, logits = self._look(drawn.inputs)
        pictures = self._heads.see(features, logits)
        sizes = [len(drawn.captioned), len(drawn.named), len(drawn.others)]
        captioned, named, _ = torch.split(pictures, sizes)
        said = {language: self._read(texts) for language, texts in drawn.captions.items()}
        rivals = {language: self._heads.read(*self._said.texts.at(rows)) for language, rows in drawn.rivals.items()}
        remembered = self._memory[torch.from_numpy(~np.isin(self._memory_rows, drawn.captioned))]
        losses = {
            language: _contrast_beside(captioned, said[language], rivals[language], remembered, scale)
            for language in said
        }
        losses["languages"] = 0.5 * contrast(said["en"], self._read(drawn.translations), scale)
        losses["names"] = 0.25 * sum(
            (contrast(named, self._read(names), scale) for names in drawn.names),
            torch.zeros(()),
        )
        english, chinese = (self._read(words) for words in drawn.words)
        losses["words"] = 0.15 * contrast(english, chinese, scale)
        likely = torch.from_numpy(self._said.likely[drawn.rows].astype(np.float32))
        if logits.requires_grad:
            losses["classifier"] = cross_entropy(logits, likely)
        if self._said.taught is not None:
            read = torch.cat([*said.values(), *rivals.values()])
            losses["taught"] = _agreement(pictures @ read.T * scale, self._thought(self._said.taught, drawn))
            losses |= {language: _BESIDE_TEACHERS * losses[language] for language in said}
        losses["classes"] = 0.2 * cross_entropy(pictures @ self._read(drawn.classes).T * scale, likely)
        losses["kinds"] = 0.2 * self._kinds(drawn.kinds, self._read(drawn.kind_texts), pictures, likely, scale)
        self._remember(drawn.captioned, captioned)
        return losses

    def _read(self, texts: Sequence[str]) -> Tensor:
        return self._heads.read(*self._said.texts.batch(texts))

    def _thought(self, taught: Taught, drawn: "_Drawn") -> Tensor:
        """Return the logits of teachers, for the pictures and the texts that `losses` compares."""
        own = [np.array([self._said.texts.rows[text] for text in texts]) for texts in drawn.captions.values()]
        pictures, texts = taught.pictures[drawn.rows], taught.texts[np.concatenate([*own, *drawn.rivals.values()])]
        return torch.from_numpy(pictures.astype(np.float32)) @ torch.from_numpy(texts.astype(np.float32)).T

    def _remember(self, rows: Rows, vectors: Tensor) -> None:
        keep = self._sizes.remembered
        self._memory = torch.cat([vectors.detach(), self._memory])[:keep]
        self._memory_rows = np.concatenate([rows, self._memory_rows])[:keep]

    def _kinds(self, kinds: list[int], texts: Tensor, pictures: Tensor, likely: Tensor, scale: Tensor) -> Tensor:
        holds = likely @ self._members[kinds].T  # (pictures, kinds)
        seen = holds.sum(0) > _SEEN
        if not seen.any():
            return torch.zeros(())
        return cross_entropy(texts[seen] @ pictures.T * scale, (holds / holds.sum(0).clamp(min=1e-6)).T[seen])

    def _caption_rows(self, language: str) -> Rows:
        rows = self._said.texts.rows
        return np.array(
            [rows[text] for row in self._captioned for text in _captions(self._said.pictures[row])[language]]
        )

    def _drawn(self, step: int) -> "_Drawn":
        """Draw a batch, from the step's number alone."""
        random = np.random.default_rng((self._seed, step))
        pictures, sizes = self._said.pictures, self._sizes
        captioned = random.choice(self._captioned, min(sizes.captioned, len(self._captioned)), replace=False)
        of_names = random.choice(len(self._names), min(sizes.named, len(self._names)), replace=False)
        named = np.array([_one(random, self._by_name[self._names[each]]) for each in of_names], np.int64)
        others = random.choice(self._rows, sizes.others, p=self._weights)
        rows = np.concatenate([captioned, named, others])
        captions: dict[str, list[str]] = {"en": [], "zh": []}
        translations = []
        for row in captioned:
            picture = pictures[row]
            english, chinese = _one(random, picture.translated or ((picture.captions_en[0], picture.captions_zh[0]),))
            translations.append(chinese)
            captions["en"].append(english)
            by_people = not picture.translated or random.random() < _PEOPLE
            captions["zh"].append(_one(random, picture.captions_zh if by_people else picture.translations_zh))
        rivals = {
            language: random.choice(every, min(sizes.rivals, len(every)), replace=False)
            for language, every in self._captions.items()
        }
        kinds = self._some_kinds(random)
        words = [self._said.pairs[each] for each in random.integers(len(self._said.pairs), size=_PAIRS)]
        english = random.random() < 0.5
        return _Drawn(
            rows=rows,
            inputs=self._draw(rows, random),
            captioned=captioned,
            named=named,
            others=others,
            captions=captions,
            translations=translations,
            rivals=rivals,
            names=[self._called(random, named, language) for language in ("en", "zh")],
            words=([en for _, en in words], [zh for zh, _ in words]),
            kinds=kinds,
            kind_texts=[in_template(random, self._said.kinds[each].name) for each in kinds],
            classes=[
                in_template(random, _usual(random, each.en if english else each.zh)) for each in self._said.classes
            ],
        )

    def _some_kinds(self, random: np.random.Generator) -> list[int]:
        share = np.sqrt([min(len(kind.classes), 60) for kind in self._said.kinds])
        count = min(_KINDS, len(share))
        return [int(each) for each in random.choice(len(share), count, replace=False, p=share / share.sum())]

    def _called(self, random: np.random.Generator, rows: Rows, language: str) -> list[str]:
        texts = []
        for row in rows:
            picture = self._said.pictures[row]
            if picture.style and random.random() < 0.7:
                texts.append(styled(picture)[language])
            else:
                names = picture.names_en if language == "en" else picture.names_zh
                texts.append(in_template(random, _usual(random, names)))
        return texts


@dataclass(frozen=True, slots=True, eq=False)
class _Drawn:
    rows: Rows
    inputs: Tensor
    captioned: Rows
    named: Rows
    others: Rows
    captions: dict[str, list[str]]
    translations: list[str]  # of the English ones
    rivals: dict[str, Rows]
    names: list[list[str]]
    words: tuple[list[str], list[str]]
    kinds: list[int]
    kind_texts: list[str]
    classes: list[str]


def styled(picture: PackedPicture) -> dict[str, str]:
    """Return what a painting or a cartoon of something is called, by language; nothing for photographs."""
    if not picture.style or not picture.names_en or not picture.names_zh:
        return {}
    english, chinese = picture.style
    return {"en": f"a {english} of a {picture.names_en[0]}", "zh": f"{picture.names_zh[0]}的{chinese}"}


def _captions(picture: PackedPicture) -> dict[str, tuple[str, ...]]:
    return {"en": picture.captions_en, "zh": picture.captions_zh}


def _one(random: np.random.Generator, of: Sequence[_T]) -> _T:
    return of[int(random.integers(len(of)))]


def _usual(random: np.random.Generator, names: Sequence[str]) -> str:
    return names[0] if random.random() < 0.6 else _one(random, names)


def _contrast_beside(left: Tensor, right: Tensor, more_right: Tensor, more_left: Tensor, scale: Tensor) -> Tensor:
    """Return the contrastive loss of rows that belong together, beside others that belong to none of them."""
    matching = torch.arange(len(left))
    forth = functional.cross_entropy(left @ torch.cat([right, more_right]).T * scale, matching)
    back = functional.cross_entropy(right @ torch.cat([left, more_left]).T * scale, matching)
    return (forth + back) / 2


def _agreement(scores: Tensor, thought: Tensor) -> Tensor:
    """Return how far logits (n, m) are from those of teachers, along rows and along columns."""
    along_rows = cross_entropy(scores, thought.softmax(1))
    return (along_rows + cross_entropy(scores.T, thought.T.softmax(1))) / 2


def contrast(left: Tensor, right: Tensor, scale: Tensor) -> Tensor:
    """Return the symmetric contrastive loss of unit vectors whose rows belong together."""
    scores = left @ right.T * scale
    matching = torch.arange(len(left))
    return (functional.cross_entropy(scores, matching) + functional.cross_entropy(scores.T, matching)) / 2


def cross_entropy(scores: Tensor, probabilities: Tensor) -> Tensor:
    """Return the mean cross entropy of rows of scores against rows of probabilities."""
    return -(probabilities * functional.log_softmax(scores, 1)).sum(1).mean()
