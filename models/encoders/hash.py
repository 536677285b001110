"""A deterministic encoder without weights. For tests: it understands nothing, and nothing chooses it by default."""

import hashlib
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.encoders.encoder import Preprocess, TextReading
from models.encoders.runtime import Runtime
from models.encoders.spec import EncoderSpec
from models.foundation.errors import UnknownWords
from models.foundation.vectors import Pixels, Vectors, l2_normalize
from models.pictures.preprocess import Squash

_SIDE = 8
PREPROCESS = Squash(sides=(_SIDE,), resample=Image.Resampling.BOX)
SPEC = EncoderSpec(
    name="hash",
    space="hash",
    dim=32,
    image_size=_SIDE,
    context_length=512,
    languages=("zh", "en"),
    preprocess=repr(PREPROCESS),
    license="Apache-2.0",
    files=(),
    hub_share=0.4,
)


class HashEncoder:
    """Both towers: a picture's vector is a fixed projection of its coarse pixels, a text's is drawn from its hash."""

    def __init__(self) -> None:
        self.spec = SPEC
        self.preprocess = PREPROCESS
        rng = np.random.default_rng(20)
        self._projection = rng.standard_normal((_SIDE * _SIDE * 3, SPEC.dim)).astype(np.float32)

    def encode_image(self, pixels: Pixels) -> Vectors:
        """Return `float32 (n, dim)`; like pixels give like vectors."""
        flat = pixels.reshape(len(pixels), -1).astype(np.float32) / 255 + 0.01
        return l2_normalize(flat @ self._projection)

    def read_text(self, text: str) -> TextReading:
        """Know every text but the empty one."""
        return TextReading(known=bool(text))

    def encode_text(self, texts: Sequence[str]) -> Vectors:
        """Return `float32 (n, dim)`; equal texts give equal vectors."""
        if not all(texts):
            raise UnknownWords((), SPEC.name)
        return l2_normalize(np.array([*map(_draw, texts)]).reshape(-1, SPEC.dim))


@lru_cache(4096)  # more than the query bank has, which every library begins with
def _draw(text: str) -> NDArray[np.float64]:
    """Return `float64 (dim,)`, not of length one; not to be changed."""
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])
    return np.random.default_rng(seed).standard_normal(SPEC.dim)


class HashFamily:
    """The encoder as the registry takes it."""

    specs = (SPEC,)

    def preprocess(self, _spec: EncoderSpec) -> Preprocess:
        """Return the resize."""
        return PREPROCESS

    def open_image(self, _spec: EncoderSpec, _runtime: Runtime) -> HashEncoder:
        """Return the encoder."""
        return HashEncoder()

    def open_text(self, _spec: EncoderSpec, _runtime: Runtime) -> HashEncoder:
        """Return the encoder."""
        return HashEncoder()
