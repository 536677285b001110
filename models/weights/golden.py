"""Inputs that are the same everywhere and for ever, to tell whether vectors are still what they were."""

import json
from functools import cache
from itertools import islice, pairwise

import numpy as np
import numpy.typing as npt
from PIL import Image

from models.encoders.starter import FOLDER

GOLDEN_INPUTS = 8


def make_pictures(count: int, *, seed: int = 0) -> list[Image.Image]:
    """Return synthetic pictures that have, as photographs do, surfaces, edges and grain of every strength."""
    return [_make_picture(np.random.default_rng((seed, number))) for number in range(count)]


def make_texts(count: int) -> list[str]:
    """Return phrases in Chinese and English of 1 to about 40 tokens, made of everyday words."""
    random = np.random.default_rng(0)
    chinese, english = _words()
    texts: list[str] = []
    while len(texts) < count:
        words = english if len(texts) % 2 else chinese
        chosen = random.choice(words, min(1 + len(texts) % 12, len(words)), replace=False).tolist()
        texts.append((" " if words is english else "").join(chosen))
    return texts


@cache
def _words() -> tuple[list[str], list[str]]:
    """Return the words that the built-in encoder knows: those that people use for pictures."""
    vocabulary = json.loads((FOLDER / "tokenizer.json").read_text(encoding="utf-8"))["vocab"]
    chinese = [word for word in vocabulary if len(word) == 2 and not word.isascii()]
    english = [word for word in vocabulary if len(word) > 2 and word.isascii() and word.isalpha()]
    return list(islice(chinese, 400)), list(islice(english, 400))


def _make_picture(random: np.random.Generator) -> Image.Image:
    side = 256
    light = np.full((side, side, 3), random.uniform(30, 220, 3))
    for low, high in pairwise((2, 4, 8, 16, 32, 64)):
        coarse = random.normal(0, random.uniform(5, 60), (int(random.integers(low, high)),) * 2 + (3,))
        light += _grow(coarse, side)
    for _ in range(int(random.integers(2, 8))):
        top, left = random.integers(0, side - 40, 2)
        height, width = random.integers(20, 160, 2)
        light[top : top + height, left : left + width] = random.uniform(0, 255, 3)
    light += random.normal(0, random.uniform(0, 12), light.shape)
    return Image.fromarray(np.clip(light, 0, 255).astype(np.uint8))


def _grow(coarse: npt.NDArray[np.float64], side: int) -> npt.NDArray[np.float64]:
    position = np.linspace(0, len(coarse) - 1, side)
    low = position.astype(int).clip(max=len(coarse) - 2)
    share = (position - low)[:, None, None]
    rows = coarse[low] * (1 - share) + coarse[low + 1] * share
    share = (position - low)[None, :, None]
    grown: npt.NDArray[np.float64] = rows[:, low] * (1 - share) + rows[:, low + 1] * share
    return grown
