"""Frames as a decoder has them -> upright pictures in sRGB, with square pixels."""

import struct
from typing import Any, Final

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from numpy.typing import NDArray
from PIL import Image

from models.pictures.colour import profile_of_code_points, to_srgb

Size = tuple[int, int]

_SMALL: Final = 64  # pixels of the side of the square in which frames are compared
_PLAINLY, _FAINTLY = 24, 6  # of 255, by which places of frames differ
_STILL: Final = 0.85  # share of a frame
_MUCH, _LITTLE = 0.1, 0.004
_LEVELS: Final = 4  # of each of three colours
_UNKNOWN: Final = (0, 2, 3)  # code points of H.273 that say nothing
_HIGH_DEFINITION: Final = 720  # lines, from which on colours are those of BT.709 where a file does not say
_MATRICES: Final = {1, 4, 5, 7, 9}  # that the scaler knows
_LIKE: Final = {6: 5, 10: 9}  # matrices that are others under another number
# How a frame is turned: where one step to the right, and one down, lead on the screen (x, y, x, y).
_TURNS: Final[dict[tuple[int, ...], Image.Transpose]] = {
    (0, 1, -1, 0): Image.Transpose.ROTATE_270,
    (-1, 0, 0, -1): Image.Transpose.ROTATE_180,
    (0, -1, 1, 0): Image.Transpose.ROTATE_90,
    (-1, 0, 0, 1): Image.Transpose.FLIP_LEFT_RIGHT,
    (1, 0, 0, -1): Image.Transpose.FLIP_TOP_BOTTOM,
    (0, 1, 1, 0): Image.Transpose.TRANSPOSE,
    (0, -1, -1, 0): Image.Transpose.TRANSVERSE,
}
_SIDEWAYS: Final = {
    Image.Transpose.ROTATE_270,
    Image.Transpose.ROTATE_90,
    Image.Transpose.TRANSPOSE,
    Image.Transpose.TRANSVERSE,
}


def shown_size(frame: VideoFrame, aspect: float) -> Size:
    """Return the size of the upright picture with square pixels; `aspect` is the width of a pixel by its height."""
    width, height = max(1, round(frame.width * aspect)), frame.height
    return (height, width) if _turn_of(frame) in _SIDEWAYS else (width, height)


def to_image(frame: VideoFrame, aspect: float, *, short_side: int, long_side: int) -> Image.Image:
    """Return a frame as RGB, on white where it is transparent.

    It is reduced as far as its short side stays >= `short_side` and its long side >= `long_side`, never enlarged.
    """
    width, height = max(1, round(frame.width * aspect)), frame.height
    scale = min(1.0, max(short_side / min(width, height), long_side / max(width, height)))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    alpha = frame.format.has_palette or any(component.is_alpha for component in frame.format.components)
    pixels = _scale(frame, size, "rgba" if alpha else "rgb24")
    image = Image.fromarray(pixels)
    if alpha:
        image = Image.alpha_composite(Image.new("RGBA", image.size, (255, 255, 255, 255)), image).convert("RGB")
    image = to_srgb(image, profile_of_code_points(_code(frame.color_primaries), _code(frame.color_trc)))
    turn = _turn_of(frame)
    return image if turn is None else image.transpose(turn)


def show_the_same(one: NDArray[np.int16], other: NDArray[np.int16]) -> bool:
    """Say whether two small frames of a scene look alike, place by place.

    Where nearly all stands perfectly still, as on slides, in recordings of a screen and before fixed cameras, little
    that is new counts: a line of text, somebody who comes in.
    """
    apart = np.abs(one - other).max(axis=2)
    new = (apart > _PLAINLY).mean()
    stands_still = (apart < _FAINTLY).mean() >= _STILL
    return bool(new < (_LITTLE if stands_still else _MUCH))


def difference_of_colours(one: NDArray[np.int16], other: NDArray[np.int16]) -> float:
    """Return the share of two small frames whose colours differ, wherever they are, 0..1: where a scene changes."""
    return float(np.abs(_histogram(one) - _histogram(other)).sum() / 2)


def _histogram(frame: NDArray[np.int16]) -> NDArray[np.float64]:
    levels = frame.reshape(-1, 3) * _LEVELS // 256
    numbers = levels @ np.array([_LEVELS**2, _LEVELS, 1], np.int16)
    return np.bincount(numbers, minlength=_LEVELS**3) / len(numbers)


def small(frame: VideoFrame) -> NDArray[np.int16]:
    """Return a frame small enough to be compared, int16 (h, w, 3)."""
    return _scale(frame, (_SMALL, _SMALL), "rgb24").astype(np.int16)


def _scale(frame: VideoFrame, size: Size, form: str) -> NDArray[np.uint8]:
    code = _LIKE.get(frame.colorspace, frame.colorspace)
    matrix = code if code in _MATRICES else 1 if frame.height >= _HIGH_DEFINITION else 5
    name = frame.format.name
    full = frame.color_range == ColorRange.JPEG or name.startswith("yuvj") or frame.format.is_rgb
    scaled = VideoReformatter().reformat(
        frame,
        *size,
        form,
        src_colorspace=Colorspace(matrix),
        src_color_range=ColorRange.JPEG if full else ColorRange.MPEG,
        dst_color_range=ColorRange.JPEG,
        interpolation=Interpolation.AREA | Interpolation.ACCURATE_RND,
        threads=1,
    )
    return scaled.to_ndarray().astype(np.uint8, copy=False)


def _code(value: int) -> int:
    return 1 if value in _UNKNOWN else int(value)


def _turn_of(frame: VideoFrame) -> Image.Transpose | None:
    """Return how a frame is turned, None where it is upright; a slant counts for nothing."""
    matrix: Any = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None or matrix.buffer_size < 36:
        return None
    a, b, _, c, d, *_ = struct.unpack_from("=9i", bytes(matrix))
    return _TURNS.get(tuple((value > 2**15) - (value < -(2**15)) for value in (a, b, c, d)))
