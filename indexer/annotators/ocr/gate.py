"""The first look for text: whether there may be any in a picture, so that photographs without it cost little.

A small network says of each 8 x 8 pixels of the picture, reduced, whether they are of text. It was trained on text that
was drawn over photographs and patterns (tools/text_gate.py), to miss little: what passes is read, and mostly has some.
"""

import os
import threading
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image

SEEN_SIDE: Final = 512  # pixels of the longer side that is looked at, at most
_LEAST_SIDE: Final = 256  # and of the shorter side of a long picture
_CELL: Final = 8
_PASSES: Final = 0.7  # how much like text a place, 2 x 2 cells, has to be
_FAINT: Final = 0.3  # what print is like that is too small to be made out
_FULL: Final = 0.03  # of a picture: so much may be such print


@dataclass(frozen=True, slots=True)
class Look:
    """How much like text the place is that is most like it, 0..1, and how much of the picture is somewhat like it."""

    score: float
    share: float

    @property
    def passes(self) -> bool:
        """Whether there may be text in the picture."""
        return self.score >= _PASSES or self.is_full

    @property
    def is_full(self) -> bool:
        """Whether so much of the picture is like text that it may be print too small for what is seen here."""
        return self.share >= _FULL


def look(image: Image.Image) -> Look:
    """Look at a picture."""
    grey = _reduced(image)
    if min(grey.shape) < _CELL:
        return Look(0.0, 0.0)
    logits = _network(os.getpid()).run(None, {"grey": grey[None, None]})[0][0, 0]
    cells = 1 / (1 + np.exp(-np.asarray(logits, np.float64)))
    share = float((cells >= _FAINT).mean())
    if min(cells.shape) < 2:
        return Look(float(cells.max()), share)
    places = (cells[:-1, :-1] + cells[:-1, 1:] + cells[1:, :-1] + cells[1:, 1:]) / 4
    return Look(float(places.max()), share)


def _reduced(image: Image.Image) -> npt.NDArray[np.float32]:
    """Return a picture in grey, 0..1, of sides that are multiples of a cell; never enlarged."""
    scale = min(1.0, max(SEEN_SIDE / max(image.size), _LEAST_SIDE / min(image.size)))
    width, height = (round(side * scale) // _CELL * _CELL for side in image.size)
    if not width or not height:
        return np.zeros((0, 0), np.float32)
    grey = image.convert("L").resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0)
    return np.asarray(grey, np.float32) / np.float32(255)


_lock = threading.Lock()


def _network(process: int) -> Any:
    """Return the network of this process: it is not taken along into a fork."""
    with _lock:
        return _load(process)


@cache
def _load(_process: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    network = (files("indexer.annotators.ocr") / "gate.onnx").read_bytes()
    return onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])
