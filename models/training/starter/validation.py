"""How well the towers find the validation pictures: by their captions, and things by their names."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.training.starter.pack import PackedPicture
from models.training.starter.texts import TextReader, trimmed
from models.training.starter.towers import StarterTextTower

_DEPTHS = (1, 5, 10)
_BLOCK = 1_000  # texts at once

SeeRows = Callable[[NDArray[np.int64]], Tensor]  # rows of pictures -> unit vectors, without gradients


@dataclass(frozen=True, slots=True)
class Recalls:
    """Per cent of queries that have a right picture among the first 1, 5 and 10."""

    captions_en: tuple[float, ...]
    captions_zh: tuple[float, ...]
    names_en: tuple[float, ...]
    names_zh: tuple[float, ...]

    def __str__(self) -> str:
        """Return one line."""
        parts = {"en": self.captions_en, "zh": self.captions_zh, "names en": self.names_en, "names zh": self.names_zh}
        return ", ".join(f"{name} {' / '.join(f'{value:.1f}' for value in values)}" for name, values in parts.items())


class Validation:
    """The pictures of a pack that are not for training, and what they are asked for with."""

    def __init__(self, pictures: Sequence[PackedPicture], reader: TextReader) -> None:
        kept = [row for row, picture in enumerate(pictures) if not picture.training]
        self._captioned = np.array([row for row in kept if pictures[row].captions_en])
        self._named = np.array([row for row in kept if pictures[row].names_en])
        self._reader = reader
        self._pictures = pictures

    @torch.no_grad()
    def measure(self, text: StarterTextTower, see: SeeRows) -> Recalls:
        """Search the validation pictures by every caption, and the named ones by every name."""
        learning = text.training
        text.eval()
        captioned, named = see(self._captioned), see(self._named)
        found = [
            self._by_captions(text, captioned, [getattr(self._pictures[row], field) for row in self._captioned])
            for field in ("captions_en", "captions_zh")
        ] + [
            self._by_names(text, named, [getattr(self._pictures[row], field)[0] for row in self._named])
            for field in ("names_en", "names_zh")
        ]
        text.train(learning)
        return Recalls(*found)

    def _by_captions(
        self, text: StarterTextTower, vectors: Tensor, captions: Sequence[Sequence[str]]
    ) -> tuple[float, ...]:
        queries = [caption for own in captions for caption in own]
        right = torch.tensor([number for number, own in enumerate(captions) for _ in own])
        scores = self._encode(text, queries) @ vectors.T
        ranks = (scores >= scores.gather(1, right[:, None])).sum(1)  # a tie counts against the right one
        return tuple(float((ranks <= depth).float().mean() * 100) for depth in _DEPTHS)

    def _by_names(self, text: StarterTextTower, vectors: Tensor, names: Sequence[str]) -> tuple[float, ...]:
        queries = sorted(set(names))
        right = torch.tensor([[name == query for name in names] for query in queries])
        best = (self._encode(text, queries) @ vectors.T).topk(min(max(_DEPTHS), len(vectors)), dim=1).indices
        hits = right.gather(1, best)
        return tuple(float(hits[:, :depth].any(1).float().mean() * 100) for depth in _DEPTHS)

    def _encode(self, text: StarterTextTower, queries: Sequence[str]) -> Tensor:
        ids = self._reader.read(queries)
        blocks = (ids[start : start + _BLOCK] for start in range(0, len(ids), _BLOCK))
        return torch.cat([text(torch.from_numpy(trimmed(block))) for block in blocks])
