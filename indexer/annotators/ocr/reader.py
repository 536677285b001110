"""Lines of text in a picture: where they are, and what they say. Chinese in both scripts, English, digits.

They may stand in any direction. Detection, direction and recognition are rapidocr's, whose package holds its networks.
It sees a picture at 960 pixels; where that is too small for its print, the picture is read again in tiles.
"""

import os
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from models.foundation.errors import BackendNotInstalled
from models.pictures.parts import LONGEST

_SEEN_SIDE: Final = 960  # pixels that text is looked for in
_CROP_SIDE: Final = 2000  # pixels of a picture or tile that lines are cut out of
_PLAIN_HEIGHT: Final = 16.0  # pixels of a line as it is seen, below which it is looked at more closely
_WANTED_HEIGHT: Final = 26.0
_MOST_TILES: Final = 24
_OVERLAP: Final = 0.2  # of a tile, with the next
_LEAST_CONFIDENCE: Final = 0.6
_COVERED: Final = 0.5  # of a line, by another: then both are one

Quad = npt.NDArray[np.float32]  # (4, 2): its corners, x and y in pixels, from the beginning of the line clockwise


@dataclass(frozen=True, slots=True, eq=False)
class TextLine:
    """A line as it was read, with its confidence, 0..1, and its corners in pixels of the picture."""

    text: str
    confidence: float
    quad: Quad

    @property
    def height(self) -> float:
        """The shorter side of the line, pixels."""
        sides = np.linalg.norm(self.quad - np.roll(self.quad, -1, axis=0), axis=1)
        return float(min(sides[0] + sides[2], sides[1] + sides[3]) / 2)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom."""
        left, top = self.quad.min(axis=0).tolist()
        right, bottom = self.quad.max(axis=0).tolist()
        return left, top, right, bottom

    def moved(self, x: float, y: float) -> "TextLine":
        """Return the same line of a picture of which this one is a part that begins at (x, y)."""
        return TextLine(self.text, self.confidence, self.quad + np.array([x, y], np.float32))


def read_lines(image: Image.Image) -> list[TextLine]:
    """Return the lines in a picture, RGB, in the order in which they are read. Raises BackendNotInstalled."""
    long, short = max(image.size), min(image.size)
    first = [] if _is_long(long, short) else _read(image)
    plain, close = _tile_side(first, long, short)
    if not close:
        return _in_order(first)
    kept = [line for line in first if line.height >= plain]
    tiles = [line.moved(x, y) for x, y, tile in _tiles(image, close) for line in _read(tile)]
    rest = [line for line in first if line.height < plain]
    for found in (tiles, rest):
        for line in sorted(found, key=lambda one: -len(one.text)):  # what a tile cuts off is shorter than the whole
            if not any(_are_same(other, line) for other in kept):
                kept.append(line)
    return _in_order(kept)


def _tile_side(lines: Sequence[TextLine], long: int, short: int) -> tuple[float, int]:
    """Return how high a line is that is seen well, and the side of the tiles to read the others in; 0 for none."""
    plain = _PLAIN_HEIGHT * max(long / _SEEN_SIDE, 1.0)
    if _is_long(long, short):
        return plain, max(short, round(long / (_MOST_TILES * (1 - _OVERLAP))))
    if long <= _SEEN_SIDE * 1.2:
        return plain, 0
    small = [line.height for line in lines if line.height < plain]
    if len(small) < max(2, len(lines) / 3):
        return plain, 0
    side = min(long / 2, _SEEN_SIDE * float(np.median(small)) / _WANTED_HEIGHT)
    least = (long * short / _MOST_TILES) ** 0.5 / (1 - _OVERLAP)
    return plain, round(max(side, _SEEN_SIDE / 2, least))


def _is_long(long: int, short: int) -> bool:
    """Say whether too little would be seen of a picture as a whole."""
    return long > LONGEST * short and long > _SEEN_SIDE * 1.2


def _tiles(image: Image.Image, side: int) -> Iterator[tuple[int, int, Image.Image]]:
    """Yield squares that cover a picture and overlap, with the place of their left upper corner."""
    for y in _starts(image.height, side):
        for x in _starts(image.width, side):
            yield x, y, image.crop((x, y, min(x + side, image.width), min(y + side, image.height)))


def _starts(length: int, side: int) -> list[int]:
    if length <= side:
        return [0]
    count = int(np.ceil((length - side) / (side * (1 - _OVERLAP)))) + 1
    return [round(number * (length - side) / (count - 1)) for number in range(count)]


def _are_same(one: TextLine, other: TextLine) -> bool:
    """Say whether most of one of two lines is within the other."""
    bounds = np.array([one.bounds, other.bounds])
    wide, high = bounds[:, 2:].min(axis=0) - bounds[:, :2].max(axis=0)
    areas = (bounds[:, 2:] - bounds[:, :2]).prod(axis=1)
    return bool(wide > 0 and high > 0 and wide * high > _COVERED * max(areas.min(), 1.0))


def _in_order(lines: Sequence[TextLine]) -> list[TextLine]:
    """Return lines from the top to the bottom, and from the left to the right where they are beside each other."""
    rows: list[list[TextLine]] = []
    for line in sorted(lines, key=lambda one: one.bounds[1]):
        middle = (line.bounds[1] + line.bounds[3]) / 2
        if rows and middle < rows[-1][0].bounds[3] and line.height < 3 * rows[-1][0].height:
            rows[-1].append(line)
        else:
            rows.append([line])
    return [line for row in rows for line in sorted(row, key=lambda one: one.bounds[0])]


def finds_lines(image: Image.Image) -> bool:
    """Say whether anything in a picture looks like a line of text; nothing is read. Raises BackendNotInstalled."""
    found = _engine()(_as_array(image), use_det=True, use_cls=False, use_rec=False)
    return found.boxes is not None and len(found.boxes) > 0


def _as_array(image: Image.Image) -> npt.NDArray[np.uint8]:
    return np.ascontiguousarray(np.asarray(image.convert("RGB"))[:, :, ::-1])


def _read(image: Image.Image) -> list[TextLine]:
    """Return what is read in a picture or a tile in one go."""
    found = _engine()(_as_array(image), use_det=True, use_cls=True, use_rec=True)  # it keeps what it was told last
    if found.txts is None or found.boxes is None:
        return []
    lines = zip(found.txts, found.scores, found.boxes, strict=True)
    return [
        TextLine(said, float(confidence), np.asarray(quad, np.float32))
        for text, confidence, quad in lines
        if confidence >= _LEAST_CONFIDENCE and (said := " ".join(text.split())) and _is_text(said)
    ]


def _is_text(line: str) -> bool:
    """Say whether a line has two letters or digits at least: what is read in leaves and bricks mostly has one."""
    return sum(one.isalnum() for one in line) >= 2


_engines = threading.local()


def _engine() -> Any:
    """Return the engine of this thread of this process: it is not to be shared, nor taken along into a fork."""
    if getattr(_engines, "process", None) != os.getpid():
        try:
            import cv2
            from rapidocr import RapidOCR
        except ImportError as error:
            raise BackendNotInstalled("rapidocr", "ocr") from error
        cv2.setNumThreads(1)
        _engines.engine = RapidOCR(
            params={
                "Global.log_level": "critical",
                "Global.max_side_len": _CROP_SIDE,
                "Global.text_score": _LEAST_CONFIDENCE,
                "Det.limit_type": "max",
                "Det.limit_side_len": _SEEN_SIDE,
                "EngineConfig.onnxruntime.intra_op_num_threads": 1,
                "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            }
        )
        _engines.process = os.getpid()
    return _engines.engine
