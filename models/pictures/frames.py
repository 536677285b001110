"""Animations -> the frame that says most: not one that is blank, as many begin, nor one that is never shown."""

import logging
from typing import Final

import numpy as np
from PIL import Image, ImageFile

from models.pictures.limits import DecodeLimits, check_pixels

logger = logging.getLogger(__name__)

_MOST_FRAMES: Final = 64  # that are looked at
_MOST_PIXELS: Final = 64_000_000  # of all frames that are looked at
_SIDE: Final = 32  # pixels of the picture that is judged
SAYS_ENOUGH: Final = 20.0  # standard deviation of 0..255: photographs have 40 to 70
_SAYS_MORE: Final = 1.5  # times as much as the first, for another to be taken


def is_animated(image: ImageFile.ImageFile) -> bool:
    """Say whether an opened picture has frames that are shown one after another."""
    return image.format in {"PNG", "WEBP", "AVIF", "GIF"} and bool(getattr(image, "is_animated", False))


def load_telling_frame(image: ImageFile.ImageFile, limits: DecodeLimits) -> Image.Image:
    """Load an opened animation and return the first frame that says enough, else the one that says most.

    A first frame that is only for programs that cannot animate counts only where there is no other. Frames that cannot
    be read end the search. Raises whatever the decoder raises for the first.
    """
    image.load()
    hidden = bool(getattr(image, "default_image", False))
    said = 0.0 if hidden else says(image)
    most, pixels = said * _SAYS_MORE, image.width * image.height
    if said >= SAYS_ENOUGH:
        return image
    best = image.copy()  # what is loaded next takes its place
    for number in range(1, _MOST_FRAMES):
        pixels += image.width * image.height
        if pixels > _MOST_PIXELS:
            break
        try:
            image.seek(number)
            check_pixels(image.size, limits)
            image.load()
        except Exception:  # the end of the animation, or part of the per-image guard: what was read counts
            logger.debug("an animation ends with frame %d", number, exc_info=True)
            break
        said = says(image)
        if said > most or (hidden and number == 1):
            best, most = image.copy(), said
            if said >= SAYS_ENOUGH:
                break
    return best


def says(image: Image.Image) -> float:
    """Return how much there is to see: how far values differ over a small picture (standard deviation)."""
    small = image.convert("RGBA").resize((_SIDE, _SIDE), Image.Resampling.BOX)
    white = Image.new("RGBA", small.size, (255, 255, 255, 255))
    values = np.asarray(Image.alpha_composite(white, small).convert("RGB"), np.float32)
    return float(values.std(axis=(0, 1)).max())


def gif_can_be_cleared(data: bytes) -> bool:
    """Say whether a GIF has several frames and all lie within its canvas: Pillow takes memory for each as it says."""
    width, height = int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little")
    at = 13 + _table(data[10])
    frames = 0
    while at < len(data) and frames <= _MOST_FRAMES:
        block = data[at]
        if block == 0x21:
            at += 2
        elif block == 0x2C and at + 10 <= len(data):
            left, top, wide, high = (int.from_bytes(data[at + 1 + 2 * i : at + 3 + 2 * i], "little") for i in range(4))
            if left + wide > width or top + high > height:
                return False
            at += 11 + _table(data[at + 9])
            frames += 1
        else:
            break
        while at < len(data) and data[at]:  # blocks of data, to an empty one
            at += 1 + data[at]
        at += 1
    return frames > 1


def _table(packed: int) -> int:
    return 3 << ((packed & 7) + 1) if packed & 0x80 else 0
