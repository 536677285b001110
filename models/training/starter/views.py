"""Views of pictures for training: a crop, perhaps mirrored, perhaps mixed with a crop of another picture.

A view is made from its picture's row and its own number alone, so that a teacher and a student that never meet see
the same: the teacher's answer to a view is the target of exactly that view.
"""

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

from models.training.starter.pack import Pixels

_SMALLEST_AREA = 0.3  # of the picture, in a crop
_WIDEST = 4 / 3  # sides of a crop
_MIXED_SHARE = 0.25  # of the views are mixed with another picture's crop


@dataclass(frozen=True, slots=True)
class Crop:
    """A part of a picture: left, upper, right, lower in pixels."""

    row: int
    box: tuple[float, float, float, float]
    mirrored: bool


@dataclass(frozen=True, slots=True)
class PictureView:
    """One crop, or two that shine through each other; `share` is what the first has of the light."""

    first: Crop
    second: Crop | None = None
    share: float = 1.0


def view(rows: int, row: int, number: int, side: int) -> PictureView:
    """Return view `number` of picture `row`, of `rows` pictures of side x side pixels; view 0 is the whole picture."""
    if number == 0:
        return PictureView(Crop(row, (0.0, 0.0, float(side), float(side)), mirrored=False))
    random = np.random.default_rng((row, number))
    first = _crop(random, row, side)
    if random.random() >= _MIXED_SHARE:
        return PictureView(first)
    return PictureView(first, _crop(random, int(random.integers(rows)), side), float(random.uniform(0.5, 0.9)))


def render(pixels: Pixels, view: PictureView, side: int) -> Image.Image:
    """Draw a view, side x side pixels."""
    image = _draw(pixels, view.first, side)
    return image if view.second is None else Image.blend(_draw(pixels, view.second, side), image, view.share)


def _crop(random: np.random.Generator, row: int, side: int) -> Crop:
    area = random.uniform(_SMALLEST_AREA, 1.0)
    shape = math.exp(random.uniform(-math.log(_WIDEST), math.log(_WIDEST)) / 2)
    width, height = (min(side, side * math.sqrt(area) * factor) for factor in (shape, 1 / shape))
    left, upper = random.uniform(0, side - width), random.uniform(0, side - height)
    return Crop(row, (left, upper, left + width, upper + height), mirrored=bool(random.random() < 0.5))


def _draw(pixels: Pixels, crop: Crop, side: int) -> Image.Image:
    image = Image.fromarray(pixels[crop.row]).resize((side, side), Image.Resampling.BILINEAR, box=crop.box)
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if crop.mirrored else image
