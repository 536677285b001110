"""Views of pictures for training: a crop, perhaps mirrored, turned, in other light or less sharp."""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter

from models.training.starter.pack import Pixels

_SMALLEST_AREA = 0.45  # of the picture, in a crop
_WIDEST = 4 / 3  # sides of a crop
_WHOLE_SHARE = 0.25  # of the views are of the whole picture
_TURNED_SHARE = 0.12  # are turned by a quarter or more
_RELIT_SHARE = 0.4
_GREY_SHARE = 0.05
_BLURRED_SHARE = 0.1


def render(pixels: NDArray[np.uint8], side: int) -> Image.Image:
    """Draw the whole of a picture, uint8 (height, width, 3), at side x side pixels."""
    return Image.fromarray(pixels).resize((side, side), Image.Resampling.BILINEAR)


def draw_view(pixels: NDArray[np.uint8], side: int, random: np.random.Generator) -> Image.Image:
    """Draw a view of a picture at side x side pixels."""
    image = Image.fromarray(pixels)
    box = None if random.random() < _WHOLE_SHARE else _crop(random, *image.size)
    image = image.resize((side, side), Image.Resampling.BILINEAR, box=box)
    if random.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if random.random() < _TURNED_SHARE:
        turns = (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_270, Image.Transpose.ROTATE_180)
        image = image.transpose(turns[int(random.integers(len(turns)))])
    if random.random() < _RELIT_SHARE:
        for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
            image = enhance(image).enhance(float(random.uniform(0.7, 1.3)))
    if random.random() < _GREY_SHARE:
        image = image.convert("L").convert("RGB")
    if random.random() < _BLURRED_SHARE:
        image = image.filter(ImageFilter.GaussianBlur(float(random.uniform(0.5, 1.5))))
    return image


def draw_views(pixels: Pixels, rows: NDArray[np.int64], side: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """Return views of pictures, uint8 (n, side, side, 3)."""
    return np.stack([np.asarray(draw_view(pixels[row], side, random)) for row in rows])


def draw_whole(pixels: Pixels, rows: NDArray[np.int64], side: int) -> NDArray[np.uint8]:
    """Return whole pictures, uint8 (n, side, side, 3)."""
    return np.stack([np.asarray(render(pixels[row], side)) for row in rows])


def _crop(random: np.random.Generator, width: int, height: int) -> tuple[float, float, float, float]:
    area = random.uniform(_SMALLEST_AREA, 1.0)
    shape = math.exp(random.uniform(-math.log(_WIDEST), math.log(_WIDEST)) / 2)
    across, down = (
        min(length, length * math.sqrt(area) * factor) for length, factor in ((width, shape), (height, 1 / shape))
    )
    left, upper = random.uniform(0, width - across), random.uniform(0, height - down)
    return left, upper, left + across, upper + down
