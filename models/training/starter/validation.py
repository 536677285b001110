"""How well the towers find pictures that are not trained on: by captions, by names, and by names never heard of."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.training.starter.holdout import Holdout
from models.training.starter.pack import PackedPicture
from models.training.starter.texts import ReadTexts
from models.training.starter.towers import Heads

_DEPTHS = (1, 5, 10)
_DRAWS = 40  # of which half of the unseen things are there
_A_NAME = 20  # pictures of an unseen name


@dataclass(frozen=True, slots=True)
class Findings:
    """Per cent of queries that have a right picture among the first 1, 5 and 10; and of names never heard of, AUROC.

    `presence_*`: the chance, in per cent, that the best picture for a thing that is there scores above that for one
    that is not, of names that the classifier does not know either; `classified_*` of those that it does. `similar`:
    mean average precision of pictures of unseen names that ask for each other.
    """

    en: tuple[float, ...]
    zh: tuple[float, ...]
    names_en: tuple[float, ...]
    names_zh: tuple[float, ...]
    presence_en: tuple[float, ...]
    presence_zh: tuple[float, ...]
    classified_en: tuple[float, ...]
    classified_zh: tuple[float, ...]
    similar: tuple[float, ...]

    def __str__(self) -> str:
        """Return one line."""
        parts = ((field.name.replace("_", " "), getattr(self, field.name)) for field in fields(self))
        return ", ".join(f"{name} {' / '.join(f'{value:.1f}' for value in values)}" for name, values in parts)


class Validation:
    """The pictures of a pack that are not for training, and what they are asked for with."""

    def __init__(self, pictures: Sequence[PackedPicture], holdout: Holdout, texts: ReadTexts) -> None:
        self._pictures, self._texts = pictures, texts
        kept = [row for row, picture in enumerate(pictures) if not picture.training and not holdout.holds(picture)]
        captioned = [row for row in kept if pictures[row].captions_en]
        named = [row for row in kept if pictures[row].names_en]
        unseen: dict[tuple[str, str], list[int]] = {}
        for row, picture in enumerate(pictures):
            if holdout.holds(picture) and not picture.style:
                unseen.setdefault((picture.names_en[0], picture.names_zh[0]), []).append(row)
        self._unseen = {name: rows[:_A_NAME] for name, rows in sorted(unseen.items())}
        self._classified = np.array([en in holdout.classified for en, _ in self._unseen], bool)
        self._captioned, self._named = captioned, named
        self.rows = np.array([*captioned, *named, *(row for rows in self._unseen.values() for row in rows)])

    @torch.no_grad()
    def measure(self, heads: Heads, vectors: Tensor) -> Findings:
        """Search with every text; `vectors` are those of the pictures at `rows`."""
        learning = heads.training
        heads.eval()
        captioned, named, unseen = torch.split(
            vectors, [len(self._captioned), len(self._named), len(self.rows) - len(self._captioned) - len(self._named)]
        )
        owners = np.repeat(np.arange(len(self._unseen)), [len(rows) for rows in self._unseen.values()])
        presence = []
        for language in (0, 1):
            scores = (self._read(heads, [name[language] for name in self._unseen]) @ unseen.T).numpy()
            presence.append([_presence(scores, owners, which) for which in (~self._classified, self._classified)])
        found = Findings(
            en=self._by_captions(heads, captioned, "captions_en"),
            zh=self._by_captions(heads, captioned, "captions_zh"),
            names_en=self._by_names(heads, named, "names_en"),
            names_zh=self._by_names(heads, named, "names_zh"),
            presence_en=(presence[0][0],),
            presence_zh=(presence[1][0],),
            classified_en=(presence[0][1],),
            classified_zh=(presence[1][1],),
            similar=(_mean_average_precision(unseen, owners),),
        )
        heads.train(learning)
        return found

    def _by_captions(self, heads: Heads, vectors: Tensor, field: str) -> tuple[float, ...]:
        captions = [getattr(self._pictures[row], field) for row in self._captioned]
        right = torch.tensor([number for number, own in enumerate(captions) for _ in own])
        scores = self._read(heads, [caption for own in captions for caption in own]) @ vectors.T
        ranks = (scores >= scores.gather(1, right[:, None])).sum(1)  # a tie counts against the right one
        return tuple(float((ranks <= depth).float().mean() * 100) for depth in _DEPTHS)

    def _by_names(self, heads: Heads, vectors: Tensor, field: str) -> tuple[float, ...]:
        names = [getattr(self._pictures[row], field)[0] for row in self._named]
        queries = sorted(set(names))
        right = torch.tensor([[name == query for name in names] for query in queries])
        best = (self._read(heads, queries) @ vectors.T).topk(min(max(_DEPTHS), len(vectors)), dim=1).indices
        hits = right.gather(1, best)
        return tuple(float(hits[:, :depth].any(1).float().mean() * 100) for depth in _DEPTHS)

    def _read(self, heads: Heads, queries: Sequence[str]) -> Tensor:
        blocks = [queries[start : start + 1_000] for start in range(0, len(queries), 1_000)]
        return torch.cat([heads.read(*self._texts.batch(block)) for block in blocks])


def _presence(scores: NDArray[np.float32], owners: NDArray[np.int64], which: NDArray[np.bool_]) -> float:
    """Return the AUROC of the best score of each name that counts, over libraries of half of all names, in per cent."""
    if which.sum() < 2:
        return float("nan")
    random = np.random.default_rng(0)
    draws = []
    for _ in range(_DRAWS):
        there = random.permutation(len(scores)) < len(scores) // 2
        best = scores[:, there[owners]].max(1)
        present, absent = best[there & which], best[~there & which]
        if len(present) and len(absent):
            draws.append(float((present[:, None] > absent).mean()))
    return 100 * float(np.mean(draws))


def _mean_average_precision(vectors: Tensor, owners: NDArray[np.int64]) -> float:
    scores = vectors @ vectors.T
    scores.fill_diagonal_(-2)
    order = scores.argsort(1, descending=True)[:, :-1].numpy()
    right = owners[order] == owners[:, None]
    counted = right.any(1)
    found = np.cumsum(right, 1) / np.arange(1, right.shape[1] + 1)
    precision = (found * right).sum(1)[counted] / right.sum(1)[counted]
    return 100 * float(precision.mean())
