"""RGB image -> the pixels an image tower sees. No torch here: worker processes start without it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image


@dataclass(frozen=True, slots=True)
class Squash:
    """Resizes to each of `sides` in turn, squares all, without keeping the aspect ratio or cropping."""

    sides: tuple[int, ...]
    resample: Image.Resampling

    def __call__(self, image: Image.Image) -> npt.NDArray[np.uint8]:
        """Return uint8 (side, side, 3)."""
        for side in self.sides:
            image = image.resize((side, side), self.resample)
        return np.asarray(image)


_STRIP = 8  # how many times as long as high a picture may be before its ends are cut off first


@dataclass(frozen=True, slots=True)
class ResizeAndCrop:
    """Resizes until the shorter side is `shorter`, then cuts the square of `side` out of the middle."""

    shorter: int
    side: int
    resample: Image.Resampling

    def __call__(self, image: Image.Image) -> npt.NDArray[np.uint8]:
        """Return uint8 (side, side, 3)."""
        width, height = image.size
        short = min(width, height)
        if max(width, height) > _STRIP * short:  # or a strip of one pixel's height would grow to gigabytes
            left, top = (max(0, length - _STRIP * short) // 2 for length in image.size)
            image = image.crop((left, top, width - left, height - top))
            width, height = image.size
        image = image.resize((self.shorter * width // short, self.shorter * height // short), self.resample)
        left, top = (round((length - self.side) / 2) for length in image.size)
        return np.asarray(image.crop((left, top, left + self.side, top + self.side)))
