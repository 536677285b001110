"""Batches of pairs for training: drawn by step, decoded in worker processes while the step before is computed."""

import signal
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader

from models.encoders.encoder import Preprocess
from models.pictures.decode import decode_image
from models.pictures.errors import DecodeError
from models.pictures.files import read_image_file
from models.training.finetune.pairs import Pair

_LEAST_AREA = 0.9  # of a picture, in a crop: what its caption speaks of must stay in sight
_MOST_STRETCHED = 1.1  # how much wider than its picture a crop may be, or higher

Key = TypeVar("Key")
Value = TypeVar("Value")
Place = tuple[int, int]  # a step, and the number of a pair in it


@dataclass(frozen=True, slots=True)
class Order:
    """Which pairs a step has: those of every epoch in an order of its own, one epoch after the other."""

    pairs: int
    batch: int
    seed: int

    def rows(self, step: int) -> NDArray[np.int64]:
        """Return the numbers of the pairs of a step, int64 (batch,)."""
        at = np.arange(step * self.batch, (step + 1) * self.batch)
        epochs = at // self.pairs
        rows = np.empty(self.batch, np.int64)
        for epoch in np.unique(epochs):
            here = epochs == epoch
            rows[here] = _shuffled(self.pairs, self.seed, int(epoch))[at[here] % self.pairs]
        return rows


@dataclass(frozen=True, slots=True)
class Views:
    """Pictures of pairs as an image tower sees them in training: a little cropped.

    What is drawn is drawn from (seed, step, pair) alone.
    """

    pairs: Sequence[Pair]
    preprocess: Preprocess
    side: int
    seed: int
    flip: bool = False

    def load(self, place: Place) -> NDArray[np.uint8] | DecodeError:
        """Return uint8 (side, side, 3); a picture that cannot be read is an error, and raises none."""
        step, row = place
        random = np.random.default_rng((self.seed, step, row))
        try:
            image = open_picture(self.pairs[row].picture, self.side)
        except DecodeError as error:
            return error
        image = image.crop(_box(random, *image.size))
        if self.flip and random.random() < 0.5:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        return self.preprocess(image)


class Feed:
    """The views of one step after the other."""

    def __init__(
        self, views: Views, rows: Callable[[int], NDArray[np.int64]], steps: range, *, at_once: int, workers: int
    ) -> None:
        """`rows` returns the pairs of a step, as many for each; a worker decodes `at_once` at a time."""
        self._chunks_a_step = -(-len(rows(steps.start)) // at_once)
        self._loaded = in_workers(views.load, _chunks(rows, steps, at_once), workers)

    def take(self) -> Tensor:
        """Return the views of the next step, uint8 (n, side, side, 3). Raises the DecodeError of a picture."""
        views = []
        for _ in range(self._chunks_a_step):
            for view in next(self._loaded):
                if isinstance(view, DecodeError):
                    raise view
                views.append(view)
        return torch.from_numpy(np.stack(views))


def open_picture(path: Path, side: int) -> Image.Image:
    """Return a picture in RGB, at least twice as large as a tower of `side` pixels sees it.

    Raises a DecodeError that names it.
    """
    try:
        return decode_image(read_image_file(path), short_side=2 * side).image
    except DecodeError as error:
        raise error.named(str(path)) from error


def in_workers(work: Callable[[Key], Value], chunks: Iterable[Sequence[Key]], workers: int) -> Iterator[list[Value]]:
    """Yield what `work` makes of each chunk, in order; with 0 workers in this process."""
    loader: DataLoader[Any] = DataLoader(
        _Calls(work),  # type: ignore[arg-type]
        batch_sampler=chunks,  # type: ignore[arg-type]
        num_workers=workers,
        collate_fn=list,
        worker_init_fn=_begin_worker,
        generator=torch.Generator(),  # that of dropout is not to be drawn from
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "This DataLoader will create", UserWarning)
        batches = iter(loader)
    yield from batches


@dataclass(frozen=True, slots=True)
class _Calls:
    """A function, as a DataLoader asks for items."""

    work: Callable[[Any], Any]

    def __getitem__(self, key: object) -> object:
        return self.work(key)


@lru_cache(maxsize=2)  # a step may lie in two epochs
def _shuffled(pairs: int, seed: int, epoch: int) -> NDArray[np.int64]:
    return np.random.default_rng((seed, epoch)).permutation(pairs)


def _begin_worker(_: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who stops the training waits for the step to end


def _chunks(rows: Callable[[int], NDArray[np.int64]], steps: range, at_once: int) -> Iterator[list[Place]]:
    for step in steps:
        places = [(step, int(row)) for row in rows(step)]
        yield from (places[start : start + at_once] for start in range(0, len(places), at_once))


def _box(random: np.random.Generator, width: int, height: int) -> tuple[int, int, int, int]:
    """Draw a crop that is nearly all of a picture: left, upper, right, lower in pixels."""
    area = random.uniform(_LEAST_AREA, 1.0)
    stretch = _MOST_STRETCHED ** random.uniform(-0.5, 0.5)
    wide = max(1, round(width * min(1.0, area**0.5 * stretch)))
    high = max(1, round(height * min(1.0, area**0.5 / stretch)))
    left, upper = int(random.integers(width - wide + 1)), int(random.integers(height - high + 1))
    return left, upper, left + wide, upper + high
