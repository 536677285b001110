"""RGB image -> the pixels an image tower sees. No torch here: worker processes start without it."""

from dataclasses import dataclass
from math import ceil

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


_FINEST, _LARGEST = 1e-6, 100.0  # how much a picture is scaled, at least and at most
_PRECISION = 1e-5


@dataclass(frozen=True, slots=True)
class Patches:
    """Resizes to a grid of squares of `side` pixels, at most `most` of them, that keeps the aspect ratio nearly.

    The grid is that of SigLIP 2's NaFlex form: pictures are scaled, up or down, as far as the squares last, and each
    side is rounded up to whole squares. What comes out has one shape for all pictures, so that they fit a batch; a
    picture of fewer squares is filled up with black ones, which the tower leaves out.
    """

    side: int
    most: int
    resample: Image.Resampling

    def __call__(self, image: Image.Image) -> npt.NDArray[np.uint8]:
        """Return uint8 (1 + most, side * side, 3): a row that tells the grid, then the squares, row by row.

        The first two pixels of the first row are the number of rows and of columns, each as (n // 256, n % 256, 0).
        """
        rows, columns = self.grid(image.size)
        pixels = np.asarray(image.resize((columns * self.side, rows * self.side), self.resample))
        squares = pixels.reshape(rows, self.side, columns, self.side, 3).swapaxes(1, 2)
        packed = np.zeros((1 + self.most, self.side**2, 3), np.uint8)
        packed[0, :2, :2] = [divmod(rows, 256), divmod(columns, 256)]
        packed[1 : 1 + rows * columns] = squares.reshape(rows * columns, self.side**2, 3)
        return packed

    def grid(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return how many rows and columns of squares a picture of that width and height has."""
        low, high = _FINEST, _LARGEST
        while high - low >= _PRECISION:
            middle = (low + high) / 2
            rows, columns = self._scaled(size, middle)
            low, high = (middle, high) if rows * columns <= self.most else (low, middle)
        return self._scaled(size, low)

    def _scaled(self, size: tuple[int, int], scale: float) -> tuple[int, int]:
        columns, rows = (max(1, ceil(length * scale / self.side)) for length in size)
        return rows, columns
