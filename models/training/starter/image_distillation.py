"""The image tower of the built-in encoder, taught from pixels: every view has its own target."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from models.training.loop import Losses
from models.training.starter.pack import SIDE, Pixels
from models.training.starter.space import COMPONENTS, Teaching, contrast, cross_entropy
from models.training.starter.teachers import CLASSES
from models.training.starter.towers import StarterImageTower
from models.training.starter.views import PictureView, render, view

_MEAN, _SPREAD = 127.5, 64.0  # of a colour, for the tower
_SHARPNESS = 12.0  # of the softmax over the likeness of targets
_AHEAD = 3  # batches drawn while one is learned


@dataclass(frozen=True, slots=True)
class Targets:
    """What the tower has to say of each view; arrays are indexed [view][row]."""

    vectors: Sequence[NDArray[np.float16]]  # (n, DIM) in the joint space
    teaching: Teaching
    classes: Sequence[tuple[NDArray[np.int16], NDArray[np.float16]]]  # the likeliest, and how likely, (n, 10)
    class_texts: Tensor  # (CLASSES, DIM)
    captions: dict[int, Tensor]  # row -> (captions, DIM), of training pictures that have some


@dataclass(frozen=True, slots=True)
class Batch:
    """Views, not yet standardised, and where they are from."""

    rows: NDArray[np.int64]
    views: NDArray[np.int64]
    pixels: Tensor  # (n, 3, side, side) uint8


class DistillationLearner(nn.Module):
    """The tower, and what is only there while it learns."""

    def __init__(self, widths: tuple[int, ...], blocks: tuple[int, ...]) -> None:
        super().__init__()
        self.tower = StarterImageTower(widths, blocks)
        self.components = nn.Linear(self.tower.width, 2 * COMPONENTS)
        self.classes = nn.Linear(self.tower.width, CLASSES)
        self.log_scale = nn.Parameter(torch.tensor(3.0))


class ImageDistillationTask:
    """Draws views by source, and compares what the tower says with the targets."""

    def __init__(
        self,
        learner: DistillationLearner,
        pixels: Pixels,
        targets: Targets,
        shares: NDArray[np.float64],
        *,
        side: int,
        batch: int,
        seed: int,
    ) -> None:
        """`shares` (n,): how often each picture is drawn, 0 for those that are not for training."""
        self.module: DistillationLearner = learner.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._pixels = pixels
        self._targets = targets
        self._shares = shares / shares.sum()
        self._side, self._batch, self._seed = side, batch, seed
        self._drawing = ThreadPoolExecutor(1)
        self._drawn: dict[int, Future[Batch]] = {}

    def losses(self, step: int) -> Losses:
        """See `Task`."""
        for ahead in range(step, step + _AHEAD):
            if ahead not in self._drawn:
                self._drawn[ahead] = self._drawing.submit(self._draw, ahead)
        batch = self._drawn.pop(step).result()
        with torch.autocast("cpu", torch.bfloat16):
            features = self.module.tower.features(_lit(batch.pixels))
        vectors = functional.normalize(self.module.tower.project(features.float()), dim=-1)
        return self._compare(batch, features.float(), vectors)

    def _draw(self, step: int) -> Batch:
        random = np.random.default_rng((self._seed, step))
        rows = random.choice(len(self._shares), self._batch, p=self._shares)
        numbers = random.integers(len(self._targets.vectors), size=self._batch)
        drawn = [self._view(int(row), int(number)) for row, number in zip(rows, numbers, strict=True)]
        views = np.array([number for number, _ in drawn])
        pixels = np.stack([np.asarray(render(self._pixels, chosen, self._side)) for _, chosen in drawn])
        return Batch(rows, views, torch.from_numpy(pixels).permute(0, 3, 1, 2))

    def _view(self, row: int, number: int) -> tuple[int, PictureView]:
        """Return a view and its number; the whole picture in place of one that is mixed with a validation picture."""
        drawn = view(len(self._pixels), row, number, SIDE)
        if drawn.second is not None and not self._shares[drawn.second.row]:
            return 0, view(len(self._pixels), row, 0, SIDE)
        return number, drawn

    def _compare(self, batch: Batch, features: Tensor, vectors: Tensor) -> Losses:
        wanted = self._stack(self._targets.vectors, batch)
        probabilities = self._probabilities(batch)
        scale = self.module.log_scale.exp().clamp(1, 60)
        named = vectors @ self._targets.class_texts.T * scale
        return {
            "vectors": 6 * (1 - (vectors * wanted).sum(1)).mean(),
            "relations": functional.kl_div(
                functional.log_softmax(vectors @ wanted.T * _SHARPNESS, 1),
                functional.softmax(wanted @ wanted.T * _SHARPNESS, 1),
                reduction="batchmean",
            ),
            "components": 2 * self._components(batch, self.module.components(features)),
            "classes": 0.4 * cross_entropy(self.module.classes(features), probabilities),
            "names": 0.3 * cross_entropy(named, probabilities),
            "captions": 0.4 * self._captions(batch, vectors, scale),
        }

    def _stack(self, arrays: Sequence[NDArray[np.float16]], batch: Batch) -> Tensor:
        rows = [arrays[number][row] for row, number in zip(batch.rows, batch.views, strict=True)]
        return torch.from_numpy(np.stack(rows).astype(np.float32))

    def _probabilities(self, batch: Batch) -> Tensor:
        likely = torch.zeros(len(batch.rows), CLASSES)
        for place, (row, number) in enumerate(zip(batch.rows, batch.views, strict=True)):
            classes, probabilities = self._targets.classes[number]
            likely[place, classes[row].astype(np.int64)] = torch.from_numpy(probabilities[row].astype(np.float32))
        return likely / likely.sum(1, keepdim=True).clamp(min=1e-6)

    def _components(self, batch: Batch, guessed: Tensor) -> Tensor:
        wanted, present = self._targets.teaching.batch(batch.rows, batch.views)
        distances = 1 - functional.cosine_similarity(guessed.reshape(wanted.shape), wanted, dim=2)
        return distances[present].mean()

    def _captions(self, batch: Batch, vectors: Tensor, scale: Tensor) -> Tensor:
        random = np.random.default_rng((self._seed, int(batch.rows.sum())))
        places = {row: place for place, row in enumerate(batch.rows.tolist()) if row in self._targets.captions}
        texts = [self._targets.captions[row] for row in places]
        drawn = torch.stack([each[int(random.integers(len(each)))] for each in texts])
        return contrast(vectors[list(places.values())], drawn, scale)


def standardised(pixels: Tensor) -> Tensor:
    """Return bytes (n, 3, side, side) as the tower reads them."""
    return ((pixels.float() - _MEAN) / _SPREAD).contiguous(memory_format=torch.channels_last)


def _lit(pixels: Tensor) -> Tensor:
    """Change light and colour a little, take the colour from a few, and cover a part of some; standardised."""
    count, _, height, width = pixels.shape
    x = standardised(pixels)
    x = x * torch.empty(count, 1, 1, 1).uniform_(0.75, 1.25) * torch.empty(count, 3, 1, 1).uniform_(0.93, 1.07)
    x = x + torch.randn(count, 1, 1, 1) * 0.25
    grey = torch.rand(count) < 0.1
    x[grey] = x[grey].mean(1, keepdim=True)
    for place in (torch.rand(count) < 0.25).nonzero()[:, 0].tolist():
        tall, wide = (int(torch.randint(side // 6, side // 3, ())) for side in (height, width))
        top, left = (int(torch.randint(0, room, ())) for room in (height - tall, width - wide))
        x[place, :, top : top + tall, left : left + wide] = torch.randn(3, 1, 1) * 0.7
    return x.contiguous(memory_format=torch.channels_last)
