"""RGB image -> blocks of pixels in reading order, for towers that see a picture in its own aspect ratio.

Such a tower makes one token of each block. Pictures have different numbers of blocks, while pixels have one shape on
their way to an encoder: so the blocks are packed one after the other into a square that has room for the most.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

_STRIP = 200  # how many times as long as high a picture may be before its ends are cut off first


def packed_side(block: int, budget: int) -> int:
    """Return the side in pixels of the square that holds `budget` blocks, and one for their rows and columns."""
    return block * math.ceil(math.sqrt(budget + 1))


@dataclass(frozen=True, slots=True)
class PackBlocks:
    """Resizes to whole blocks, as near to the aspect ratio as they allow, and packs them.

    `block` is the side of a block in pixels, `budget` the most blocks that a picture has. With `fill` it has as many as
    the budget allows; otherwise as many as its own size gives, at least `least`. The last block of the square holds
    the rows and the columns, two bytes each (see BlockImageTower, which unpacks).
    """

    block: int
    budget: int
    least: int
    fill: bool
    resample: Image.Resampling

    def __call__(self, image: Image.Image) -> npt.NDArray[np.uint8]:
        """Return uint8 (side, side, 3), `side` being that of `packed_side`."""
        image = _without_ends(image, min(_STRIP, self.budget)) if not self.fill else image
        rows, columns = self.grid(*image.size)
        size = (columns * self.block, rows * self.block)
        pixels = np.asarray(image if image.size == size else image.resize(size, self.resample))
        across = packed_side(self.block, self.budget) // self.block
        blocks = np.zeros((across * across, self.block, self.block, 3), np.uint8)
        blocks[: rows * columns] = (
            pixels.reshape(rows, self.block, columns, self.block, 3).swapaxes(1, 2).reshape(-1, *blocks.shape[1:])
        )
        blocks[-1, 0, :2, :2] = [divmod(rows, 256), divmod(columns, 256)]
        side = across * self.block
        return blocks.reshape(across, across, self.block, self.block, 3).swapaxes(1, 2).reshape(side, side, 3)

    def grid(self, width: int, height: int) -> tuple[int, int]:
        """Return the rows and columns of blocks that a picture of this size is resized to."""
        return self._filled(width, height) if self.fill else self._kept(width, height)

    def _filled(self, width: int, height: int) -> tuple[int, int]:
        scale = math.sqrt(self.budget * self.block**2 / (width * height))
        rows, columns = int(scale * height / self.block), int(scale * width / self.block)
        if not rows:
            return 1, min(width // height, self.budget)
        if not columns:
            return min(height // width, self.budget), 1
        return rows, columns

    def _kept(self, width: int, height: int) -> tuple[int, int]:
        rows, columns = max(1, round(height / self.block)), max(1, round(width / self.block))
        area = width * height / self.block**2
        if rows * columns > self.budget:
            shrink = math.sqrt(area / self.budget)
            return max(1, int(height / shrink / self.block)), max(1, int(width / shrink / self.block))
        if rows * columns < self.least:
            grow = math.sqrt(self.least / area)
            return math.ceil(height * grow / self.block), math.ceil(width * grow / self.block)
        return rows, columns


def _without_ends(image: Image.Image, ratio: int) -> Image.Image:
    """Return the middle of a strip that is more than `ratio` times as long as high; other pictures as they are."""
    most = ratio * min(image.size)
    left, top = (max(0, length - most) // 2 for length in image.size)
    if not left and not top:
        return image
    width, height = image.size
    return image.crop((left, top, width - left, height - top))
