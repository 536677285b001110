"""An encoder whose vectors are known: pictures and texts are angles in the plane, written where a person sees them."""

import re
from collections.abc import Sequence

import numpy as np
from PIL import Image

from models.encoders.encoder import Preprocess, TextReading
from models.encoders.runtime import Runtime
from models.encoders.spec import EncoderSpec
from models.foundation.errors import UnknownWords
from models.foundation.vectors import Pixels, Vectors
from models.pictures.preprocess import Squash

PREPROCESS = Squash(sides=(8,), resample=Image.Resampling.NEAREST)
SPEC = EncoderSpec(
    name="angles",
    space="angles",
    dim=2,
    image_size=8,
    context_length=500,
    languages=("zh", "en"),
    preprocess=repr(PREPROCESS),
    license="Apache-2.0",
)


class AnglesEncoder:
    """Both towers. Degrees are the red of a picture's upper left corner, or the number in a text."""

    spec = SPEC
    preprocess: Preprocess = staticmethod(PREPROCESS)

    def encode_image(self, pixels: Pixels) -> Vectors:
        """Return `float32 (n, 2)`."""
        return _at(pixels[:, 0, 0, 0].tolist())

    def read_text(self, text: str) -> TextReading:
        """Know numbers, and nothing else."""
        known = re.search(r"\d+", text) is not None
        return TextReading(known=known, unknown_words=() if known else (text,))

    def encode_text(self, texts: Sequence[str]) -> Vectors:
        """Return `float32 (n, 2)`. Raises UnknownWords for a text without a number."""
        found = [re.search(r"\d+", text) for text in texts]
        if None in found:
            raise UnknownWords(texts, SPEC.name)
        return _at([int(one[0]) for one in found])


class AnglesFamily:
    """What the entry point names."""

    specs = (SPEC,)

    def preprocess(self, _spec: EncoderSpec) -> Preprocess:
        """Return the first step."""
        return PREPROCESS

    def open_image(self, _spec: EncoderSpec, _runtime: Runtime) -> AnglesEncoder:
        """Return the image tower."""
        return AnglesEncoder()

    def open_text(self, _spec: EncoderSpec, _runtime: Runtime) -> AnglesEncoder:
        """Return the text tower."""
        return AnglesEncoder()


def _at(degrees: Sequence[int]) -> Vectors:
    radians = np.radians(np.array(degrees, np.float64))
    return np.ascontiguousarray(np.stack([np.cos(radians), np.sin(radians)], axis=1), np.float32).reshape(-1, 2)
