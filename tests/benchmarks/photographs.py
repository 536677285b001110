"""Synthetic photographs: smooth structure, edges and sensor noise, so that a JPEG of them is as large as a real one."""

import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from io import BytesIO
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

SIZE = (1440, 1080)  # 1.56 megapixels
QUALITY = 80
DISTINCT = 200  # pictures; the others repeat them with another comment segment, so that every file differs
CAPTION = (
    f"Synthetic photographs, {SIZE[0]} x {SIZE[1]}, JPEG quality {QUALITY}: {DISTINCT} distinct ones; the others "
    "repeat their pixels with a JPEG comment of their own, so that the content of every file differs."
)


def write_photographs(folder: Path, count: int) -> int:
    """Write `count` photographs into two folders below `folder`, `first` and `rest`; return their mean size in bytes.

    `first` holds `first_part(count)` of them. Files that are already there are kept, so a folder can be used again.
    """
    total = 0
    for number, path in enumerate(list_photographs(folder, count)):
        if number % 500 == 0:
            print(f"photographs: {number} of {count}", file=sys.stderr)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(with_comment(_originals(count)[number % DISTINCT], f"photograph {number}"))
        total += path.stat().st_size
    return total // count


def list_photographs(folder: Path, count: int) -> Iterator[Path]:
    """Yield the path of every photograph in order."""
    for number in range(count):
        part = "first" if number < first_part(count) else "rest"
        yield folder / part / f"{number // 1000:03d}" / f"{number:06d}.jpg"


def first_part(count: int) -> int:
    """Return how many of `count` photographs lie in `first`: those that are indexed over and over."""
    return max(1, count * 3 // 10)


_made: list[bytes] = []


def _originals(count: int) -> list[bytes]:
    if not _made:
        with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
            _made.extend(pool.map(make_photograph, range(min(DISTINCT, count)), chunksize=5))
    return _made


def make_photograph(seed: int, size: tuple[int, int] = SIZE, quality: int = QUALITY) -> bytes:
    """Return the JPEG file of photograph number `seed`; `size` is width and height."""
    random = np.random.default_rng(seed)
    width, height = size
    light = _structure(random, size)[..., None] * _tint(random) + np.float32(random.uniform(60, 190))
    texture = _structure(random, size)[..., None]
    for _ in range(int(random.integers(8, 16))):  # things in front of each other, each with its own colour
        box, mask = _shape(random, size)
        inside = texture[box] * np.float32(random.uniform(0.2, 0.8)) + np.float32(random.uniform(20, 230))
        np.copyto(light[box], inside * _tint(random), where=mask[..., None])
    light += random.standard_normal((height, width, 1), np.float32) * np.float32(random.uniform(5, 11))
    light += random.standard_normal((height, width, 3), np.float32) * np.float32(1.5)
    buffer = BytesIO()
    Image.fromarray(np.clip(light, 0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def _tint(random: np.random.Generator) -> npt.NDArray[np.float32]:
    return random.uniform(0.75, 1.25, 3).astype(np.float32)


def _structure(random: np.random.Generator, size: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Return float32 (height, width): noise that nearly halves in strength with each finer octave."""
    surface = np.zeros(size[::-1], np.float32)
    for octave in range(1, 8):
        side = 2**octave
        coarse = random.normal(0, 60 / side**0.8, (3 * side // 4 + 1, side + 1)).astype(np.float32)
        surface += np.asarray(Image.fromarray(coarse).resize(size, Image.Resampling.BILINEAR))
    return surface


def _shape(random: np.random.Generator, size: tuple[int, int]) -> tuple[tuple[slice, slice], npt.NDArray[np.bool_]]:
    """Return a box of the picture, as slices of rows and columns, and the mask of an ellipse or a polygon in it."""
    side = int(random.uniform(80, 640) * (size[0] / SIZE[0]))
    left, top = (int(random.uniform(0, length - side)) for length in size)
    mask = Image.new("L", (side, side))
    draw = ImageDraw.Draw(mask)
    if random.random() < 0.5:
        draw.ellipse((0, 0, side, side * random.uniform(0.3, 1)), fill=255)
    else:
        corners = side * random.uniform(0, 1, (int(random.integers(3, 9)), 2))
        draw.polygon([tuple(corner) for corner in corners.tolist()], fill=255)
    return (slice(top, top + side), slice(left, left + side)), np.asarray(mask) > 0


def with_comment(jpeg: bytes, comment: str) -> bytes:
    """Return `jpeg` with a comment segment after its first marker."""
    text = comment.encode()
    return jpeg[:2] + b"\xff\xfe" + (len(text) + 2).to_bytes(2, "big") + text + jpeg[2:]
