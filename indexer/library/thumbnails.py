"""Small WebP pictures, made while indexing and named by the content they show."""

import os
import threading
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

THUMBNAIL_SIDE = 400  # pixels, the longer side at most
DECODED_SIDE = 320  # pixels, the longer side that a picture is decoded to at least: a thumbnail often needs no resize
SPARE = 2  # times as long as what an encoder sees are the sides that a picture is decoded to


def decoded_side(image_sizes: Sequence[int]) -> int:
    """Return the shorter side in pixels that pictures are decoded to at least, for encoders of these sizes.

    SPARE times the largest, as the resize that follows wants. A query's picture is decoded to the same side, so that
    a picture of the library finds itself.
    """
    return SPARE * max(image_sizes)


def make_thumbnail(image: Image.Image, side: int = THUMBNAIL_SIDE) -> Image.Image:
    """Return `image` (RGB) within a square of `side` pixels; never enlarged."""
    scale = min(1.0, side / max(image.size))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image if size == image.size else image.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)


def write_thumbnail(image: Image.Image, path: Path) -> None:
    """Write a thumbnail; a reader sees all of it or nothing. It can be made again, so it is not forced to disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f"{path.stem}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        # Method 0 is three times faster than the default; at this size the file grows by a sixth.
        make_thumbnail(image).save(scratch, "WEBP", quality=75, method=0)
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)
